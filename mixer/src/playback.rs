//! One turn of a playback bus: what has passed goes to the monitors, what is next is mixed.

use audioback::card::{Card, CardError, StreamPosition};
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::{Bus, Track};
use crate::quantum;
use crate::scratch::{BLOCK_FRAMES, Scratch, head};
use crate::table::Table;

/// Mixes a bus up to `lead_frames` beyond what the hardware has fetched. Returns the bus's position.
///
/// # Errors
/// The bus doesn't run any more.
pub(crate) fn advance<C, B, R>(
    card: &mut C,
    bus: &mut Bus<C::Stream>,
    index: usize,
    voices: &mut Table<C::Stream, B>,
    scratch: &mut Scratch,
    lead_frames: u64,
) -> Result<StreamPosition, CardError>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    let position = bus.look::<Backing<B, R>, C>(card)?;
    let Bus { stream, track } = bus;
    let fetched = track.fetched(&position);
    let Some(Backing::Bus(ring)) = card.buffer(stream) else { return Err(CardError::Hardware) };

    let passed = track.cycle.frames_in(position.bytes).max(track.passed);
    for monitor in voices.voices_mut().filter(|voice| voice.records_from(index)) {
        monitor.record(ring, &track.cycle, passed, &mut scratch.work);
    }
    // If a turn comes late, silence is played again, and nothing old.
    silence(track, ring, track.passed, passed, scratch);
    track.passed = passed;

    track.note_fetched(fetched);
    if track.mixed < fetched {
        track.allowance.note_late();
        track.stats.late_turns = track.stats.late_turns.saturating_add(1);
        for voice in voices.voices_mut().filter(|voice| voice.plays_on(index)) {
            voice.skip_to(fetched);
        }
        track.mixed = fetched;
    }
    let full = passed.saturating_add(track.cycle.frames());
    mix(track, ring, index, voices, scratch, fetched.saturating_add(lead_frames).min(full));
    Ok(position)
}

/// Fills the ring of a bus that is about to start.
pub(crate) fn prepare<C, B, R>(
    card: &C,
    bus: &mut Bus<C::Stream>,
    index: usize,
    voices: &mut Table<C::Stream, B>,
    scratch: &mut Scratch,
    lead_frames: u64,
) -> Result<(), CardError>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    let Bus { stream, track } = bus;
    let Some(Backing::Bus(ring)) = card.buffer(stream) else { return Err(CardError::Hardware) };
    silence(track, ring, 0, track.cycle.frames(), scratch);
    let first = track.layout.frames_in(quantum::FIRST_FETCH.0).saturating_add(lead_frames);
    mix(track, ring, index, voices, scratch, first.min(track.cycle.frames()));
    Ok(())
}

/// Writes silence over the frames `from..to`, a lap at most.
fn silence(track: &Track, ring: &impl SampleMemory, from: u64, to: u64, scratch: &mut Scratch) {
    let mut at = from.max(to.saturating_sub(track.cycle.frames()));
    while at < to {
        let frames = to.saturating_sub(at).min(BLOCK_FRAMES as u64);
        let bytes = head(&mut scratch.work.bytes, track.layout.bytes(frames as usize));
        bytes.fill(0);
        track.cycle.write(ring, at, bytes);
        at = at.saturating_add(frames);
    }
}

/// Mixes up to bus frame `to`.
fn mix<S, B: SampleMemory>(
    track: &mut Track,
    ring: &impl SampleMemory,
    index: usize,
    voices: &mut Table<S, B>,
    scratch: &mut Scratch,
    to: u64,
) {
    while track.mixed < to {
        let frames = to.saturating_sub(track.mixed).min(BLOCK_FRAMES as u64);
        let ended = track.mixed.saturating_add(frames);
        let sum = head(&mut scratch.sum, track.layout.samples(frames as usize));
        sum.fill(0);
        for voice in voices.voices_mut().filter(|voice| voice.plays_on(index)) {
            // A voice may begin within the block, or later.
            let wait = voice.timeline.next().saturating_sub(track.mixed).min(frames);
            if let Some(sum) =
                sum.get_mut(track.layout.samples(wait as usize)..).filter(|sum| !sum.is_empty())
            {
                voice.mix_into(sum, &mut scratch.work);
            }
        }
        let encoded = track.layout.format.encode(track.layout.channels, sum, &mut scratch.work.bytes);
        track.stats.clipped_frames = track.stats.clipped_frames.saturating_add(encoded.clipped_frames as u64);
        let bytes = head(&mut scratch.work.bytes, track.layout.bytes(frames as usize));
        track.cycle.write(ring, track.mixed, bytes);
        track.mixed = ended;
    }
}

/// The quantum of a bus, by all its voices that run.
pub(crate) fn quantum_of<S, B: SampleMemory>(track: &Track, index: usize, voices: &Table<S, B>) -> Nanos {
    let running = voices.voices().filter(|voice| voice.is_running_on(index));
    quantum::quantum(&track.layout, running.map(|voice| voice.period))
}
