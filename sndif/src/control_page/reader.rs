//! The front end's half: it takes consistent copies and judges them.

use core::error::Error;
use core::fmt;

use super::slot::{PositionLock, Slot, SlotState};
use super::{MAGIC, MAJOR, SLOT_BYTES, SLOTS_MAX, header_word, slot_word};
use crate::state::XenbusState;
use hyper::{PAGE_WORDS, SharedPage};

/// Most tries of [`ControlReader::slot`].
///
/// A write takes some tens of nanoseconds, so two tries are enough unless the back end loses its processor during the write.
pub const READ_TRIES: u32 = 16;

/// The page's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The layout's minor version.
    pub minor: u16,
    /// Slots of the back end, at most [`SLOTS_MAX`].
    pub slot_count: usize,
    /// Number of times that the device was Connected.
    pub generation: u64,
    /// The device's state. Slots are current while it is Connected.
    pub state: XenbusState,
}

/// The defect of a page's header. Each but [`NotAttached`](Self::NotAttached) means an incompatible back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The back end hasn't attached yet.
    NotAttached,
    /// Another magic number.
    Magic(u32),
    /// Another major version.
    Major(u16),
    /// More slots than fit into a page.
    SlotCount(u32),
    /// Slots of another size.
    SlotBytes(u32),
    /// An unknown state.
    State(u32),
}

/// The reason why a slot can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The header is invalid.
    Header(HeaderError),
    /// The back end has no such slot.
    NoSuchSlot,
    /// The back end was writing at each try. Read again later; an older copy is still good to compute from.
    Busy,
    /// The slot has an unknown state.
    State(u32),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAttached => f.write_str("the back end hasn't attached to the control page"),
            Self::Magic(magic) => write!(f, "the control page begins with {magic:#010x}"),
            Self::Major(major) => write!(f, "the control page has version {major}"),
            Self::SlotCount(count) => write!(f, "the control page claims {count} slots"),
            Self::SlotBytes(bytes) => write!(f, "the control page has slots of {bytes} bytes"),
            Self::State(state) => write!(f, "the control page shows the unknown device state {state}"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => error.fmt(f),
            Self::NoSuchSlot => f.write_str("the control page has no such slot"),
            Self::Busy => f.write_str("the back end is writing the slot"),
            Self::State(state) => write!(f, "the slot has the unknown state {state}"),
        }
    }
}

impl Error for HeaderError {}
impl Error for ReadError {}

/// Reads the slots of a card's streams.
///
/// It holds nothing but the page, so a `ControlReader<&P>` costs nothing to make.
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

    /// A reader of an initialised page.
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

    /// A consistent copy of the slot of stream `index`, after at most [`READ_TRIES`] tries.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn slot(&self, index: usize) -> Result<Slot, ReadError> {
        for _ in 1..READ_TRIES {
            match self.slot_once(index) {
                Err(ReadError::Busy) => core::hint::spin_loop(),
                done => return done,
            }
        }
        self.slot_once(index)
    }

    /// The same in one try.
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

    /// A consistent copy of the fields that [`Slot::frames_at`] and [`Slot::time_of`] use, for frequent reads.
    ///
    /// These are `state`, `link_frames`, `time_ns`, `ns_per_frame_q32`, `error_ns`, `generation` and `lock`. The others are
    /// as in [`Slot::default`]. The header isn't checked: call [`header`](Self::header) once before.
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
                    lock: PositionLock::from_code(lock as u16),
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
