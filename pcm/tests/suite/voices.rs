//! Whole voices: decoded, converted, mapped, scaled and added to a bus, against the same in doubles.

use pcm::{ChannelMap, Channels, Converter, Format, Gain, MOST_WORDS, MilliDb, Rates, Start, Volume, mix};
use proptest::prelude::*;

use crate::reference::{RATES_HZ, any_format, converted, decode, of_wide};

/// Frames of the bus.
const FRAMES: usize = 40;

/// A guest's voice.
#[derive(Clone, Debug)]
struct Voice {
    format: Format,
    channels: Channels,
    rate_hz: u32,
    level: i32,
    bytes: Vec<u8>,
}

impl Voice {
    fn rates(&self, bus_hz: u32) -> Rates {
        Rates::new(self.rate_hz, bus_hz).expect("usual rates")
    }

    fn map(&self) -> ChannelMap {
        ChannelMap::standard(self.channels, Channels::STEREO).attenuated()
    }

    fn samples(&self) -> usize {
        self.bytes.len() / self.format.bytes_per_sample() / self.channels.count() * self.channels.count()
    }
}

fn any_voice() -> impl Strategy<Value = Voice> {
    let rate = proptest::sample::select(&RATES_HZ[..]);
    let bytes = prop::collection::vec(any::<u8>(), 2_000..4_000);
    (any_format(), 1usize..=8, rate, -60_000..6_000, bytes).prop_map(
        |(format, channels, rate_hz, level, bytes)| Voice {
            format,
            channels: Channels::new(channels).expect("1 to 8"),
            rate_hz,
            level,
            bytes,
        },
    )
}

/// Adds a voice to the bus as a mixer does.
fn play(voice: &Voice, bus_hz: u32, bus: &mut [i64; FRAMES * 2]) {
    let mut samples = vec![0; voice.samples()];
    voice.format.decode(&voice.bytes, &mut samples);
    let mut converter: Box<Converter<MOST_WORDS>> = Box::new(
        Converter::new(voice.rates(bus_hz), voice.channels, Start::Delayed).expect("memory for all"),
    );
    let mut at_bus_rate = vec![0; FRAMES * voice.channels.count()];
    let frames = converter.process(&samples, &mut at_bus_rate).output_frames;
    let mut stereo = [0; FRAMES * 2];
    voice.map().apply(&at_bus_rate, &mut stereo);
    let volume =
        Volume::new(Gain::from(MilliDb(voice.level))).mix(Channels::STEREO, &stereo[..frames * 2], bus);
    assert_eq!(volume, frames);
}

/// The same in doubles, for one frame of the bus.
fn heard(voice: &Voice, bus_hz: u32, frame: usize) -> [f64; 2] {
    let size = voice.format.bytes_per_sample();
    let count = voice.channels.count();
    let values: Vec<f64> = voice
        .bytes
        .chunks_exact(size)
        .take(voice.samples())
        .map(|bytes| {
            let value = decode(voice.format, bytes);
            if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) }
        })
        .collect();
    let rates = voice.rates(bus_hz);
    if rates.output_frames((voice.samples() / count) as u64).expect("few") <= frame as u64 {
        return [0.0; 2];
    }
    let channels: Vec<f64> = (0..count)
        .map(|channel| {
            let channel: Vec<f64> = values.iter().skip(channel).step_by(count).copied().collect();
            if rates.ratio() == (1, 1) {
                channel[frame]
            } else {
                converted(rates, rates.delay_frames(), &channel, frame)
            }
        })
        .collect();
    let amplitude = 10f64.powf(f64::from(voice.level) / 20_000.0);
    let map = voice.map();
    [0, 1].map(|output| {
        let row = map.coefficients()[output];
        channels.iter().zip(row).map(|(value, c)| value * f64::from(c) / 2f64.powi(30)).sum::<f64>()
            * amplitude
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_bus_is_the_sum_of_its_voices_within_the_converters_bound(
        voices in prop::collection::vec(any_voice(), 1..5),
        bus_hz in proptest::sample::select(vec![44_100, 48_000, 96_000]),
        picks in prop::collection::vec(0..FRAMES, 3),
    ) {
        let mut bus = [0; FRAMES * 2];
        voices.iter().for_each(|voice| play(voice, bus_hz, &mut bus));
        // Each voice is wrong by the filter's interpolation, 2^-15 of full scale; all else is far less.
        let bound: f64 =
            voices.iter().map(|voice| 10f64.powf(f64::from(voice.level) / 20_000.0) * 2f64.powi(-15)).sum();
        for frame in picks {
            let expected = voices.iter().map(|voice| heard(voice, bus_hz, frame));
            let expected = expected.fold([0.0; 2], |sum, [left, right]| [sum[0] + left, sum[1] + right]);
            for (wide, expected) in bus[frame * 2..].iter().zip(expected) {
                prop_assert!((of_wide(*wide) - expected).abs() <= bound, "{} {expected}", of_wide(*wide));
            }
        }
        let mut bytes = [0; FRAMES * 2 * 4];
        let encoded = Format::S32Le.encode(Channels::STEREO, &bus, &mut bytes);
        let clipped = bus.chunks(2).filter(|frame| frame.iter().any(|wide| !(-1.0..1.0).contains(&of_wide(*wide))));
        prop_assert!(encoded.clipped_frames.abs_diff(clipped.count()) <= 1);
    }
}

#[test]
fn one_voice_that_fits_the_bus_is_on_it_bit_for_bit() {
    for format in [Format::S16Le, Format::U24Be, Format::S32Be, Format::U8] {
        let count = 96 / format.bytes_per_sample();
        let bytes: Vec<u8> = (0..96u8).map(|byte| byte.wrapping_mul(37)).collect();
        let mut bus = vec![0; count];
        mix::add_encoded(format, Gain::UNITY, &bytes, &mut bus);
        let mut played = vec![0; count * 4];
        assert_eq!(Format::S32Le.encode(Channels::STEREO, &bus, &mut played).clipped_frames, 0);
        let values = bytes.chunks(format.bytes_per_sample()).map(|bytes| decode(format, bytes));
        let on_bus = played.chunks(4).map(|bytes| decode(Format::S32Le, bytes));
        assert!(values.eq(on_bus), "{format:?}");
    }
}
