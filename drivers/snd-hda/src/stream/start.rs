//! Starts at a known time: the link frame in which streams begin or end.

use crate::timer::Timer;

use super::loaded::Loaded;
use crate::dma::{DmaBuffer, DmaRegion};
use crate::position::Bracket;
use crate::registers::{ReadWrite, Register, Registers};
use crate::spec::registers as reg;

/// Method of a linked start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StartMethod {
    /// SSYNC held the streams, and one write released them in the same link frame.
    Synchronized {
        /// Offset of SSYNC: 0x38, or 0x34 on ICH6 to ICH10.
        ssync_offset_bytes: u16,
    },
    /// Without SSYNC, RUN was set one after the other.
    BackToBack,
}

/// The wall clock derived from another clock that is fast to read; registers may be slow.
pub trait LinkTime {
    /// Bounds of the wall clock now, extended to 64 bits from the controller's reset on, as from a
    /// [`LinkClock`](crate::LinkClock).
    ///
    /// They identify the link frame of a start: link frames begin at multiples of 500. The count
    /// of 32-bit wraps can't be read. `None` if unknown.
    fn wall_ticks(&self) -> Option<Bracket>;

    /// Ticks to wait at this reading before a write that takes effect with the next link frame. 0: now.
    ///
    /// By default any link frame will do.
    fn ticks_until_write(&self, now: Bracket) -> u64 {
        now.ticks_until_early(1)
    }
}

impl<T: LinkTime + ?Sized> LinkTime for &T {
    fn wall_ticks(&self) -> Option<Bracket> {
        (**self).wall_ticks()
    }

    fn ticks_until_write(&self, now: Bracket) -> u64 {
        (**self).ticks_until_write(now)
    }
}

/// The result of a linked start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkedStart {
    /// The method.
    pub method: StartMethod,
    /// Wall clock before and after the write that released the streams, or the first and last of
    /// several, back to back.
    ///
    /// It is extended to 64 bits from the controller's reset on if that is known, else from its
    /// low half. Synchronized streams start at the first multiple of 500 ticks after the write.
    pub wall_clock: Bracket,
    pub(super) is_extended: bool,
    /// Every output's FIFO was full. If not, an output may have started with an underrun.
    pub fifos_ready: bool,
}

impl LinkedStart {
    /// Whether everything is known to have begun with the next link frame.
    pub fn is_synchronized(&self) -> bool {
        self.fifos_ready && matches!(self.method, StartMethod::Synchronized { .. })
    }

    /// Whether the number of wall clock wraps is known.
    pub fn is_extended(&self) -> bool {
        self.is_extended
    }

    /// The reading before the write.
    pub(super) fn wall_clock_low(&self) -> u32 {
        // Truncation is intended: the low half.
        self.wall_clock.before as u32
    }

    /// The readings, close to `near` if the number of wall clock wraps is unknown.
    pub(super) fn bracket(&self, near: Option<u64>) -> Bracket {
        let Bracket { before, after } = self.wall_clock;
        let Some(near) = near.filter(|_| !self.is_extended) else { return self.wall_clock };
        // Truncation is intended: only the low half is known.
        let extended = extended(near, before as u32);
        Bracket { before: extended, after: extended.saturating_add(after.saturating_sub(before)) }
    }
}

/// Progress of a start.
#[derive(Clone, Copy, Default)]
pub enum Start {
    /// Not begun.
    #[default]
    Idle,
    /// All slow steps are done. With SSYNC, RUN is set and SSYNC holds the stream. An output's FIFO is
    /// full or has timed out. Without SSYNC, RUN is not yet set.
    Armed { fifo_ready: bool },
    /// The stream was released.
    Gone(LinkedStart),
}

/// Clears bits of SSYNC, or else sets RUN by `run`, at a known time.
pub(super) fn release_held<R: Registers, D: Timer>(
    ssync: Option<Register<u32, ReadWrite>>,
    (registers, delay): (&mut R, &mut D),
    bits: u32,
    fifos_ready: bool,
    time: Option<&dyn LinkTime>,
    run: &mut dyn FnMut(),
) -> LinkedStart {
    let near = time.and_then(LinkTime::wall_ticks).map(|now| now.before);
    // All slow work comes before this or after the next steps.
    let held = ssync.map_or(0, |ssync| ssync.read(registers));
    let wall_clock = at_link_frame(registers, delay, near, time, &mut |registers| match ssync {
        Some(ssync) => ssync.write(registers, held & !bits),
        None => run(),
    });
    let method = match ssync {
        Some(ssync) => StartMethod::Synchronized { ssync_offset_bytes: ssync.offset_bytes() },
        None => StartMethod::BackToBack,
    };
    LinkedStart { method, wall_clock, is_extended: near.is_some(), fifos_ready }
}

/// Maximum number of waits for `time` to be early in a link frame: the host may delay the first.
const WAITS: u32 = 4;

/// Does `write`, which takes effect at the end of its link frame, early in a link frame.
///
/// With `time`, that link frame is known for sure.
/// Returns bounds of the wall clock at the write; `near` is a recent extended reading.
///
/// Reading the wall clock may take several link frames. A `time` compared with many readings is
/// more precise.
pub(super) fn at_link_frame<R: Registers, D: Timer>(
    registers: &mut R,
    delay: &mut D,
    near: Option<u64>,
    time: Option<&dyn LinkTime>,
    write: &mut dyn FnMut(&mut R),
) -> Bracket {
    let tell = || time.and_then(LinkTime::wall_ticks);
    let read = reg::WALCLK.read(registers);
    let before = near.map_or(read.into(), |near| extended(near, read));
    for _ in 0..WAITS {
        let ticks = time.and_then(|time| Some(time.ticks_until_write(time.wall_ticks()?))).unwrap_or(0);
        if ticks == 0 {
            break;
        }
        // 24 ticks in 1000 ns; 640 link frames at most.
        delay.delay_ns((ticks.saturating_mul(125) / 3) as u32);
    }
    let earliest = tell();
    write(registers);
    let latest = tell();
    let passed = reg::WALCLK.read(registers).wrapping_sub(read);
    let bracket = Bracket { before, after: before.saturating_add(passed.into()) };
    match (earliest, latest) {
        (Some(earliest), Some(latest)) => bracket.around_write(earliest, latest),
        _ => bracket,
    }
}

/// The 64-bit reading nearest to `near`.
fn extended(near: u64, wall_clock: u32) -> u64 {
    // Truncation is intended: the low half.
    let ahead = wall_clock.wrapping_sub(near as u32).cast_signed();
    near.saturating_add_signed(ahead.into())
}

impl<B: DmaBuffer, R: Registers + Clone, D: Timer + Clone, G: DmaRegion> Loaded<B, R, D, G> {
    /// Releases this stream, held by [`run_held`](Self::run_held).
    pub(super) fn release_held(&mut self, fifo_ready: bool, time: Option<&dyn LinkTime>) -> LinkedStart {
        let (registers, delay) = (&mut self.descriptor.registers.clone(), &mut self.descriptor.delay.clone());
        let (ssync, bits) = (self.descriptor.ssync, self.descriptor.bit());
        release_held(ssync, (registers, delay), bits, fifo_ready, time, &mut || self.run())
    }
}
