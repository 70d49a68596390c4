//! Starting several streams in the same link frame (specification 1.0a, 3.3.17 and 4.5.5).

#![allow(
    clippy::result_large_err,
    clippy::type_complexity,
    reason = "a failed step returns the stream by value, as there is no heap; the types name the states"
)]

use crate::timer::Timer;

use super::error::Refused;
use super::start::{LinkTime, LinkedStart, Start, StartMethod, release_held};
use super::state::{Configured, Running, Stream};
use crate::dma::{DmaBuffer, DmaRegion};
use crate::position::Bracket;
use crate::registers::Registers;

/// Releases [armed](Stream::arm) streams of *one* controller.
///
/// With SSYNC they start in the same link frame, otherwise one right after the other. `time`
/// determines the link frame. [`Stream::start`] then returns each as running. Returns `None`,
/// without any effect, if a stream isn't armed.
pub fn release_together<B, R, D, G>(
    streams: &mut [&mut Stream<Configured<B, R, D, G>>],
    time: Option<&dyn LinkTime>,
) -> Option<LinkedStart>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    let mut fifos_ready = true;
    let mut bits = 0;
    for stream in streams.iter() {
        let Start::Armed { fifo_ready } = stream.state.phase else { return None };
        fifos_ready &= fifo_ready;
        bits |= stream.state.loaded.descriptor.bit();
    }
    let first = &streams.first()?.state.loaded.descriptor;
    let (ssync, mut registers, mut delay) = (first.ssync, first.registers.clone(), first.delay.clone());
    let start = release_held(ssync, (&mut registers, &mut delay), bits, fifos_ready, time, &mut || {
        for stream in streams.iter_mut() {
            stream.state.loaded.run();
        }
    });
    for stream in streams.iter_mut() {
        stream.state.phase = Start::Gone(start);
    }
    Some(start)
}

/// Streams of one controller, configured and running.
type Started<B, R, D, G, const N: usize> = ([Stream<Running<B, R, D, G>>; N], LinkedStart);

/// Starts streams of *one* controller together, with SSYNC in the same link frame.
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
/// [`Refused`], with all streams unchanged, if one has run before and its reset doesn't end.
pub fn start_together<B, R, D, G, const N: usize>(
    mut streams: [Stream<Configured<B, R, D, G>>; N],
) -> Result<Started<B, R, D, G, N>, Refused<[Stream<Configured<B, R, D, G>>; N]>>
where
    B: DmaBuffer,
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    for at in 0..N {
        let Some(stream) = streams.get_mut(at) else { break };
        if let Err(deadline) = stream.arm() {
            for stream in &mut streams {
                // A stream that doesn't stop reports it again at its release.
                let _ = stream.disarm();
            }
            return Err(Refused { stream: streams, deadline });
        }
    }
    // All are armed. An empty list has no result.
    let start = release_together(&mut streams.each_mut(), None).unwrap_or(LinkedStart {
        method: StartMethod::BackToBack,
        wall_clock: Bracket { before: 0, after: 0 },
        is_extended: false,
        fifos_ready: true,
    });
    Ok((streams.map(|stream| stream.running(&start)), start))
}
