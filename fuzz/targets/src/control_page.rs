//! A control page that changes while it is read, and echoes that make no sense.

use std::cell::{Cell, RefCell};

use audiofront::{ClockMap, DRIFT_MAX_PPB};
use hyper::{PAGE_WORDS, SharedPage};
use sndif::control_page::{ControlReader, MAGIC, READ_TRIES, SLOT_BYTES, SLOTS_MAX, Slot};
use testbed::ignored;

use crate::bytes::Bytes;

/// Most words that one reading takes: header and slot, at each try.
const MOST_LOADS: u32 = READ_TRIES * 64;

/// A page whose owner writes between any two reads.
struct Changing<'a> {
    words: RefCell<[u32; PAGE_WORDS]>,
    script: RefCell<Bytes<'a>>,
    is_live: Cell<bool>,
    loads: Cell<u32>,
}

impl SharedPage for Changing<'_> {
    fn load(&self, word: usize) -> u32 {
        self.loads.set(self.loads.get() + 1);
        assert!(self.loads.get() <= MOST_LOADS, "a reading without end");
        let read = self.words.borrow().get(word).copied().unwrap_or(0);
        if self.is_live.get() {
            let mut script = self.script.borrow_mut();
            // Most loads see no change.
            if script.u8() >= 0xc0 {
                let place = usize::from(script.u8()) % 64;
                self.words.borrow_mut()[place] = script.sized() as u32;
            }
        }
        read
    }

    fn store(&self, word: usize, value: u32) {
        if let Some(place) = self.words.borrow_mut().get_mut(word) {
            *place = value;
        }
    }

    fn fence(&self) {}
}

/// An enemy's page: readings end, agree with each other when nothing changes, and what follows from them doesn't panic.
pub fn run(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let mut words = [0; PAGE_WORDS];
    if !bytes.u8().is_multiple_of(8) {
        words[..4].copy_from_slice(&[MAGIC, 0x1_0001, 1 + u32::from(bytes.u8() % 40), SLOT_BYTES]);
        words[6] = u32::from(bytes.u8() % 10);
    }
    for _ in 0..bytes.u8() % 48 {
        words[usize::from(bytes.u8()) % 64] = bytes.sized() as u32;
    }
    let index = usize::from(bytes.u8() % 4) * usize::from(bytes.u8() % 12);
    let [now_ns, frame] = [bytes.sized(), bytes.sized()];
    let page = Changing {
        words: RefCell::new(words),
        script: RefCell::new(bytes.clone()),
        is_live: Cell::new(true),
        loads: Cell::new(0),
    };
    let reader = ControlReader::new(page);
    let afresh = || reader.page().loads.set(0);
    if let Ok(header) = reader.header() {
        assert!(header.slot_count <= SLOTS_MAX);
    }
    afresh();
    let torn = reader.slot(index);
    afresh();
    let position = reader.position(index);
    for slot in [torn, position].into_iter().flatten() {
        follow(&slot, now_ns, frame);
    }
    reader.page().is_live.set(false);
    afresh();
    let still = reader.slot(index);
    afresh();
    let position = reader.position(index);
    if let (Ok(slot), Ok(position)) = (still, position) {
        assert_eq!(slot.frames_at(now_ns), position.frames_at(now_ns));
        assert_eq!(slot.time_of(frame), position.time_of(frame));
        assert_eq!((slot.error_ns, slot.generation), (position.error_ns, position.generation));
        if let Ok(other) = torn {
            let rate_hz = frame as u32;
            let there = slot.start_distance_frames(&other, rate_hz);
            ignored(there, "anything may come of what makes no sense, but a panic");
        }
    }
    let mut echoes = reader.into_page().script.into_inner();
    map_clocks(&mut echoes);
}

/// All that a program computes from a slot.
fn follow(slot: &Slot, now_ns: u64, frame: u64) {
    let frames = slot.frames_at(now_ns);
    let carried = slot.carried_q16_at(now_ns);
    assert!(slot.lock.is_some() || (frames.is_none() && carried.is_none()));
    ignored((slot.time_of(frame), slot.echo()), "anything may come of what makes no sense, but a panic");
}

/// Echoes with any times: the drift stays within its bound, and every time has a map once there is one.
fn map_clocks(bytes: &mut Bytes<'_>) {
    let mut map = ClockMap::new();
    let limit = DRIFT_MAX_PPB as i32;
    for _ in 0..8 {
        if bytes.is_empty() {
            return;
        }
        let [sent_ns, way_ns, taken_ns] = [bytes.sized(), bytes.sized(), bytes.sized()];
        let heard_ns = sent_ns.wrapping_add(way_ns);
        let added = map.add(sent_ns, heard_ns, taken_ns);
        let (least, most) = map.drift_ppb();
        assert!(-limit <= least && least <= most && most <= limit, "{added:?}: {least} to {most}");
        if added.is_ok() {
            assert!(map.to_system(heard_ns).is_some() && map.to_guest(taken_ns).is_some());
        }
        ignored(
            (map.to_system(bytes.sized()), map.to_guest(bytes.sized())),
            "anything may come of what makes no sense, but a panic",
        );
    }
}
