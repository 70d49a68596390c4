//! Gains, ramps and levels.

use pcm::{Channels, Gain, MilliDb, Peak, Signal, Volume, Wide};
use proptest::prelude::*;

use crate::reference::WIDE_ONE;

/// 1.0 as a gain.
const GAIN_ONE: f64 = (1u64 << 58) as f64;

fn any_gain() -> impl Strategy<Value = Gain> {
    prop_oneof![
        4 => (MilliDb::MIN.0..=MilliDb::MAX.0).prop_map(|level| Gain::from(MilliDb(level))),
        1 => proptest::sample::select(vec![Gain::MUTE, Gain::UNITY]),
    ]
}

#[test]
fn every_step_is_the_formula_and_above_the_one_before() {
    let mut before = Gain::MUTE;
    for level in MilliDb::MIN.0..=MilliDb::MAX.0 {
        let gain = Gain::from(MilliDb(level));
        let expected = 10f64.powf(f64::from(level) / 20_000.0) * GAIN_ONE;
        let error = (gain.bits() as f64 - expected).abs();
        assert!(error <= expected * 2f64.powi(-46) + 2.0, "{level}: {error} of {expected}");
        assert!(gain > before, "{level}");
        before = gain;
    }
}

#[test]
fn levels_beyond_the_range_are_mute_or_the_highest() {
    assert_eq!(Gain::from(MilliDb(MilliDb::MIN.0 - 1)), Gain::MUTE);
    assert_eq!(Gain::from(MilliDb(i32::MIN)), Gain::MUTE);
    assert_eq!(Gain::from(MilliDb(i32::MAX)), Gain::from(MilliDb::MAX));
    assert_eq!(Gain::from(MilliDb(i32::MAX) + MilliDb(1)), Gain::from(MilliDb::MAX));
    assert_eq!(Gain::from(MilliDb(i32::MIN) + MilliDb(-1)), Gain::MUTE);
    assert_eq!(Gain::from(MilliDb::UNITY), Gain::UNITY);
    // The lowest gain takes full scale below half a step of 32 bits.
    assert!(i32::MIN.scaled(Gain::from(MilliDb::MIN)) > -(1 << 15));
}

#[test]
fn a_peak_has_the_level_that_makes_it() {
    for level in (MilliDb::MIN.0..=MilliDb::MAX.0).step_by(997) {
        let wide = (10f64.powf(f64::from(level) / 20_000.0) * WIDE_ONE).ceil() as Wide + 8;
        let found = Peak::of(&[0, -wide]).level().expect("not silent");
        // Below -150 dB, a step of the sum can be more than a step of the level.
        let allowed = if level > -150_000 { 0 } else { 1_000 };
        assert!((0..=allowed).contains(&(found.0 - level)), "{level} {found:?}");
    }
    assert_eq!(Peak::of(&[i64::MIN]).level(), Some(MilliDb::MAX));
    assert_eq!(Peak::of(&[i64::MIN]).magnitude(), u32::MAX);
    assert_eq!(Peak::of(&[i32::MIN]).level(), Some(MilliDb::UNITY));
    assert_eq!(Peak::of::<i32>(&[]).level(), None);
}

proptest! {
    #[test]
    fn scaling_rounds_to_the_nearest(sample in any::<i32>(), gain in any_gain()) {
        let product = i128::from(sample) * i128::from(gain.bits());
        let expected = product.div_euclid(1 << 42) + i128::from(product.rem_euclid(1 << 42) >= 1 << 41);
        prop_assert_eq!(i128::from(sample.scaled(gain)), expected);
        prop_assert_eq!(sample.to_wide().scaled(gain), sample.scaled(gain));
    }

    #[test]
    fn scaling_of_sums_saturates(wide in any::<i64>(), gain in any_gain()) {
        let product = i128::from(wide) * i128::from(gain.bits());
        let expected = product.div_euclid(1 << 58) + i128::from(product.rem_euclid(1 << 58) >= 1 << 57);
        let held = expected.clamp(i64::MIN.into(), i64::MAX.into());
        prop_assert_eq!(i128::from(wide.scaled(gain)), held);
    }

    #[test]
    fn unity_passes_bits_and_mute_none(sample in any::<i32>(), wide in any::<i64>()) {
        prop_assert_eq!(sample.scaled(Gain::UNITY), i64::from(sample) << 16);
        prop_assert_eq!(wide.scaled(Gain::UNITY), wide);
        prop_assert_eq!((sample.scaled(Gain::MUTE), wide.scaled(Gain::MUTE)), (0, 0));
    }

    #[test]
    fn a_ramp_is_a_straight_line_and_exact_at_its_end(
        from in any_gain(),
        to in any_gain(),
        frames in 0u32..200,
        blocks in prop::collection::vec(0usize..40, 1..20),
    ) {
        let mut volume = Volume::new(from);
        volume.ramp_to(to, frames);
        prop_assert_eq!((volume.target(), volume.frames_to_go()), (to, frames));
        let mut done = 0u32;
        for block in blocks {
            let mut sum = vec![0; block * 2];
            let voice = vec![i32::MIN; block * 2];
            prop_assert_eq!(volume.mix(Channels::STEREO, &voice, &mut sum), block);
            for frame in sum.chunks(2) {
                done += 1;
                let way = i128::from(to.bits()) - i128::from(from.bits());
                let bits = if done >= frames {
                    i128::from(to.bits())
                } else {
                    i128::from(from.bits()) + (way * i128::from(done)).div_euclid(i128::from(frames))
                };
                // The voice is -1.0.
                let expected = (-(bits << 31) + (1 << 41)) >> 42;
                prop_assert_eq!([i128::from(frame[0]), i128::from(frame[1])], [expected; 2]);
            }
            prop_assert_eq!(volume.frames_to_go(), frames.saturating_sub(done));
        }
        if done >= frames {
            prop_assert_eq!(volume.now(), to);
        }
    }

    #[test]
    fn a_ramp_can_turn_on_its_way(
        gains in prop::collection::vec((any_gain(), 0u32..50, 0usize..50), 1..8),
    ) {
        let mut volume = Volume::new(Gain::MUTE);
        for (gain, frames, heard) in gains {
            let before = volume.now();
            volume.ramp_to(gain, frames);
            let voice = vec![i32::MAX; heard];
            let mut sum = vec![0; heard];
            volume.mix(Channels::MONO, &voice, &mut sum);
            let (low, high) = (before.min(gain), before.max(gain));
            prop_assert!((low..=high).contains(&volume.now()));
            if heard >= frames as usize && heard > 0 {
                prop_assert_eq!(volume.now(), gain);
            }
        }
    }
}
