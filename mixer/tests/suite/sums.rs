//! Many voices against a reference in doubles.

use std::f64::consts::TAU;

use audioback::card::Card;
use audioback::card::PortMode;
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::exact::{FORMATS, encode, sample};
use crate::support::guest::{Frames, Guest};
use crate::support::property;
use crate::support::rig::{MILLISECOND, OUT, Rig, params};

const BUS_HZ: f64 = 48_000.0;

/// A step of the bus's 32 bits, as a part of full scale.
const STEP: f64 = 1.0 / (1u64 << 31) as f64;

/// One voice's part: noise at the bus's rate, or a tone at another rate, which every good converter leaves as it is.
#[derive(Clone, Debug)]
struct Plan {
    format: usize,
    rate_hz: u32,
    channels: u8,
    gain_mdb: i32,
    wait_ns: u64,
    tone_hz: f64,
    seed: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let rates = prop::sample::select(vec![48_000u32, 48_000, 44_100, 32_000, 96_000, 22_050, 192_000]);
    (0..FORMATS.len(), rates, 1u8..3, -40_000i32..1, 0u64..15_000_000, 50.0..6_000.0, any::<u64>()).prop_map(
        |(format, rate_hz, channels, gain_mdb, wait_ns, tone_hz, seed)| Plan {
            format,
            rate_hz,
            channels,
            gain_mdb,
            wait_ns,
            tone_hz,
            seed,
        },
    )
}

impl Plan {
    fn is_converted(&self) -> bool {
        self.rate_hz != 48_000
    }

    /// The tone at a time since the start. It fades in, for a sudden begin has no limit in frequency.
    fn tone(&self, seconds: f64) -> f64 {
        let fade = if seconds < 0.01 { 0.5 - 0.5 * (TAU * seconds / 0.02).cos() } else { 1.0 };
        0.1 * fade * (TAU * self.tone_hz * seconds).sin()
    }

    /// The sample that its guest writes.
    fn written(&self, frame: u64, channel: u8) -> i32 {
        let (_, bits) = FORMATS[self.format];
        if self.is_converted() {
            (self.tone(frame as f64 / f64::from(self.rate_hz)) / STEP).round() as i32
        } else {
            sample(self.seed, frame, channel, bits) >> 4 >> (32 - bits) << (32 - bits)
        }
    }

    fn params(&self) -> audioback::card::StreamParams {
        // A tone is only as exact as its format.
        let format = if self.is_converted() { SampleFormat::S32Be } else { FORMATS[self.format].0 };
        params(self.rate_hz, format, self.channels)
    }

    fn frames(&self) -> Frames {
        let (plan, format) = (self.clone(), self.params().format);
        Box::new(move |frame| {
            (0..plan.channels).flat_map(|channel| encode(format, plan.written(frame, channel))).collect()
        })
    }

    /// Its share in a channel of the bus, so many bus frames after its start.
    fn heard(&self, frame: u64, side: u8) -> f64 {
        let gain = 10f64.powf(f64::from(self.gain_mdb) / 20_000.0);
        let value = if self.is_converted() {
            self.tone(frame as f64 / BUS_HZ)
        } else {
            f64::from(self.written(frame, side.min(self.channels - 1))) * STEP
        };
        value * gain
    }
}

proptest! {
    #![proptest_config(property(12))]

    #[test]
    fn a_mix_is_the_sum_of_its_voices(plans in prop::collection::vec(plan(), 1..7)) {
        let mut rig = Rig::new(PortMode::Shared);
        let silent = || -> Frames { Box::new(|_| vec![0; 8]) };
        // It fixes the bus: 48 kHz, stereo.
        let mut first = Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), silent());
        rig.mixer.start(&mut first.stream).expect("started");
        let mut guests = vec![first];
        let mut starts = Vec::new();
        for plan in &plans {
            let mut guest = Guest::open(&mut rig, OUT, &plan.params(), plan.frames());
            for channel in 0..plan.channels {
                rig.mixer.set_volume(&mut guest.stream, channel, plan.gain_mdb).expect("a volume");
            }
            rig.pass_with(plan.wait_ns, &mut guests.iter_mut().collect::<Vec<_>>());
            rig.mixer.start(&mut guest.stream).expect("started");
            guests.push(guest);
        }
        rig.pass_with(40 * MILLISECOND, &mut guests.iter_mut().collect::<Vec<_>>());
        for guest in &mut guests {
            let link = rig.mixer.position(&mut guest.stream).expect("a position").link.expect("at the link");
            starts.push(link.start_wall_ticks);
        }
        let bus_start = starts[0];
        prop_assert!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns == 0);
        let played = rig.played_words(OUT, 2);
        let bound = |plan: &Plan| if plan.is_converted() { 2e-6 } else { STEP };
        for (frame, words) in played.chunks_exact(2).enumerate() {
            for (side, word) in (0..2).zip(words) {
                let (mut expected, mut allowed) = (0.0, STEP);
                for (plan, start) in plans.iter().zip(&starts[1..]) {
                    let start = (start - bus_start) / 500;
                    if frame as u64 >= start {
                        expected += plan.heard(frame as u64 - start, side);
                        allowed += bound(plan);
                    }
                }
                let off = (f64::from(*word) * STEP - expected).abs();
                prop_assert!(off <= allowed, "frame {frame}, side {side}: off by {off:e}, bound {allowed:e}");
            }
        }
    }
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
