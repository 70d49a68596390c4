//! The rate converter: positions, blocks, and its filter's formula in doubles.

use pcm::{Channels, Converter, MOST_WORDS, Rates, Sample, Start, Wide};
use proptest::prelude::*;

use crate::reference::{RATES_HZ, any_rates, converted, kernel, of_sample, of_wide};

fn any_start() -> impl Strategy<Value = Start> {
    proptest::sample::select(vec![Start::Delayed, Start::Aligned])
}

fn converter(rates: Rates, channels: Channels, start: Start) -> Box<Converter<MOST_WORDS>> {
    Box::new(Converter::new(rates, channels, start).expect("memory for all"))
}

/// All that a converter makes of this input.
fn convert(rates: Rates, channels: Channels, start: Start, input: &[Sample]) -> Vec<Wide> {
    let frames = input.len() / channels.count();
    let (parts_in, parts_out) = rates.ratio();
    let mut output = vec![0; (frames * parts_out as usize / parts_in as usize + 2) * channels.count()];
    let done = converter(rates, channels, start).process(input, &mut output);
    assert_eq!(done.input_frames, frames);
    output.truncate(done.output_frames * channels.count());
    output
}

#[test]
fn every_pair_of_usual_rates_has_its_count_and_delay() {
    for input in RATES_HZ {
        for output in RATES_HZ {
            let rates = Rates::new(input, output).expect("in range");
            let lower = input.min(output);
            let delay = if input == output { 0 } else { (40 * input).div_ceil(lower) };
            assert_eq!(rates.delay_frames(), delay);
            let (a, b) = rates.ratio();
            assert_eq!(u64::from(input) * u64::from(b), u64::from(output) * u64::from(a));
            for frames in [0, 1, 147, 160, 1_000] {
                let made = convert(rates, Channels::MONO, Start::Delayed, &vec![0; frames]).len();
                assert_eq!(made, (frames * output as usize).div_ceil(input as usize));
                assert_eq!(rates.output_frames(frames as u64), Some(made as u64));
            }
            assert!(Converter::<MOST_WORDS>::words(rates, Channels::MAX) <= MOST_WORDS);
        }
    }
    assert_eq!(Rates::new(5_511, 48_000), None);
    assert_eq!(Rates::new(48_000, 192_001), None);
    assert_eq!(Rates::new(0, 0), None);
    assert_eq!(
        Rates::new(192_000, 5_512).expect("in range").output_frames(u64::MAX),
        Some(529_575_277_782_745_045)
    );
    assert_eq!(Rates::new(5_512, 192_000).expect("in range").output_frames(u64::MAX), None);
}

#[test]
fn too_little_memory_is_refused() {
    let rates = Rates::new(44_100, 48_000).expect("in range");
    assert_eq!(Converter::<416>::words(rates, Channels::STEREO), 416);
    assert!(Converter::<416>::new(rates, Channels::STEREO, Start::Delayed).is_some());
    assert!(Converter::<415>::new(rates, Channels::STEREO, Start::Delayed).is_none());
    assert!(Converter::<0>::new(rates, Channels::MONO, Start::Delayed).is_none());
}

#[test]
fn a_rising_rate_keeps_the_frames_that_coincide() {
    for (input_hz, output_hz) in [(44_100, 88_200), (8_000, 48_000), (44_100, 48_000), (11_025, 192_000)] {
        let rates = Rates::new(input_hz, output_hz).expect("in range");
        let (parts_in, parts_out) = rates.ratio();
        let input: Vec<i32> = (1..=500i32).map(|frame| frame.wrapping_mul(1_234_567_891)).collect();
        let output = convert(rates, Channels::MONO, Start::Aligned, &input);
        let mut coincident = 0;
        for (from, to) in
            input.iter().step_by(parts_in as usize).zip(output.iter().step_by(parts_out as usize))
        {
            assert_eq!(*to, i64::from(*from) << 16);
            coincident += 1;
        }
        assert!(coincident >= 3);
    }
}

#[test]
fn full_scale_at_its_worst_is_below_the_stated_bound() {
    // Samples with the signs of the filter's coefficients half a frame away: the loudest there is.
    let rates = Rates::new(24_000, 48_000).expect("in range");
    let input: Vec<i32> = (0..80i32)
        .map(|frame| if kernel(f64::from(frame) - 39.5) < 0.0 { i32::MIN } else { i32::MAX })
        .collect();
    let output = convert(rates, Channels::MONO, Start::Delayed, &input);
    let peak = output.iter().map(|wide| of_wide(*wide).abs()).fold(0.0, f64::max);
    assert!((2.0..3.5).contains(&peak), "{peak}");
}

proptest! {
    #[test]
    fn the_input_for_an_output_is_the_least(rates in any_rates(), output_frames in 0u64..1 << 40) {
        let needed = rates.input_frames(output_frames).expect("in 64 bits");
        prop_assert!(rates.output_frames(needed).expect("in 64 bits") >= output_frames);
        if let Some(less) = needed.checked_sub(1) {
            prop_assert!(rates.output_frames(less).expect("in 64 bits") < output_frames);
        }
    }

    #[test]
    fn an_aligned_start_needs_the_delay_more(rates in any_rates(), output_frames in 1usize..300) {
        let needed = rates.input_frames(output_frames as u64).expect("in 64 bits") as usize;
        let needed = needed + rates.delay_frames() as usize;
        let mut output = vec![0; output_frames + 1];
        let mut aligned = converter(rates, Channels::MONO, Start::Aligned);
        prop_assert!(aligned.process(&vec![0; needed - 1], &mut output).output_frames < output_frames);
        let mut aligned = converter(rates, Channels::MONO, Start::Aligned);
        prop_assert!(aligned.process(&vec![0; needed], &mut output).output_frames >= output_frames);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blocks_of_any_size_make_the_same_output(
        rates in any_rates(),
        channels in 1usize..=8,
        start in any_start(),
        seed in any::<u32>(),
        sizes in prop::collection::vec((0usize..300, 0usize..300), 1..30),
    ) {
        let channels = Channels::new(channels).expect("1 to 8");
        let count = channels.count();
        let total: usize = sizes.iter().map(|(input, _)| *input).sum::<usize>().min(1_500);
        let input: Vec<i32> =
            (0..total * count).map(|index| (index as u32 ^ seed).wrapping_mul(2_654_435_761).cast_signed()).collect();
        let whole = convert(rates, channels, start, &input);
        let mut pieces = Vec::new();
        let mut in_pieces = converter(rates, channels, start);
        let mut rest = &input[..];
        // A turn of empty blocks would never end.
        let sizes = sizes.into_iter().chain([(1, 1)]);
        for (input_frames, output_frames) in sizes.cycle() {
            // A block may end within a frame: the rest comes with the next one.
            let block = &rest[..(input_frames * count + 1).min(rest.len())];
            let mut output = vec![0; output_frames * count];
            let done = in_pieces.process(block, &mut output);
            prop_assert!(done.output_frames == output_frames || done.input_frames == block.len() / count);
            rest = &rest[done.input_frames * count..];
            pieces.extend_from_slice(&output[..done.output_frames * count]);
            if rest.is_empty() && done.output_frames < output_frames {
                break;
            }
        }
        prop_assert!(pieces == whole);
        in_pieces.reset();
        let mut again = vec![0; whole.len()];
        prop_assert_eq!(in_pieces.process(&input, &mut again).output_frames, whole.len() / count);
        prop_assert!(again == whole);
    }

    #[test]
    fn channels_are_converted_alike(rates in any_rates(), channels in 2usize..=8, seed in any::<u32>()) {
        let channels = Channels::new(channels).expect("1 to 8");
        let count = channels.count();
        let input: Vec<i32> =
            (0..300 * count).map(|index| (index as u32 ^ seed).wrapping_mul(2_654_435_761).cast_signed()).collect();
        let whole = convert(rates, channels, Start::Delayed, &input);
        for channel in 0..count {
            let one: Vec<i32> = input.iter().skip(channel).step_by(count).copied().collect();
            let one = convert(rates, Channels::MONO, Start::Delayed, &one);
            prop_assert!(whole.iter().skip(channel).step_by(count).eq(&one));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn outputs_are_the_formula_at_their_positions(
        rates in any_rates(),
        start in any_start(),
        input in prop::collection::vec(any::<i32>(), 400..2_000),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 6),
    ) {
        let output = convert(rates, Channels::MONO, start, &input);
        let delay = if start == Start::Delayed { rates.delay_frames() } else { 0 };
        if rates.ratio() == (1, 1) {
            prop_assert!(output.iter().zip(&input).all(|(wide, sample)| *wide == i64::from(*sample) << 16));
            return Ok(());
        }
        let input: Vec<f64> = input.into_iter().map(of_sample).collect();
        for n in picks.into_iter().filter(|_| !output.is_empty()).map(|pick| pick.index(output.len())) {
            let (found, expected) = (of_wide(output[n]), converted(rates, delay, &input, n));
            // For noise at full scale: rounding of coefficients, or interpolation between points of the filter.
            let (parts_in, parts_out) = rates.ratio();
            let bound = if parts_in < parts_out && 320 % parts_out == 0 { -23 } else { -15 };
            prop_assert!((found - expected).abs() <= 2f64.powi(bound), "{rates:?} {n}: {found} {expected}");
        }
    }
}
