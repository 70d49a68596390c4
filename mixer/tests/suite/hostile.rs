//! A guest may say and write anything, and it costs nobody a frame.

use audioback::card::Card;
use audioback::card::PortMode;
use hyper::SampleMemory;
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::support::guest::Guest;
use crate::support::memory::Buffer;
use crate::support::rig::{IN, MILLISECOND, MONITOR, OUT, Rig, params};
use crate::support::{cases, noise};

fn good(rig: &mut Rig) -> Guest {
    let left = |frame: u64| [noise(1, frame) as i32 / 4, 0].into_iter().flat_map(i32::to_le_bytes).collect();
    Guest::open(rig, OUT, &params(48_000, SampleFormat::S32Le, 2), Box::new(left))
}

fn assert_untouched(rig: &mut Rig) {
    assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns, 0);
    for (frame, words) in rig.played_words(OUT, 2).chunks_exact(2).enumerate() {
        assert_eq!(words[0], noise(1, frame as u64) as i32 / 4, "frame {frame}");
    }
}

#[test]
fn a_float_that_is_no_number_is_silence_and_an_infinite_one_full_scale() {
    for (bits, right) in [(f32::NAN.to_bits(), 0), (0xff80_0000, i32::MIN), (0x7fc0_dead, 0)] {
        let mut rig = Rig::new(PortMode::Shared);
        let mut guest = good(&mut rig);
        let buffer = Buffer::new(480 * 8);
        (0..480).for_each(|frame| buffer.write(frame * 8 + 4, &bits.to_le_bytes()));
        let mut wild = rig.open(OUT, &params(48_000, SampleFormat::F32Le, 2), &buffer);
        rig.mixer.start_together(&mut [&mut guest.stream, &mut wild]).expect("started");
        rig.pass_with(30 * MILLISECOND, &mut [&mut guest]);
        assert!(rig.played_words(OUT, 2).iter().skip(1).step_by(2).all(|word| *word == right));
        assert_untouched(&mut rig);
    }
}

#[derive(Clone, Debug)]
enum Deed {
    Open(usize, usize, u8, u32),
    Start(usize),
    StartTogether(usize, usize),
    Pause(usize),
    Resume(usize),
    Stop(usize),
    Close(usize),
    Written(usize, u64),
    Period(usize, u32),
    Volume(usize, u8, i32),
    Mute(usize, u8),
    Position(usize),
    Garbage(u64),
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let which = 0usize..4;
    prop_oneof![
        3 => (which.clone(), 0usize..25, any::<u8>(), any::<u32>()).prop_map(|(a, b, c, d)| Deed::Open(a, b, c, d)),
        3 => which.clone().prop_map(Deed::Start),
        1 => (which.clone(), which.clone()).prop_map(|(a, b)| Deed::StartTogether(a, b)),
        1 => which.clone().prop_map(Deed::Pause),
        1 => which.clone().prop_map(Deed::Resume),
        1 => which.clone().prop_map(Deed::Stop),
        1 => which.clone().prop_map(Deed::Close),
        2 => (which.clone(), any::<u64>()).prop_map(|(a, b)| Deed::Written(a, b >> (b % 64))),
        1 => (which.clone(), any::<u32>()).prop_map(|(a, b)| Deed::Period(a, b >> (b % 32))),
        1 => (which.clone(), any::<u8>(), any::<i32>()).prop_map(|(a, b, c)| Deed::Volume(a, b % 10, c)),
        1 => (which.clone(), any::<u8>()).prop_map(|(a, b)| Deed::Mute(a, b % 10)),
        2 => which.prop_map(Deed::Position),
        1 => any::<u64>().prop_map(Deed::Garbage),
        5 => (0u64..8_000_000).prop_map(Deed::Pass),
    ]
}

const RATES: [u32; 8] = [0, 5_511, 5_512, 44_100, 48_000, 192_000, 192_001, u32::MAX];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(12)))]

    #[test]
    fn no_deed_of_a_guest_costs_another_a_frame(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut rig = Rig::new(PortMode::Shared);
        let mut guest = good(&mut rig);
        rig.mixer.start(&mut guest.stream).expect("started");
        let garbage = Buffer::new(65_536);
        let mut streams: [Option<mixer::MixerStream>; 4] = [None, None, None, None];
        for deed in deeds {
            // Each deed may be refused.
            match deed {
                Deed::Open(which, format, many, number) => {
                    let params = params(
                        RATES[number as usize % RATES.len()],
                        SampleFormat::all().nth(format).expect("a format"),
                        if many < 128 { 2 } else { many % 10 },
                    );
                    let port = [OUT, OUT, IN, MONITOR][which];
                    // The hostile ones are heard on the right only: what they play is silence on the left.
                    let is_silent = port == OUT;
                    let buffer = if is_silent { Buffer::new(number % 40_000) } else { garbage.clone() };
                    if streams[which].is_none() && !(is_silent && is_loud(params.format)) {
                        streams[which] = rig.mixer.open(port, &params, buffer).ok();
                    }
                }
                Deed::StartTogether(one, two) if one != two => {
                    let mut taken = [one, two].map(|which| streams[which].take());
                    if let [Some(one), Some(two)] = &mut taken {
                        may_be_refused(rig.mixer.start_together(&mut [one, two]));
                    }
                    let [first, second] = taken;
                    (streams[one], streams[two]) = (first, second);
                }
                Deed::Close(which) => {
                    if let Some(stream) = streams[which].take() {
                        rig.mixer.close(stream).expect("closed");
                    }
                }
                Deed::Garbage(seed) => {
                    let bytes: Vec<u8> = (0..256).flat_map(|at| noise(seed, at).to_le_bytes()).collect();
                    garbage.write((seed % 65_536) as u32, &bytes);
                }
                Deed::Pass(span_ns) => rig.pass_with(span_ns, &mut [&mut guest]),
                Deed::StartTogether(..) => {}
                Deed::Start(which)
                | Deed::Pause(which)
                | Deed::Resume(which)
                | Deed::Stop(which)
                | Deed::Written(which, _)
                | Deed::Period(which, _)
                | Deed::Volume(which, ..)
                | Deed::Mute(which, _)
                | Deed::Position(which) => {
                    let Some(stream) = &mut streams[which] else { continue };
                    let mixer = &mut rig.mixer;
                    match deed {
                        Deed::Start(_) => may_be_refused(mixer.start(stream)),
                        Deed::Pause(_) => may_be_refused(mixer.pause(stream)),
                        Deed::Resume(_) => may_be_refused(mixer.resume(stream)),
                        Deed::Stop(_) => may_be_refused(mixer.stop(stream)),
                        Deed::Written(_, bytes) => {
                            mixer.note_written(stream, bytes);
                        }
                        Deed::Period(_, frames) => mixer.set_period(stream, frames),
                        Deed::Volume(_, channel, mdb) => may_be_refused(mixer.set_volume(stream, channel, mdb)),
                        Deed::Mute(_, channel) => may_be_refused(mixer.set_mute(stream, channel, true)),
                        _ => may_be_refused(mixer.position(stream)),
                    }
                }
            }
        }
        rig.pass_with(20 * MILLISECOND, &mut [&mut guest]);
        assert_untouched(&mut rig);
    }
}

/// Whether bytes of 0 are not silence.
fn is_loud(format: SampleFormat) -> bool {
    use SampleFormat as F;
    matches!(
        format,
        F::U8 | F::U16Le | F::U16Be | F::U24Le | F::U24Be | F::U32Le | F::U32Be | F::MuLaw | F::ALaw
    )
}

fn may_be_refused<T>(_: Result<T, audioback::card::CardError>) {}
