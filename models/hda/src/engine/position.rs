//! The value of LPIB, true or by a fault.

use super::state::Engine;
use crate::clock::TICKS_PER_LINK_FRAME;
use crate::faults::{Faults, LinkPositionFault};
use crate::random::scramble;

impl Engine {
    /// The true position in thousandths of a frame, `ticks` into the current link frame.
    ///
    /// It counts frames since the stream reset, with a share of the current link frame's.
    pub(crate) fn true_milliframes(&self, ticks: u64) -> u64 {
        let Some(frame_bytes) = self.frame_bytes() else { return 0 };
        let whole = u128::from(self.linked_bytes) * 1000;
        let part = u128::from(self.in_flight) * 1000 * u128::from(ticks) / u128::from(TICKS_PER_LINK_FRAME);
        ((whole + part) / u128::from(frame_bytes)) as u64
    }

    /// The value of LPIB, `ticks` into the current link frame.
    pub(crate) fn read_link_position(&mut self, ticks: u64, faults: &Faults) -> u32 {
        if faults.link_position != LinkPositionFault::Frozen {
            self.frozen_position = None;
        }
        match faults.link_position {
            LinkPositionFault::None => self.link_position,
            LinkPositionFault::Zero => 0,
            LinkPositionFault::Garbage { seed } => {
                self.garbage_reads += 1;
                (scramble(seed ^ self.garbage_reads << 8 ^ self.index as u64) >> 16) as u32
            }
            LinkPositionFault::Frozen => *self.frozen_position.get_or_insert(self.link_position),
            LinkPositionFault::Torn => {
                let part = u64::from(self.in_flight) * ticks / TICKS_PER_LINK_FRAME;
                wrapped(self.link_position, part as u32, self.buffer_bytes)
            }
            LinkPositionFault::Coarse { .. } => self.coarse_position,
        }
    }
}

/// Advances a position in the buffer by `bytes`, wrapping at its end.
pub(super) fn wrapped(position: u32, bytes: u32, buffer_bytes: u32) -> u32 {
    let moved = u64::from(position) + u64::from(bytes);
    // The remainder is below `buffer_bytes`, which has 32 bits.
    moved.checked_rem(buffer_bytes.into()).unwrap_or(0) as u32
}
