//! Whatever is written wherever, the model goes on: a driver's test must fail by a violation, not by a broken model.

use crate::bench::Hand;
use proptest::prelude::*;
use snd_hda::dma::{DmaMemory, DmaRegion};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, LinkPositionFault, Profile};

#[derive(Clone, Debug)]
enum Step {
    Read(u16, u8),
    Write(u16, u8, u32),
    /// Stream, byte 0 of its control register.
    Control(u16, u8),
    Wait(u32),
    Starve(usize, u64),
    Break(u8),
}

fn offset() -> impl Strategy<Value = u16> {
    prop_oneof![0..0x80_u16, 0x80..0x1b0_u16, 0x2000..0x21b0_u16, any::<u16>()]
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![Just(1_u8), Just(2), Just(4)];
    let value =
        prop_oneof![Just(0), Just(u32::MAX), 0..0x100_u32, 0x4000_0000..0x4000_8000_u32, any::<u32>()];
    prop_oneof![
        2 => (offset(), bytes.clone()).prop_map(|(at, bytes)| Step::Read(at & !(u16::from(bytes) - 1), bytes)),
        4 => (offset(), bytes, value).prop_map(|(at, bytes, value)| Step::Write(at & !(u16::from(bytes) - 1), bytes, value)),
        4 => (0..9_u16, prop_oneof![Just(0_u8), Just(2), Just(1), Just(0x1e)]).prop_map(|(stream, value)| Step::Control(stream, value)),
        2 => (0..3_000_000_u32).prop_map(Step::Wait),
        1 => (0..9_usize, 0..300_u64).prop_map(|(stream, frames)| Step::Starve(stream, frames)),
        1 => any::<u8>().prop_map(Step::Break),
    ]
}

fn run(profile: Profile, steps: &[Step], descriptors: &[u32]) {
    let streams = profile.streams();
    let model = Bench::new(profile).codec(0, Codec::laptop()).codec(1, Codec::qemu_duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let mut list = model.memory().allocate(4096, 4096).unwrap();
    for (index, word) in descriptors.iter().enumerate() {
        list.write_u32(4 * index, *word);
    }
    for stream in 0..streams as u16 {
        let base = 0x80 + 0x20 * stream;
        hand.regs.write_u32(base + 0x18, list.device_address() as u32);
        hand.regs.write_u32(base + 0x08, 4096);
        hand.regs.write_u16(base + 0x0c, 3);
        hand.regs.write_u16(base + 0x12, 0x11);
        hand.regs.write_u8(base + 2, 0x10);
    }
    for step in steps {
        match *step {
            Step::Read(at, 1) => drop(hand.regs.read_u8(at)),
            Step::Read(at, 2) => drop(hand.regs.read_u16(at)),
            Step::Read(at, _) => drop(hand.regs.read_u32(at)),
            Step::Write(at, 1, value) => hand.regs.write_u8(at, value as u8),
            Step::Write(at, 2, value) => hand.regs.write_u16(at, value as u16),
            Step::Write(at, _, value) => hand.regs.write_u32(at, value),
            Step::Control(stream, value) => hand.regs.write_u8(0x80 + 0x20 * stream, value),
            Step::Wait(ns) => model.advance_ns(ns.into()),
            Step::Starve(stream, frames) if stream < streams => model.starve(stream, frames),
            Step::Starve(..) => {}
            Step::Break(bits) => model.edit_faults(|faults| {
                faults.corb_dead = bits & 1 != 0;
                faults.stuck_run = u32::from(bits & 2) << 3;
                faults.stream_reset_never_left = u32::from(bits & 4) << 2;
                faults.link_position = match bits >> 3 & 7 {
                    0 => LinkPositionFault::Torn,
                    1 => LinkPositionFault::Garbage { seed: 3 },
                    2 => LinkPositionFault::Coarse { link_frames: 0 },
                    _ => LinkPositionFault::None,
                };
            }),
        }
    }
    for stream in 0..streams {
        let _ = (model.true_link_milliframes(stream), model.dma_position(stream));
    }
    let _ = model.take_violations();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_sequence_of_accesses_breaks_the_model(
        steps in prop::collection::vec(step(), 0..60),
        descriptors in prop::collection::vec(prop_oneof![0..3_u32, 0x4000_0000..0x4000_8000_u32, any::<u32>()], 0..64),
        qemu in any::<bool>(),
    ) {
        run(if qemu { Profile::qemu() } else { Profile::hardware() }, &steps, &descriptors);
    }
}
