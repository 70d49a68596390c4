//! No torn slot is ever taken: all interleavings and all reorderings that the memory model allows, by loom. And the proof
//! that this test would find one: without acquire and release it does.

use hyper::SharedPage;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use sndif::control_page::{ControlReader, ControlWriter, ReadError, Slot, SlotState};

/// Words of the first slot: its sequence number, and the low halves of `link_frames` and `appl_frames`.
const WATCHED: [usize; 3] = [32, 34, 50];

/// The watched words are loom's; the others are what they were when the page was attached.
struct LoomPage<const ORDERED: bool> {
    watched: [AtomicU32; WATCHED.len()],
}

impl<const ORDERED: bool> LoomPage<ORDERED> {
    fn new() -> Self {
        Self { watched: std::array::from_fn(|_| AtomicU32::new(0)) }
    }

    fn cell(&self, word: usize) -> Option<&AtomicU32> {
        WATCHED.iter().position(|watched| *watched == word).map(|cell| &self.watched[cell])
    }
}

/// loom's `Arc` as a page.
struct SharedArc<const ORDERED: bool>(Arc<LoomPage<ORDERED>>);

impl<const ORDERED: bool> SharedPage for SharedArc<ORDERED> {
    fn load(&self, word: usize) -> u32 {
        let order = if ORDERED { Ordering::Acquire } else { Ordering::Relaxed };
        match (self.0.cell(word), word) {
            (Some(cell), _) => cell.load(order),
            // The header of a device with one stream.
            (None, 0) => u32::from_le_bytes(*b"SNDC"),
            (None, 1 | 2) => 1,
            (None, 3) => 128,
            (None, 6) => 4,
            (None, 33) => 2,
            _ => 0,
        }
    }

    fn store(&self, word: usize, value: u32) {
        let order = if ORDERED { Ordering::Release } else { Ordering::Relaxed };
        if let Some(cell) = self.0.cell(word) {
            cell.store(value, order);
        }
    }

    fn fence(&self) {
        unreachable!("a fence costs more than the whole read");
    }
}

fn numbered(number: u64) -> Slot {
    Slot { state: SlotState::Running, link_frames: number, appl_frames: number, ..Slot::default() }
}

/// The back end, which wrote the slot when it attached, writes it twice more, while the front end reads it.
fn read_while_written<const ORDERED: bool>() {
    loom::model(|| {
        let page = Arc::new(LoomPage::<ORDERED>::new());
        let mut writer = ControlWriter::attach(SharedArc(page.clone()), 1, 1);
        let back_end = thread::spawn(move || (1..=2).for_each(|number| writer.write(0, &numbered(number))));
        let reader = ControlReader::new(SharedArc(page));
        match reader.slot_once(0) {
            Ok(slot) => assert_eq!(slot.link_frames, slot.appl_frames, "torn"),
            Err(error) => assert_eq!(error, ReadError::Busy),
        }
        back_end.join().unwrap();
        assert_eq!(reader.slot_once(0).map(|slot| slot.link_frames), Ok(2), "the last one, whole");
    });
}

#[test]
fn no_torn_slot_is_taken() {
    read_while_written::<true>();
}

#[test]
#[should_panic(expected = "torn")]
fn without_acquire_and_release_a_torn_slot_is_taken() {
    read_while_written::<false>();
}
