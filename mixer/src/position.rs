//! From the position of a bus to the position of a voice, in exact fractions.

use audioback::card::{LinkPosition, PositionLock};
use hyper::Nanos;

use crate::layout::Layout;

/// Ticks of the controller's wall clock in a frame of the link, and their rate (HDA specification 1.0a, 3.3.16 and 5.4.1).
pub(crate) const TICKS_PER_LINK_FRAME: u64 = 500;
const WALL_CLOCK_HZ: u64 = 24_000_000;

/// The rounding of a time and of a frame's length adds this to the bound of a bus, in nanoseconds.
const ROUNDING_NS: u32 = 2;

/// The places of a voice's frames on its bus.
///
/// Frame `base_frames + k` is at the link with bus frame `start + k * bus_rate / rate - before`: see [`frames_at`](Self::frames_at).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    rate_hz: u32,
    bus_hz: u32,
    /// The voice's frame at the origin.
    base_frames: u64,
    /// The bus frame from which on the voice goes on after a gap.
    start: u64,
    /// The bus frame from which on the voice goes on after a pause. Without a gap what was mixed before it is still heard then.
    resumed: u64,
    /// Bus frames from the origin to `start`: those before the last pause.
    before: u64,
    /// Bus frames from the origin to the end of what is mixed or recorded.
    done: u64,
}

impl Timeline {
    pub(crate) fn new(voice: &Layout, bus: &Layout) -> Self {
        let (rate_hz, bus_hz) = (voice.rate_hz, bus.rate_hz);
        Self { rate_hz, bus_hz, base_frames: 0, start: 0, resumed: 0, before: 0, done: 0 }
    }

    /// Sets the origin: frame `base_frames` is at the link with bus frame `start`.
    pub(crate) fn begin(&mut self, start: u64, base_frames: u64) {
        *self = Self { base_frames, start, resumed: start, before: 0, done: 0, ..*self };
    }

    /// Goes on with bus frame `start` after a pause.
    pub(crate) fn resume(&mut self, start: u64) {
        self.resumed = start;
        if start != self.next() {
            self.start = start;
            self.before = self.done;
        }
    }

    /// Notes bus frames as mixed or recorded.
    pub(crate) fn advance(&mut self, bus_frames: u64) {
        self.done = self.done.saturating_add(bus_frames);
    }

    /// The bus frame that is to be mixed or recorded next.
    pub(crate) fn next(&self) -> u64 {
        self.start.saturating_add(self.done.saturating_sub(self.before))
    }

    pub(crate) fn base_frames(&self) -> u64 {
        self.base_frames
    }

    /// Bus frames from the origin to the end of what is mixed or recorded.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// Bus frames from the origin to bus frame `frame`.
    fn since_origin(&self, frame: u64) -> u64 {
        self.before.saturating_add(frame.saturating_sub(self.start))
    }

    /// The voice's frames after so many bus frames from the origin, and what is left of them in units of `1 / bus_hz` frames.
    fn frames_after(&self, bus_frames: u64) -> (u64, u64) {
        let product = u128::from(bus_frames).saturating_mul(self.rate_hz.into());
        let frames = product.checked_div(self.bus_hz.into()).unwrap_or_default();
        let rest = product.checked_rem(self.bus_hz.into()).unwrap_or_default();
        let frames = u64::try_from(frames).unwrap_or(u64::MAX);
        // The rest is below a rate.
        (self.base_frames.saturating_add(frames), rest as u64)
    }

    /// The voice's frames that have passed when the bus is at frame `frame`. `None`: the voice has not gone on yet after a gap.
    pub(crate) fn frames_at(&self, frame: u64) -> Option<u64> {
        (frame >= self.start).then(|| self.frames_after(self.since_origin(frame)).0)
    }

    /// The voice's frames that are mixed or recorded, those begun left out.
    pub(crate) fn frames_done(&self) -> u64 {
        self.frames_after(self.done).0
    }

    /// The voice's position at the link, by that of its bus. A voice that doesn't run is at its last mixed frame.
    pub(crate) fn link(&self, bus: &LinkPosition, is_running: bool) -> LinkPosition {
        // It was told to be at its last mixed frame, and doesn't go back.
        let after = if is_running { self.since_origin(bus.link_frames.max(self.resumed)) } else { self.done };
        let (link_frames, rest) = self.frames_after(after);
        let bus_frame = self.start.saturating_add(after.saturating_sub(self.before));
        let apart = i128::from(bus_frame).saturating_sub(bus.link_frames.into());
        // A rest of `rest / bus_hz` frames, each `bus_hz / rate_hz` bus frames long.
        let span_q32 = apart
            .saturating_mul(self.rate_hz.into())
            .saturating_sub(rest.into())
            .saturating_mul(bus.ns_per_frame_q32.into())
            .checked_div(self.rate_hz.into())
            .unwrap_or_default();
        let time_ns = i128::from(bus.time.0).saturating_add(span_q32 >> 32).max(0);
        let ns_per_frame_q32 = self.scaled(bus.ns_per_frame_q32.into(), self.bus_hz, self.rate_hz);
        // A pause can end within a frame of the voice. Until it goes on, the frame that is begun doesn't pass.
        let begun_ns =
            if bus.link_frames < self.resumed && rest > 0 { (ns_per_frame_q32 >> 32) as u32 } else { 0 };
        LinkPosition {
            link_frames,
            time: Nanos(u64::try_from(time_ns).unwrap_or(u64::MAX)),
            ns_per_frame_q32,
            error_ns: bus.error_ns.saturating_add(ROUNDING_NS).saturating_add(begun_ns),
            codec_delay_frames: u32::try_from(self.scaled(
                bus.codec_delay_frames.into(),
                self.rate_hz,
                self.bus_hz,
            ))
            .unwrap_or(u32::MAX),
            // The steps of the link are those of the bus's frames.
            cadence: bus.cadence.filter(|_| self.rate_hz == self.bus_hz && apart == 0),
            ..*bus
        }
    }

    fn scaled(&self, value: u128, times: u32, by: u32) -> u64 {
        let scaled = value.saturating_mul(times.into()).checked_div(by.into()).unwrap_or_default();
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// When a frame of a bus is at the link, by the position of the bus.
pub(crate) fn time_of(bus: &LinkPosition, frame: u64) -> Nanos {
    let apart = i128::from(frame).saturating_sub(bus.link_frames.into());
    let span_ns = apart.saturating_mul(bus.ns_per_frame_q32.into()) >> 32;
    let time_ns = i128::from(bus.time.0).saturating_add(span_ns).max(0);
    Nanos(u64::try_from(time_ns).unwrap_or(u64::MAX))
}

/// The tick of the wall clock at which a frame of a bus is at the link. Without a cadence, to the nearest tick below.
pub(crate) fn tick_of(bus: &LinkPosition, bus_hz: u32, frame: u64) -> u64 {
    let ticks = match bus.cadence {
        Some(cadence) => {
            let block = frame.checked_div(cadence.block_frames.into()).unwrap_or_default();
            u128::from(block)
                .saturating_mul(cadence.period_link_frames.into())
                .checked_div(cadence.period_blocks.into())
                .unwrap_or_default()
                .saturating_mul(TICKS_PER_LINK_FRAME.into())
        }
        None => u128::from(frame)
            .saturating_mul(WALL_CLOCK_HZ.into())
            .checked_div(bus_hz.into())
            .unwrap_or_default(),
    };
    bus.start_wall_ticks.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX))
}

/// Ticks in which so many frames of a bus pass the link, to the nearest tick towards 0. `None`: its cadence isn't known.
pub(crate) fn ticks_of_frames(bus: &LinkPosition, frames: i128) -> Option<i128> {
    let cadence = bus.cadence?;
    let period_frames = u64::from(cadence.period_blocks).saturating_mul(cadence.block_frames.into());
    let period_ticks = u64::from(cadence.period_link_frames).saturating_mul(TICKS_PER_LINK_FRAME);
    frames.saturating_mul(period_ticks.into()).checked_div(period_frames.into())
}

/// Frames that a rate has in so many ticks of the wall clock, to the nearest.
pub(crate) fn frames_in_ticks(ticks: u64, rate_hz: u32) -> u64 {
    let parts = u128::from(ticks).saturating_mul(rate_hz.into());
    let frames = parts.saturating_add(u128::from(WALL_CLOCK_HZ / 2)).checked_div(WALL_CLOCK_HZ.into());
    u64::try_from(frames.unwrap_or_default()).unwrap_or(u64::MAX)
}

/// The first frame of a bus that isn't at the link before this tick. `None`: its link frames aren't known.
pub(crate) fn frame_at_tick(bus: &LinkPosition, tick: u64) -> Option<u64> {
    let cadence = bus.cadence?;
    let link_frames = tick.saturating_sub(bus.start_wall_ticks).div_ceil(TICKS_PER_LINK_FRAME);
    let blocks = u128::from(link_frames)
        .saturating_mul(cadence.period_blocks.into())
        .checked_div(cadence.period_link_frames.into())?;
    let is_whole = u128::from(link_frames)
        .saturating_mul(cadence.period_blocks.into())
        .checked_rem(cadence.period_link_frames.into())?
        == 0;
    let blocks = blocks.saturating_add(u128::from(!is_whole));
    u64::try_from(blocks).ok()?.checked_mul(cadence.block_frames.into())
}

/// Frame 0 of a voice at the link, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begun {
    known: Option<(Nanos, u64)>,
    /// Later looks do not improve it.
    is_final: bool,
}

impl Begun {
    /// A begin that is known for good.
    pub(crate) fn at(time: Nanos, wall_ticks: u64) -> Self {
        Self { known: Some((time, wall_ticks)), is_final: true }
    }

    /// Takes what is known as final.
    pub(crate) fn keep(&mut self) {
        self.is_final = self.known.is_some();
    }

    /// Puts the begin at bus frame `frame` into a voice's position.
    pub(crate) fn tell(&mut self, bus: &LinkPosition, bus_hz: u32, frame: u64, link: &mut LinkPosition) {
        if !self.is_final {
            self.known = Some((time_of(bus, frame), tick_of(bus, bus_hz, frame)));
            self.is_final = bus.lock == PositionLock::Locked;
        }
        if let Some((time, wall_ticks)) = self.known {
            link.start_time = time;
            link.start_wall_ticks = wall_ticks;
        }
    }
}
