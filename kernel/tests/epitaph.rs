//! What is said at the end, and that it ends.

use core::panic::Location;

use proptest::prelude::*;
use snddom_kernel::epitaph::{Cause, Epitaph, ExceptionFrame, MAX_STACK_WORDS, SectionMap};
use snddom_kernel::memory::range::PhysRange;

const SECTIONS: SectionMap = SectionMap {
    text: PhysRange { start: 0x10_0000, end: 0x10_c000 },
    guards: [PhysRange { start: 0x11_0000, end: 0x11_1000 }; 5],
};

fn epitaph(cause: Cause<'_>, stack: &[u64]) -> String {
    Epitaph { cause, sections: SECTIONS, stack_pointer: 0x12_0000, stack }.to_string()
}

fn verdict(text: &str) -> &str {
    assert!(text.ends_with('\n'));
    text.lines().last().expect("a last line")
}

#[test]
fn a_page_fault_says_what_was_tried_where() {
    let what = [
        (0b00000, "read, nothing mapped at 0x7f00deadb000"),
        (0b00010, "write, nothing mapped at 0x7f00deadb000"),
        (0b00011, "write, not allowed at 0x7f00deadb000"),
        (0b10001, "execute, not allowed at 0x7f00deadb000"),
        (0b01001, "read, reserved bits in the tables for 0x7f00deadb000"),
    ];
    for (error_code, words) in what {
        let frame = ExceptionFrame { vector: 14, error_code, rip: 0x10_1234, ..ExceptionFrame::default() };
        let text = epitaph(Cause::Exception { frame: &frame, fault_address: 0x7f00_dead_b000 }, &[]);
        assert_eq!(verdict(&text), format!("@verdict crash page fault at 0x101234: {words}"));
        assert!(text.contains("rip 0000000000101234"));
    }
}

#[test]
fn a_fault_in_a_guard_page_is_a_stack_overflow() {
    let frame = ExceptionFrame { vector: 14, error_code: 2, rip: 0x10_1234, ..ExceptionFrame::default() };
    let text = epitaph(Cause::Exception { frame: &frame, fault_address: 0x11_0ff8 }, &[]);
    assert_eq!(verdict(&text), "@verdict crash stack overflow at 0x101234");
}

#[test]
fn other_exceptions_are_named() {
    let frame = ExceptionFrame { vector: 13, error_code: 0x18, rip: 0x10_1234, ..ExceptionFrame::default() };
    let text = epitaph(Cause::Exception { frame: &frame, fault_address: 0 }, &[]);
    assert_eq!(verdict(&text), "@verdict crash general protection fault at 0x101234, error code 0x18");
}

#[test]
fn of_the_stack_only_addresses_in_text_are_shown_and_not_too_many() {
    let mut stack = vec![0, 0x10_2000, 0x10_c000, 0xffff_ffff_ffff_ffff, 0x10_3000];
    let text = epitaph(Cause::AllocationAfterStart { size_bytes: 48 }, &stack);
    assert!(text.contains("in text: 0x102000 0x103000\n"));
    assert_eq!(verdict(&text), "@verdict crash allocation after start, of 48 bytes");
    stack = vec![0x10_2000; MAX_STACK_WORDS];
    let text = epitaph(Cause::AllocationAfterStart { size_bytes: 48 }, &stack);
    assert_eq!(text.matches("0x102000").count(), 16);
}

#[test]
fn a_panics_message_is_one_line_of_bounded_length() {
    let location = Location::caller();
    let message = "first\nsecond\u{1b}[2J".to_owned() + &"x".repeat(10_000);
    let text = epitaph(Cause::Panic { message: &message, location: Some(location) }, &[]);
    assert_eq!(text.lines().count(), 3);
    assert!(verdict(&text).starts_with("@verdict crash panic at "));
    assert!(verdict(&text).contains("first second [2J"));
    assert!(text.len() < 1_200);
}

proptest! {
    #[test]
    fn every_epitaph_is_bounded_and_ends_with_its_verdict(
        vector in 0u64..40, error_code: u64, rip: u64, fault_address: u64, message in ".*",
        stack in proptest::collection::vec(0x0f_0000u64..0x11_0000, 0..MAX_STACK_WORDS),
    ) {
        let frame = ExceptionFrame { vector, error_code, rip, ..ExceptionFrame::default() };
        let causes = [
            Cause::Exception { frame: &frame, fault_address },
            Cause::Panic { message: &message, location: None },
        ];
        for cause in causes {
            let text = epitaph(cause, &stack);
            prop_assert!(text.len() < 1_400);
            prop_assert!(text.lines().count() <= 8);
            prop_assert!(verdict(&text).starts_with("@verdict crash "));
            prop_assert_eq!(text.matches("@verdict crash ").count() - message.matches("@verdict crash ").count() * 2, 1);
        }
    }
}
