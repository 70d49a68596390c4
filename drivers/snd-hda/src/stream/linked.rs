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
use crate::dma::{Direction, DmaBuffer, DmaRegion};
use crate::registers::Registers;
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

/// Ready to go: all that takes time is done, so that [`let_go`] can start several at once.
///
/// Where the controller has SSYNC, RUN is set, an output's FIFO is filled, and SSYNC holds the stream back. Elsewhere RUN
/// is yet to be set.
pub struct Armed<B: DmaBuffer, R: Registers, D: DelayNs, G: DmaRegion> {
    loaded: Loaded<B, R, D, G>,
    fifo_ready: bool,
    /// Once it has been let go.
    start: Option<LinkedStart>,
}

impl<B, R, D, G> Stream<Configured<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Gets everything ready for a start at the buffer's first frame, by [`let_go`].
    ///
    /// # Errors
    /// [`Refused`] when the stream has run before and its reset doesn't end.
    pub fn arm(mut self) -> Result<Stream<Armed<B, R, D, G>>, Refused<Self>> {
        let loaded = &mut self.state.loaded;
        if let Err(deadline) = loaded.refresh() {
            return Err(Refused { stream: self, deadline });
        }
        let fifo_ready = loaded.run_held();
        Ok(Stream { state: Armed { loaded: self.state.loaded, fifo_ready, start: None } })
    }
}

impl<B, R, D, G> Stream<Armed<B, R, D, G>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Which way samples go.
    pub fn direction(&self) -> Direction {
        self.state.loaded.descriptor.direction
    }

    /// Goes back before the start.
    ///
    /// # Errors
    /// [`Refused`] if RUN doesn't read back 0.
    pub fn disarm(mut self) -> Result<Stream<Configured<B, R, D, G>>, Refused<Self>> {
        let stopped = self.state.loaded.descriptor.stop();
        self.state.loaded.descriptor.hold(false);
        match stopped {
            Ok(()) => Ok(Stream { state: Configured { loaded: self.state.loaded } }),
            Err(deadline) => Err(Refused { stream: self, deadline }),
        }
    }

    /// The stream as it runs: if [`let_go`] hasn't been called with it, it is let go alone.
    pub fn started(mut self) -> Stream<Running<B, R, D, G>> {
        let start = match self.state.start {
            Some(start) => start,
            None => let_go(&mut [&mut self]),
        };
        Stream::running(self.state.loaded, start)
    }
}

/// Lets streams of *one* controller go, in the same link frame where it has SSYNC; elsewhere one right after the other.
/// [`Stream::started`] has them afterwards.
pub fn let_go<B, R, D, G>(streams: &mut [&mut Stream<Armed<B, R, D, G>>]) -> LinkedStart
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    let fifos_ready = streams.iter().all(|stream| stream.state.fifo_ready);
    let bits = streams.iter().fold(0, |bits, stream| bits | stream.state.loaded.descriptor.bit());
    let ssync = streams.first().and_then(|stream| stream.state.loaded.descriptor.ssync);
    let mut registers = streams.first().map(|stream| stream.state.loaded.descriptor.registers.clone());
    let mut wall_clock = || registers.as_mut().map_or(0, |registers| reg::WALCLK.read(registers));
    let (method, before);
    if let Some(ssync) = ssync {
        method = StartMethod::Synchronized { ssync_offset_bytes: ssync.offset_bytes() };
        let Some(registers) = registers.as_mut() else {
            return LinkedStart { method, wall_clock_before: 0, wall_clock_after: 0, fifos_ready };
        };
        let held = ssync.read(registers);
        before = reg::WALCLK.read(registers);
        ssync.write(registers, held & !bits);
    } else {
        // Everything that takes time comes before the first RUN or after the last.
        method = StartMethod::BackToBack;
        before = wall_clock();
        for stream in streams.iter_mut() {
            stream.state.loaded.run();
        }
    }
    let after = registers.as_mut().map_or(0, |registers| reg::WALCLK.read(registers));
    let start = LinkedStart { method, wall_clock_before: before, wall_clock_after: after, fifos_ready };
    for stream in streams.iter_mut() {
        stream.state.start = Some(start);
    }
    start
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
        if let Err(deadline) = stream.state.loaded.refresh() {
            return Err(Refused { stream: streams, deadline });
        }
    }
    let mut armed = streams
        .map(|stream| Stream { state: Armed { loaded: stream.state.loaded, fifo_ready: true, start: None } });
    for stream in &mut armed {
        stream.state.fifo_ready = stream.state.loaded.run_held();
    }
    let start = let_go(&mut armed.each_mut());
    Ok((armed.map(Stream::started), start))
}
