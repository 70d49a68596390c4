//! The console: whole lines or none, and never a wait.

use std::sync::atomic::Ordering::SeqCst;

use proptest::prelude::*;
use xen_guest::console::Console;
use xen_sys::console::ConsoleRing;

/// What the daemon would read.
fn read(ring: &ConsoleRing) -> String {
    let (mut cons, prod) = (ring.out_cons.load(SeqCst), ring.out_prod.load(SeqCst));
    let mut bytes = Vec::new();
    while cons != prod {
        bytes.push(ring.output[cons as usize % 2048].load(SeqCst));
        cons = cons.wrapping_add(1);
    }
    ring.out_cons.store(cons, SeqCst);
    String::from_utf8(bytes).expect("text")
}

#[test]
fn lines_come_out() {
    let ring = ConsoleRing::default();
    let mut console = Console::attach(&ring);
    assert!(console.line(format_args!("{} frames", 480)));
    assert!(console.line(format_args!("")));
    assert_eq!(read(&ring), "480 frames\r\n\r\n");
}

#[test]
fn what_a_guest_calls_itself_moves_no_cursor() {
    let ring = ConsoleRing::default();
    assert!(Console::attach(&ring).line(format_args!("name {}", "a\n\x1b[2Jb\u{9b}c")));
    assert_eq!(read(&ring), "name a??[2Jb?c\r\n");
}

#[test]
fn a_long_line_is_cut_between_characters() {
    let ring = ConsoleRing::default();
    assert!(Console::attach(&ring).line(format_args!("x{}", "ä".repeat(400))));
    assert_eq!(read(&ring), format!("x{}\r\n", "ä".repeat(255)));
}

#[test]
fn what_the_ring_has_no_room_for_waits() {
    let ring = ConsoleRing::default();
    // The ring's place 0 comes in the middle, and so does the index's end.
    ring.out_prod.store(u32::MAX - 1_000, SeqCst);
    ring.out_cons.store(u32::MAX - 1_000, SeqCst);
    let mut console = Console::attach(&ring);
    let line = "l".repeat(98);
    for _ in 0..25 {
        console.line(format_args!("{line}"));
    }
    assert!(!console.flush());
    let mut text = read(&ring);
    assert_eq!(text.len(), 2048);
    assert!(!console.is_drained());
    assert!(console.flush());
    text += &read(&ring);
    assert_eq!(text, format!("{line}\r\n").repeat(25));
    assert!(console.is_drained());
}

#[test]
fn lines_without_room_are_dropped_counted_and_told_of() {
    let ring = ConsoleRing::default();
    let mut console = Console::attach(&ring);
    let line = "l".repeat(98);
    // 20 in the ring and 48 bytes, then 8192 bytes less these.
    for _ in 0..107 {
        console.line(format_args!("{line}"));
    }
    let mut text = String::new();
    loop {
        text += &read(&ring);
        if !console.flush() {
            break;
        }
    }
    assert_eq!(text, format!("{line}\r\n").repeat(102));
    assert!(console.line(format_args!("on")));
    assert_eq!(read(&ring), "[5 lines lost]\r\non\r\n");
    assert!(console.line(format_args!("on")));
    assert_eq!(read(&ring), "on\r\n");
}

proptest! {
    /// Whatever the daemon says it has read: nothing worse than a lost line, and the ring is never more than full.
    #[test]
    fn indices_do_no_harm(indices in prop::collection::vec(any::<u32>(), 1..3000)) {
        let ring = ConsoleRing::default();
        let mut console = Console::attach(&ring);
        for index in indices {
            ring.out_cons.store(index, SeqCst);
            let before = ring.out_prod.load(SeqCst);
            let room = 2048u32.saturating_sub(before.wrapping_sub(index));
            let written = console.line(format_args!("four"));
            let moved = ring.out_prod.load(SeqCst).wrapping_sub(before);
            prop_assert!(moved <= room);
            prop_assert_eq!(written, moved > 0);
        }
    }
}
