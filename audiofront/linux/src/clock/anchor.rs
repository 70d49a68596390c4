//! The map from this guest's clock to Xen's as readers have it: a line with a bound, under a sequence lock.

use std::sync::atomic::{AtomicU64, Ordering};

use audiofront::Bounded;

const BILLION: i128 = 1_000_000_000;

/// A point at which the difference of the clocks is known, and how it changes from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    guest_ns: u64,
    system: Bounded,
    drift_low_ppb: i32,
    drift_high_ppb: i32,
}

impl Anchor {
    pub(super) fn new(guest_ns: u64, system: Bounded, drift_ppb: (i32, i32)) -> Self {
        Self { guest_ns, system, drift_low_ppb: drift_ppb.0, drift_high_ppb: drift_ppb.1 }
    }

    pub(super) fn drift_ppb(&self) -> (i32, i32) {
        (self.drift_low_ppb, self.drift_high_ppb)
    }

    #[inline]
    pub(super) fn to_system(self, guest_ns: u64) -> Bounded {
        let span = guest_ns.wrapping_sub(self.guest_ns).cast_signed();
        let drift = i64::from(self.drift_low_ppb) + i64::from(self.drift_high_ppb);
        let half_width = i64::from(self.drift_high_ppb) - i64::from(self.drift_low_ppb);
        // Some seconds at most as a rule, which 64 bits hold; twice the mean drift is below 2^32.
        let (drifted, widened) = match i32::try_from(span / (1 << 24)) {
            Ok(-64..=64) => (span * drift / 2_000_000_000, span.abs() * half_width / 2_000_000_000),
            _ => {
                let scaled = |by: i64, span: i64| (i128::from(span) * i128::from(by) / (2 * BILLION)) as i64;
                (scaled(drift, span), scaled(half_width, span.saturating_abs()))
            }
        };
        let time_ns = self.system.time_ns.wrapping_add_signed(span).wrapping_add_signed(drifted);
        // Two roundings.
        let error_ns = self.system.error_ns.saturating_add(widened.unsigned_abs()).saturating_add(2);
        Bounded { time_ns, error_ns }
    }

    pub(super) fn to_guest(self, system_ns: u64) -> Bounded {
        // As if there were no drift, and then as far from it as the drift takes it: what is left is below a part in 10^6.
        let guess = self.guest_ns.wrapping_add(system_ns.wrapping_sub(self.system.time_ns));
        let shown = self.to_system(guess);
        let time_ns = guess.wrapping_add(system_ns.wrapping_sub(shown.time_ns));
        let slack = guess.abs_diff(self.guest_ns) / 1_000_000 + 1;
        Bounded { time_ns, error_ns: shown.error_ns.saturating_add(slack) }
    }
}

/// An anchor that one thread writes and any reads. Nobody waits for anybody in the kernel.
///
/// Each store is a release and each load an acquire, so that whoever has seen one word of a newer writing also sees the odd
/// number before it, as on the control page.
#[derive(Debug, Default)]
pub(super) struct Shared {
    sequence: AtomicU64,
    words: [AtomicU64; 4],
}

impl Shared {
    pub(super) fn write(&self, anchor: Anchor) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence | 1, Ordering::Release);
        let low = u64::from(anchor.drift_low_ppb.cast_unsigned());
        let high = u64::from(anchor.drift_high_ppb.cast_unsigned());
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
            // The writer is a thread of this program, and takes nanoseconds.
            if before & 1 == 0 && self.sequence.load(Ordering::Acquire) == before {
                return Some(Anchor {
                    guest_ns,
                    system: Bounded { time_ns, error_ns },
                    drift_low_ppb: (drift as u32).cast_signed(),
                    drift_high_ppb: ((drift >> 32) as u32).cast_signed(),
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
        /// The line lies within what the map says, everywhere near.
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
