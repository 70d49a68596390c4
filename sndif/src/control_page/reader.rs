//! The front end's half: snapshots, judged.

use super::slot::{Lock, Slot, SlotState};
use super::{MAGIC, MAJOR, SLOT_BYTES, SLOTS_MAX, header_word, slot_word};
use crate::state::XenbusState;
use hyper::{PAGE_WORDS, SharedPage};

/// Times that [`ControlReader::slot`] tries. A writing takes some tens of nanoseconds, so two tries are enough unless the back end's
/// processor is taken away in the midst of it; then no number is.
pub const READ_TRIES: u32 = 16;

/// The page's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the layout, below the major number.
    pub minor: u16,
    /// Slots that the back end keeps, at most [`SLOTS_MAX`].
    pub slot_count: usize,
    /// Times that the device was Connected: grows with each.
    pub generation: u64,
    /// The device's state: slots are kept while it is Connected.
    pub state: XenbusState,
}

/// What is wrong with a page's header. All but [`NotAttached`](Self::NotAttached) mean a back end that can't be worked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The back end hasn't written to the page yet.
    NotAttached,
    /// It doesn't begin as a control page does.
    Magic(u32),
    /// Another layout.
    Major(u16),
    /// More slots than a page has room for.
    SlotCount(u32),
    /// Slots of another size.
    SlotBytes(u32),
    /// A state that xenbus doesn't have.
    State(u32),
}

/// Why there is no slot to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The header can't be believed.
    Header(HeaderError),
    /// The back end keeps no such slot.
    NoSuchSlot,
    /// The back end was writing, each time: come again later, what was read last is still good to compute from.
    Busy,
    /// The slot has a state that doesn't exist.
    State(u32),
}

/// Reads what the back end says of a card's streams.
///
/// It holds nothing but the page, so that a `ControlReader<&P>` can be made wherever the page is at hand.
#[derive(Debug)]
pub struct ControlReader<P> {
    page: P,
}

impl<P: SharedPage> ControlReader<P> {
    /// Initialises the page, before its reference is published.
    pub fn init(page: P) -> Self {
        (0..PAGE_WORDS).for_each(|word| page.store(word, 0));
        Self { page }
    }

    /// A reader of a page that was initialised elsewhere.
    pub const fn new(page: P) -> Self {
        Self { page }
    }

    /// The header, judged.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn header(&self) -> Result<Header, HeaderError> {
        match self.page.load(header_word::MAGIC) {
            0 => return Err(HeaderError::NotAttached),
            MAGIC => {}
            other => return Err(HeaderError::Magic(other)),
        }
        let version = self.page.load(header_word::VERSION);
        if version as u16 != MAJOR {
            return Err(HeaderError::Major(version as u16));
        }
        let slots = self.page.load(header_word::SLOT_COUNT);
        let slot_count = usize::try_from(slots)
            .ok()
            .filter(|count| *count <= SLOTS_MAX)
            .ok_or(HeaderError::SlotCount(slots))?;
        let slot_bytes = self.page.load(header_word::SLOT_BYTES);
        if slot_bytes != SLOT_BYTES {
            return Err(HeaderError::SlotBytes(slot_bytes));
        }
        let low = self.page.load(header_word::GENERATION_LOW);
        let high = self.page.load(header_word::GENERATION_HIGH);
        let state = self.page.load(header_word::DEVICE_STATE);
        Ok(Header {
            minor: (version >> 16) as u16,
            slot_count,
            generation: u64::from(high) << 32 | u64::from(low),
            state: u8::try_from(state)
                .ok()
                .and_then(XenbusState::from_code)
                .ok_or(HeaderError::State(state))?,
        })
    }

    /// The slot of stream `index`, as it was at one moment.
    ///
    /// # Errors
    /// See [`ReadError`]; it takes at most [`READ_TRIES`] tries.
    pub fn slot(&self, index: usize) -> Result<Slot, ReadError> {
        for _ in 1..READ_TRIES {
            match self.slot_once(index) {
                Err(ReadError::Busy) => core::hint::spin_loop(),
                done => return done,
            }
        }
        self.slot_once(index)
    }

    /// As [`slot`](Self::slot), in one try.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn slot_once(&self, index: usize) -> Result<Slot, ReadError> {
        let header = self.header().map_err(ReadError::Header)?;
        let word = slot_word(index).filter(|_| index < header.slot_count).ok_or(ReadError::NoSuchSlot)?;
        let before = self.page.load(word);
        if before & 1 != 0 {
            return Err(ReadError::Busy);
        }
        let fields = core::array::from_fn(|field| self.page.load(word.wrapping_add(field).wrapping_add(1)));
        if self.page.load(word) != before {
            return Err(ReadError::Busy);
        }
        Slot::from_words(&fields).map_err(ReadError::State)
    }

    /// What [`Slot::frames_at`] and [`Slot::time_of`] look at in slot `index`, as it was at one moment: `state`, `link_frames`,
    /// `time_ns`, `ns_per_frame_q32`, `error_ns`, `generation` and `lock`. Everything else is as in [`Slot::default`], and the header
    /// isn't judged: for those who read often, and have judged it before.
    ///
    /// # Errors
    /// As [`slot`](Self::slot).
    #[inline]
    pub fn position(&self, index: usize) -> Result<Slot, ReadError> {
        let word = slot_word(index).ok_or(ReadError::NoSuchSlot)?;
        for _ in 0..READ_TRIES {
            let before = self.page.load(word);
            let field = |field: usize| self.page.load(word.wrapping_add(field));
            let [state, error_ns, generation, lock] = [1, 8, 9, 21].map(field);
            let [link, time, length] = [[2, 3], [4, 5], [6, 7]].map(|pair| pair.map(field));
            if before & 1 == 0 && self.page.load(word) == before {
                let wide = |[low, high]: [u32; 2]| u64::from(high) << 32 | u64::from(low);
                return Ok(Slot {
                    state: SlotState::from_code(state).ok_or(ReadError::State(state))?,
                    link_frames: wide(link),
                    time_ns: wide(time),
                    ns_per_frame_q32: wide(length),
                    error_ns,
                    generation,
                    lock: Lock::from_code(lock as u16),
                    ..Slot::default()
                });
            }
            core::hint::spin_loop();
        }
        Err(ReadError::Busy)
    }

    /// The page.
    pub const fn page(&self) -> &P {
        &self.page
    }

    /// Gives the page back, to end its grant.
    pub fn into_page(self) -> P {
        self.page
    }
}
