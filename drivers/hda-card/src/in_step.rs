//! A start in step with a stream that runs: both have the same number of frames in each link frame.

use hyper::{Clock, Nanos};
use snd_hda::position::{Bracket, Cadence};
use snd_hda::stream::LinkTime;

use crate::timing::Timing;

/// So long before the right link frame a start is best begun.
const BEFORE_NS: u64 = 1_200_000;

/// A start that begins later than so long before it may miss it: the descriptor is set up and its FIFO filled meanwhile.
const LATEST_NS: u64 = 800_000;

/// The longest wait for the right link frame, in ticks of the wall clock: a period of 44.1 kHz, for a start that has missed one.
/// One that is farther away is given up.
const MOST_WAIT_TICKS: u64 = 24 * 3_400;

/// The time for such a start. The right link frames are whole periods of the cadence after the other stream's first one.
pub(crate) struct InStep<'a, C> {
    timing: &'a Timing<C>,
    /// Frame 0 of the other stream at the link, in ticks of the wall clock.
    start_ticks: u64,
    cadence: Cadence,
}

impl<'a, C: Clock> InStep<'a, C> {
    pub(crate) fn new(timing: &'a Timing<C>, start_ticks: u64, cadence: Cadence) -> Self {
        Self { timing, start_ticks, cadence }
    }

    /// The time from which on a start soon meets a right link frame.
    pub(crate) fn due(&self) -> Nanos {
        let (now_ns, period_ns) = (self.timing.now_ns(), ns(self.cadence.period_ticks()));
        let Some(now) = self.timing.wall_ticks().filter(|_| period_ns > BEFORE_NS) else { return Nanos(0) };
        let mut left_ns = ns(self.ticks_until(now));
        if left_ns < LATEST_NS {
            left_ns = left_ns.saturating_add(period_ns);
        }
        Nanos(left_ns.checked_sub(BEFORE_NS).map_or(0, |wait_ns| now_ns.saturating_add(wait_ns)))
    }

    /// Ticks until a write takes effect with a right link frame.
    fn ticks_until(&self, now: Bracket) -> u64 {
        let since = |ticks: u64| ticks.saturating_sub(self.start_ticks);
        let now = Bracket { before: since(now.before), after: since(now.after) };
        now.ticks_until_early(self.cadence.period_link_frames())
    }
}

impl<C: Clock> LinkTime for InStep<'_, C> {
    fn wall_ticks(&self) -> Option<Bracket> {
        self.timing.wall_ticks()
    }

    fn ticks_until_write(&self, now: Bracket) -> u64 {
        let ticks = self.ticks_until(now);
        // Everybody would wait. The phase is known at another link frame, too, but not each frame is at the same one.
        if ticks <= MOST_WAIT_TICKS { ticks } else { now.ticks_until_early(1) }
    }
}

/// Nanoseconds of so many ticks: 24 in 1000 ns.
fn ns(ticks: u64) -> u64 {
    ticks.saturating_mul(125) / 3
}
