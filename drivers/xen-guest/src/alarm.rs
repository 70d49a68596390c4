//! The virtual processor's timer. Each setting is a hypercall, so it changes as rarely as
//! possible.

use hyper::Nanos;

/// A part of the sleep: the timer may run out this long before the deadline. 0.6 ms of 10 ms.
const EARLY_DIVISOR: u64 = 16;

/// Limit of that time for any sleep.
pub const EARLY_NS_MAX: u64 = 1_000_000;

/// The timer's setting.
///
/// Each poll of a stream computes the time of the next, from a position that moves in steps and a
/// steady clock. So several polls in a period give several times, each a little later. The first
/// suffices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    set_to: Option<Nanos>,
}

impl Alarm {
    /// The timer's new setting for a sleep from `now` until `deadline`.
    ///
    /// `None`: it already runs out at the deadline or shortly before. A caller without due work
    /// then sleeps again, until the deadline itself.
    ///
    /// Without a deadline the setting stays, and may cause one needless wake-up.
    pub fn set(&mut self, deadline: Option<Nanos>, now: Nanos) -> Option<Nanos> {
        let deadline = deadline?;
        let sleep_ns = deadline.0.saturating_sub(now.0);
        let early_ns = (sleep_ns / EARLY_DIVISOR).min(EARLY_NS_MAX);
        let earliest = Nanos(deadline.0.saturating_sub(early_ns));
        // An expired setting is no setting.
        let will_do = |set_to: Nanos| set_to > now && (earliest..=deadline).contains(&set_to);
        if self.set_to.is_some_and(will_do) {
            return None;
        }
        self.set_to = Some(deadline);
        self.set_to
    }
}
