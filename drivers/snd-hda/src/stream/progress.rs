//! How a stream is doing: position and errors since START.

use embedded_hal::delay::DelayNs;

use super::loaded::Loaded;
use crate::dma::{Direction, DmaBuffer, DmaRegion};
use crate::position::{Position, Tracker};
use crate::registers::Registers;

/// From what a position is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionSource {
    /// SDnLPIB: octets through the link.
    Link,
    /// The DMA position buffer: octets to or from memory.
    Memory,
    /// Input, as long as neither has moved.
    Undecided,
}

/// Where positions are to be read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PositionChoice {
    /// Outputs: the link. Inputs: memory, or the link where the controller never writes the DMA position buffer.
    #[default]
    Auto,
    /// SDnLPIB.
    Link,
    /// The DMA position buffer. A controller that never writes it leaves the position at 0.
    Memory,
}

/// How a stream is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// Where it is.
    pub position: Position,
    /// From what that was read.
    pub source: PositionSource,
    /// FIFO errors since START (SDnSTS.FIFOE): underruns of an output, overruns of an input. Several between two
    /// looks count as one.
    pub fifo_errors: u32,
    /// Descriptor errors since START (SDnSTS.DESE). The controller has stopped the stream if this isn't 0. A
    /// controller that is gone (all registers read as ones) counts as one at each look.
    pub descriptor_errors: u32,
    /// Readings of the position that weren't believed, since START.
    pub anomalies: u32,
}

/// What is counted since START.
pub(super) struct Progress {
    pub(super) tracker: Tracker,
    source: PositionSource,
    fifo_errors: u32,
    descriptor_errors: u32,
    /// What an input's LPIB may be ahead of memory, in whole frames.
    fifo_bytes: u32,
}

impl Progress {
    pub(super) fn new<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion>(
        loaded: &mut Loaded<B, R, D, G>,
        wall_clock: u32,
    ) -> Self {
        let frame_bytes = loaded.format().frame_bytes();
        let rate_hz = loaded.format().rate().hz();
        let clock = loaded.descriptor.wall_clock_moves.then_some(wall_clock);
        let descriptor = &loaded.descriptor;
        let source = match (descriptor.position_choice, descriptor.direction, &descriptor.positions) {
            (PositionChoice::Link, _, _) | (_, _, None) => PositionSource::Link,
            (PositionChoice::Memory, _, Some(_)) => PositionSource::Memory,
            (PositionChoice::Auto, Direction::Input, Some(_)) => PositionSource::Undecided,
            (PositionChoice::Auto, Direction::Output, Some(_)) => PositionSource::Link,
        };
        let fifo_bytes = match loaded.descriptor.direction {
            Direction::Output => 0,
            Direction::Input => {
                loaded.descriptor.fifo_bytes().div_ceil(frame_bytes).saturating_mul(frame_bytes)
            }
        };
        Self {
            tracker: Tracker::new(loaded.size_bytes(), frame_bytes, rate_hz, clock),
            source,
            fifo_errors: 0,
            descriptor_errors: 0,
            fifo_bytes,
        }
    }

    /// Reads errors, position and wall clock.
    pub(super) fn look<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
    ) -> StreamStatus {
        let errors = loaded.descriptor.take_errors();
        self.fifo_errors = self.fifo_errors.saturating_add(errors.fifo.into());
        self.descriptor_errors = self.descriptor_errors.saturating_add(errors.descriptor.into());
        if errors.is_gone {
            // Neither counter nor clock says anything any more.
            return self.status(u32::MAX);
        }
        let counter = self.counter(loaded);
        let wall_clock = loaded.descriptor.wall_clock();
        self.tracker.update(counter, wall_clock);
        self.status(wall_clock)
    }

    pub(super) fn status(&self, wall_clock: u32) -> StreamStatus {
        let mut bytes = self.tracker.reported();
        if self.source == PositionSource::Link {
            // An input's last octets may still be in the FIFO. An output has 0 here.
            bytes = bytes.saturating_sub(u64::from(self.fifo_bytes));
        }
        StreamStatus {
            position: Position { bytes, wall_clock },
            source: self.source,
            fifo_errors: self.fifo_errors,
            descriptor_errors: self.descriptor_errors,
            anomalies: self.tracker.anomalies(),
        }
    }

    /// Octets from the start of the descriptor list, from the source in use.
    ///
    /// For an input the DMA position buffer is the right answer to "how much memory is valid"; but there are
    /// controllers that never write it. So an input waits until one of both has moved: the position buffer at once
    /// wins; LPIB has to be well ahead.
    fn counter<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
    ) -> u32 {
        match self.source {
            PositionSource::Link => loaded.descriptor.link_position(),
            PositionSource::Memory => loaded.descriptor.memory_position().unwrap_or(0),
            PositionSource::Undecided => {
                let memory = loaded.descriptor.memory_position().unwrap_or(0);
                if memory != 0 {
                    self.source = PositionSource::Memory;
                    return memory;
                }
                let link = loaded.descriptor.link_position();
                // 10 ms, or half of a short buffer.
                let ten_ms =
                    (loaded.format().rate().hz() / 100).saturating_mul(loaded.format().frame_bytes());
                if link > ten_ms.min(loaded.size_bytes() / 2) {
                    log::info!(
                        "stream {}: DMA position buffer stands still, LPIB instead",
                        loaded.descriptor.index
                    );
                    self.source = PositionSource::Link;
                    return link;
                }
                0
            }
        }
    }
}
