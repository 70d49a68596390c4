//! The work that all voices together may cause.

use crate::layout::Layout;

/// The cost of a converted frame, compared to one that is only added.
const CONVERSION: u64 = 25;

/// Work in samples a second. A sample whose rate is converted counts 25 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost(pub u64);

impl Cost {
    pub(crate) fn of(voice: &Layout, bus: &Layout) -> Self {
        let channels = voice.channels.max(bus.channels).count() as u64;
        let samples = u64::from(voice.rate_hz.max(bus.rate_hz)).saturating_mul(channels);
        Self(if voice.rate_hz == bus.rate_hz { samples } else { samples.saturating_mul(CONVERSION) })
    }
}

/// The work that is allowed, and the share that is used.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    limit: Cost,
    used: Cost,
    /// A refusal was logged since the last success. A guest can repeat an OPEN that is refused.
    is_logged: bool,
}

impl Budget {
    /// An unused budget.
    pub const fn new(limit: Cost) -> Self {
        Self { limit, used: Cost(0), is_logged: false }
    }

    /// The work of all open voices.
    pub fn used(&self) -> Cost {
        self.used
    }

    /// Takes a voice's share, if it is left.
    pub(crate) fn admit(&mut self, cost: Cost) -> bool {
        let used = self.used.0.saturating_add(cost.0);
        let fits = used <= self.limit.0;
        if fits {
            self.used = Cost(used);
            self.is_logged = false;
        } else if !self.is_logged {
            self.is_logged = true;
            log::warn!("a voice is refused: {used} samples a second are more than {}", self.limit.0);
        }
        fits
    }

    /// Gives a voice's share back.
    pub(crate) fn release(&mut self, cost: Cost) {
        self.used = Cost(self.used.0.saturating_sub(cost.0));
    }
}
