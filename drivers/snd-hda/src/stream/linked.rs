//! Starting several streams in the same link frame (specification 1.0a, 3.3.17 and 4.5.5).

#![allow(
    clippy::result_large_err,
    clippy::type_complexity,
    reason = "a step that fails gives the stream back, by value: there is no heap; the types are the states' names"
)]

use embedded_hal::delay::DelayNs;

use super::error::Refused;
use super::loaded::Loaded;
use super::state::{Configured, Running, Stream};
use crate::deadline::Deadline;
use crate::dma::{DmaBuffer, DmaRegion};
use crate::position::{Bracket, TICKS_PER_LINK_FRAME};
use crate::registers::{ReadWrite, Register, Registers};
use crate::spec::registers as reg;

/// How streams were started together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartMethod {
    /// Held back by SSYNC and let go by one write: all in the same link frame.
    Synchronized {
        /// Where SSYNC was found: 0x38, or 0x34 on ICH6 to ICH10.
        ssync_offset_bytes: u16,
    },
    /// The controller has no SSYNC: RUN was set one after the other.
    BackToBack,
}

/// What is known of a linked start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkedStart {
    /// How.
    pub method: StartMethod,
    /// Wall clock before the write (the first of them, back to back) that let the streams go.
    pub wall_clock_before: u32,
    /// Wall clock after it (the last of them). Synchronized streams start at a multiple of 500 ticks, the first one
    /// after the write.
    pub wall_clock_after: u32,
    /// Every output had its FIFO filled. If not, it may have started with an underrun.
    pub fifos_ready: bool,
}

impl LinkedStart {
    /// Whether all of it is known to have begun with the next link frame.
    pub fn is_synchronized(&self) -> bool {
        self.fifos_ready && matches!(self.method, StartMethod::Synchronized { .. })
    }

    /// The readings, extended: the first is the one that is nearest to `near`, if something is.
    pub(super) fn bracket(&self, near: Option<u64>) -> Bracket {
        let before =
            near.map_or(self.wall_clock_before.into(), |near| extended(near, self.wall_clock_before));
        let after = before.saturating_add(self.wall_clock_after.wrapping_sub(self.wall_clock_before).into());
        Bracket { before, after }
    }
}

/// How far a start has got.
#[derive(Clone, Copy, Default)]
pub(super) enum Start {
    /// Nothing is done.
    #[default]
    Idle,
    /// All that takes time is done. Where the controller has SSYNC, RUN is set, an output's FIFO is filled (or hasn't
    /// become so in time), and SSYNC holds the stream back. Elsewhere RUN is yet to be set.
    Armed { fifo_ready: bool },
    /// It has been let go.
    Gone(LinkedStart),
}

impl<B, R, D, G> Stream<Configured<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Does all of a start that takes time, so that [`let_go`] can start several at once.
    ///
    /// # Errors
    /// [`Deadline`] when the stream has run before and its reset doesn't end.
    pub fn arm(&mut self) -> Result<(), Deadline> {
        let Configured { loaded, start } = &mut self.state;
        if matches!(start, Start::Armed { .. }) && !loaded.is_kept() {
            *start = Start::Idle;
        }
        if matches!(start, Start::Idle) {
            loaded.refresh()?;
            *start = Start::Armed { fifo_ready: loaded.run_held() };
        }
        Ok(())
    }

    /// Goes back to before [`arm`](Self::arm).
    ///
    /// # Errors
    /// [`Deadline`] if RUN doesn't read back 0.
    pub fn disarm(&mut self) -> Result<(), Deadline> {
        let Configured { loaded, start } = &mut self.state;
        if !matches!(start, Start::Idle) {
            loaded.descriptor.stop()?;
            loaded.descriptor.hold(false);
            *start = Start::Idle;
        }
        Ok(())
    }
}

/// Lets streams of *one* controller go that have been [armed](Stream::arm): in the same link frame where it has SSYNC, elsewhere
/// one right after the other. They run from here on; [`Stream::start`] makes them say so. `None` if one isn't armed: then
/// nothing is done.
pub fn let_go<B, R, D, G>(streams: &mut [&mut Stream<Configured<B, R, D, G>>]) -> Option<LinkedStart>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    let mut fifos_ready = true;
    let mut bits = 0;
    for stream in streams.iter() {
        let Start::Armed { fifo_ready } = stream.state.start else { return None };
        fifos_ready &= fifo_ready;
        bits |= stream.state.loaded.descriptor.bit();
    }
    let first = &streams.first()?.state.loaded.descriptor;
    let (ssync, mut registers) = (first.ssync, first.registers.clone());
    let near = first.wall_ticks;
    let start = release(ssync, &mut registers, bits, fifos_ready, near, || {
        for stream in streams.iter_mut() {
            stream.state.loaded.run();
        }
    });
    for stream in streams.iter_mut() {
        stream.state.start = Start::Gone(start);
    }
    Some(start)
}

/// Clears bits of SSYNC, or else sets RUN by `run`, between two readings of the wall clock.
fn release<R: Registers>(
    ssync: Option<Register<u32, ReadWrite>>,
    registers: &mut R,
    bits: u32,
    fifos_ready: bool,
    near: Option<u64>,
    run: impl FnOnce(),
) -> LinkedStart {
    let held = ssync.map_or(0, |ssync| ssync.read(registers));
    // Everything that takes time comes before this or after what follows it.
    let wall_clock_before = match near {
        Some(near) => early_in_link_frame(near, registers),
        None => reg::WALCLK.read(registers),
    };
    let method = if let Some(ssync) = ssync {
        ssync.write(registers, held & !bits);
        StartMethod::Synchronized { ssync_offset_bytes: ssync.offset_bytes() }
    } else {
        run();
        StartMethod::BackToBack
    };
    let wall_clock_after = reg::WALCLK.read(registers);
    LinkedStart { method, wall_clock_before, wall_clock_after, fifos_ready }
}

/// Ticks into a link frame from which on it is too late for a write that must fall into it: 12 us are left.
const LATE_TICKS: u64 = 200;
/// Readings until such a time is given up: the 12 us have passed after so many, even if one takes no more than 50 ns.
const READINGS: u32 = 256;

/// Waits until a write is sure to fall into the link frame that the wall clock shows, so that what it does happens at that one's end
/// and no other. Returns the wall clock then. `near` is a reading of it, extended, not long ago.
pub(super) fn early_in_link_frame<R: Registers>(near: u64, registers: &mut R) -> u32 {
    let mut wall_clock = reg::WALCLK.read(registers);
    for _ in 0..READINGS {
        if extended(near, wall_clock).checked_rem(TICKS_PER_LINK_FRAME).is_none_or(|into| into < LATE_TICKS) {
            break;
        }
        wall_clock = reg::WALCLK.read(registers);
    }
    wall_clock
}

/// The reading with 64 bits that is nearest to `near`.
fn extended(near: u64, wall_clock: u32) -> u64 {
    // Cut off on purpose: the low half.
    let ahead = wall_clock.wrapping_sub(near as u32).cast_signed();
    near.saturating_add_signed(ahead.into())
}

impl<B: DmaBuffer, R: Registers + Clone, D: DelayNs, G: DmaRegion> Loaded<B, R, D, G> {
    /// Lets this one go, which [`run_held`](Self::run_held) has held.
    pub(super) fn let_go(&mut self, fifo_ready: bool) -> LinkedStart {
        let (ssync, mut registers) = (self.descriptor.ssync, self.descriptor.registers.clone());
        let bits = self.descriptor.bit();
        let near = self.descriptor.wall_ticks;
        release(ssync, &mut registers, bits, fifo_ready, near, || self.run())
    }
}

/// Streams of one controller, configured and running.
type Started<B, R, D, G, const N: usize> = ([Stream<Running<B, R, D, G>>; N], LinkedStart);

/// Starts streams of *one* controller together, in the same link frame where it has SSYNC.
///
/// ```
/// # use snd_hda_model::{Bench, Codec, DmaAccess, Profile};
/// use snd_hda::stream::{StartMethod, start_together};
/// # use snd_hda::{Controller, Direction, DmaBuffer, Format, RouteIndex, SampleBits};
/// # struct Pages([u64; 1]);
/// # impl DmaBuffer for Pages {
/// #     fn page_addresses(&self) -> &[u64] { &self.0 }
/// #     fn size_bytes(&self) -> u32 { 4096 }
/// # }
/// # let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
/// # let (mut memory, format) = (model.memory(), Format::new(48_000, SampleBits::Bits16, 2)?);
/// # let mut controller = Controller::bring_up(model.registers(), &mut memory, model.delay())?;
/// # let mut configured = |route, direction| {
/// #     let page = memory.allocate_page().0;
/// #     memory.allow_dma(page, DmaAccess::ReadWrite);
/// #     let stream = controller.take_stream(direction).ok_or("taken")?;
/// #     let stream = stream.configure(format, Pages([page])).map_err(|rejected| rejected.error)?;
/// #     controller.connect(RouteIndex(route), &stream)?;
/// #     Ok::<_, Box<dyn std::error::Error>>(stream)
/// # };
/// # let (playback, capture) = (configured(0, Direction::Output)?, configured(1, Direction::Input)?);
/// // Both configured and connected.
/// let ([playback, capture], start) =
///     start_together([playback, capture]).map_err(|refused| refused.deadline)?;
/// assert_eq!(start.method, StartMethod::Synchronized { ssync_offset_bytes: 0x38 });
/// # drop((playback, capture));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Refused`], with all streams as they were, when one has run before and its reset doesn't end.
pub fn start_together<B, R, D, G, const N: usize>(
    mut streams: [Stream<Configured<B, R, D, G>>; N],
) -> Result<Started<B, R, D, G, N>, Refused<[Stream<Configured<B, R, D, G>>; N]>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    for at in 0..N {
        let Some(stream) = streams.get_mut(at) else { break };
        if let Err(deadline) = stream.arm() {
            for stream in &mut streams {
                // One that doesn't stop says so again when it is released.
                let _ = stream.disarm();
            }
            return Err(Refused { stream: streams, deadline });
        }
    }
    // All are armed; of none at all there is nothing to tell.
    let start = let_go(&mut streams.each_mut()).unwrap_or(LinkedStart {
        method: StartMethod::BackToBack,
        wall_clock_before: 0,
        wall_clock_after: 0,
        fifos_ready: true,
    });
    Ok((streams.map(|stream| stream.running(&start)), start))
}
