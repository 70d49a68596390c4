//! The published map from this guest's clock to Xen's: a line with a bound, under a sequence lock.

use std::sync::atomic::{AtomicU64, Ordering};

use audiofront::Bounded;

const BILLION: i128 = 1_000_000_000;

/// A point with a known clock difference, and its change from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    guest_ns: u64,
    system: Bounded,
    drift_q32: i32,
    /// Rounded up, twice.
    spread_q32: u32,
}

impl Anchor {
    pub(super) fn new(guest_ns: u64, system: Bounded, (low_ppb, high_ppb): (i32, i32)) -> Self {
        let q32 = |twice_ppb: i64| (i128::from(twice_ppb) << 31) / BILLION;
        let (low_ppb, high_ppb) = (i64::from(low_ppb), i64::from(high_ppb));
        // At most 500 ppm either way, which is 2^21 parts of 2^32.
        let drift_q32 = i32::try_from(q32(low_ppb + high_ppb)).unwrap_or(0);
        let spread_q32 = u32::try_from(q32(high_ppb - low_ppb) + 2).unwrap_or(u32::MAX);
        Self { guest_ns, system, drift_q32, spread_q32 }
    }

    pub(super) fn drift_ppb(&self) -> (i32, i32) {
        let ppb = |q32: i64| i32::try_from((i128::from(q32) * BILLION) >> 32).unwrap_or(0);
        let (drift, spread) = (i64::from(self.drift_q32), i64::from(self.spread_q32));
        (ppb(drift - spread), ppb(drift + spread))
    }

    #[inline]
    pub(super) fn to_system(self, guest_ns: u64) -> Bounded {
        let span = i128::from(guest_ns.wrapping_sub(self.guest_ns).cast_signed());
        // The mean drift and half of its uncertainty, as parts of 2^32. Each needs one
        // multiplication.
        let drifted = (span * i128::from(self.drift_q32)) >> 32;
        let widened = (span.abs() * i128::from(self.spread_q32)) >> 32;
        let time_ns = self.system.time_ns.wrapping_add_signed((span + drifted) as i64);
        // Rounding errors, also of the parts: half a part of 2^32 is a nanosecond in eight seconds.
        let error_ns = self.system.error_ns.saturating_add(widened as u64).saturating_add(2);
        Bounded { time_ns, error_ns }
    }

    pub(super) fn to_guest(self, system_ns: u64) -> Bounded {
        // First ignore the drift, then correct by the drift at that point. The remaining error is
        // below a part in 10^6.
        let guess = self.guest_ns.wrapping_add(system_ns.wrapping_sub(self.system.time_ns));
        let shown = self.to_system(guess);
        let time_ns = guess.wrapping_add(system_ns.wrapping_sub(shown.time_ns));
        let slack = guess.abs_diff(self.guest_ns) / 1_000_000 + 1;
        Bounded { time_ns, error_ns: shown.error_ns.saturating_add(slack) }
    }
}

/// An anchor that one thread writes and any thread reads. No thread waits in the kernel.
///
/// Each store is a release and each load an acquire, as on the control page. A reader of any new
/// word therefore also sees the odd number before it.
#[derive(Debug, Default)]
pub(super) struct Shared {
    sequence: AtomicU64,
    words: [AtomicU64; 4],
}

impl Shared {
    pub(super) fn write(&self, anchor: Anchor) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence | 1, Ordering::Release);
        let low = u64::from(anchor.drift_q32.cast_unsigned());
        let high = u64::from(anchor.spread_q32);
        let words = [anchor.guest_ns, anchor.system.time_ns, anchor.system.error_ns, high << 32 | low];
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Release);
        }
        self.sequence.store((sequence | 1).wrapping_add(1), Ordering::Release);
    }

    #[inline]
    pub(super) fn read(&self) -> Option<Anchor> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            let [guest_ns, time_ns, error_ns, drift] =
                [0, 1, 2, 3].map(|word| self.words[word].load(Ordering::Acquire));
            // The writer is a thread of this program and needs only nanoseconds.
            if before & 1 == 0 && self.sequence.load(Ordering::Acquire) == before {
                return Some(Anchor {
                    guest_ns,
                    system: Bounded { time_ns, error_ns },
                    drift_q32: (drift as u32).cast_signed(),
                    spread_q32: (drift >> 32) as u32,
                });
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audiofront::ClockMap;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let shared = Shared::default();
        assert_eq!(shared.read(), None);
        let anchor = Anchor::new(7, Bounded { time_ns: u64::MAX, error_ns: 3 }, (-500_000, 400_000));
        shared.write(anchor);
        assert_eq!(shared.read(), Some(anchor));
    }

    #[test]
    fn readers_see_no_mixture() {
        let shared = Shared::default();
        let anchor = |number: u64| {
            let drift = number as i32;
            Anchor::new(number, Bounded { time_ns: number, error_ns: number }, (drift, drift))
        };
        shared.write(anchor(1));
        std::thread::scope(|scope| {
            let readers = [(); 2].map(|()| {
                scope.spawn(|| {
                    for _ in 0..100_000 {
                        let seen = shared.read().unwrap();
                        assert_eq!(seen, anchor(seen.guest_ns));
                    }
                })
            });
            for number in 1..50_000 {
                shared.write(anchor(number));
            }
            readers.into_iter().for_each(|reader| reader.join().unwrap());
        });
    }

    proptest! {
        /// Near the anchor the line lies within the map's bounds.
        #[test]
        fn the_line_is_true_where_the_map_is(
            offset in 0u64..1 << 50, drift_ppm in -400i64..400, delays in prop::collection::vec((0u64..100_000, 0u64..100_000), 1..20),
            later_ns in 0u64..20_000_000_000,
        ) {
            let system = |guest: u64| (i128::from(guest) + i128::from(offset) + i128::from(guest) * i128::from(drift_ppm) / 1_000_000) as u64;
            let mut map = ClockMap::new();
            let mut guest = 1_000_000_000;
            for (there, back) in delays {
                map.add(guest, guest + there + back, system(guest + there)).unwrap();
                guest += 1_000_000_000;
            }
            let (low, high) = map.drift_ppb();
            let anchor = Anchor::new(guest, map.to_system(guest).unwrap(), (low, high));
            let then = guest + later_ns;
            let shown = anchor.to_system(then);
            prop_assert!(shown.time_ns.abs_diff(system(then)) <= shown.error_ns + 1, "{shown:?} {}", system(then));
            let back = anchor.to_guest(system(then));
            prop_assert!(back.time_ns.abs_diff(then) <= back.error_ns + 2, "{back:?} {then}");
        }
    }
}
