//! The control page: the position of every stream of a card with its time, for the front end to read at any moment.
//!
//! It is an extension of sndif; [`crate::nodes`] has the nodes by which both ends agree on it. The front end grants one
//! writable page per card. The back end only writes to it and reads nothing back, so a front end gains nothing by writes
//! of its own. Layout, version 1.1, little-endian, offsets in bytes:
//!
//! | header | type | field | |
//! |---|---|---|---|
//! | 0 | u32 | magic | the bytes `SNDC`; 0 until the back end attaches |
//! | 4 | u16 | major | 1: this layout |
//! | 6 | u16 | minor | 1: grows as reserved bytes get a meaning |
//! | 8 | u32 | slot count | streams of the card, at most 31 |
//! | 12 | u32 | slot size | 128 |
//! | 16 | u64 | device generation | grows with each Connected |
//! | 24 | u32 | device state | as in xenstore: see [`XenbusState`] |
//!
//! Slot `k`, at 128 + 128 k, belongs to the `k`-th stream in xenstore: devices in their order, streams in theirs within
//! each device.
//!
//! | slot | type | field of [`Slot`] | |
//! |---|---|---|---|
//! | 0 | u32 | | sequence number: odd while the back end writes the slot |
//! | 4 | u32 | `state` | 0 closed, 1 open, 2 running, 3 paused, 4 failed |
//! | 8 | u64 | `link_frames` | |
//! | 16 | u64 | `time_ns` | |
//! | 24 | u64 | `ns_per_frame_q32` | |
//! | 32 | u32 | `error_ns` | |
//! | 36 | u32 | `generation` | |
//! | 40 | u32 | `dma_lead_frames` | |
//! | 44 | u32 | `codec_delay_frames` | |
//! | 48 | u64 | `start_time_ns` | |
//! | 56 | u64 | `start_wall_ticks` | |
//! | 64 | u64 | `xrun_frames` | |
//! | 72 | u64 | `appl_frames` | |
//! | 80 | u32 | `echo_id` | |
//! | 84 | u16 | `lock` | 0 none, 1 coarse, 2 locked |
//! | 86 | u16 | `source` | 0 none, 1 link counter, 2 DMA position buffer, 3 wall clock |
//! | 88 | u64 | `echo_time_ns` | |
//! | 96 | u32 | [`Cadence::ticks`] | from version 1.1 on |
//! | 100 | u16 | [`Cadence::block_frames`] | 0: no cadence |
//! | 102 | u16 | [`Cadence::period_blocks`] | |
//! | 104 | u16 | [`Cadence::period_link_frames`] | |
//!
//! All other bytes are reserved: the back end writes 0 or nothing, and a reader ignores them.
//!
//! # Why a reader sees no torn slot
//!
//! Shared accesses are 32 bits wide, so a slot takes several of them, and a reader may come in between. The writer makes the
//! sequence number odd, writes, and makes it even. A reader keeps its copy only if the number was even and the same before
//! and after. Each store is a release and each load an acquire ([`SharedPage`]): a reader that sees one word of a newer
//! write also sees the odd number before it. No fence is needed; `tests/control_page_loom.rs` checks all interleavings.

mod cadence;
mod reader;
mod slot;
mod writer;

pub use cadence::Cadence;
pub use reader::{ControlReader, Header, HeaderError, READ_TRIES, ReadError};
pub use slot::{Echo, PositionLock, PositionSource, Slot, SlotState, WALL_CLOCK_HZ};
pub use writer::ControlWriter;

#[cfg(doc)]
use crate::state::XenbusState;
use hyper::PAGE_WORDS;
#[cfg(doc)]
use hyper::SharedPage;

/// The bytes `SNDC`, as a little-endian word.
pub const MAGIC: u32 = u32::from_le_bytes(*b"SNDC");
/// The layout's major version. Another number means another layout.
pub const MAJOR: u16 = 1;
/// The layout's minor version. It grows as reserved bytes become fields.
pub const MINOR: u16 = 1;
/// Bytes in a slot, and in the header.
pub const SLOT_BYTES: u32 = 128;
/// Most slots in a page.
pub const SLOTS_MAX: usize = PAGE_WORDS / SLOT_WORDS - 1;
/// Longest interval between two writes to the slot of a running stream, in nanoseconds.
///
/// A much older pair comes from a back end that is delayed or gone, and a position computed from it is a guess.
pub const REFRESH_INTERVAL_NS: u64 = 10_000_000;

const SLOT_WORDS: usize = SLOT_BYTES as usize / 4;

/// Words of the header. Bytes from 28 on are reserved.
mod header_word {
    pub(super) const MAGIC: usize = 0;
    pub(super) const VERSION: usize = 1;
    pub(super) const SLOT_COUNT: usize = 2;
    pub(super) const SLOT_BYTES: usize = 3;
    pub(super) const GENERATION_LOW: usize = 4;
    pub(super) const GENERATION_HIGH: usize = 5;
    pub(super) const DEVICE_STATE: usize = 6;
    pub(super) const RESERVED: core::ops::Range<usize> = 7..super::SLOT_WORDS;
}

/// The first word of slot `index`, if it fits into the page.
fn slot_word(index: usize) -> Option<usize> {
    (index < SLOTS_MAX).then(|| index.wrapping_add(1).wrapping_mul(SLOT_WORDS))
}
