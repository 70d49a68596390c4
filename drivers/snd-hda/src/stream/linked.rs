//! Starting several streams in the same link frame (specification 1.0a, 3.3.17 and 4.5.5).

#![allow(
    clippy::result_large_err,
    clippy::type_complexity,
    reason = "a step that fails gives the stream back, by value: there is no heap; the types are the states' names"
)]

use embedded_hal::delay::DelayNs;

use super::error::Refused;
use super::state::{Configured, Running, Stream};
use crate::dma::{DmaBuffer, DmaRegion};
use crate::registers::Registers;

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
    let bits = streams.iter().fold(0, |bits, stream| bits | stream.state.loaded.descriptor.bit());
    let mut fifos_ready = true;
    let mut let_go = (StartMethod::BackToBack, 0, 0);
    let ssync = streams.first().and_then(|stream| stream.state.loaded.descriptor.ssync);
    match (ssync, streams.first().map(|stream| stream.state.loaded.descriptor.registers.clone())) {
        (Some(ssync), Some(mut registers)) => {
            let held = ssync.read(&mut registers);
            ssync.write(&mut registers, held | bits);
            for stream in &mut streams {
                stream.state.loaded.run();
            }
            for stream in &mut streams {
                if let Err(deadline) = stream.state.loaded.descriptor.wait_fifo_ready() {
                    log::warn!("{deadline}");
                    fifos_ready = false;
                }
            }
            let before = crate::spec::registers::WALCLK.read(&mut registers);
            ssync.write(&mut registers, held & !bits);
            let after = crate::spec::registers::WALCLK.read(&mut registers);
            let method = StartMethod::Synchronized { ssync_offset_bytes: ssync.offset_bytes() };
            let_go = (method, before, after);
        }
        _ => {
            // Everything that takes time comes before the first RUN or after the last.
            if let Some(first) = streams.first_mut() {
                let_go.1 = first.state.loaded.descriptor.wall_clock();
            }
            for stream in &mut streams {
                stream.state.loaded.run();
            }
            if let Some(last) = streams.last_mut() {
                let_go.2 = last.state.loaded.descriptor.wall_clock();
            }
        }
    }
    let (method, wall_clock_before, wall_clock_after) = let_go;
    let started = LinkedStart { method, wall_clock_before, wall_clock_after, fifos_ready };
    Ok((streams.map(|stream| stream.into_running(wall_clock_before)), started))
}
