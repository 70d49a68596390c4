//! Many voices against a reference in doubles.

use audioback::card::{Card, PortMode, StreamParams};
use pcm::{ChannelMap, Channels};
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::exact::{FORMATS, G711, decoded, encode, sample};
use crate::support::filter::{bound, weights};
use crate::support::guest::{Frames, Guest};
use crate::support::property;
use crate::support::rig::{MILLISECOND, OUT, Rig, params};

/// A step of the bus's 32 bits, as a part of full scale.
const STEP: f64 = 1.0 / (1u64 << 31) as f64;

/// One voice's part: noise at a 16th of full scale, so that seven of them don't clip.
#[derive(Clone, Debug)]
struct Plan {
    format: (SampleFormat, u32),
    rate_hz: u32,
    channels: u8,
    gain_mdb: i32,
    wait_ns: u64,
    seed: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let formats: Vec<_> = FORMATS.into_iter().chain(G711).collect();
    let rates = vec![
        5_512u32, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000,
    ];
    let rates = prop_oneof![
        1 => prop::sample::select(BUS_RATES.to_vec()),
        1 => prop::sample::select(rates)
    ];
    let format = prop::sample::select(formats);
    (format, rates, 1u8..=8, -40_000i32..1, 0u64..15_000_000, any::<u64>()).prop_map(
        |(format, rate_hz, channels, gain_mdb, wait_ns, seed)| Plan {
            format,
            rate_hz,
            channels,
            gain_mdb,
            wait_ns,
            seed,
        },
    )
}

const BUS_RATES: [u32; 3] = [48_000, 44_100, 96_000];

/// A sample as its guest writes it, and its value.
fn written(plan: &Plan, frame: u64, channel: u8) -> (Vec<u8>, i32) {
    let (format, bits) = plan.format;
    let sample = sample(plan.seed, frame, channel, 32);
    let inverted = match format {
        SampleFormat::MuLaw => 0xff,
        SampleFormat::ALaw => 0x55,
        _ => {
            let sample = sample >> 4 >> (32 - bits) << (32 - bits);
            return (encode(format, sample), sample);
        }
    };
    // The lower four segments.
    let code = (sample as u8 & 0xbf) ^ inverted;
    (vec![code], decoded(format, code))
}

impl Plan {
    fn params(&self) -> StreamParams {
        params(self.rate_hz, self.format.0, self.channels)
    }

    fn frames(&self) -> Frames {
        let plan = self.clone();
        Box::new(move |frame| {
            (0..plan.channels).flat_map(|channel| written(&plan, frame, channel).0).collect()
        })
    }

    /// The volume of a channel.
    fn level_mdb(&self, channel: u8) -> i32 {
        self.gain_mdb - 700 * i32::from(channel)
    }

    /// Its share in each channel of the bus, so many bus frames after its start.
    fn heard(&self, frame: u64, bus_hz: u32, map: &ChannelMap) -> Vec<f64> {
        let weights = weights(self.rate_hz, bus_hz, frame);
        let converted = (0..self.channels).map(|channel| {
            let amplitude = 10f64.powf(f64::from(self.level_mdb(channel)) / 20_000.0);
            let value = |frame: u64| f64::from(written(self, frame, channel).1) * STEP;
            weights.iter().map(|(frame, weight)| value(*frame) * weight).sum::<f64>() * amplitude
        });
        let converted: Vec<f64> = converted.collect();
        let row = |row: &[i32; 8]| {
            converted.iter().zip(row).map(|(value, c)| value * f64::from(*c) / 2f64.powi(30)).sum()
        };
        map.coefficients().iter().take(map.outputs().count()).map(row).collect()
    }
}

/// Frames of a bus that are compared if a voice is converted: the reference is slow.
const PICKS: usize = 40;

proptest! {
    #![proptest_config(property(12))]

    #[test]
    fn a_mix_is_the_sum_of_its_voices(
        bus_hz in prop::sample::select(BUS_RATES.to_vec()),
        bus_channels in 1u8..=8,
        plans in prop::collection::vec(plan(), 1..7),
        first_pick in 0usize..50,
    ) {
        let mut rig = Rig::new(PortMode::Shared);
        let silent = || -> Frames { Box::new(move |_| vec![0; 4 * usize::from(bus_channels)]) };
        // It fixes the rate and the channels of the bus.
        let of_bus = params(bus_hz, SampleFormat::S32Le, bus_channels);
        let mut first = Guest::open(&mut rig, OUT, &of_bus, silent());
        rig.mixer.start(&mut first.stream).expect("started");
        prop_assert_eq!(rig.mixer.bus_shape(OUT), Some((bus_hz, bus_channels)));
        let mut guests = vec![first];
        for plan in &plans {
            let mut guest = Guest::open(&mut rig, OUT, &plan.params(), plan.frames());
            for channel in 0..plan.channels {
                rig.mixer.set_volume(&mut guest.stream, channel, plan.level_mdb(channel)).expect("a volume");
            }
            rig.pass_with(plan.wait_ns, &mut guests.iter_mut().collect::<Vec<_>>());
            rig.mixer.start(&mut guest.stream).expect("started");
            guests.push(guest);
        }
        rig.pass_with(40 * MILLISECOND, &mut guests.iter_mut().collect::<Vec<_>>());
        let mut starts = Vec::new();
        for guest in &mut guests {
            let link = rig.mixer.position(&mut guest.stream).expect("a position").link.expect("at the link");
            starts.push(link.start_wall_ticks);
        }
        prop_assert!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns == 0);
        let played = rig.played_words(OUT, bus_channels.into());
        let of_plans: Vec<_> = plans.iter().zip(&starts[1..]).map(|(plan, start)| {
            let start = ((start - starts[0]) * u64::from(bus_hz) + 12_000_000) / 24_000_000;
            let [from, to] = [plan.channels, bus_channels].map(|count| Channels::new(count.into()).expect("1 to 8"));
            let map = if from == to { identity(to) } else { ChannelMap::standard(from, to).attenuated() };
            (plan, start, map)
        }).collect();
        let frames = played.len() / usize::from(bus_channels);
        let is_converted = plans.iter().any(|plan| plan.rate_hz != bus_hz);
        let stride = if is_converted { frames / PICKS } else { 1 };
        for frame in (first_pick..frames).step_by(stride) {
            let (mut expected, mut allowed) = (vec![0.0; bus_channels.into()], STEP);
            for (plan, start, map) in of_plans.iter().filter(|(_, start, _)| *start <= frame as u64) {
                let heard = plan.heard(frame as u64 - start, bus_hz, map);
                expected.iter_mut().zip(heard).for_each(|(sum, value)| *sum += value);
                allowed += STEP + bound(plan.rate_hz, bus_hz) / 16.0;
            }
            for (channel, expected) in expected.into_iter().enumerate() {
                let word = played[frame * usize::from(bus_channels) + channel];
                let off = (f64::from(word) * STEP - expected).abs();
                prop_assert!(off <= allowed, "frame {frame}, channel {channel}: off by {off:e}, bound {allowed:e}");
            }
        }
    }
}

/// Each channel as it is.
fn identity(channels: Channels) -> ChannelMap {
    let mut coefficients = [[0; 8]; 8];
    (0..8).for_each(|channel| coefficients[channel][channel] = 1 << ChannelMap::FRACTION_BITS);
    ChannelMap::new(channels, channels, coefficients)
}

#[test]
fn what_is_beyond_full_scale_saturates_and_is_counted() {
    let mut rig = Rig::new(PortMode::Shared);
    let loud = || -> Frames {
        Box::new(|frame| {
            let sample = if frame < 100 { 0x6000_0000 } else { 0x1000_0000 };
            [sample, -sample].into_iter().flat_map(i32::to_le_bytes).collect()
        })
    };
    let mut guests =
        [(); 2].map(|()| Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), loud()));
    let [one, two] = &mut guests;
    rig.mixer.start_together(&mut [&mut one.stream, &mut two.stream]).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [one, two]);
    for (frame, words) in rig.played_words(OUT, 2).chunks_exact(2).enumerate() {
        let expected = if frame < 100 { [i32::MAX, i32::MIN] } else { [0x2000_0000, -0x2000_0000] };
        assert_eq!(words, expected, "frame {frame}");
    }
    assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").clipped_frames, 100);
}

#[test]
fn a_change_of_volume_is_a_ramp_of_10_ms_on_its_channel_only() {
    let mut rig = Rig::new(PortMode::Shared);
    let steady =
        || -> Frames { Box::new(|_| [1 << 28, 1 << 28].into_iter().flat_map(i32::to_le_bytes).collect()) };
    let mut guest = Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), steady());
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut guest]);
    rig.mixer.set_mute(&mut guest.stream, 1, true).expect("muted");
    rig.mixer.set_volume(&mut guest.stream, 1, -6_000).expect("a volume");
    assert_eq!(rig.mixer.volume(&guest.stream, 1), Ok(-6_000));
    rig.pass_with(40 * MILLISECOND, &mut [&mut guest]);
    let played = rig.played_words(OUT, 2);
    assert!(played.iter().step_by(2).all(|left| *left == 1 << 28));
    let right: Vec<i32> = played.iter().skip(1).step_by(2).copied().collect();
    let changing = right.iter().filter(|sample| **sample != 0 && **sample != 1 << 28).count();
    assert_eq!(changing, 479);
    assert!(right.windows(2).all(|pair| (0..=(1 << 28) / 480 + 1).contains(&(pair[0] - pair[1]))));
    assert_eq!(right.last(), Some(&0));
}
