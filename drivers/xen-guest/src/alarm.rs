//! The virtual processor's timer, set as rarely as will do: each time is a hypercall.

use hyper::Nanos;

/// A part of the sleep: how long before the deadline the timer may run out. 0.6 ms of 10 ms.
const EARLY_DIVISOR: u64 = 16;

/// Longest time before the deadline that the timer may run out, for any sleep.
pub const EARLY_NS_MAX: u64 = 1_000_000;

/// The timer's setting.
///
/// Each look at a stream computes the next one's time anew, from a position that moves in steps and a clock that doesn't.
/// So several looks in a period give several times, each a little later. The first of them will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    set_to: Option<Nanos>,
}

impl Alarm {
    /// The timer's new setting for a sleep from `now` until `deadline`. `None`: it runs out at the deadline anyhow, or
    /// shortly before. A caller that finds nothing due then sleeps again, until the deadline itself.
    ///
    /// Without a deadline the setting stays, and may wake once for nothing.
    pub fn set(&mut self, deadline: Option<Nanos>, now: Nanos) -> Option<Nanos> {
        let deadline = deadline?;
        let sleep_ns = deadline.0.saturating_sub(now.0);
        let early_ns = (sleep_ns / EARLY_DIVISOR).min(EARLY_NS_MAX);
        let earliest = Nanos(deadline.0.saturating_sub(early_ns));
        // One that has run out is none any more.
        let will_do = |set_to: Nanos| set_to > now && (earliest..=deadline).contains(&set_to);
        if self.set_to.is_some_and(will_do) {
            return None;
        }
        self.set_to = Some(deadline);
        self.set_to
    }
}
