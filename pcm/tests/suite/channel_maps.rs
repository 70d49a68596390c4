//! Channel maps against BS.775 and against sums in doubles.

use pcm::{ChannelMap, Channels, Position};
use proptest::prelude::*;

use crate::reference::{WIDE_ONE, of_wide};

fn channels(count: usize) -> Channels {
    Channels::new(count).expect("1 to 8")
}

/// The coefficient of a pair of positions.
fn coefficient(map: &ChannelMap, from: Position, to: Position) -> f64 {
    let place = |channels: Channels, position| channels.positions().iter().position(|held| *held == position);
    match (place(map.outputs(), to), place(map.inputs(), from)) {
        (Some(output), Some(input)) => f64::from(map.coefficients()[output][input]) / 2f64.powi(30),
        _ => 0.0,
    }
}

fn all_pairs() -> impl Iterator<Item = (Channels, Channels)> {
    (1..=8).flat_map(|inputs| (1..=8).map(move |outputs| (channels(inputs), channels(outputs))))
}

#[test]
fn downmixes_of_3_2_are_those_of_bs_775() {
    use Position::{
        FrontCenter as C, FrontLeft as L, FrontRight as R, Mono, RearLeft as Ls, RearRight as Rs,
    };
    let root = 0.5f64.sqrt();
    // ITU-R BS.775-3, annex 4, table 2: mono, 2/0, 3/0 and 2/2 from 3/2.
    let rows: [(usize, Position, [f64; 5]); 8] = [
        (1, Mono, [root, root, 1.0, 0.5, 0.5]),
        (2, L, [1.0, 0.0, root, root, 0.0]),
        (2, R, [0.0, 1.0, root, 0.0, root]),
        (3, L, [1.0, 0.0, 0.0, root, 0.0]),
        (3, C, [0.0, 0.0, 1.0, 0.0, 0.0]),
        (4, L, [1.0, 0.0, root, 0.0, 0.0]),
        (4, Ls, [0.0, 0.0, 0.0, 1.0, 0.0]),
        (4, Rs, [0.0, 0.0, 0.0, 0.0, 1.0]),
    ];
    for inputs in [5, 6] {
        for (outputs, to, expected) in rows {
            let map = ChannelMap::standard(channels(inputs), channels(outputs));
            for (from, expected) in [L, R, C, Ls, Rs].into_iter().zip(expected) {
                let found = coefficient(&map, from, to);
                assert!(
                    (found - expected).abs() < 1e-9,
                    "{inputs} to {outputs}, {from:?} to {to:?}: {found}"
                );
            }
            assert_eq!(coefficient(&map, Position::LowFrequency, to), 0.0);
        }
    }
}

#[test]
fn every_channel_but_the_lfe_is_heard_somewhere() {
    for (inputs, outputs) in all_pairs() {
        let map = ChannelMap::standard(inputs, outputs);
        for from in inputs.positions() {
            let power: f64 = outputs.positions().iter().map(|to| coefficient(&map, *from, *to).powi(2)).sum();
            let is_lost = *from == Position::LowFrequency && !outputs.positions().contains(from);
            let allowed = if is_lost { 0.0..=0.0 } else { 0.12..=2.0 };
            assert!(allowed.contains(&power), "{inputs:?} to {outputs:?}, {from:?}: {power}");
        }
    }
}

#[test]
fn a_position_that_both_have_goes_to_itself() {
    for (inputs, outputs) in all_pairs() {
        let map = ChannelMap::standard(inputs, outputs);
        let rears_share = inputs == Channels::MAX && outputs != Channels::MAX;
        for position in inputs.positions().iter().filter(|position| outputs.positions().contains(position)) {
            let is_rear = matches!(position, Position::RearLeft | Position::RearRight);
            let expected = if rears_share && is_rear { 0.5f64.sqrt() } else { 1.0 };
            assert!((coefficient(&map, *position, *position) - expected).abs() < 1e-9);
        }
        assert_eq!(map.is_identity(), inputs == outputs);
    }
}

#[test]
fn attenuated_maps_stay_within_full_scale() {
    for (inputs, outputs) in all_pairs() {
        let standard = ChannelMap::standard(inputs, outputs);
        let map = standard.clone().attenuated();
        let most = |map: &ChannelMap| {
            let sums =
                map.coefficients().iter().map(|row| row.iter().map(|c| i64::from(c.unsigned_abs())).sum());
            sums.max().unwrap_or(0i64)
        };
        assert!(most(&map) <= 1 << 30);
        // Four channels behind, two before and the centre, heard on one.
        assert!(most(&standard) <= (4.13 * f64::from(1 << 30)) as i64);
        assert_eq!(map == standard, most(&standard) <= 1 << 30);
        let mut output = vec![0; outputs.count()];
        map.apply(&vec![i32::MIN; inputs.count()], &mut output);
        assert!(output.iter().all(|wide| wide.unsigned_abs() <= 1 << 47));
    }
}

proptest! {
    #[test]
    fn a_map_is_a_weighted_sum(
        inputs in 1usize..=8,
        outputs in 1usize..=8,
        coefficients in any::<[[i32; 8]; 8]>(),
        input in prop::collection::vec(any::<i32>(), 0..64),
        room in 0usize..64,
    ) {
        let map = ChannelMap::new(channels(inputs), channels(outputs), coefficients);
        let mut output = vec![7; room];
        let frames = map.apply(&input, &mut output);
        prop_assert_eq!(frames, (input.len() / inputs).min(room / outputs));
        for (from, to) in input.chunks_exact(inputs).zip(output.chunks_exact(outputs)) {
            for (wide, row) in to.iter().zip(&coefficients) {
                let terms = from.iter().zip(row).map(|(sample, c)| f64::from(*sample) * f64::from(*c));
                let expected = terms.sum::<f64>() / 2f64.powi(61);
                prop_assert!((of_wide(*wide) - expected).abs() <= 2.0 / WIDE_ONE);
            }
        }
        prop_assert!(output[frames * outputs..].iter().all(|wide| *wide == 7));
    }

    #[test]
    fn sums_pass_the_identity_and_saturate_beyond(count in 1usize..=8, wide in any::<i64>()) {
        let map = ChannelMap::standard(channels(count), channels(count));
        let mut output = vec![0; count];
        map.apply(&vec![wide; count], &mut output);
        prop_assert!(output.iter().all(|passed| *passed == wide));
        let doubled = ChannelMap::new(Channels::STEREO, Channels::MONO, [[1 << 30; 8]; 8]);
        let mut output = [0];
        doubled.apply(&[wide, wide], &mut output);
        prop_assert_eq!(output[0], wide.saturating_add(wide));
    }
}
