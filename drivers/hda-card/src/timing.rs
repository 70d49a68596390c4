//! The position at the link in the system's time.

use audioback::card::{LinkPosition, PositionLock, PositionSource};
use hyper::{Clock, Nanos};
use snd_hda::Timer;
use snd_hda::position::{Bracket, Cadence, LinkSource, TimedCount};
use snd_hda::stream::{LinkTime, PositionSource as CounterSource, StreamStatus};
use snd_hda::{Controller, Direction, DmaRegion, Format, LinkClock, Registers};
use sndif::control_page;

/// Interval between comparisons of the two clocks. A look at a stream compares them too, but less precisely.
const COMPARE_EVERY_NS: u64 = 50_000_000;

/// Most readings in a comparison: while streams run, and before a start.
///
/// One suffices if an access takes a microsecond.
const READINGS: u32 = 4;
const READINGS_TO_START: u32 = 256;

/// A comparison takes no longer, but for its last reading: everybody waits for it.
const LOOK_NS: u64 = 400_000;

/// Wanted precision while streams run: an eighth of a frame at the highest rate.
const TIGHT_NS: u64 = 1_000_000_000 / 8 / 192_000;

/// Wanted precision before a start: an eighth of a link frame, so that the link frame of the start is known.
const TIGHT_TO_START_NS: u64 = 1_000_000_000 / 8 / 48_000;

/// The driver's unit of time: this part of a tick of the wall clock.
const TICK_PARTS: u64 = 256;

/// The time of a stream's frame 0 at the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    time: Nanos,
    pub(crate) wall_ticks: u64,
    /// Later looks do not improve it.
    is_final: bool,
}

/// The link's clock in the system's time, for all streams of a controller.
pub(crate) struct Timing<C> {
    clock: C,
    link: LinkClock,
    /// Added to the link clock's own generation: none repeats after [`restart`](Self::restart).
    generation: u32,
    compare_at_ns: u64,
}

impl<C: Clock> LinkTime for Timing<C> {
    fn wall_ticks(&self) -> Option<Bracket> {
        self.link.ticks_at(self.now_ns())
    }
}

impl<C: Clock> Timing<C> {
    pub(crate) fn new(clock: C) -> Self {
        Self { clock, link: LinkClock::new(), generation: 0, compare_at_ns: 0 }
    }

    /// Forgets everything about the wall clock, which begins at 0 again.
    pub(crate) fn restart(&mut self) {
        self.generation = self.generation.wrapping_add(self.link.generation()).wrapping_add(1);
        self.link = LinkClock::new();
        self.compare_at_ns = 0;
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now().0
    }

    /// Compares the clocks precisely enough for a start or pause of a stream of `rate_hz`.
    pub(crate) fn look_to_start<R, D, G>(&mut self, controller: &mut Controller<R, D, G>, rate_hz: u32)
    where
        R: Registers + Clone,
        D: Timer + Clone,
        G: DmaRegion,
    {
        let eighth_ns = (1_000_000_000_u64 / 8).checked_div(rate_hz.into()).unwrap_or(TIGHT_NS);
        self.look(controller, eighth_ns.min(TIGHT_TO_START_NS), READINGS_TO_START);
    }

    /// Compares the clocks until the error is at most `tight_ns`.
    fn look<R, D, G>(&mut self, controller: &mut Controller<R, D, G>, tight_ns: u64, readings: u32)
    where
        R: Registers + Clone,
        D: Timer + Clone,
        G: DmaRegion,
    {
        let until_ns = self.now_ns().saturating_add(LOOK_NS);
        for _ in 0..readings {
            let before_ns = self.now_ns();
            let wall_clock = controller.wall_clock();
            let after_ns = self.now_ns();
            self.link.observe(before_ns, wall_clock, after_ns);
            self.compare_at_ns = after_ns.saturating_add(COMPARE_EVERY_NS);
            let is_tight = self.link.error_ns().is_some_and(|error_ns| error_ns <= tight_ns);
            if is_tight || after_ns >= until_ns {
                break;
            }
        }
    }

    /// Compares the clocks if that is due.
    pub(crate) fn look_if_due<R, D, G>(&mut self, controller: &mut Controller<R, D, G>)
    where
        R: Registers + Clone,
        D: Timer + Clone,
        G: DmaRegion,
    {
        if self.now_ns() >= self.compare_at_ns {
            self.look(controller, TIGHT_NS, READINGS);
        }
    }

    /// Translates the link count of a status that was read after `before_ns`.
    pub(crate) fn state(
        &mut self,
        status: &StreamStatus,
        before_ns: u64,
        (direction, format): (Direction, Format),
        begun: &mut Option<Begun>,
    ) -> Option<LinkPosition> {
        let count = status.link?;
        // The status has a reading of the wall clock from between these two times.
        let wall_ticks = self.link.observe(before_ns, status.position.wall_clock, self.now_ns());
        // The driver extends the wall clock from the stream's start. The low halves are equal.
        let shift = wall_ticks.wrapping_sub(status.wall_ticks);
        let shifted = |tick_parts: u64| tick_parts.wrapping_add(shift.wrapping_mul(TICK_PARTS));
        let cadence = Cadence::of(format.rate());
        let timed = TimedCount::new(&count, cadence, &self.link, shift)?;

        if !begun.is_some_and(|begun| begun.is_final)
            && let Some(start) = count.start_ticks
        {
            let time = self.link.span_of(shifted(start.saturating_mul(TICK_PARTS)))?;
            *begun = Some(Begun {
                time: Nanos(time.middle_ns()),
                wall_ticks: start.wrapping_add(shift),
                is_final: timed.is_locked,
            });
        }
        let begun = (*begun)?;
        let frame_bytes = format.frame_bytes().max(1);
        let fifo_frames = status.fifo_bytes.checked_div(frame_bytes).unwrap_or(0);
        let in_memory = status.position.bytes.checked_div(frame_bytes.into()).unwrap_or(0);
        let apart = match direction {
            Direction::Output => in_memory.saturating_sub(count.frames).max(fifo_frames.into()),
            Direction::Input => count.frames.saturating_sub(in_memory),
        };
        Some(LinkPosition {
            link_frames: timed.frames,
            time: Nanos(timed.time_ns),
            ns_per_frame_q32: timed.ns_per_frame_q32,
            error_ns: u32::try_from(timed.error_ns).unwrap_or(u32::MAX),
            lock: if timed.is_locked { PositionLock::Locked } else { PositionLock::Coarse },
            source: match (count.source, status.source) {
                (LinkSource::WallClock, _) => PositionSource::WallClock,
                (_, CounterSource::Memory) => PositionSource::Memory,
                (_, CounterSource::Link | CounterSource::Undecided) => PositionSource::Link,
            },
            dma_lead_frames: u32::try_from(apart).unwrap_or(u32::MAX),
            codec_delay_frames: 0,
            start_time: begun.time,
            start_wall_ticks: begun.wall_ticks,
            // All values fit: they are far below 2^16.
            cadence: timed.cadence_ticks.map(|ticks| control_page::Cadence {
                ticks: ticks as u32,
                block_frames: cadence.block_frames() as u16,
                period_blocks: cadence.period_blocks() as u16,
                period_link_frames: cadence.period_link_frames() as u16,
            }),
            generation: count.breaks.wrapping_add(self.link.generation()).wrapping_add(self.generation),
        })
    }
}
