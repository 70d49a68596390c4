//! The state of a stream engine, and its reset.
//!
//! Its registers are in [`crate::stream_registers`].

use crate::cadence::Cadence;
use crate::descriptors::DescriptorWalk;
use crate::fifo::Fifo;
use crate::format::StreamFormat;
use crate::profile::{Profile, StreamEngine};

/// SDnSTS bits (3.3.36).
pub(crate) const BUFFER_COMPLETED: u8 = 1 << 2;
pub(crate) const FIFO_ERROR: u8 = 1 << 3;
pub(crate) const DESCRIPTOR_ERROR: u8 = 1 << 4;
pub(crate) const FIFO_READY: u8 = 1 << 5;

/// Bytes of memory that FIFOs and packets have from the start.
const USUAL_BYTES: usize = 1024;

/// The direction of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Input,
    Output,
    Bidirectional,
}

#[derive(Default)]
pub(crate) struct Engine {
    pub(crate) index: usize,
    pub(crate) kind: Kind,
    // Registers.
    /// SDnCTL bits 23:2; RUN and SRST are below.
    pub(crate) control: u32,
    pub(crate) status: u8,
    pub(crate) buffer_bytes: u32,
    pub(crate) last_index: u16,
    pub(crate) format_word: u16,
    pub(crate) format_written: bool,
    pub(crate) list_address: u64,
    pub(crate) fifo: Fifo,
    // RUN and SRST as written and as they read.
    pub(crate) run_requested: bool,
    pub(crate) running: bool,
    pub(crate) reset_requested: bool,
    pub(crate) reset_reads: bool,
    pub(crate) reset_settles_ns: u64,
    /// CBL must not change again before a stream reset.
    pub(crate) has_run: bool,
    // The path of the samples.
    pub(super) walk: DescriptorWalk,
    pub(super) cadence: Cadence,
    pub(super) format: Option<StreamFormat>,
    pub(super) ready_since: Option<u64>,
    pub(super) stopping_since: Option<u64>,
    pub(super) starved_until: u64,
    pub(super) run_frame: u64,
    pub(super) scratch: Vec<u8>,
    /// Capture: samples that came off the link in this link frame, before they enter the FIFO.
    pub(super) arriving: Vec<u8>,
    /// Bytes on the link in the current link frame.
    pub(super) in_flight: u32,
    pub(super) link_position: u32,
    /// The position that [`LinkPositionFault::Coarse`] shows.
    pub(super) coarse_position: u32,
    pub(super) frozen_position: Option<u32>,
    pub(super) garbage_reads: u64,
    // The true count, for tests.
    pub(crate) linked_bytes: u64,
    pub(crate) start_link_frame: Option<u64>,
    pub(crate) lost_frames: u64,
    /// Capture: frames sent by converters, including lost ones.
    pub(super) sent_frames: u64,
    // Millisecond steps.
    pub(super) moved_since_run: u64,
    pub(super) link_credit: u64,
    pub(crate) frozen_by_format: bool,
    pub(super) list_adds_up: bool,
}

impl Engine {
    pub(crate) fn new(index: usize, kind: Kind) -> Self {
        Self { index, kind, ..Self::default() }
    }

    /// Allocates memory for usual formats now, so that nothing allocates while time passes.
    pub(crate) fn with_memory(mut self) -> Self {
        self.fifo.reserve(USUAL_BYTES);
        self.scratch.reserve(USUAL_BYTES);
        self.arriving.reserve(USUAL_BYTES);
        self
    }

    /// DIR: fixed for input and output descriptors, bit 19 of SDnCTL for bidirectional ones.
    pub(crate) fn is_output(&self) -> bool {
        match self.kind {
            Kind::Input => false,
            Kind::Output => true,
            Kind::Bidirectional => self.control & 1 << 19 != 0,
        }
    }

    /// The stream tag.
    pub(crate) fn tag(&self) -> u8 {
        (self.control >> 20 & 15) as u8
    }

    /// Whether the engine can change anything in a link frame.
    pub(crate) fn is_active(&self) -> bool {
        self.running || self.run_requested
    }

    /// Bytes of a frame in the format of SDnFMT.
    pub(crate) fn frame_bytes(&self) -> Option<u32> {
        StreamFormat::decode(self.format_word).map(StreamFormat::frame_bytes)
    }

    /// Sizes the FIFO: it grows with the format.
    pub(crate) fn size_fifo(&mut self, profile: &Profile) {
        let per_link_frame =
            StreamFormat::decode(self.format_word).map_or(0, |format| format.frame_bytes() * format.multiple);
        let needed = 4 * per_link_frame + profile.dma_burst_bytes;
        self.fifo.set_capacity(profile.fifo_bytes.max(needed) as usize);
    }

    /// SDnFIFOS, which is valid only after a write of SDnFMT.
    pub(crate) fn reported_fifo_bytes(&self, profile: &Profile) -> u32 {
        match profile.engine {
            StreamEngine::Fifo if self.format_written => self.fifo.capacity().min(0xffff) as u32,
            StreamEngine::Fifo => 0,
            StreamEngine::MillisecondSteps => profile.fifo_bytes,
        }
    }

    /// Resets the stream: everything but SRST returns to its default.
    pub(crate) fn reset(&mut self) {
        // Keeps the buffers: a test may count allocations while the driver waits.
        let mut fifo = std::mem::take(&mut self.fifo);
        fifo.clear();
        fifo.set_capacity(0);
        *self = Self {
            fifo,
            scratch: std::mem::take(&mut self.scratch),
            arriving: std::mem::take(&mut self.arriving),
            reset_requested: self.reset_requested,
            reset_reads: self.reset_reads,
            reset_settles_ns: self.reset_settles_ns,
            frozen_position: self.frozen_position,
            garbage_reads: self.garbage_reads,
            ..Self::new(self.index, self.kind)
        };
        self.arriving.clear();
    }

    /// Returns to the start of list and buffer, for hardware that doesn't resume when RUN is set
    /// again.
    pub(crate) fn restart_list(&mut self) {
        self.walk = DescriptorWalk::default();
        self.link_position = 0;
        self.coarse_position = 0;
        self.in_flight = 0;
        self.linked_bytes = 0;
        self.sent_frames = 0;
        self.start_link_frame = None;
        self.fifo.clear();
        self.arriving.clear();
    }

    /// Denies DMA the bus from `frame` on, for some link frames.
    pub(crate) fn starve(&mut self, frame: u64, link_frames: u64) {
        self.starved_until = frame + link_frames;
    }

    /// Stops the stream after a fatal error: RUN is cleared (3.3.36, DESE).
    pub(crate) fn descriptor_error(&mut self) {
        self.status |= DESCRIPTOR_ERROR;
        self.status &= !FIFO_READY;
        self.run_requested = false;
        self.running = false;
        self.in_flight = 0;
    }

    /// Stops at once, without waiting for a link frame.
    pub(crate) fn stop_at_once(&mut self) {
        self.running = false;
        self.run_requested = false;
        self.in_flight = 0;
        self.fifo.clear();
    }
}
