//! A card in memory that plays and records by an ideal clock, and keeps what went out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use audioback::card::{
    Card, CardError, CardSettings, LinkPosition, LinkedStart, OpenFailure, Port, PortIndex, PortLabel,
    PortSet, PositionLock, PositionSource, StillRunning, StreamParams, StreamPosition,
};
use hyper::{MappedBuffer, Nanos, SampleMemory};
use mixer::Backing;
use sndif::control_page::Cadence;

use super::memory::Buffer;
pub use super::traces::{HardwareRun, PARTS_PER_LINK_FRAME, PARTS_PER_NS, Port0, frames_in, parts_of};

/// The card's time, in nanoseconds.
pub type Time = Rc<Cell<u64>>;

/// Frames that the card fetches ahead of the link.
pub const FIFO_FRAMES: u64 = 48;

pub struct FakeCard {
    pub time: Time,
    /// Time that an open, a start and a close take.
    pub wait_ns: u64,
    /// Time that a stop and a pause take.
    pub stop_wait_ns: u64,
    /// Time for which the mixer has no processor after the next look at a position.
    pub pause_ns: u64,
    /// Streams start with a link frame, tell their cadence, and can take a port from another one.
    pub is_in_step: bool,
    pub ports: Vec<Port>,
    pub seen: Vec<Rc<RefCell<Port0>>>,
    /// The recorded frame of a port at a frame of a run.
    pub source: fn(port: usize, frame: u64, channel: u8) -> i32,
}

pub struct FakeStream {
    port: usize,
    params: StreamParams,
    frame_bytes: u64,
    buffer: Backing<Buffer, Buffer>,
    seen: Rc<RefCell<Port0>>,
    /// Time of frame 0 in parts, shifted by pauses.
    begun: Option<u128>,
    was_paused: bool,
    /// The converter is on it.
    is_heard: bool,
    fails: bool,
    paused_at_ns: Option<u64>,
    /// Frames fetched or recorded.
    moved: u64,
    generation: u32,
}

fn read(buffer: &Backing<Buffer, Buffer>, offset: u32, into: &mut [u8]) {
    match buffer {
        Backing::Guest(buffer) => buffer.read(offset, into),
        Backing::Bus(ring) => ring.read(offset, into),
    }
}

impl FakeStream {
    fn frames_at(&self, now_ns: u64) -> u64 {
        let Some(begun) = self.begun else { return 0 };
        let at = parts_of(self.paused_at_ns.unwrap_or(now_ns));
        frames_in(at.saturating_sub(begun), self.params.rate_hz)
    }

    /// Moves samples up to now, as DMA does.
    fn transfer(&mut self, now_ns: u64, is_playback: bool, source: fn(usize, u64, u8) -> i32) {
        if self.begun.is_none() {
            return;
        }
        let size = u64::from(self.buffer.size_bytes());
        let to = self.frames_at(now_ns) + if is_playback { FIFO_FRAMES } else { 0 };
        if is_playback && self.is_heard {
            let mut at = self.moved * self.frame_bytes;
            let end = to.max(self.moved) * self.frame_bytes;
            let mut seen = self.seen.borrow_mut();
            while at < end {
                let offset = at % size;
                let bytes = (end - at).min(size - offset);
                let place = seen.played.len();
                seen.played.resize(place + bytes as usize, 0);
                read(&self.buffer, offset as u32, &mut seen.played[place..]);
                at += bytes;
            }
        }
        if is_playback {
            self.moved = self.moved.max(to);
        }
        while self.moved < to {
            let offset = (self.moved * self.frame_bytes % size) as u32;
            let mut frame = vec![0; self.frame_bytes as usize];
            let sample_bytes = self.frame_bytes as usize / usize::from(self.params.channels);
            for (channel, bytes) in (0..).zip(frame.chunks_mut(sample_bytes)) {
                let sample = source(self.port, self.moved, channel).to_le_bytes();
                bytes.copy_from_slice(&sample[4 - sample_bytes..]);
            }
            match &self.buffer {
                Backing::Guest(buffer) => buffer.write(offset, &frame),
                Backing::Bus(ring) => ring.write(offset, &frame),
            }
            self.moved += 1;
        }
    }
}

/// Frames of a block, and blocks and link frames of a period, for rates from 44.1 kHz on.
fn blocks(rate_hz: u32) -> Option<(u16, u16, u16)> {
    let of = |base_hz: u32| u16::try_from(rate_hz / base_hz).ok().filter(|_| rate_hz.is_multiple_of(base_hz));
    let blocks = of(48_000).map(|frames| (frames, 1, 1)).or_else(|| Some((of(44_100)?, 147, 160)))?;
    (blocks.0 > 0).then_some(blocks)
}

impl FakeCard {
    pub fn new(time: Time, ports: Vec<Port>) -> Self {
        let seen = ports.iter().map(|_| Rc::default()).collect();
        Self {
            time,
            wait_ns: 0,
            stop_wait_ns: 0,
            pause_ns: 0,
            is_in_step: false,
            ports,
            seen,
            source: |_, _, _| 0,
        }
    }

    fn transfer(&self, stream: &mut FakeStream) {
        let is_playback = self.ports[stream.port].direction.is_playback();
        stream.transfer(self.time.get(), is_playback, self.source);
    }

    fn wait(&self) {
        self.time.set(self.time.get() + self.wait_ns);
    }

    fn wait_for_stop(&self) {
        self.time.set(self.time.get() + self.stop_wait_ns);
    }

    /// Starts a stream without a wait.
    fn begin(&mut self, stream: &mut FakeStream) -> Result<(), CardError> {
        if stream.begun.is_some() {
            return Err(CardError::WrongState);
        }
        if std::mem::take(&mut stream.seen.borrow_mut().start_fails) {
            return Err(CardError::Hardware);
        }
        let now = parts_of(self.time.get());
        let next = (now / PARTS_PER_LINK_FRAME + 1) * PARTS_PER_LINK_FRAME;
        let begun = if self.is_in_step { next } else { now };
        stream.begun = Some(begun);
        stream.was_paused = false;
        stream.fails = false;
        stream.moved = 0;
        stream.generation += 1;
        if stream.is_heard {
            let mut seen = stream.seen.borrow_mut();
            let start = seen.played.len() as u64 / stream.frame_bytes;
            seen.starts.push(start);
            seen.runs.push(HardwareRun { since: begun, first: start, begun, rate_hz: stream.params.rate_hz });
        }
        self.transfer(stream);
        Ok(())
    }

    fn halt(&mut self, stream: &mut FakeStream) -> Result<StreamPosition, CardError> {
        if stream.seen.borrow().sticks {
            return Err(CardError::Hardware);
        }
        let last = self.position(stream)?;
        // Frames that were fetched and have not gone out are dropped.
        let is_playback = self.ports[stream.port].direction.is_playback();
        if is_playback && stream.begun.is_some() && stream.is_heard {
            let unplayed = stream.moved - stream.frames_at(self.time.get());
            let mut seen = stream.seen.borrow_mut();
            let left = seen.played.len() - (unplayed * stream.frame_bytes) as usize;
            seen.played.truncate(left);
        }
        stream.begun = None;
        stream.paused_at_ns = None;
        Ok(last)
    }

    /// The steps of a stream that has begun with a link frame. Its frames are evenly spaced all the same.
    fn cadence(&self, stream: &FakeStream, frames: u64) -> Option<Cadence> {
        let (block_frames, period_blocks, period_link_frames) = blocks(stream.params.rate_hz)?;
        let period_frames = u64::from(block_frames) * u64::from(period_blocks);
        let period_ticks = u64::from(period_link_frames) * 500;
        let ticks = (frames % period_frames * period_ticks / period_frames) as u32;
        let cadence = Cadence { ticks, block_frames, period_blocks, period_link_frames };
        (self.is_in_step && !stream.was_paused).then_some(cadence)
    }

    /// The length of a frame with 32 fractional bits.
    fn frame_q32(rate_hz: u32) -> u64 {
        (1_000_000_000u64 << 32) / u64::from(rate_hz)
    }
}

impl Card<Backing<Buffer, Buffer>> for FakeCard {
    type Stream = FakeStream;

    fn configure(&mut self, _: &CardSettings) {}

    fn poll(&mut self, _: Nanos, _: bool) -> bool {
        false
    }

    fn next_due(&self) -> Option<Nanos> {
        None
    }

    fn restore(&mut self) -> Result<(), CardError> {
        Ok(())
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn port_name(&self, port: PortIndex) -> Option<PortLabel> {
        PortLabel::try_from(["Line Out", "Line In"][usize::from(port.0) % 2]).ok()
    }

    fn is_plugged(&self, _: PortIndex) -> Option<bool> {
        None
    }

    fn supports(&self, port: PortIndex, params: &StreamParams) -> bool {
        let port = &self.ports[usize::from(port.0)];
        port.formats.contains(params.format)
            && params.rate_hz > 0
            && port.rates_hz.contains(&params.rate_hz)
            && (port.channels_min..=port.channels_max).contains(&params.channels)
    }

    fn is_free(&self, port: PortIndex) -> bool {
        !self.seen[usize::from(port.0)].borrow().is_taken
    }

    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: Backing<Buffer, Buffer>,
    ) -> Result<FakeStream, OpenFailure<Backing<Buffer, Buffer>, FakeStream>> {
        self.wait();
        let fails = std::mem::take(&mut self.seen[usize::from(port.0)].borrow_mut().open_fails);
        if fails || !self.is_free(port) {
            return Err(OpenFailure::Refused { error: CardError::Busy, buffer });
        }
        assert!(self.supports(port, params), "{params:?}");
        let frame_bytes =
            u64::from(params.format.bytes_per_sample().expect("linear")) * u64::from(params.channels);
        if buffer.size_bytes() == 0 || !u64::from(buffer.size_bytes()).is_multiple_of(frame_bytes) {
            assert!(matches!(buffer, Backing::Guest(_)), "a ring has whole frames");
            return Err(OpenFailure::Refused { error: CardError::BadBuffer, buffer });
        }
        let port = usize::from(port.0);
        let seen = Rc::clone(&self.seen[port]);
        seen.borrow_mut().is_taken = true;
        seen.borrow_mut().opens += 1;
        seen.borrow_mut().volume = [0; 8];
        Ok(FakeStream {
            port,
            params: *params,
            frame_bytes,
            buffer,
            seen,
            begun: None,
            was_paused: false,
            is_heard: true,
            fails: false,
            paused_at_ns: None,
            moved: 0,
            generation: 0,
        })
    }

    fn open_beside(
        &mut self,
        other: &Self::Stream,
        buffer: Backing<Buffer, Buffer>,
    ) -> Result<Self::Stream, OpenFailure<Backing<Buffer, Buffer>, Self::Stream>> {
        if !self.is_in_step {
            return Err(OpenFailure::Refused { error: CardError::Unsupported, buffer });
        }
        self.wait();
        Ok(FakeStream {
            buffer,
            seen: Rc::clone(&other.seen),
            begun: None,
            was_paused: false,
            is_heard: false,
            paused_at_ns: None,
            moved: 0,
            generation: 0,
            ..*other
        })
    }

    fn start_beside(&mut self, other: &mut Self::Stream, beside: &mut Self::Stream) -> Result<(), CardError> {
        if !self.is_in_step {
            return Err(CardError::WrongState);
        }
        self.start(beside)?;
        if !self.ports[beside.port].direction.is_playback() {
            return Ok(());
        }
        // Both have their frames in the same link frames.
        let period = blocks(beside.params.rate_hz).map_or(1, |(_, _, link_frames)| link_frames);
        let period = u128::from(period) * PARTS_PER_LINK_FRAME;
        beside.begun = beside
            .begun
            .zip(other.begun)
            .map(|(begun, other)| other + begun.saturating_sub(other).div_ceil(period) * period);
        Ok(())
    }

    fn take_port(&mut self, from: &mut Self::Stream, to: &mut Self::Stream) -> Result<(), CardError> {
        if !from.is_heard || to.is_heard {
            return Err(CardError::WrongState);
        }
        if to.seen.borrow().take_fails {
            return Err(CardError::Hardware);
        }
        to.fails = to.seen.borrow().fails_once_taken;
        self.transfer(from);
        self.transfer(to);
        (from.is_heard, to.is_heard) = (false, true);
        // The bytes go on where the link is, even if the other stream has not begun yet.
        let mut seen = to.seen.borrow_mut();
        if let (Some(run), Some(begun)) = (seen.runs.last().copied(), to.begun) {
            let frames = run.first + frames_in(begun - run.begun, to.params.rate_hz) + to.moved;
            seen.played.resize((frames * to.frame_bytes) as usize, 0);
        }
        Ok(())
    }

    fn set_reach(&mut self, stream: &mut FakeStream, ports: PortSet) {
        self.seen[stream.port].borrow_mut().reaches.push(ports);
    }

    fn set_link_wanted(&mut self, stream: &mut FakeStream, is_wanted: bool) {
        stream.seen.borrow_mut().is_link_wanted = Some(is_wanted);
    }

    fn set_period(&mut self, stream: &mut FakeStream, period_frames: u32) {
        stream.seen.borrow_mut().period_frames = Some(period_frames);
    }

    fn note_written(&mut self, stream: &mut FakeStream, bytes: u64) -> u64 {
        stream.seen.borrow_mut().written_bytes = Some(bytes);
        0
    }

    fn buffer<'a>(&'a self, stream: &'a FakeStream) -> Option<&'a Backing<Buffer, Buffer>> {
        Some(&stream.buffer)
    }

    fn set_volume(&mut self, stream: &mut FakeStream, channel: u8, mdb: i32) -> Result<(), CardError> {
        stream.seen.borrow_mut().set_level(channel, |seen, index| seen.volume[index] = mdb)
    }

    fn volume(&self, stream: &FakeStream, channel: u8) -> Result<i32, CardError> {
        stream.seen.borrow().volume.get(usize::from(channel)).copied().ok_or(CardError::Unsupported)
    }

    fn set_mute(&mut self, stream: &mut FakeStream, channel: u8, is_muted: bool) -> Result<(), CardError> {
        stream.seen.borrow_mut().set_level(channel, |seen, index| seen.muted[index] = is_muted)
    }

    fn start(&mut self, stream: &mut FakeStream) -> Result<(), CardError> {
        self.wait();
        self.begin(stream)
    }

    fn start_together(&mut self, streams: &mut [&mut FakeStream]) -> Result<LinkedStart, CardError> {
        // Their FIFOs fill at the same time.
        self.wait();
        for index in 0..streams.len() {
            if let Err(error) = self.begin(streams[index]) {
                for started in &mut streams[..index] {
                    self.halt(started)?;
                }
                return Err(error);
            }
        }
        Ok(LinkedStart::SameFrame)
    }

    fn pause(&mut self, stream: &mut FakeStream) -> Result<(), CardError> {
        self.wait_for_stop();
        self.transfer(stream);
        stream.paused_at_ns = Some(self.time.get());
        Ok(())
    }

    fn resume(&mut self, stream: &mut FakeStream) -> Result<(), CardError> {
        let paused_at = stream.paused_at_ns.take().ok_or(CardError::WrongState)?;
        stream.was_paused = true;
        stream.begun = stream.begun.map(|begun| begun + parts_of(self.time.get() - paused_at));
        let since = parts_of(self.time.get());
        let last = stream.seen.borrow().runs.last().copied();
        if let Some((begun, last)) = stream.begun.zip(last).filter(|_| stream.is_heard) {
            let run = HardwareRun { since: since.max(begun), begun, ..last };
            stream.seen.borrow_mut().runs.push(run);
        }
        Ok(())
    }

    fn stop(&mut self, stream: &mut FakeStream) -> Result<StreamPosition, CardError> {
        self.wait_for_stop();
        self.halt(stream)
    }

    fn position(&mut self, stream: &mut FakeStream) -> Result<StreamPosition, CardError> {
        self.transfer(stream);
        let Some(begun) = stream.begun else { return Ok(StreamPosition::default()) };
        let begun_ns = begun.div_ceil(PARTS_PER_NS) as u64;
        let frames = stream.frames_at(self.time.get());
        let frame_q32 = Self::frame_q32(stream.params.rate_hz);
        let at_ns = u128::from(frames) * 1_000_000_000 / u128::from(stream.params.rate_hz);
        let is_playback = self.ports[stream.port].direction.is_playback();
        self.time.set(self.time.get() + std::mem::take(&mut self.pause_ns));
        self.transfer(stream);
        Ok(StreamPosition {
            bytes: frames * stream.frame_bytes,
            fifo_errors: stream.seen.borrow().fifo_errors,
            descriptor_errors: u32::from(stream.fails || stream.seen.borrow().fails),
            link: Some(LinkPosition {
                link_frames: frames,
                time: Nanos(begun_ns + at_ns as u64),
                ns_per_frame_q32: frame_q32,
                error_ns: 2,
                lock: PositionLock::Locked,
                source: PositionSource::Link,
                dma_lead_frames: if is_playback { FIFO_FRAMES as u32 } else { 0 },
                codec_delay_frames: 0,
                start_time: Nanos(begun_ns),
                start_wall_ticks: (begun * 24 / (PARTS_PER_NS * 1_000)) as u64,
                cadence: self.cadence(stream, frames),
                generation: stream.generation,
            }),
        })
    }

    fn close(&mut self, mut stream: FakeStream) -> Result<Backing<Buffer, Buffer>, StillRunning<FakeStream>> {
        self.wait();
        stream.seen.borrow_mut().closes += 1;
        if self.halt(&mut stream).is_err() {
            return Err(StillRunning(stream));
        }
        if stream.is_heard {
            stream.seen.borrow_mut().is_taken = false;
        }
        Ok(stream.buffer)
    }
}
