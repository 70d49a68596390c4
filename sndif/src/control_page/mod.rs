//! The control page: what is at the link and when, for every stream of a card, in a page that the front end reads
//! without asking. An extension of sndif; [`crate::nodes`] has the nodes by which both ends agree on it.
//!
//! The front end grants one page a card, writable. The back end only writes it: nothing on it is ever read back, so
//! there is nothing that a front end could gain by scribbling on it. Layout, version 1.1, little-endian, offsets in bytes:
//!
//! | header | type | field | |
//! |---|---|---|---|
//! | 0 | u32 | magic | the bytes `SNDC`; 0 until the back end has attached |
//! | 4 | u16 | major | 1: the layout that is described here |
//! | 6 | u16 | minor | 1: grows as reserved bytes get a meaning |
//! | 8 | u32 | slot count | streams of the card, at most 31 |
//! | 12 | u32 | slot size | 128 |
//! | 16 | u64 | device generation | grows each time that the device is Connected |
//! | 24 | u32 | device state | as in xenstore: see [`XenbusState`] |
//!
//! Slot `k`, at 128 + 128 k, is the stream that is the `k`-th in xenstore (the devices in their order, within each its
//! streams in theirs):
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
//! | 100 | u16 | [`Cadence::block_frames`] | 0: no cadence is told |
//! | 102 | u16 | [`Cadence::period_blocks`] | |
//! | 104 | u16 | [`Cadence::period_link_frames`] | |
//!
//! All else is reserved: the back end writes 0 there or nothing, and a reader doesn't look.
//!
//! # Why a reader sees no torn slot
//!
//! There is no shared access wider than 32 bit, so a slot takes several, and a reader may come in between. The writer makes
//! the sequence number odd, writes, and makes it even; a reader takes what it copied only if the number was even and the
//! same before and after. Each store is a release and each load an acquire ([`SharedPage`]): whoever has loaded one word
//! of a newer writing also finds the odd number that came before it. No fence is needed; `tests/control_page_loom.rs`
//! looks at all interleavings.

mod cadence;
mod reader;
mod slot;
mod writer;

pub use cadence::Cadence;
pub use reader::{ControlReader, Header, HeaderError, READ_TRIES, ReadError};
pub use slot::{Echo, Lock, Slot, SlotState, Source, WALL_CLOCK_HZ};
pub use writer::ControlWriter;

#[cfg(doc)]
use crate::state::XenbusState;
use hyper::PAGE_WORDS;
#[cfg(doc)]
use hyper::SharedPage;

/// The bytes `SNDC`, as a little-endian word.
pub const MAGIC: u32 = u32::from_le_bytes(*b"SNDC");
/// The layout's version: one with another major number is laid out otherwise.
pub const MAJOR: u16 = 1;
/// The layout's minor version: fields are only ever added to what is reserved.
pub const MINOR: u16 = 1;
/// Bytes in a slot, and in the header.
pub const SLOT_BYTES: u32 = 128;
/// Slots that a page has room for.
pub const SLOTS_MAX: usize = PAGE_WORDS / SLOT_WORDS - 1;
/// The back end renews the slot of a running stream at least this often. A pair that is much older than that comes from a
/// back end that is hindered, or gone: what is computed from it is a guess. Nanoseconds.
pub const REFRESH_INTERVAL_NS: u64 = 10_000_000;

const SLOT_WORDS: usize = SLOT_BYTES as usize / 4;

/// Words of the header. The bytes from 28 on are reserved.
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

/// Word at which slot `index` starts, if the page has room for it.
fn slot_word(index: usize) -> Option<usize> {
    (index < SLOTS_MAX).then(|| index.wrapping_add(1).wrapping_mul(SLOT_WORDS))
}
