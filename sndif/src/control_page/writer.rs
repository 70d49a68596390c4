//! The back end's half: it writes and reads nothing.

use core::num::Wrapping;

use super::slot::Slot;
use super::{MAGIC, MAJOR, MINOR, SLOT_BYTES, SLOTS_MAX, header_word, slot_word};
use crate::state::XenbusState;
use hyper::SharedPage;

/// Writes a card's slots into the page that its front end granted.
#[derive(Debug)]
pub struct ControlWriter<P> {
    page: P,
    slot_count: usize,
    /// The last sequence number, of any slot; even. Only its change matters. It repeats after 2^31 writes, which take days;
    /// only a reader that pauses for exactly that long within one read would miss the change.
    sequence: Wrapping<u32>,
}

impl<P: SharedPage> ControlWriter<P> {
    /// Fills the page for a device of `slot_count` streams, before it is Connected for the `generation`-th time.
    ///
    /// All slots are closed. Streams from [`SLOTS_MAX`] on have no slot.
    pub fn attach(page: P, slot_count: usize, generation: u64) -> Self {
        let slot_count = slot_count.min(SLOTS_MAX);
        page.store(header_word::MAGIC, 0);
        page.store(header_word::VERSION, u32::from(MINOR) << 16 | u32::from(MAJOR));
        page.store(header_word::SLOT_COUNT, slot_count as u32);
        page.store(header_word::SLOT_BYTES, SLOT_BYTES);
        page.store(header_word::GENERATION_LOW, generation as u32);
        page.store(header_word::GENERATION_HIGH, (generation >> 32) as u32);
        header_word::RESERVED.for_each(|word| page.store(word, 0));
        let mut writer = Self { page, slot_count, sequence: Wrapping(0) };
        writer.set_state(XenbusState::Connected);
        (0..slot_count).for_each(|index| writer.write(index, &Slot::default()));
        // Last: a reader that sees the magic number sees all the rest.
        writer.page.store(header_word::MAGIC, MAGIC);
        writer
    }

    /// Publishes the device's state.
    pub fn set_state(&mut self, state: XenbusState) {
        self.page.store(header_word::DEVICE_STATE, state.code().into());
    }

    /// Writes the slot of stream `index`. A stream without a slot is ignored.
    pub fn write(&mut self, index: usize, slot: &Slot) {
        let Some(word) = slot_word(index).filter(|_| index < self.slot_count) else { return };
        self.page.store(word, (self.sequence + Wrapping(1)).0);
        self.page.store_run(word.wrapping_add(1), slot.to_words().into_iter());
        self.sequence += 2;
        self.page.store(word, self.sequence.0);
    }

    /// Gives the page back, to unmap it.
    pub fn into_page(self) -> P {
        self.page
    }
}
