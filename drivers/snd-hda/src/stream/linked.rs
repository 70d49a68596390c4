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
use crate::position::Bracket;
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

/// The wall clock by another clock, which is read in no time: registers may be slow.
pub trait LinkTime {
    /// What the wall clock reads now, extended to 64 bits from the controller's reset on, at least and at most, as a
    /// [`LinkClock`](crate::LinkClock) tells it. With it the link frame is known in which a stream starts: they begin at multiples of
    /// 500, but how often 32 bits have wrapped can't be read. `None` if it isn't known.
    fn wall_ticks(&self) -> Option<Bracket>;
}

/// What is known of a linked start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkedStart {
    /// How.
    pub method: StartMethod,
    /// Wall clock before and after the write (the first and the last of them, back to back) that let the streams go: extended to 64 bits
    /// from the controller's reset on where that is known, else from its low half. Synchronized streams start at a multiple of 500 ticks,
    /// the first one after the write.
    pub wall_clock: Bracket,
    is_extended: bool,
    /// Every output had its FIFO filled. If not, it may have started with an underrun.
    pub fifos_ready: bool,
}

impl LinkedStart {
    /// Whether all of it is known to have begun with the next link frame.
    pub fn is_synchronized(&self) -> bool {
        self.fifos_ready && matches!(self.method, StartMethod::Synchronized { .. })
    }

    /// Whether it is known how often the wall clock had wrapped.
    pub fn is_extended(&self) -> bool {
        self.is_extended
    }

    /// As it read before.
    pub(super) fn wall_clock_low(&self) -> u32 {
        // Cut off on purpose: the low half.
        self.wall_clock.before as u32
    }

    /// The readings, near to `near` if nobody knows how often the wall clock had wrapped.
    pub(super) fn bracket(&self, near: Option<u64>) -> Bracket {
        let Bracket { before, after } = self.wall_clock;
        let Some(near) = near.filter(|_| !self.is_extended) else { return self.wall_clock };
        // Cut off on purpose: that is all there is of it.
        let extended = extended(near, before as u32);
        Bracket { before: extended, after: extended.saturating_add(after.saturating_sub(before)) }
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
    /// Does all of a start that takes time, so that [`release_together`] can start several at once.
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
/// one right after the other; by `time` it is known in which. They run from here on; [`Stream::start`] makes them say so. `None` if one
/// isn't armed: then nothing is done.
pub fn release_together<B, R, D, G>(
    streams: &mut [&mut Stream<Configured<B, R, D, G>>],
    time: Option<&dyn LinkTime>,
) -> Option<LinkedStart>
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
    let (ssync, mut registers, mut delay) = (first.ssync, first.registers.clone(), first.delay.clone());
    let start = release(ssync, (&mut registers, &mut delay), bits, fifos_ready, time, &mut || {
        for stream in streams.iter_mut() {
            stream.state.loaded.run();
        }
    });
    for stream in streams.iter_mut() {
        stream.state.start = Start::Gone(start);
    }
    Some(start)
}

/// Clears bits of SSYNC, or else sets RUN by `run`, at a time that is known.
fn release<R: Registers, D: DelayNs>(
    ssync: Option<Register<u32, ReadWrite>>,
    (registers, delay): (&mut R, &mut D),
    bits: u32,
    fifos_ready: bool,
    time: Option<&dyn LinkTime>,
    run: &mut dyn FnMut(),
) -> LinkedStart {
    let near = time.and_then(LinkTime::wall_ticks).map(|now| now.before);
    // Everything that takes time comes before this or after what follows it.
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

/// Waits until `time` says that it is early in a link frame, at most: the first may end while the host does something else.
const WAITS: u32 = 4;

/// Does `write`, which takes effect at the end of the link frame that it falls into, where it is sure which that is: early in one,
/// by `time`. Returns between what the wall clock was; `near` is a recent reading of it, extended.
///
/// Reading the wall clock may take several link frames. So `time` tells more than the readings, if it was held to many of them.
pub(super) fn at_link_frame<R: Registers, D: DelayNs>(
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
        let ticks = tell().map_or(0, Bracket::ticks_until_early);
        if ticks == 0 {
            break;
        }
        // 24 ticks in 1000 ns; less than a link frame.
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

/// The reading with 64 bits that is nearest to `near`.
fn extended(near: u64, wall_clock: u32) -> u64 {
    // Cut off on purpose: the low half.
    let ahead = wall_clock.wrapping_sub(near as u32).cast_signed();
    near.saturating_add_signed(ahead.into())
}

impl<B: DmaBuffer, R: Registers + Clone, D: DelayNs + Clone, G: DmaRegion> Loaded<B, R, D, G> {
    /// Lets this one go, which [`run_held`](Self::run_held) has held.
    pub(super) fn let_go(&mut self, fifo_ready: bool, time: Option<&dyn LinkTime>) -> LinkedStart {
        let (registers, delay) = (&mut self.descriptor.registers.clone(), &mut self.descriptor.delay.clone());
        let (ssync, bits) = (self.descriptor.ssync, self.descriptor.bit());
        release(ssync, (registers, delay), bits, fifo_ready, time, &mut || self.run())
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
    let start = release_together(&mut streams.each_mut(), None).unwrap_or(LinkedStart {
        method: StartMethod::BackToBack,
        wall_clock: Bracket { before: 0, after: 0 },
        is_extended: false,
        fifos_ready: true,
    });
    Ok((streams.map(|stream| stream.running(&start)), start))
}
