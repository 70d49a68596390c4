//! Verbs by CORB and RIRB, and by the immediate command interface.

use crate::bench::Hand;
use snd_hda::dma::DmaRegion;
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, Model, Profile, Rule};

fn ready(profile: Profile, codec: Codec) -> Model {
    Bench::new(profile).codec(2, codec).build()
}

#[test]
fn a_verb_goes_out_in_a_link_frame_and_its_answer_comes_in_the_next() {
    let model = ready(Profile::hardware(), Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.post(2 << 28 | 0xf0000);
    assert_eq!(hand.take_response(), None);
    model.advance_ns(42_000);
    assert_eq!(hand.regs.read_u16(0x4a), 1, "fetched");
    assert_eq!(hand.take_response(), Some((0x1234_0003, 2)));
    assert_eq!(hand.regs.read_u8(0x5d), 1, "RINTCNT 1: an interrupt for each response");
    hand.regs.write_u8(0x5d, 1);
    assert_eq!(hand.regs.read_u8(0x5d), 0);
}

#[test]
fn hardware_does_not_wait_for_rirbsts() {
    let model = ready(Profile::hardware(), Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    for _ in 0..300 {
        hand.post(2 << 28 | 0xf0000);
        model.advance_ns(42_000);
        assert_eq!(hand.take_response(), Some((0x1234_0003, 2)));
    }
}

#[test]
fn rintcnt_counts_responses_and_a_pause_ends_the_count() {
    let model = ready(Profile::hardware(), Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.regs.write_u16(0x5a, 2);
    hand.regs.write_u32(0x20, 0xc000_0000);
    for _ in 0..3 {
        hand.post(2 << 28 | 0xf0000);
    }
    model.advance_ns(63_000);
    assert!(model.interrupt_pending());
    assert_eq!(hand.regs.read_u32(0x24), 0xc000_0000);
    hand.regs.write_u8(0x5d, 1);
    assert!(!model.interrupt_pending());
    model.advance_ns(63_000);
    assert!(model.interrupt_pending(), "the third, after a link frame with no response");
}

#[test]
fn an_absent_codec_and_a_silent_one_never_answer() {
    let model = ready(Profile::hardware(), Codec::silent());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    assert_eq!(hand.regs.read_u16(0x0e), 0b100);
    hand.start_rings();
    assert_eq!(hand.verb(2, 0, 0xf0000), None);
    assert_eq!(hand.verb(5, 0, 0xf0000), None);
}

#[test]
fn a_hostile_codec_says_what_the_test_wants() {
    let model = ready(Profile::hardware(), Codec::answering(|verb| Some(!verb)));
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    assert_eq!(hand.verb(2, 0x7f, 0xf0004), Some(!0x27ff_0004));
}

#[test]
fn immediate_commands_work_without_rings() {
    let mut profile = Profile::hardware();
    profile.rings = false;
    let model = ready(profile, Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.regs.write_u8(0x4c, 2);
    assert_eq!(hand.regs.read_u8(0x4c), 0, "no CORB");
    hand.regs.write_u32(0x60, 2 << 28 | 0xf0000);
    hand.regs.write_u16(0x68, 2 | 1);
    assert_eq!(hand.regs.read_u16(0x68), 1, "busy");
    model.advance_ns(42_000);
    assert_eq!(hand.regs.read_u16(0x68), 2, "valid");
    assert_eq!(hand.regs.read_u32(0x64), 0x1234_0003);
    // Nobody answers: busy until software gives up.
    hand.regs.write_u32(0x60, 9 << 28 | 0xf0000);
    hand.regs.write_u16(0x68, 2 | 1);
    model.advance_ns(10_000_000);
    assert_eq!(hand.regs.read_u16(0x68), 1);
    hand.regs.write_u16(0x68, 0);
    assert_eq!(hand.regs.read_u16(0x68), 0);
}

#[test]
fn there_may_be_no_immediate_commands() {
    let mut profile = Profile::hardware();
    profile.immediate_commands = false;
    let model = ready(profile, Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.regs.write_u32(0x60, 2 << 28 | 0xf0000);
    hand.regs.write_u16(0x68, 1);
    model.advance_ns(1_000_000);
    assert_eq!(hand.regs.read_u16(0x68), 0);
}

#[test]
fn immediate_commands_while_corb_runs_are_a_violation() {
    let model = ready(Profile::hardware(), Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.regs.write_u16(0x68, 1);
    assert_eq!(model.take_violations()[0].rule, Rule::ImmediateCommand);
}

#[test]
fn unsolicited_responses_arrive_if_asked_for() {
    let model = ready(Profile::hardware(), Codec::laptop());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.verb(2, 0x18, 0x70800 | 0x80 | 0x2a).unwrap();
    model.plug(2, 0x18, false);
    model.advance_ns(100_000);
    assert_eq!(hand.take_response(), None, "GCTL.UNSOL is clear");
    hand.regs.write_u32(0x08, 0x101);
    model.plug(2, 0x18, true);
    model.advance_ns(100_000);
    assert_eq!(hand.take_response(), Some((0x2a << 26, 0x12)));
    assert_eq!(hand.verb(2, 0x18, 0xf0900), Some(1 << 31), "pin sense");
}

#[test]
fn small_rings_wrap_where_they_end() {
    let mut profile = Profile::hardware();
    profile.ring_size_capability = 2;
    let model = ready(profile, Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    assert_eq!(hand.regs.read_u8(0x4e), 0x21, "16 entries, the only choice");
    hand.start_rings();
    for write in (1..16).chain(0..3) {
        hand.corb.as_mut().unwrap().write_u32(4 * write, 2 << 28 | 0xf0000);
        hand.regs.write_u16(0x48, write as u16);
        model.advance_ns(42_000);
        assert_eq!(hand.regs.read_u16(0x4a), write as u16);
        assert_eq!(hand.regs.read_u16(0x58), write as u16);
    }
}

#[test]
fn an_overrun_is_reported() {
    let model = ready(Profile::hardware(), Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    model.edit_faults(|faults| faults.rirb_overrun_once = true);
    hand.post(2 << 28 | 0xf0000);
    model.advance_ns(42_000);
    assert_eq!(hand.regs.read_u8(0x5d) & 4, 4);
    assert_eq!(hand.take_response(), None);
    hand.regs.write_u8(0x5d, 4);
    assert_eq!(hand.verb(2, 0, 0xf0000), Some(0x1234_0003));
}

#[test]
fn verbs_before_the_codecs_are_ready_are_lost_and_a_violation() {
    let model = ready(Profile::hardware(), Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.regs.write_u32(0x08, 1);
    model.advance_ns(60_000);
    hand.start_rings();
    hand.post(2 << 28 | 0xf0000);
    model.advance_ns(100_000);
    assert_eq!(hand.take_response(), None);
    assert_eq!(model.take_violations()[0].rule, Rule::CodecsNotReady);
}

#[test]
fn rings_in_memory_that_was_taken_away_are_a_violation() {
    let model = ready(Profile::hardware(), Codec::duplex());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.post(2 << 28 | 0xf0000);
    hand.corb = None;
    hand.rirb = None;
    model.advance_ns(42_000);
    let rules: Vec<Rule> = model.take_violations().iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::Dma]);
    assert_eq!(hand.regs.read_u8(0x4d), 1, "CORB memory error");
}
