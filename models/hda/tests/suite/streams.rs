//! Stream descriptors: starting, stopping, positions, interrupts, errors.

use crate::bench::{Buffer, Hand, fill};
use snd_hda::dma::{DmaMemory, DmaRegion};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, DmaAccess, LinkPositionFault, Model, Profile};

/// Stream 4 is the first output of four inputs and four outputs.
const OUT: u16 = 4;
const CTL: u16 = 0x100;
const STS: u16 = 0x103;

fn duplex() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build()
}

fn playing(hand: &mut Hand<'_>, bytes: u32) -> Buffer {
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(bytes, DmaAccess::Read);
    fill(hand.model, &buffer, |index| index as i16);
    hand.set_converter(0, 2, 0x11, 5, 0);
    hand.set_up_stream(OUT, 5, 0x11, &buffer);
    buffer
}

#[test]
fn srst_reads_back_and_takes_the_registers_with_it() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 4096);
    assert_eq!(hand.regs.read_u32(0x108), 4096);
    hand.regs.write_u8(CTL, 1);
    assert_eq!(hand.regs.read_u8(CTL) & 1, 0, "not at once");
    model.advance_ns(5_000);
    assert_eq!(hand.regs.read_u8(CTL) & 1, 1);
    assert_eq!(hand.regs.read_u32(0x108), 0);
    hand.regs.write_u8(CTL, 0);
    model.advance_ns(5_000);
    assert_eq!(hand.regs.read_u8(CTL) & 1, 0);
}

#[test]
fn run_reads_1_until_the_link_frame_ends() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 4096);
    hand.run(OUT);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 2);
    model.advance_ns(2_000_000);
    assert_eq!(hand.regs.read_u8(STS) & 0x20, 0x20, "FIFORDY");
    // Just behind the beginning of a link frame.
    let next = model.wall_clock() / 500 + 1;
    model.advance_ns(model.ns_of_link_frame(next) - model.now_ns());
    hand.regs.write_u8(CTL, 0);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 2);
    assert!(model.dma_running(4));
    model.advance_ns(21_000);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 0);
    assert_eq!(hand.regs.read_u8(STS) & 0x20, 0);
    assert!(!model.dma_running(4));
}

#[test]
fn a_stuck_run_bit_reads_1_for_good_and_dma_goes_on() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = playing(&mut hand, 4096);
    hand.run(OUT);
    model.advance_ns(1_000_000);
    model.edit_faults(|faults| faults.stuck_run = 1 << 4);
    hand.regs.write_u8(CTL, 0);
    model.advance_ns(50_000_000);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 2);
    assert!(model.dma_running(4));
    // Whoever takes the page away now is caught.
    model.memory().forbid_dma(buffer.pages[0]);
    model.advance_ns(1_000_000);
    assert_eq!(model.take_violations()[0].rule, snd_hda_model::Rule::Dma);
    model.edit_faults(|faults| faults.stuck_run = 0);
    model.advance_ns(21_000);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 0);
    let _ = model.take_violations();
}

#[test]
fn run_may_take_its_time() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 4096);
    hand.run(OUT);
    model.advance_ns(1_000_000);
    model.edit_faults(|faults| faults.run_clear_delay_link_frames = 48);
    hand.regs.write_u8(CTL, 0);
    model.advance_ns(980_000);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 2);
    model.advance_ns(80_000);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 0);
}

#[test]
fn hardware_goes_on_where_it_was_when_run_is_set_again() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 8192);
    hand.run(OUT);
    model.advance_ns(10_000_000);
    hand.stop(OUT);
    let paused_at = hand.lpib(OUT);
    assert!(paused_at > 0);
    model.advance_ns(10_000_000);
    assert_eq!(hand.lpib(OUT), paused_at);
    hand.run(OUT);
    model.advance_ns(10_000_000);
    hand.stop(OUT);
    let played = model.played(0, 2);
    for (index, &sample) in played.samples().iter().enumerate() {
        assert_eq!(sample, (index % 4096) as i32);
    }
    assert_eq!(hand.lpib(OUT), (played.len() * 4 % 8192) as u32);
}

#[test]
fn lpib_counts_bytes_through_the_link_and_dma_is_ahead_by_the_fifo() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 8192);
    let positions = model.memory().allocate(4096, 128).unwrap();
    hand.regs.write_u32(0x74, (positions.device_address() >> 32) as u32);
    hand.regs.write_u32(0x70, positions.device_address() as u32 | 1);
    let fifo_bytes = u32::from(hand.regs.read_u16(0x110));
    hand.run(OUT);
    for _ in 0..1000 {
        model.advance_ns(15_000);
        let lpib = hand.lpib(OUT);
        assert_eq!(u64::from(lpib), model.true_link_frames(4) * 4 % 8192);
        let ahead = (positions.read_u32(8 * 4) + 8192 - lpib) % 8192;
        assert!(ahead <= fifo_bytes, "{ahead}");
        // The alias is read 250 ns later: in the next link frame, sometimes.
        let alias = (hand.regs.read_u32(0x2104) + 8192 - lpib) % 8192;
        assert!(alias == 0 || alias == 4, "{alias}");
    }
}

#[test]
fn completion_comes_when_the_entry_is_fetched_before_it_is_heard() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 8192);
    hand.regs.write_u32(0x20, 0x8000_0000 | 1 << 4);
    hand.regs.write_u8(CTL, 2 | 4);
    while hand.regs.read_u8(STS) & 4 == 0 {
        model.advance_ns(5_000);
    }
    let heard = hand.lpib(OUT);
    assert!(heard < 4096 && heard > 4096 - 300, "{heard}");
    assert!(model.interrupt_pending());
    assert_eq!(hand.regs.read_u32(0x24), 0x8000_0010);
    hand.regs.write_u8(STS, 4);
    assert!(!model.interrupt_pending());
    // Without IOCE the status bit is set all the same, and nothing interrupts.
    hand.regs.write_u8(CTL, 2);
    while hand.regs.read_u8(STS) & 4 == 0 {
        model.advance_ns(5_000);
    }
    assert!(!model.interrupt_pending());
}

#[test]
fn an_underrun_is_a_gap_on_the_link_and_a_fifo_error() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 8192);
    hand.run(OUT);
    model.advance_ns(5_000_000);
    model.starve(4, 100);
    model.advance_ns(10_000_000);
    assert_eq!(hand.regs.read_u8(STS) & 8, 8);
    hand.regs.write_u8(STS, 8);
    assert_eq!(hand.regs.read_u8(STS) & 8, 0);
    let lost = model.lost_frames(4);
    assert!((40..100).contains(&lost), "{lost}");
    let played = model.played(0, 2);
    let gap = (1..played.len()).map(|index| played.link_frame(index) - played.link_frame(index - 1)).max();
    assert_eq!(gap, Some(lost + 1));
    hand.stop(OUT);
    assert_eq!(model.true_link_frames(4), model.played(0, 2).len() as u64, "silence isn't counted");
    // Nothing is left out.
    for (index, &sample) in played.samples().iter().enumerate() {
        assert_eq!(sample, (index % 4096) as i32);
    }
}

#[test]
fn a_descriptor_error_stops_the_stream() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 8192);
    hand.run(OUT);
    model.advance_ns(5_000_000);
    model.raise_descriptor_error(4);
    assert_eq!(hand.regs.read_u8(STS) & 0x10, 0x10);
    assert_eq!(hand.regs.read_u8(CTL) & 2, 0);
    let stands = hand.lpib(OUT);
    model.advance_ns(5_000_000);
    assert_eq!(hand.lpib(OUT), stands);
}

#[test]
fn lpib_lies_as_told() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 4 * 4096);
    hand.run(OUT);
    model.advance_ns(5_000_000);
    let say = |fault| model.edit_faults(|faults| faults.link_position = fault);
    say(LinkPositionFault::Zero);
    assert_eq!(hand.lpib(OUT), 0);
    say(LinkPositionFault::Frozen);
    let frozen = hand.lpib(OUT);
    model.advance_ns(3_000_000);
    assert_eq!(hand.lpib(OUT), frozen);
    say(LinkPositionFault::Garbage { seed: 1 });
    let garbage = [hand.lpib(OUT), hand.lpib(OUT), hand.lpib(OUT)];
    assert!(garbage[0] != garbage[1] && garbage[1] != garbage[2]);
    say(LinkPositionFault::Torn);
    let torn = (0..200).any(|_| {
        model.advance_ns(7_000);
        !hand.lpib(OUT).is_multiple_of(4)
    });
    assert!(torn);
    say(LinkPositionFault::Coarse { link_frames: 480 });
    model.advance_ns(20_000_000);
    let mut steps = Vec::new();
    for _ in 0..40 {
        model.advance_ns(1_000_000);
        let lpib = hand.lpib(OUT);
        if steps.last() != Some(&lpib) {
            steps.push(lpib);
        }
    }
    assert!((4..=5).contains(&steps.len()), "{steps:?}");
    say(LinkPositionFault::None);
    assert_eq!(u64::from(hand.lpib(OUT)), model.true_link_frames(4) * 4 % (4 * 4096));
}

#[test]
fn a_bidirectional_descriptor_goes_either_way() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    model.set_source(0, 4, |frame, _| frame.index as i32);
    let recording = hand.buffer(4096, DmaAccess::Write);
    hand.set_converter(0, 4, 0x11, 6, 0);
    hand.set_up_stream(8, 6, 0x11, &recording);
    hand.run(8);
    model.advance_ns(5_000_000);
    hand.stop(8);
    assert_eq!(crate::bench::samples(&model, &recording)[..6], [0, 0, 1, 1, 2, 2]);

    let playing = hand.buffer(4096, DmaAccess::Read);
    fill(&model, &playing, |index| index as i16);
    hand.set_converter(0, 2, 0x11, 6, 0);
    hand.set_up_stream(8, 6, 0x11, &playing);
    hand.regs.write_u8(0x182, 6 << 4 | 8);
    hand.run(8);
    model.advance_ns(5_000_000);
    hand.stop(8);
    assert_eq!(model.played(0, 2).samples()[..4], [0, 1, 2, 3]);
}

#[test]
fn fifos_is_valid_once_the_format_is_written_and_grows_with_it() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    assert_eq!(hand.regs.read_u16(0x110), 0);
    hand.regs.write_u16(0x112, 0x11);
    let small = hand.regs.read_u16(0x110);
    hand.regs.write_u16(0x112, 0x1847);
    assert!(small >= 120 && hand.regs.read_u16(0x110) > small);
}

#[test]
fn stream_reset_may_stick_in_either_position() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    model.edit_faults(|faults| faults.stream_reset_never_entered = 1 << 4);
    hand.regs.write_u8(CTL, 1);
    model.advance_ns(100_000_000);
    assert_eq!(hand.regs.read_u8(CTL) & 1, 0);
    model.edit_faults(|faults| {
        faults.stream_reset_never_entered = 0;
        faults.stream_reset_never_left = 1 << 4;
    });
    model.advance_ns(1);
    assert_eq!(hand.regs.read_u8(CTL) & 1, 1);
    hand.regs.write_u8(CTL, 0);
    model.advance_ns(100_000_000);
    assert_eq!(hand.regs.read_u8(CTL) & 1, 1);
}

#[test]
fn the_truth_moves_inside_a_link_frame() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 4096);
    hand.run(OUT);
    model.advance_ns(1_000_000);
    let next = model.wall_clock() / 500 + 1;
    model.advance_ns(model.ns_of_link_frame(next) - model.now_ns());
    let whole = model.true_link_milliframes(4);
    assert!(whole.is_multiple_of(1000) && whole > 0);
    model.advance_ns(10_417);
    assert_eq!(model.true_link_milliframes(4), whole + 500);
    assert_eq!(model.true_link_frames(4), whole / 1000);
}

#[test]
fn errors_interrupt_if_their_enables_are_set() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 8192);
    hand.regs.write_u32(0x20, 0x8000_0000 | 1 << 4);
    hand.run(OUT);
    model.advance_ns(1_000_000);
    model.raise_fifo_error(4);
    assert!(!model.interrupt_pending());
    hand.regs.write_u8(CTL, 2 | 8);
    assert!(model.interrupt_pending(), "FEIE");
    hand.regs.write_u8(STS, 8);
    assert!(!model.interrupt_pending());
    model.raise_descriptor_error(4);
    assert!(!model.interrupt_pending());
    hand.regs.write_u8(CTL, 0x10);
    assert!(model.interrupt_pending(), "DEIE");
    hand.regs.write_u32(0x20, 1 << 4);
    assert!(!model.interrupt_pending(), "GIE is clear");
}

#[test]
fn ssync_holds_a_running_stream_and_lets_it_go_on() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = playing(&mut hand, 8192);
    hand.run(OUT);
    model.advance_ns(3_000_000);
    hand.regs.write_u32(0x38, 1 << 4);
    model.advance_ns(42_000);
    let held_at = hand.lpib(OUT);
    model.advance_ns(5_000_000);
    assert_eq!(hand.lpib(OUT), held_at);
    assert_eq!(hand.regs.read_u8(STS) & 8, 0, "no underrun");
    hand.regs.write_u32(0x38, 0);
    model.advance_ns(3_000_000);
    let played = model.played(0, 2);
    assert!(played.len() as u32 * 4 > held_at + 500);
    for (index, &sample) in played.samples().iter().enumerate() {
        assert_eq!(sample, (index % 4096) as i32);
    }
}
