//! The states of a stream and their transitions.

#![allow(
    clippy::result_large_err,
    clippy::type_complexity,
    reason = "a failed step returns the stream by value, as there is no heap; the types name the states"
)]

use core::fmt;

use crate::timer::Timer;

use super::buffer_list;
use super::descriptor::Descriptor;
use super::error::{ConfigureError, Refused, Rejected};
use super::loaded::Loaded;
use super::progress::{Progress, StreamStatus};
use super::start::{LinkTime, LinkedStart, Start, StartMethod, at_link_frame};
use crate::deadline::Deadline;
use crate::dma::{Direction, DmaBuffer, DmaRegion};
use crate::registers::Registers;
use crate::spec::format::Format;

/// A stream in state `S`: [`Reset`], [`Configured`], [`Running`] or [`Paused`].
///
/// A step that a state forbids doesn't compile. An unconfigured stream can't start:
///
/// ```compile_fail
/// # use snd_hda::{DmaRegion, Registers, Stream, stream::Reset};
/// # use snd_hda::Timer;
/// fn start<R: Registers + Clone, D: Timer + Clone, G: DmaRegion>(stream: Stream<Reset<R, D, G>>) {
///     stream.start();
/// }
/// ```
///
/// A running stream doesn't return its buffer:
///
/// ```compile_fail
/// # use snd_hda::{DmaBuffer, DmaRegion, Registers, Stream, stream::Running};
/// # use snd_hda::Timer;
/// fn take<B: DmaBuffer, R: Registers + Clone, D: Timer + Clone, G: DmaRegion>(
///     stream: Stream<Running<B, R, D, G>>,
/// ) {
///     let _ = stream.release();
/// }
/// ```
///
/// A stream can't start twice:
///
/// ```compile_fail
/// # use snd_hda::{DmaBuffer, DmaRegion, Registers, Stream, stream::Configured};
/// # use snd_hda::Timer;
/// fn twice<B: DmaBuffer, R: Registers + Clone, D: Timer + Clone, G: DmaRegion>(
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

impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// Owns a stream descriptor, and nothing else.
pub struct Reset<R, D, G> {
    descriptor: Descriptor<R, D, G>,
}

/// Owns a buffer known to the controller, in phase `P`.
pub struct Held<P, B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion> {
    pub(super) loaded: Loaded<B, R, D, G>,
    pub(super) phase: P,
}

/// DMA runs.
pub struct Moving(Progress);

/// DMA has stopped.
pub struct Halted(Progress);

/// Owns a buffer known to the controller. DMA doesn't run.
pub type Configured<B, R, D, G> = Held<Start, B, R, D, G>;

/// DMA runs.
pub type Running<B, R, D, G> = Held<Moving, B, R, D, G>;

/// DMA has stopped, and can continue from there.
pub type Paused<B, R, D, G> = Held<Halted, B, R, D, G>;

impl<R, D, G> Stream<Reset<R, D, G>>
where
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    pub(crate) fn new(descriptor: Descriptor<R, D, G>) -> Self {
        Self { state: Reset { descriptor } }
    }

    /// Whether its last reset didn't end.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.descriptor.has_failed
    }

    /// Whether setting RUN restarts the list.
    pub(crate) fn restarts(&self) -> bool {
        self.state.descriptor.restarts
    }

    /// The stream descriptor's number, as INTSTS has it.
    pub fn index(&self) -> u8 {
        self.state.descriptor.index
    }

    /// Its tag on the link, 1 to 15.
    pub fn tag(&self) -> u8 {
        self.state.descriptor.tag
    }

    /// Direction of the samples.
    pub fn direction(&self) -> Direction {
        self.state.descriptor.direction
    }

    /// Hands a buffer over to the controller. DMA doesn't start yet.
    ///
    /// # Errors
    /// [`Rejected`], with stream and buffer, if the controller can't use the buffer (then no
    /// register was touched) or the stream's reset doesn't end.
    pub fn configure<B: DmaBuffer>(
        mut self,
        format: Format,
        buffer: B,
    ) -> Result<Stream<Configured<B, R, D, G>>, Rejected<Self, B>> {
        let descriptor = &mut self.state.descriptor;
        let judged = buffer_list::judge(&buffer, format.frame_bytes(), descriptor.address_bits);
        if let Err(error) = judged {
            return Err(Rejected { stream: self, buffer, error: ConfigureError::Buffer(error) });
        }
        let loaded = descriptor.stop().and_then(|()| descriptor.load(format, &buffer, 0));
        if let Err(deadline) = loaded {
            return Err(Rejected { stream: self, buffer, error: ConfigureError::Reset(deadline) });
        }
        let descriptor = self.state.descriptor;
        let loaded = Loaded::new(descriptor, format, buffer);
        Ok(Stream { state: Held { loaded, phase: Start::Idle } })
    }
}

impl<P, B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion> Stream<Held<P, B, R, D, G>> {
    /// The stream descriptor's number, as INTSTS has it.
    pub fn index(&self) -> u8 {
        self.state.loaded.descriptor.index
    }

    /// Its tag on the link, 1 to 15.
    pub fn tag(&self) -> u8 {
        self.state.loaded.descriptor.tag
    }

    /// Direction of the samples.
    pub fn direction(&self) -> Direction {
        self.state.loaded.descriptor.direction
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.state.loaded.format()
    }

    /// The buffer, still owned by the stream.
    pub fn buffer(&self) -> Option<&B> {
        self.state.loaded.buffer()
    }
}

impl<B, R, D, G> Stream<Configured<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    /// Does all slow steps of a start, so that [`release_together`](super::release_together) can
    /// start several at once.
    ///
    /// # Errors
    /// [`Deadline`] if the stream has run before and its reset doesn't end.
    pub fn arm(&mut self) -> Result<(), Deadline> {
        let Held { loaded, phase: start } = &mut self.state;
        if matches!(start, Start::Armed { .. }) && !loaded.is_kept() {
            *start = Start::Idle;
        }
        if matches!(start, Start::Idle) {
            loaded.refresh()?;
            *start = Start::Armed { fifo_ready: loaded.run_held() };
        }
        Ok(())
    }

    /// Undoes [`arm`](Self::arm).
    ///
    /// # Errors
    /// [`Deadline`] if RUN doesn't read back 0.
    pub fn disarm(&mut self) -> Result<(), Deadline> {
        let Held { loaded, phase: start } = &mut self.state;
        if !matches!(start, Start::Idle) {
            loaded.descriptor.stop()?;
            loaded.descriptor.hold(false);
            *start = Start::Idle;
        }
        Ok(())
    }

    /// Starts DMA at the buffer's start, or completes a start by
    /// [`release_together`](super::release_together).
    ///
    /// The position counts from 0. [Connect](crate::Controller::connect) a converter first.
    ///
    /// # Errors
    /// [`Refused`] if the stream has run before and its reset doesn't end.
    pub fn start(self) -> Result<Stream<Running<B, R, D, G>>, Refused<Self>> {
        self.start_timed(None)
    }

    /// As [`start`](Self::start); `time` determines the link frame of the start.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_timed(
        mut self,
        time: Option<&dyn LinkTime>,
    ) -> Result<Stream<Running<B, R, D, G>>, Refused<Self>> {
        if let Err(deadline) = self.arm() {
            return Err(Refused { stream: self, deadline });
        }
        let start = match self.state.phase {
            // `release_together` released it with others.
            Start::Gone(start) => start,
            Start::Armed { fifo_ready } => self.state.loaded.release_held(fifo_ready, time),
            // It has just been armed.
            Start::Idle => return Err(Refused { stream: self, deadline: Deadline::NEVER }),
        };
        Ok(self.running(&start))
    }

    /// The stream was released.
    pub(super) fn running(mut self, start: &LinkedStart) -> Stream<Running<B, R, D, G>> {
        let progress = Progress::new(&mut self.state.loaded, start);
        Stream { state: Held { loaded: self.state.loaded, phase: Moving(progress) } }
    }

    /// Makes the controller forget the buffer and returns it.
    ///
    /// # Errors
    /// [`Refused`] if RUN doesn't read 0.
    pub fn release(mut self) -> Result<(Stream<Reset<R, D, G>>, B), Refused<Self>> {
        if let Err(deadline) = self.disarm() {
            return Err(Refused { stream: self, deadline });
        }
        match self.state.loaded.part() {
            Ok(buffer) => Ok((Stream::new(self.state.loaded.descriptor.clone()), buffer)),
            Err(deadline) => Err(Refused { stream: self, deadline }),
        }
    }
}

impl<B, R, D, G> Stream<Running<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    /// The stream's position and errors; acknowledges the errors.
    ///
    /// Call it at least once a buffer: [`Position`](crate::Position) describes how whole buffers
    /// are counted.
    pub fn poll(&mut self) -> StreamStatus {
        self.state.phase.0.look(&mut self.state.loaded, true)
    }

    /// As [`poll`](Self::poll), but without the link position: [`StreamStatus::link`] is `None`.
    ///
    /// It takes half the work. A later [`poll`](Self::poll) knows the link position if SSYNC's
    /// release or a counter that moves block by block has told the link frame of the start. If not,
    /// it is unknown until the next START.
    pub fn poll_bytes(&mut self) -> StreamStatus {
        self.state.phase.0.look(&mut self.state.loaded, false)
    }

    /// Does `turn`, by which a converter turns to this stream, which runs already.
    ///
    /// An input counts from there: until then nobody sent it anything. `time` narrows down when that was.
    pub(crate) fn turn_to(&mut self, time: Option<&dyn LinkTime>, turn: &mut dyn FnMut()) {
        if self.direction() == Direction::Output {
            return turn();
        }
        let Held { loaded, phase: Moving(progress) } = &mut self.state;
        let near = time.and_then(LinkTime::wall_ticks).map(|now| now.before);
        let Descriptor { registers, delay, .. } = &mut loaded.descriptor;
        let wall_clock = at_link_frame(registers, delay, near, time, &mut |_| turn());
        let method = StartMethod::BackToBack;
        let start = LinkedStart { method, wall_clock, is_extended: near.is_some(), fifos_ready: true };
        *progress = Progress::new(loaded, &start);
    }

    /// Bytes between memory and link (SDnFIFOS): how far DMA may be ahead of an output's position.
    pub fn fifo_bytes(&mut self) -> u32 {
        self.state.loaded.descriptor.fifo_bytes()
    }

    /// Stops DMA and keeps the position.
    ///
    /// # Errors
    /// [`Refused`] if RUN doesn't read back 0.
    pub fn pause(self) -> Result<Stream<Paused<B, R, D, G>>, Refused<Self>> {
        self.pause_timed(None)
    }

    /// As [`pause`](Self::pause); with SSYNC, `time` determines the link frame of the stop.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub fn pause_timed(
        mut self,
        time: Option<&dyn LinkTime>,
    ) -> Result<Stream<Paused<B, R, D, G>>, Refused<Self>> {
        let Held { loaded, phase: Moving(progress) } = &mut self.state;
        if let Err(deadline) = progress.pause(loaded, time) {
            return Err(Refused { stream: self, deadline });
        }
        let Held { loaded, phase: Moving(progress) } = self.state;
        Ok(Stream { state: Held { loaded, phase: Halted(progress) } })
    }

    /// Stops DMA and discards the position; returns the last one.
    ///
    /// # Errors
    /// [`Refused`] if RUN doesn't read back 0.
    pub fn stop(self) -> Result<(Stream<Configured<B, R, D, G>>, StreamStatus), Refused<Self>> {
        let mut paused = self.pause()?;
        let status = paused.status();
        Ok((Stream { state: Held { loaded: paused.state.loaded, phase: Start::Idle } }, status))
    }
}

impl<B, R, D, G> Stream<Paused<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    /// The position of the stop.
    pub fn status(&mut self) -> StreamStatus {
        let wall_clock = self.state.loaded.descriptor.wall_clock();
        self.state.phase.0.status_at(wall_clock)
    }

    /// Continues stream and position from the [`pause`](Stream::pause).
    ///
    /// By the specification, RUN continues where it was. Some controllers (QEMU's) restart the
    /// descriptor list and LPIB. LPIB, read back right after RUN was set, shows that.
    ///
    /// The driver then stops the stream again and writes a list that starts at or just before the
    /// paused place. A descriptor's address is a multiple of 128, and the list starts with a whole
    /// frame. So the list starts less than 128 bytes early for frames of 1, 2, 4... bytes. For
    /// other frames the limit is the least common multiple of 128 and the frame. In a buffer of
    /// 256 pages no page can be split, and 4096 replaces 128. These bytes are played or recorded
    /// again while the position stands still.
    ///
    /// # Errors
    /// [`Refused`] if the hardware doesn't stop, or doesn't end its reset, before the list is
    /// rewritten.
    pub fn resume(self) -> Result<Stream<Running<B, R, D, G>>, Refused<Self>> {
        self.resume_timed(None)
    }

    /// As [`resume`](Self::resume); `time` determines the link frame in which it continues.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_timed(
        mut self,
        time: Option<&dyn LinkTime>,
    ) -> Result<Stream<Running<B, R, D, G>>, Refused<Self>> {
        let Held { loaded, phase: Halted(progress) } = &mut self.state;
        if !loaded.descriptor.restarts && loaded.is_kept() {
            let before = loaded.descriptor.link_position();
            let wall_clock = loaded.descriptor.wall_clock();
            let fifo_ready = loaded.run_held();
            // Check before it moves on, if SSYNC can hold it.
            let is_held = loaded.descriptor.ssync.is_some();
            let start = if is_held { None } else { Some(loaded.release_held(fifo_ready, time)) };
            let after = loaded.descriptor.link_position();
            let elapsed = loaded.descriptor.wall_clock().wrapping_sub(wall_clock);
            if !went_back(before, after, elapsed, loaded.size_bytes(), loaded.format()) {
                let start = start.unwrap_or_else(|| loaded.release_held(fifo_ready, time));
                progress.resume(&start);
                let Held { loaded, phase: Halted(progress) } = self.state;
                return Ok(Stream { state: Held { loaded, phase: Moving(progress) } });
            }
            log::info!("stream {}: RUN starts the list over; it is rotated instead", loaded.descriptor.index);
            loaded.descriptor.restarts = true;
        }
        let frame_bytes = loaded.format().frame_bytes();
        let place = progress.tracker.place_in_buffer();
        let origin = buffer_list::origin_before(place, loaded.pages(), frame_bytes);
        if let Err(deadline) = loaded.descriptor.stop().and_then(|()| loaded.load(origin)) {
            return Err(Refused { stream: self, deadline });
        }
        let fifo_ready = loaded.run_held();
        let start = loaded.release_held(fifo_ready, time);
        progress.resume_from(origin, frame_bytes, &start);
        let Held { loaded, phase: Halted(progress) } = self.state;
        Ok(Stream { state: Held { loaded, phase: Moving(progress) } })
    }

    /// Discards the position; returns the last one.
    ///
    /// # Errors
    /// [`Refused`] if RUN doesn't read 0.
    pub fn stop(mut self) -> Result<(Stream<Configured<B, R, D, G>>, StreamStatus), Refused<Self>> {
        if let Err(deadline) = self.state.loaded.descriptor.stop() {
            return Err(Refused { stream: self, deadline });
        }
        let status = self.status();
        Ok((Stream { state: Held { loaded: self.state.loaded, phase: Start::Idle } }, status))
    }
}

/// Whether LPIB restarted between `before` and `after`.
///
/// Otherwise it moves at most as far as `elapsed_ticks` of the wall clock and two link frames
/// allow.
fn went_back(before: u32, after: u32, elapsed_ticks: u32, buffer_bytes: u32, format: Format) -> bool {
    let forward = if after >= before {
        after.saturating_sub(before)
    } else {
        buffer_bytes.saturating_sub(before).saturating_add(after)
    };
    // A link frame is 500 ticks: two frames, and one for the remainder.
    let link_frames = u64::from(elapsed_ticks / 500).saturating_add(3);
    let frames_each = u64::from(format.rate().frames_per_link_frame());
    let allowed = link_frames.saturating_mul(frames_each).saturating_mul(u64::from(format.frame_bytes()));
    u64::from(forward) > allowed
}
