//! The states of a stream, and what leads from one to the next.

#![allow(
    clippy::result_large_err,
    clippy::type_complexity,
    reason = "a step that fails gives the stream back, by value: there is no heap; the types are the states' names"
)]

use core::fmt;

use embedded_hal::delay::DelayNs;

use super::buffer_list::{self, BufferError};
use super::descriptor::Descriptor;
use crate::deadline::Deadline;
use crate::dma::{Direction, DmaBuffer, DmaRegion};
use crate::position::{Position, Tracker};
use crate::registers::Registers;
use crate::spec::format::Format;

/// A stream in state `S`: [`Reset`], [`Configured`], [`Running`] or [`Paused`].
///
/// What a state doesn't allow doesn't compile. A stream that wasn't configured can't start:
///
/// ```compile_fail
/// # use snd_hda::{DmaRegion, Registers, Stream, stream::Reset};
/// # use embedded_hal::delay::DelayNs;
/// fn start<R: Registers + Clone, D: DelayNs + Clone, G: DmaRegion>(stream: Stream<Reset<R, D, G>>) {
///     stream.start();
/// }
/// ```
///
/// The buffer doesn't come out of a stream that runs:
///
/// ```compile_fail
/// # use snd_hda::{DmaBuffer, DmaRegion, Registers, Stream, stream::Running};
/// # use embedded_hal::delay::DelayNs;
/// fn take<B: DmaBuffer, R: Registers + Clone, D: DelayNs + Clone, G: DmaRegion>(
///     stream: Stream<Running<B, R, D, G>>,
/// ) {
///     let _ = stream.release();
/// }
/// ```
///
/// Nor is a stream started twice:
///
/// ```compile_fail
/// # use snd_hda::{DmaBuffer, DmaRegion, Registers, Stream, stream::Configured};
/// # use embedded_hal::delay::DelayNs;
/// fn twice<B: DmaBuffer, R: Registers + Clone, D: DelayNs + Clone, G: DmaRegion>(
///     stream: Stream<Configured<B, R, D, G>>,
/// ) {
///     let _ = stream.start();
///     let _ = stream.start();
/// }
/// ```
#[must_use = "dropping a stream stops it, and its descriptor stays taken"]
pub struct Stream<S> {
    pub(super) state: S,
}

/// Owns a stream descriptor, and nothing else.
pub struct Reset<R, D, G> {
    descriptor: Descriptor<R, D, G>,
}

/// Owns a buffer that the controller has been told of. It doesn't run.
pub struct Configured<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion> {
    pub(super) loaded: Loaded<B, R, D, G>,
}

/// DMA runs.
pub struct Running<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion> {
    loaded: Loaded<B, R, D, G>,
    progress: Progress,
}

/// DMA has stopped, and can go on where it was.
pub struct Paused<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion> {
    loaded: Loaded<B, R, D, G>,
    progress: Progress,
}

/// RUN reads 1 although it has been cleared: the controller may still touch the buffer, so this keeps it. Try again
/// with the stream inside.
#[must_use = "dropping this leaks the buffer if RUN still reads 1"]
pub struct StillRunning<S> {
    /// The stream, with its buffer.
    pub stream: S,
    /// Which register.
    pub deadline: Deadline,
}

/// The hardware didn't do a step in time. The stream is in the state in which it was.
#[must_use = "dropping this drops the stream"]
pub struct Refused<S> {
    /// The stream.
    pub stream: S,
    /// Which register.
    pub deadline: Deadline,
}

/// A stream that couldn't be configured, and the buffer that it didn't get.
#[must_use = "dropping this drops stream and buffer"]
pub struct Rejected<S, B> {
    /// The stream.
    pub stream: S,
    /// The buffer.
    pub buffer: B,
    /// Why.
    pub error: ConfigureError,
}

impl<S> fmt::Debug for StillRunning<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StillRunning").field(&self.deadline).finish()
    }
}

impl<S> fmt::Debug for Refused<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refused").field(&self.deadline).finish()
    }
}

impl<S, B> fmt::Debug for Rejected<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rejected").field(&self.error).finish()
    }
}

/// Why a stream can't be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigureError {
    /// The buffer can't be described to the controller.
    Buffer(BufferError),
    /// The stream's reset didn't end.
    Reset(Deadline),
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer(error) => error.fmt(f),
            Self::Reset(deadline) => deadline.fmt(f),
        }
    }
}

impl core::error::Error for ConfigureError {}

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
    /// Descriptor errors since START (SDnSTS.DESE). The controller has stopped the stream if this isn't 0.
    pub descriptor_errors: u32,
    /// Readings of the position that weren't believed, since START.
    pub anomalies: u32,
}

/// A descriptor and the buffer that it has been told of. The only one who may part them is [`Stream::release`].
pub(super) struct Loaded<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion> {
    pub(super) descriptor: Descriptor<R, D, G>,
    format: Format,
    /// `None` only once it has been given back.
    buffer: Option<B>,
    /// The registers are as [`Descriptor::load`] leaves them: RUN hasn't been set since.
    is_fresh: bool,
}

impl<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion> Loaded<B, R, D, G> {
    /// Makes sure that RUN starts at the buffer's start.
    pub(super) fn refresh(&mut self) -> Result<(), Deadline> {
        if self.is_fresh {
            return Ok(());
        }
        self.descriptor.stop()?;
        self.load(0)?;
        self.is_fresh = true;
        Ok(())
    }

    fn load(&mut self, origin: u32) -> Result<(), Deadline> {
        match &self.buffer {
            Some(buffer) => self.descriptor.load(self.format, buffer, origin),
            None => Ok(()),
        }
    }

    pub(super) fn run(&mut self) {
        self.is_fresh = false;
        self.descriptor.run();
    }

    fn size_bytes(&self) -> u32 {
        self.buffer.as_ref().map_or(0, DmaBuffer::size_bytes)
    }

    fn pages(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| buffer.page_addresses().len())
    }
}

impl<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion> Drop for Loaded<B, R, D, G> {
    fn drop(&mut self) {
        if self.buffer.is_none() {
            return;
        }
        if let Err(deadline) = self.descriptor.stop() {
            log::error!("stream {} still runs, its buffer is lost: {deadline}", self.descriptor.index);
            core::mem::forget(self.buffer.take());
            return;
        }
        if let Err(deadline) = self.descriptor.unload() {
            log::warn!("{deadline}");
        }
    }
}

/// What is counted since START.
struct Progress {
    tracker: Tracker,
    source: PositionSource,
    fifo_errors: u32,
    descriptor_errors: u32,
    /// What an input's LPIB may be ahead of memory, in whole frames.
    fifo_bytes: u32,
}

impl Progress {
    fn new<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion>(
        loaded: &mut Loaded<B, R, D, G>,
        wall_clock: u32,
    ) -> Self {
        let frame_bytes = loaded.format.frame_bytes();
        let rate_hz = loaded.format.rate().hz();
        let source = match (loaded.descriptor.direction, &loaded.descriptor.positions) {
            (Direction::Input, Some(_)) => PositionSource::Undecided,
            _ => PositionSource::Link,
        };
        let fifo_bytes = match loaded.descriptor.direction {
            Direction::Output => 0,
            Direction::Input => {
                loaded.descriptor.fifo_bytes().div_ceil(frame_bytes).saturating_mul(frame_bytes)
            }
        };
        Self {
            tracker: Tracker::new(loaded.size_bytes(), frame_bytes, rate_hz, wall_clock),
            source,
            fifo_errors: 0,
            descriptor_errors: 0,
            fifo_bytes,
        }
    }

    /// Reads errors, position and wall clock.
    fn look<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
    ) -> StreamStatus {
        let errors = loaded.descriptor.take_errors();
        self.fifo_errors = self.fifo_errors.saturating_add(errors.fifo.into());
        self.descriptor_errors = self.descriptor_errors.saturating_add(errors.descriptor.into());
        let counter = self.counter(loaded);
        let wall_clock = loaded.descriptor.wall_clock();
        self.tracker.update(counter, wall_clock);
        self.status(wall_clock)
    }

    fn status(&self, wall_clock: u32) -> StreamStatus {
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
                let ten_ms = (loaded.format.rate().hz() / 100).saturating_mul(loaded.format.frame_bytes());
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

impl<R, D, G> Stream<Reset<R, D, G>>
where
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    pub(crate) fn new(descriptor: Descriptor<R, D, G>) -> Self {
        Self { state: Reset { descriptor } }
    }

    /// The stream descriptor's number, as INTSTS has it.
    pub fn index(&self) -> u8 {
        self.state.descriptor.index
    }

    /// The tag under which it is on the link, 1 to 15.
    pub fn tag(&self) -> u8 {
        self.state.descriptor.tag
    }

    /// Which way samples go.
    pub fn direction(&self) -> Direction {
        self.state.descriptor.direction
    }

    /// Hands a buffer over and tells the controller of it. DMA doesn't start yet.
    ///
    /// # Errors
    /// [`Rejected`], with stream and buffer, when the buffer can't be described to the controller (then no register
    /// was touched) or when the stream's reset doesn't end.
    pub fn configure<B: DmaBuffer>(
        mut self,
        format: Format,
        buffer: B,
    ) -> Result<Stream<Configured<B, R, D, G>>, Rejected<Self, B>> {
        let descriptor = &mut self.state.descriptor;
        let judged = buffer_list::judge(&buffer, format.frame_bytes(), descriptor.takes_64_bits);
        if let Err(error) = judged {
            return Err(Rejected { stream: self, buffer, error: ConfigureError::Buffer(error) });
        }
        let loaded = descriptor.stop().and_then(|()| descriptor.load(format, &buffer, 0));
        if let Err(deadline) = loaded {
            return Err(Rejected { stream: self, buffer, error: ConfigureError::Reset(deadline) });
        }
        let descriptor = self.state.descriptor;
        let loaded = Loaded { descriptor, format, buffer: Some(buffer), is_fresh: true };
        Ok(Stream { state: Configured { loaded } })
    }
}

impl<B, R, D, G> Stream<Configured<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// The stream descriptor's number, as INTSTS has it.
    pub fn index(&self) -> u8 {
        self.state.loaded.descriptor.index
    }

    /// The tag under which it is on the link, 1 to 15.
    pub fn tag(&self) -> u8 {
        self.state.loaded.descriptor.tag
    }

    /// Which way samples go.
    pub fn direction(&self) -> Direction {
        self.state.loaded.descriptor.direction
    }

    /// The format that it was configured with.
    pub fn format(&self) -> Format {
        self.state.loaded.format
    }

    /// Starts DMA at the buffer's start; the position counts from 0. A converter should have been
    /// [connected](crate::Controller::connect).
    ///
    /// # Errors
    /// [`Refused`] when the stream has run before and its reset doesn't end.
    pub fn start(mut self) -> Result<Stream<Running<B, R, D, G>>, Refused<Self>> {
        if let Err(deadline) = self.state.loaded.refresh() {
            return Err(Refused { stream: self, deadline });
        }
        let wall_clock = self.state.loaded.descriptor.wall_clock();
        self.state.loaded.run();
        Ok(self.into_running(wall_clock))
    }

    /// RUN has been set at `wall_clock`.
    pub(super) fn into_running(mut self, wall_clock: u32) -> Stream<Running<B, R, D, G>> {
        let progress = Progress::new(&mut self.state.loaded, wall_clock);
        Stream { state: Running { loaded: self.state.loaded, progress } }
    }

    /// Makes the controller forget the buffer and gives it back.
    ///
    /// # Errors
    /// [`StillRunning`] if RUN doesn't read 0.
    pub fn release(mut self) -> Result<(Stream<Reset<R, D, G>>, B), StillRunning<Self>> {
        let loaded = &mut self.state.loaded;
        if let Err(deadline) = loaded.descriptor.stop() {
            return Err(StillRunning { stream: self, deadline });
        }
        if let Err(deadline) = loaded.descriptor.unload() {
            // RUN read 0, so DMA is over. The next user's reset will find out whether the stream is usable.
            log::warn!("{deadline}");
        }
        let descriptor = loaded.descriptor.clone();
        match loaded.buffer.take() {
            Some(buffer) => Ok((Stream::new(descriptor), buffer)),
            // Can't be: whoever took it consumed the stream.
            None => {
                let deadline = Deadline {
                    register: "SDnCTL",
                    offset_bytes: 0,
                    mask: 0,
                    expected: 0,
                    last_read: 0,
                    waited_us: 0,
                };
                Err(StillRunning { stream: self, deadline })
            }
        }
    }
}

impl<B, R, D, G> Stream<Running<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// The stream descriptor's number, as INTSTS has it.
    pub fn index(&self) -> u8 {
        self.state.loaded.descriptor.index
    }

    /// Which way samples go.
    pub fn direction(&self) -> Direction {
        self.state.loaded.descriptor.direction
    }

    /// Where the stream is and what has gone wrong. Acknowledges its errors. Due at least once a buffer: see
    /// [`Position`] on how whole buffers are told apart.
    pub fn poll(&mut self) -> StreamStatus {
        self.state.progress.look(&mut self.state.loaded)
    }

    /// Octets between memory and link (SDnFIFOS): how far DMA may be ahead of an output's position.
    pub fn fifo_bytes(&mut self) -> u32 {
        self.state.loaded.descriptor.fifo_bytes()
    }

    /// Stops DMA where it is. The position stays.
    ///
    /// # Errors
    /// [`StillRunning`] if RUN doesn't read back 0.
    pub fn pause(mut self) -> Result<Stream<Paused<B, R, D, G>>, StillRunning<Self>> {
        if let Err(deadline) = self.state.loaded.descriptor.stop() {
            return Err(StillRunning { stream: self, deadline });
        }
        let Running { mut loaded, mut progress } = self.state;
        progress.look(&mut loaded);
        Ok(Stream { state: Paused { loaded, progress } })
    }

    /// Stops DMA and forgets the position; the last one is returned.
    ///
    /// # Errors
    /// [`StillRunning`] if RUN doesn't read back 0.
    pub fn stop(self) -> Result<(Stream<Configured<B, R, D, G>>, StreamStatus), StillRunning<Self>> {
        match self.pause() {
            Ok(mut paused) => {
                let status = paused.status();
                Ok((Stream { state: Configured { loaded: paused.state.loaded } }, status))
            }
            Err(still_running) => Err(still_running),
        }
    }
}

impl<B, R, D, G> Stream<Paused<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Where the stream stopped.
    pub fn status(&mut self) -> StreamStatus {
        let wall_clock = self.state.loaded.descriptor.wall_clock();
        self.state.progress.status(wall_clock)
    }

    /// Goes on where [`pause`](Stream::pause) stopped, and so does the position.
    ///
    /// The specification lets RUN go on where it was. There are controllers (QEMU's) that start the descriptor list
    /// and LPIB over: this is seen by LPIB, read back right after RUN was set. There the stream is stopped again and
    /// gets a list that starts at the place where it was, or a little before it, because a descriptor's address is a
    /// multiple of 128 and the list has to start with a whole frame: less than 128 octets before it for frames of 1,
    /// 2, 4... octets, less than the least common multiple of 128 and the frame for others; in a buffer of 256 pages,
    /// where no page can be cut in two, the same with 4096 for 128. These octets are played or recorded once more,
    /// while the position stands still.
    ///
    /// # Errors
    /// [`Refused`] if the hardware doesn't stop, or doesn't end its reset, when the list has to be written anew.
    pub fn resume(mut self) -> Result<Stream<Running<B, R, D, G>>, Refused<Self>> {
        let loaded = &mut self.state.loaded;
        if !loaded.descriptor.restarts {
            let before = loaded.descriptor.link_position();
            let wall_clock = loaded.descriptor.wall_clock();
            loaded.run();
            let after = loaded.descriptor.link_position();
            let elapsed = loaded.descriptor.wall_clock().wrapping_sub(wall_clock);
            if !went_back(before, after, elapsed, loaded.size_bytes(), loaded.format) {
                self.state.progress.tracker.resume(wall_clock);
                let Paused { loaded, progress } = self.state;
                return Ok(Stream { state: Running { loaded, progress } });
            }
            log::info!("stream {}: RUN starts the list over; it is rotated instead", loaded.descriptor.index);
            loaded.descriptor.restarts = true;
            if let Err(deadline) = loaded.descriptor.stop() {
                return Err(Refused { stream: self, deadline });
            }
        }
        let place = self.state.progress.tracker.place_in_buffer();
        let origin = buffer_list::origin_before(place, loaded.pages(), loaded.format.frame_bytes());
        if let Err(deadline) = loaded.load(origin) {
            return Err(Refused { stream: self, deadline });
        }
        let wall_clock = loaded.descriptor.wall_clock();
        loaded.run();
        self.state.progress.tracker.resume_from(origin, wall_clock);
        let Paused { loaded, progress } = self.state;
        Ok(Stream { state: Running { loaded, progress } })
    }

    /// Forgets the position; the last one is returned.
    ///
    /// # Errors
    /// [`StillRunning`] if RUN doesn't read 0.
    pub fn stop(mut self) -> Result<(Stream<Configured<B, R, D, G>>, StreamStatus), StillRunning<Self>> {
        if let Err(deadline) = self.state.loaded.descriptor.stop() {
            return Err(StillRunning { stream: self, deadline });
        }
        let status = self.status();
        Ok((Stream { state: Configured { loaded: self.state.loaded } }, status))
    }
}

/// Whether LPIB went from `before` to `after` by starting over: going on could at most have led it as far as
/// `elapsed_ticks` of the wall clock allow, and two link frames.
fn went_back(before: u32, after: u32, elapsed_ticks: u32, buffer_bytes: u32, format: Format) -> bool {
    let forward = if after >= before {
        after.saturating_sub(before)
    } else {
        buffer_bytes.saturating_sub(before).saturating_add(after)
    };
    // A link frame is 500 ticks; three for the two and for what is left of one.
    let link_frames = u64::from(elapsed_ticks / 500).saturating_add(3);
    let frames_each = u64::from(format.rate().hz().div_ceil(48_000));
    let allowed = link_frames.saturating_mul(frames_each).saturating_mul(u64::from(format.frame_bytes()));
    u64::from(forward) > allowed
}
