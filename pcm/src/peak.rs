//! Peak levels.

use crate::gain::{Gain, MilliDb};
use crate::signal::{GUARD_BITS, Signal, WIDE_BITS, Wide};

/// The greatest magnitude of some samples.
///
/// ```
/// use pcm::{MilliDb, Peak};
///
/// let peak = Peak::of(&[1 << 29, -(1 << 30), 0]);
/// assert_eq!(peak.level(), Some(MilliDb(-6_021)));
/// assert_eq!(peak.magnitude(), 1 << 30);
/// assert_eq!(Peak::of(&[0]).level(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peak(u64);

impl Peak {
    /// The peak of these samples; of none, silence. [`Ord::max`] joins two.
    pub fn of<S: Signal>(samples: &[S]) -> Self {
        Self(samples.iter().map(|sample| sample.to_wide().unsigned_abs()).max().unwrap_or_default())
    }

    /// The magnitude in steps of a [`Sample`](crate::Sample), rounded down: 2^31 is full scale. It saturates.
    pub fn magnitude(self) -> u32 {
        u32::try_from(self.0 >> GUARD_BITS).unwrap_or(u32::MAX)
    }

    /// The level relative to full scale, rounded down, from [`MilliDb::MIN`] to [`MilliDb::MAX`]. Silence has none.
    pub fn level(self) -> Option<MilliDb> {
        const SHIFT: u32 = Gain::FRACTION_BITS - WIDE_BITS;
        // A magnitude above 24 dB is that: it would be shifted out of the word.
        let magnitude = self.0.min((Wide::MAX >> SHIFT) as u64);
        Gain::level((magnitude << SHIFT) as i64)
    }
}
