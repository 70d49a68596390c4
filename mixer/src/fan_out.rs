//! One turn of a capture bus: what has arrived goes to each voice.

use audioback::card::{Card, CardError, StreamPosition};
use hyper::SampleMemory;

use crate::backing::Backing;
use crate::bus::Bus;
use crate::scratch::Scratch;
use crate::table::Table;

/// Copies what the hardware has recorded to all voices that run. Returns the bus's position.
///
/// # Errors
/// The bus doesn't run any more.
pub(crate) fn advance<C, B, R>(
    card: &mut C,
    bus: &mut Bus<C::Stream>,
    index: usize,
    voices: &mut Table<C::Stream, B>,
    scratch: &mut Scratch,
) -> Result<StreamPosition, CardError>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    let position = bus.look::<Backing<B, R>, C>(card)?;
    let Bus { stream, track } = bus;
    let Some(Backing::Bus(ring)) = card.buffer(stream) else { return Err(CardError::Hardware) };
    let passed = track.cycle.frames_in(position.bytes).max(track.passed);
    if let Some(meter) = &mut track.meter {
        meter.measure(ring, (&track.layout, &track.cycle), track.passed, passed, &mut scratch.work);
    }
    track.passed = passed;
    for voice in voices.voices_mut().filter(|voice| voice.records_from(index)) {
        voice.record(ring, &track.cycle, track.passed, &mut scratch.work);
    }
    Ok(position)
}
