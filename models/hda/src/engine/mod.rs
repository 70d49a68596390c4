//! A stream engine: what a stream descriptor does each link frame.
//!
//! Its registers are in [`crate::stream_registers`]; here samples move.

mod position;
mod steps;

use crate::cadence::Cadence;
use crate::descriptors::{DescriptorError, DescriptorWalk, list_bytes};
use crate::faults::{Faults, LinkPositionFault};
use crate::fifo::Fifo;
use crate::format::StreamFormat;
use crate::link::{Link, Packet};
use crate::memory::{DmaFault, PageTable};
use crate::profile::{Profile, StreamEngine};
use crate::violations::{Rule, Violations};
use position::wrapped;

/// SDnSTS bits (3.3.36).
pub(crate) const BUFFER_COMPLETED: u8 = 1 << 2;
pub(crate) const FIFO_ERROR: u8 = 1 << 3;
pub(crate) const DESCRIPTOR_ERROR: u8 = 1 << 4;
pub(crate) const FIFO_READY: u8 = 1 << 5;

/// Bytes for which FIFOs and packets have memory from the start.
const USUAL_BYTES: usize = 1024;

/// What the descriptor was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Input,
    Output,
    Bidirectional,
}

/// What an engine needs of the rest of the machine while a link frame passes.
pub(crate) struct FrameContext<'a> {
    pub(crate) frame: u64,
    pub(crate) now_ns: u64,
    pub(crate) profile: &'a Profile,
    pub(crate) faults: &'a mut Faults,
    pub(crate) memory: &'a PageTable,
    pub(crate) violations: &'a mut Violations,
    pub(crate) link: &'a mut Link,
    /// DMA position buffer, where it is enabled.
    pub(crate) position_buffer: Option<u64>,
    /// The stream's SSYNC bit is set.
    pub(crate) held: bool,
}

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
    /// CBL must not change any more before a stream reset.
    pub(crate) has_run: bool,
    // The way of the samples.
    walk: DescriptorWalk,
    cadence: Cadence,
    format: Option<StreamFormat>,
    ready_since: Option<u64>,
    stopping_since: Option<u64>,
    starved_until: u64,
    run_frame: u64,
    scratch: Vec<u8>,
    /// Capture: came off the link in this link frame, not in the FIFO yet.
    arriving: Vec<u8>,
    /// Bytes that travel in the current link frame.
    in_flight: u32,
    link_position: u32,
    /// What [`LinkPositionFault::Coarse`] shows.
    coarse_position: u32,
    frozen_position: Option<u32>,
    garbage_reads: u64,
    // The truth, for tests.
    pub(crate) linked_bytes: u64,
    pub(crate) start_link_frame: Option<u64>,
    pub(crate) lost_frames: u64,
    /// Capture: frames that converters sent, lost ones included.
    sent_frames: u64,
    // Millisecond steps.
    moved_since_run: u64,
    link_credit: u64,
    pub(crate) frozen_by_format: bool,
    list_adds_up: bool,
}

impl Engine {
    pub(crate) fn new(index: usize, kind: Kind) -> Self {
        Self {
            index,
            kind,
            control: 0,
            status: 0,
            buffer_bytes: 0,
            last_index: 0,
            format_word: 0,
            format_written: false,
            list_address: 0,
            fifo: Fifo::default(),
            run_requested: false,
            running: false,
            reset_requested: false,
            reset_reads: false,
            reset_settles_ns: 0,
            has_run: false,
            walk: DescriptorWalk::default(),
            cadence: Cadence::default(),
            format: None,
            ready_since: None,
            stopping_since: None,
            starved_until: 0,
            run_frame: 0,
            scratch: Vec::new(),
            arriving: Vec::new(),
            in_flight: 0,
            link_position: 0,
            coarse_position: 0,
            frozen_position: None,
            garbage_reads: 0,
            linked_bytes: 0,
            start_link_frame: None,
            lost_frames: 0,
            sent_frames: 0,
            moved_since_run: 0,
            link_credit: 0,
            frozen_by_format: false,
            list_adds_up: false,
        }
    }

    /// Takes memory enough for usual formats, so that none is taken while time passes.
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

    /// Whether a link frame can change anything.
    pub(crate) fn is_active(&self) -> bool {
        self.running || self.run_requested
    }

    /// Bytes of a frame, by SDnFMT.
    pub(crate) fn frame_bytes(&self) -> Option<u32> {
        StreamFormat::decode(self.format_word).map(StreamFormat::frame_bytes)
    }

    /// The FIFO grows with the format.
    pub(crate) fn size_fifo(&mut self, profile: &Profile) {
        let per_link_frame =
            StreamFormat::decode(self.format_word).map_or(0, |format| format.frame_bytes() * format.multiple);
        let needed = 4 * per_link_frame + profile.dma_burst_bytes;
        self.fifo.set_capacity(profile.fifo_bytes.max(needed) as usize);
    }

    /// SDnFIFOS: valid only once SDnFMT was written.
    pub(crate) fn reported_fifo_bytes(&self, profile: &Profile) -> u32 {
        match profile.engine {
            StreamEngine::Fifo if self.format_written => self.fifo.capacity().min(0xffff) as u32,
            StreamEngine::Fifo => 0,
            StreamEngine::MillisecondSteps => profile.fifo_bytes,
        }
    }

    /// Stream reset: everything but SRST itself goes to its default.
    pub(crate) fn reset(&mut self) {
        // Their memory stays: a test may count allocations while the driver waits.
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

    /// Back to the start of list and buffer: RUN 0 to 1 where the hardware doesn't go on.
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

    /// DMA gets no bus for so many link frames from `frame` on.
    pub(crate) fn starve(&mut self, frame: u64, link_frames: u64) {
        self.starved_until = frame + link_frames;
    }

    /// A fatal error: RUN is cleared, the stream stands (3.3.36, DESE).
    pub(crate) fn descriptor_error(&mut self) {
        self.status |= DESCRIPTOR_ERROR;
        self.status &= !FIFO_READY;
        self.run_requested = false;
        self.running = false;
        self.in_flight = 0;
    }

    /// RUN takes effect at once, where it doesn't wait for a link frame.
    pub(crate) fn stop_at_once(&mut self) {
        self.running = false;
        self.run_requested = false;
        self.in_flight = 0;
        self.fifo.clear();
    }

    /// The boundary at which link frame `cx.frame` begins.
    pub(crate) fn link_frame(&mut self, cx: &mut FrameContext<'_>) {
        self.finish_link_frame(cx);
        self.follow_run(cx);
        if !self.running {
            return;
        }
        let Some(format) = self.format else { return };
        match (cx.profile.engine, self.is_output()) {
            (StreamEngine::Fifo, true) => self.play(cx, format),
            (StreamEngine::Fifo, false) => self.capture(cx, format),
            (StreamEngine::MillisecondSteps, true) => self.play_in_steps(cx, format),
            (StreamEngine::MillisecondSteps, false) => self.capture_in_steps(cx, format),
        }
        if let LinkPositionFault::Coarse { link_frames } = cx.faults.link_position
            && cx.frame.is_multiple_of(link_frames.max(1))
        {
            self.coarse_position = self.link_position;
        }
        self.report_position(cx);
    }

    /// What travelled in the link frame that ends here has travelled.
    fn finish_link_frame(&mut self, cx: &mut FrameContext<'_>) {
        let arriving = std::mem::take(&mut self.arriving);
        if !arriving.is_empty() {
            if self.fifo.space() < arriving.len() {
                self.status |= FIFO_ERROR;
                let frame_bytes = self.format.map_or(1, StreamFormat::frame_bytes);
                self.lost_frames += u64::from(self.in_flight / frame_bytes);
                self.in_flight = 0;
            } else {
                self.fifo.push(&arriving);
            }
        }
        self.arriving = arriving;
        self.arriving.clear();
        let bytes = std::mem::take(&mut self.in_flight);
        self.linked_bytes += u64::from(bytes);
        if cx.profile.engine == StreamEngine::Fifo {
            self.link_position = wrapped(self.link_position, bytes, self.buffer_bytes);
        }
    }

    /// Starts and stops at a frame boundary, as RUN says.
    fn follow_run(&mut self, cx: &mut FrameContext<'_>) {
        if self.run_requested {
            self.stopping_since = None;
            if !self.running {
                self.running = true;
                self.cadence = Cadence::default();
                self.ready_since = None;
                self.run_frame = cx.frame;
                self.format = StreamFormat::decode(self.format_word);
                self.moved_since_run = 0;
                self.link_credit = 0;
                let bytes = list_bytes(cx.memory, self.list_address, self.last_index);
                self.list_adds_up = bytes == Some(u64::from(self.buffer_bytes));
            }
            return;
        }
        if !self.running || cx.faults.stuck_run >> self.index & 1 != 0 {
            return;
        }
        let since = *self.stopping_since.get_or_insert(cx.frame);
        if cx.frame < since + cx.faults.run_clear_delay_link_frames {
            return;
        }
        if !self.is_output() {
            // What came off the link goes to memory before RUN reads back 0.
            self.store(cx, self.fifo.len(), 1);
            self.report_position(cx);
        }
        self.running = false;
        self.stopping_since = None;
        self.status &= !FIFO_READY;
    }

    fn play(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        self.fetch(cx, self.fifo.space(), cx.profile.dma_burst_bytes);
        if !self.running {
            return;
        }
        let full = self.fifo.space() < cx.profile.dma_burst_bytes as usize;
        if full {
            self.become_ready(cx);
        }
        // Filling takes the link frame in which the FIFO becomes ready.
        if cx.held || self.ready_since.is_none_or(|since| since == cx.frame) {
            return;
        }
        self.transmit(cx, format);
    }

    fn become_ready(&mut self, cx: &FrameContext<'_>) {
        if self.ready_since.is_none() {
            self.ready_since = Some(cx.frame);
            if cx.faults.fifo_never_ready >> self.index & 1 == 0 {
                self.status |= FIFO_READY;
            }
        }
    }

    /// Sends this link frame's samples, or reports that they aren't there.
    fn transmit(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        let frames = self.cadence.next(format);
        let bytes = frames * format.frame_bytes();
        if self.fifo.len() < bytes as usize {
            self.status |= FIFO_ERROR;
            self.lost_frames += u64::from(frames);
            return;
        }
        if frames == 0 {
            return;
        }
        self.send(cx, format, bytes);
    }

    /// Puts bytes of the FIFO on the link.
    fn send(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat, bytes: u32) {
        self.start_link_frame.get_or_insert(cx.frame);
        self.fifo.pop_into(bytes as usize, &mut self.scratch);
        cx.link.play(&self.packet(cx, format), &self.scratch, cx.violations);
        self.in_flight = bytes;
    }

    fn packet(&self, cx: &FrameContext<'_>, format: StreamFormat) -> Packet {
        Packet {
            tag: self.tag(),
            link_frame: cx.frame,
            now_ns: cx.now_ns,
            format_word: self.format_word,
            format,
        }
    }

    fn capture(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        self.become_ready(cx);
        if !cx.held {
            self.receive(cx, format);
        }
        self.store(cx, self.fifo.len(), cx.profile.dma_burst_bytes);
    }

    /// Takes this link frame's samples off the link, if a converter sends any.
    fn receive(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        let mut cadence = self.cadence;
        let frames = cadence.next(format);
        let packet = self.packet(cx, format);
        let sent = cx.link.capture(&packet, self.sent_frames, frames, &mut self.arriving, cx.violations);
        if sent {
            self.cadence = cadence;
            self.sent_frames += u64::from(frames);
            self.in_flight = frames * format.frame_bytes();
            if frames > 0 {
                self.start_link_frame.get_or_insert(cx.frame);
            }
        }
    }

    /// Moves up to `limit` bytes from memory to the FIFO, in bursts.
    fn fetch(&mut self, cx: &mut FrameContext<'_>, limit: usize, burst: u32) {
        if cx.frame < self.starved_until {
            return;
        }
        let mut left = limit;
        loop {
            let Some((address, in_entry)) = self.next_descriptor(cx) else { return };
            let chunk = in_entry.min(burst);
            if chunk as usize > left || left == 0 {
                return;
            }
            self.scratch.clear();
            self.scratch.resize(chunk as usize, 0);
            if let Err(fault) = cx.memory.dma_read(address, &mut self.scratch) {
                self.report_fault(cx, "reads samples", &fault);
            }
            self.fifo.push(&self.scratch);
            left -= chunk as usize;
            if self.walk.advance(chunk, self.last_index) {
                self.status |= BUFFER_COMPLETED;
            }
        }
    }

    /// Moves up to `limit` bytes from the FIFO to memory, in bursts of at least `burst` unless an entry ends.
    fn store(&mut self, cx: &mut FrameContext<'_>, limit: usize, burst: u32) {
        if cx.frame < self.starved_until {
            return;
        }
        let mut left = limit.min(self.fifo.len());
        while left > 0 {
            let Some((address, in_entry)) = self.next_descriptor(cx) else { return };
            if left < in_entry.min(burst) as usize {
                return;
            }
            let chunk = in_entry.min(cx.profile.dma_burst_bytes.max(burst)).min(left as u32);
            let mut bytes = std::mem::take(&mut self.scratch);
            self.fifo.pop_into(chunk as usize, &mut bytes);
            if let Err(fault) = cx.memory.dma_write(address, &bytes) {
                self.report_fault(cx, "writes samples", &fault);
            }
            self.scratch = bytes;
            left -= chunk as usize;
            if self.walk.advance(chunk, self.last_index) {
                self.status |= BUFFER_COMPLETED;
            }
        }
    }

    fn next_descriptor(&mut self, cx: &mut FrameContext<'_>) -> Option<(u64, u32)> {
        match self.walk.next(cx.memory, self.list_address) {
            Ok(next) => Some(next),
            Err(error) => {
                match error {
                    DescriptorError::Dma(fault) => self.report_fault(cx, "reads its descriptor list", &fault),
                    DescriptorError::Empty { index } => {
                        let stream = self.index;
                        cx.violations.rule(cx.now_ns, Rule::DescriptorList, || {
                            format!("stream {stream}: descriptor {index} has no bytes")
                        });
                    }
                }
                self.descriptor_error();
                None
            }
        }
    }

    fn report_fault(&self, cx: &mut FrameContext<'_>, what: &str, fault: &DmaFault) {
        let page = fault.address & !0xfff;
        let detail = format!("stream {} {what} in page {page:#x}: {}", self.index, fault.reason);
        cx.violations.dma(cx.now_ns, detail);
    }

    /// The DMA position buffer (3.6.1): bytes that DMA has moved, 8 bytes a stream.
    fn report_position(&mut self, cx: &mut FrameContext<'_>) {
        let Some(base) = cx.position_buffer else { return };
        if cx.faults.position_buffer_dead {
            return;
        }
        let ahead = cx.faults.position_buffer_ahead_bytes;
        let position = position::wrapped(self.walk.position(), ahead, self.buffer_bytes);
        if let Err(fault) =
            cx.memory.dma_write(base.wrapping_add(8 * self.index as u64), &position.to_le_bytes())
        {
            self.report_fault(cx, "writes its position", &fault);
        }
    }

    /// Bytes that DMA has moved in this round through the buffer.
    pub(crate) fn dma_position(&self) -> u32 {
        self.walk.position()
    }
}
