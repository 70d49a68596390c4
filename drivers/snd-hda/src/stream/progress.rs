//! Stream status: position and errors since START.

use crate::timer::Timer;

use super::descriptor::StreamErrors;
use super::loaded::Loaded;
use super::start::{LinkTime, LinkedStart, at_link_frame};
use crate::deadline::Deadline;
use crate::dma::{Direction, DmaBuffer, DmaRegion};
use crate::position::{Bracket, Cadence, LinkCount, LinkTracker, Position, Reading, Tracker};
use crate::registers::Registers;
use crate::traits::PositionChoice;

/// The source of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PositionSource {
    /// SDnLPIB: bytes through the link.
    Link,
    /// The DMA position buffer: bytes to or from memory.
    Memory,
    /// Input, before either source has moved.
    Undecided,
}

/// A stream's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamStatus {
    /// The position.
    pub position: Position,
    /// The position's source.
    pub source: PositionSource,
    /// FIFO errors since START (SDnSTS.FIFOE): underruns of an output, overruns of an input.
    /// Several between two polls count as one.
    pub fifo_errors: u32,
    /// Descriptor errors since START (SDnSTS.DESE). If this isn't 0, the controller has stopped
    /// the stream.
    ///
    /// A missing controller (all registers read as ones) counts as one at each poll. So does a
    /// descriptor that lost its state to a power cycle: see
    /// [`Controller::restore`](crate::Controller::restore).
    pub descriptor_errors: u32,
    /// The frame at the link; `None` if the wall clock stands still, or the controller is gone.
    pub link: Option<LinkCount>,
    /// The wall clock at this poll, extended to 64 bits from its reading at START.
    pub wall_ticks: u64,
    /// The FIFO's size (SDnFIFOS), in whole frames.
    ///
    /// DMA can be this far ahead of an output's link, or the link ahead of an input's memory.
    pub fifo_bytes: u32,
    /// Rejected position readings since START.
    pub anomalies: u32,
}

/// Observation time of LPIB at START, in ticks: twelve link frames, in which each rate has a
/// block.
const WATCH_TICKS: u64 = 6_000;
/// Observation limit in readings, if the wall clock stands still.
const WATCH_READINGS: u32 = 256;
/// Impossible LPIB readings at the start before the DMA position buffer replaces it.
const UNLIKELY_MAX: u8 = 4;

/// Counts since START.
pub(super) struct Progress {
    pub(super) tracker: Tracker,
    /// The place at the link; `None` if the wall clock is unreliable or no place is known.
    link: Option<LinkTracker>,
    /// The wall clock at the last poll, extended to 64 bits from its reading at START.
    wall_ticks: u64,
    source: PositionSource,
    /// Impossible LPIB readings before the first plausible one.
    unlikely: u8,
    fifo_errors: u32,
    descriptor_errors: u32,
    /// RUN reads 0 although the driver didn't clear it: counter and clock restart.
    is_lost: bool,
    /// The FIFO's size, in whole frames: how far DMA can be ahead of the link, or the link ahead
    /// of memory.
    fifo_bytes: u32,
    direction: Direction,
}

impl Progress {
    /// RUN is set, and the stream released as `start` says.
    pub(super) fn new<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion>(
        loaded: &mut Loaded<B, R, D, G>,
        start: &LinkedStart,
    ) -> Self {
        let frame_bytes = loaded.format().frame_bytes();
        let rate = loaded.format().rate();
        let wall_clock_moves = loaded.descriptor.wall_clock_moves;
        let clock = wall_clock_moves.then_some(start.wall_clock_low());
        let descriptor = &loaded.descriptor;
        let source = match (descriptor.position_choice, descriptor.direction, &descriptor.positions) {
            (PositionChoice::Link, _, _) | (_, _, None) => PositionSource::Link,
            (PositionChoice::Memory, _, Some(_)) => PositionSource::Memory,
            (PositionChoice::Auto, Direction::Input, Some(_)) => PositionSource::Undecided,
            (PositionChoice::Auto, Direction::Output, Some(_)) => PositionSource::Link,
        };
        let direction = descriptor.direction;
        let fifo_bytes = loaded.descriptor.fifo_bytes().div_ceil(frame_bytes).saturating_mul(frame_bytes);
        let bracket = start.bracket(None);
        let mut progress = Self {
            tracker: Tracker::new(loaded.size_bytes(), frame_bytes, rate.hz(), clock),
            link: wall_clock_moves.then(|| {
                LinkTracker::new(Cadence::of(rate), bracket, start.is_synchronized(), start.is_extended())
            }),
            wall_ticks: bracket.after,
            source,
            unlikely: 0,
            fifo_errors: 0,
            descriptor_errors: 0,
            is_lost: false,
            fifo_bytes,
            direction,
        };
        progress.watch(loaded);
        progress
    }

    /// Watches LPIB for some link frames: whether it moves block by block, and when.
    ///
    /// This is its first test of precision. If it moves otherwise, later polls continue the test.
    fn watch<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion>(&mut self, loaded: &mut Loaded<B, R, D, G>) {
        let Some(link) = &mut self.link else { return };
        let frame_bytes = loaded.format().frame_bytes().max(1);
        let block_bytes = loaded.format().rate().frames_per_link_frame().saturating_mul(frame_bytes);
        let descriptor = &mut loaded.descriptor;
        let begun = self.wall_ticks;
        let mut wall = WallClock(begun);
        let mut earlier = (wall.extend(descriptor.wall_clock()), descriptor.link_position());
        for _ in 0..WATCH_READINGS {
            let before = wall.extend(descriptor.wall_clock());
            let position = descriptor.link_position();
            let moved = position.wrapping_sub(earlier.1);
            if moved != 0 {
                let after = wall.extend(descriptor.wall_clock());
                // Only the first round through the buffer gets here.
                if moved <= block_bytes && position < self.tracker.buffer_bytes() {
                    let bracket = Bracket { before: earlier.0, after };
                    link.edge(position.checked_div(frame_bytes).unwrap_or(0).into(), bracket);
                }
                break;
            }
            if before.saturating_sub(begun) > WATCH_TICKS {
                break;
            }
            earlier = (before, position);
        }
        log::debug!(
            "stream {}: LPIB {}",
            loaded.descriptor.index,
            if link.has_moved() { "shows each block when it has gone" } else { "moves in steps, or late" }
        );
        self.wall_ticks = wall.0;
    }

    /// Reads errors, position and wall clock. `with_link`: and the place at the link.
    ///
    /// Without it, a place that its start tells is kept for a later look. One that only the counter can tell is forgotten.
    pub(super) fn look<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
        with_link: bool,
    ) -> StreamStatus {
        let Some(errors) = self.take_errors(loaded, true) else { return self.status(u32::MAX, with_link) };
        let mut wall = WallClock(self.wall_ticks);
        // If nothing remains to learn, the previous poll suffices.
        let may_learn = with_link && self.link.as_ref().is_some_and(LinkTracker::wants_bracket);
        let wants_bracket = may_learn || errors.fifo;
        let before = if wants_bracket { wall.extend(loaded.descriptor.wall_clock()) } else { wall.0 };
        let (reading, wall_clock) = self.read(loaded);
        self.wall_ticks = wall.extend(wall_clock);
        let bracket = Bracket { before, after: self.wall_ticks };
        let frame_bytes = u64::from(loaded.format().frame_bytes()).max(1);
        let lead_bytes = match (self.direction, self.source) {
            (Direction::Output, PositionSource::Memory) => self.fifo_bytes,
            _ => 0,
        };
        self.link.take_if(|link| !with_link && !link.is_start_known());
        if let Some(link) = &mut self.link {
            if errors.fifo {
                link.lose(bracket.after);
            }
            match reading {
                _ if !with_link => link.pass(bracket.after),
                Reading::Bytes(bytes) => {
                    let frames = bytes.checked_div(frame_bytes).unwrap_or(0);
                    let lead = u64::from(lead_bytes).checked_div(frame_bytes).unwrap_or(0);
                    link.observe(frames, lead, bracket);
                }
                Reading::Unlikely => link.disbelieve(),
            }
        }
        self.status(wall_clock, with_link)
    }

    /// `None` if the controller is gone or has lost its state: counter and clock are then
    /// meaningless.
    fn take_errors<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
        must_run: bool,
    ) -> Option<StreamErrors> {
        let mut errors = loaded.descriptor.take_errors();
        // A descriptor error also clears RUN.
        if must_run && !errors.runs && !errors.descriptor && self.descriptor_errors == 0 {
            log::error!("stream {}: RUN is gone, as after a power cycle", loaded.descriptor.index);
            self.is_lost = true;
        }
        errors.is_gone |= self.is_lost;
        errors.descriptor |= self.is_lost;
        self.fifo_errors = self.fifo_errors.saturating_add(errors.fifo.into());
        self.descriptor_errors = self.descriptor_errors.saturating_add(errors.descriptor.into());
        if errors.is_gone {
            self.link = None;
            return None;
        }
        Some(errors)
    }

    /// Reads the current counter, then the wall clock.
    fn read<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
    ) -> (Reading, u32) {
        let counter = self.counter(loaded);
        let wall_clock = loaded.descriptor.wall_clock();
        let reading = self.tracker.update(counter, wall_clock);
        let is_first = self.tracker.counted() == 0;
        if is_first && reading == Reading::Unlikely {
            self.unlikely = self.unlikely.saturating_add(1);
        }
        (reading, wall_clock)
    }

    /// Stops DMA and keeps its position.
    pub(super) fn pause<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
        time: Option<&dyn LinkTime>,
    ) -> Result<(), Deadline> {
        let runs = self.take_errors(loaded, true).is_some();
        let descriptor = &mut loaded.descriptor;
        let (ssync, bits) = (descriptor.ssync, descriptor.bit());
        let held = ssync.map_or(0, |ssync| ssync.read(&mut descriptor.registers));
        // A held stream stops at the next link frame; without SSYNC it stops before RUN reads 0.
        let (registers, delay) = (&mut descriptor.registers, &mut descriptor.delay);
        let mut bracket = at_link_frame(registers, delay, Some(self.wall_ticks), time, &mut |registers| {
            if let Some(ssync) = ssync {
                ssync.write(registers, held | bits);
            }
        });
        let stopped = descriptor.stop();
        descriptor.hold(false);
        let mut wall = WallClock(bracket.after);
        if ssync.is_none() {
            bracket.after = wall.extend(descriptor.wall_clock());
        }
        if stopped.is_err() {
            // Its state is now unknown.
            self.link = None;
        }
        stopped?;
        if runs && self.take_errors(loaded, false).is_some() {
            let (reading, wall_clock) = self.read(loaded);
            let frame_bytes = u64::from(loaded.format().frame_bytes()).max(1);
            let frames = match reading {
                Reading::Bytes(bytes) => bytes.checked_div(frame_bytes),
                Reading::Unlikely => None,
            };
            // A fetch says nothing about the link.
            let is_fetched = self.direction == Direction::Output && self.source == PositionSource::Memory;
            if let Some(link) = &mut self.link {
                link.pause(bracket, frames.filter(|_| !is_fetched));
            }
            self.wall_ticks = wall.extend(wall_clock);
        }
        Ok(())
    }

    /// The stream was released again as `start` says.
    pub(super) fn resume(&mut self, start: &LinkedStart) {
        let bracket = self.bracket(start);
        self.tracker.resume(start.wall_clock_low());
        if let Some(link) = &mut self.link {
            link.run(bracket, start.is_synchronized(), start.is_extended());
        }
    }

    /// The same, with a list that begins at `origin` in the buffer.
    pub(super) fn resume_from(&mut self, origin: u32, frame_bytes: u32, start: &LinkedStart) {
        let bracket = self.bracket(start);
        self.tracker.resume_from(origin, start.wall_clock_low());
        let base = self.tracker.counted().checked_div(frame_bytes.into()).unwrap_or(0);
        if let Some(link) = &mut self.link {
            link.resume_at(base, bracket, start.is_synchronized(), start.is_extended());
        }
    }

    fn bracket(&mut self, start: &LinkedStart) -> Bracket {
        let bracket = start.bracket(Some(self.wall_ticks));
        self.wall_ticks = bracket.after;
        if core::mem::take(&mut self.is_lost) {
            self.descriptor_errors = 0;
        }
        bracket
    }

    /// The status of a stopped stream.
    pub(super) fn status_at(&mut self, wall_clock: u32) -> StreamStatus {
        let mut wall = WallClock(self.wall_ticks);
        self.wall_ticks = wall.extend(wall_clock);
        self.status(wall_clock, true)
    }

    fn status(&mut self, wall_clock: u32, with_link: bool) -> StreamStatus {
        let mut bytes = self.tracker.reported();
        if self.source == PositionSource::Link && self.direction == Direction::Input {
            // The last bytes may still be in the FIFO.
            bytes = bytes.saturating_sub(u64::from(self.fifo_bytes));
        }
        let wall_ticks = self.wall_ticks;
        StreamStatus {
            position: Position { bytes, wall_clock },
            source: self.source,
            link: self.link.as_mut().filter(|_| with_link).map(|link| link.count(wall_ticks)),
            wall_ticks,
            fifo_bytes: self.fifo_bytes,
            fifo_errors: self.fifo_errors,
            descriptor_errors: self.descriptor_errors,
            anomalies: self.tracker.anomalies(),
        }
    }

    /// Bytes from the start of the descriptor list, from the source in use.
    ///
    /// For an input, the DMA position buffer tells how much memory is valid, but some controllers
    /// never write it. So an input waits until either source moves. The position buffer wins at
    /// once; LPIB must be well ahead. An output leaves LPIB for the position buffer if only the
    /// latter moves, or LPIB is impossible at the start.
    fn counter<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion>(
        &mut self,
        loaded: &mut Loaded<B, R, D, G>,
    ) -> u32 {
        let ten_ms = (loaded.format().rate().hz() / 100).saturating_mul(loaded.format().frame_bytes());
        // 10 ms, or half of a short buffer.
        let much = ten_ms.min(loaded.size_bytes() / 2);
        match self.source {
            PositionSource::Link => {
                let link = loaded.descriptor.link_position();
                let has_moved =
                    self.tracker.counted() != 0 || self.link.as_ref().is_some_and(LinkTracker::has_moved);
                let is_suspect = !has_moved && (link == 0 || self.unlikely >= UNLIKELY_MAX);
                if is_suspect
                    && self.direction == Direction::Output
                    && loaded.descriptor.position_choice == PositionChoice::Auto
                    && let Some(memory) = loaded.descriptor.memory_position()
                    && memory > much.max(self.fifo_bytes)
                {
                    log::info!("stream {}: LPIB isn't to be believed", loaded.descriptor.index);
                    self.use_source(PositionSource::Memory, loaded.descriptor.index);
                    return memory;
                }
                link
            }
            PositionSource::Memory => loaded.descriptor.memory_position().unwrap_or(0),
            PositionSource::Undecided => {
                let memory = loaded.descriptor.memory_position().unwrap_or(0);
                if memory != 0 {
                    self.use_source(PositionSource::Memory, loaded.descriptor.index);
                    return memory;
                }
                let link = loaded.descriptor.link_position();
                if link > much {
                    log::info!("stream {}: DMA position buffer stands still", loaded.descriptor.index);
                    self.use_source(PositionSource::Link, loaded.descriptor.index);
                    return link;
                }
                0
            }
        }
    }

    fn use_source(&mut self, source: PositionSource, index: u8) {
        log::debug!("stream {index}: position source {source:?}");
        self.source = source;
    }
}

/// The wall clock, extended to 64 bits: each reading is less than 179 s after the last.
struct WallClock(u64);

impl WallClock {
    fn extend(&mut self, wall_clock: u32) -> u64 {
        // Truncation is intended: the low half.
        self.0 = self.0.saturating_add(wall_clock.wrapping_sub(self.0 as u32).into());
        self.0
    }
}
