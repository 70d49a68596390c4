//! Reset of controller and link, and what codecs report.

use crate::bench::Hand;
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, Faults, Profile, Rule};

#[test]
fn out_of_power_on_the_controller_is_in_reset() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).build();
    let mut regs = model.registers();
    assert_eq!(regs.read_u32(0x08), 0);
    assert_eq!(regs.read_u16(0x0e), 0);
    assert_eq!(regs.read_u32(0x30), 0);
}

#[test]
fn capabilities_say_what_was_built() {
    let model = Bench::new(Profile::hardware()).build();
    let mut regs = model.registers();
    // 4 output, 4 input, 1 bidirectional, 64-bit addresses.
    assert_eq!(regs.read_u16(0x00), 0x4409);
    assert_eq!((regs.read_u8(0x02), regs.read_u8(0x03)), (0, 1));
    let model = Bench::new(Profile::qemu()).build();
    assert_eq!(model.registers().read_u16(0x00), 0x4401);
}

#[test]
fn codecs_report_521_us_after_crst() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).codec(3, Codec::silent()).build();
    let mut regs = model.registers();
    regs.write_u32(0x08, 1);
    assert_eq!(regs.read_u32(0x08) & 1, 0, "CRST reads back late");
    model.advance_ns(50_000);
    assert_eq!(regs.read_u32(0x08) & 1, 1);
    model.advance_ns(400_000);
    assert_eq!(regs.read_u16(0x0e), 0, "too early");
    model.advance_ns(121_000);
    assert_eq!(regs.read_u16(0x0e), 0b1001);
    regs.write_u16(0x0e, 0b0001);
    assert_eq!(regs.read_u16(0x0e), 0b1000, "ones clear");
    let violations = model.take_violations();
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].rule, Rule::CodecsNotReady);
}

#[test]
fn too_short_a_reset_is_a_violation() {
    let model = Bench::new(Profile::hardware()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    model.assert_clean();
    hand.regs.write_u32(0x08, 0);
    model.advance_ns(50_000);
    hand.regs.write_u32(0x08, 1);
    assert_eq!(model.take_violations()[0].rule, Rule::ResetTooShort);
}

#[test]
fn registers_cannot_be_written_in_reset() {
    let model = Bench::new(Profile::hardware()).build();
    let mut regs = model.registers();
    regs.write_u32(0x20, 0xc000_0000);
    assert_eq!(model.take_violations()[0].rule, Rule::InReset);
    assert_eq!(regs.read_u32(0x20), 0);
}

#[test]
fn a_reset_takes_everything_back_to_its_default() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.regs.write_u32(0x20, 0xc000_0010);
    hand.regs.write_u32(0x38, 0x10);
    hand.regs.write_u16(0x92, 0x4011);
    hand.start_rings();
    hand.set_converter(0, 2, 0x11, 7, 1);
    assert_eq!(model.converter_setting(0, 2), (7, 1, 0x11));
    hand.regs.write_u8(0x4c, 0);
    hand.regs.write_u8(0x5c, 0);
    hand.bring_up();
    assert_eq!(hand.regs.read_u32(0x20), 0);
    assert_eq!(hand.regs.read_u32(0x38), 0);
    assert_eq!(hand.regs.read_u16(0x92), 0);
    assert_eq!(hand.regs.read_u32(0x40), 0);
    assert_eq!(model.converter_setting(0, 2), (0, 0, 0), "a link reset takes the codec along");
}

#[test]
fn a_reset_while_rings_run_is_a_violation() {
    let model = Bench::new(Profile::hardware()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.regs.write_u32(0x08, 0);
    assert_eq!(model.take_violations()[0].rule, Rule::ResetWhileRunning);
}

#[test]
fn crst_may_stick_in_either_position() {
    let faults = Faults { reset_never_left: true, ..Faults::default() };
    let model = Bench::new(Profile::hardware()).faults(faults).build();
    let mut regs = model.registers();
    regs.write_u32(0x08, 1);
    model.advance_ns(1_000_000_000);
    assert_eq!(regs.read_u32(0x08) & 1, 0);

    let model = Bench::new(Profile::hardware()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    model.edit_faults(|faults| faults.reset_never_entered = true);
    hand.regs.write_u32(0x08, 0);
    model.advance_ns(1_000_000_000);
    assert_eq!(hand.regs.read_u32(0x08) & 1, 1);
}

#[test]
#[should_panic(expected = "access budget")]
fn an_endless_poll_is_a_failure() {
    let faults = Faults { reset_never_left: true, ..Faults::default() };
    let model = Bench::new(Profile::hardware()).faults(faults).access_budget(1000).build();
    let mut regs = model.registers();
    regs.write_u32(0x08, 1);
    while regs.read_u32(0x08) & 1 == 0 {}
}

#[test]
#[should_panic(expected = "the driver broke rules")]
fn a_violation_that_nobody_looked_at_fails_the_test() {
    let model = Bench::new(Profile::hardware()).build();
    model.registers().write_u32(0x20, 1);
}

#[test]
fn a_codec_that_reports_interrupts_if_wakeen_lets_it() {
    let model = Bench::new(Profile::hardware()).codec(2, Codec::output()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.regs.write_u32(0x20, 0xc000_0000);
    assert!(!model.interrupt_pending());
    hand.regs.write_u16(0x0c, 0b100);
    assert!(model.interrupt_pending());
    assert_eq!(hand.regs.read_u32(0x24), 0xc000_0000);
    hand.regs.write_u16(0x0e, 0b100);
    assert!(!model.interrupt_pending());
}

#[test]
fn a_controller_that_falls_off_its_bus_reads_all_ones() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    model.edit_faults(|faults| faults.off_the_bus = true);
    assert_eq!(hand.regs.read_u8(0x103), 0xff);
    assert_eq!(hand.regs.read_u16(0x0e), 0xffff);
    assert_eq!(hand.regs.read_u32(0x08), u32::MAX);
    hand.regs.write_u32(0x30, 0);
    model.assert_clean();
}
