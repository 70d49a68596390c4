//! One turn of a playback bus: what has passed goes to the monitors, what is next is mixed.

use audioback::card::{Card, CardError, StreamPosition};
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::{Bus, Track};
use crate::layout::Layout;
use crate::lead::Lead;
use crate::quantum;
use crate::scratch::{BLOCK_FRAMES, Scratch, head};
use crate::sums::Sums;
use crate::table::{Content, Table};

/// Mixes a bus as far as `lead` says. Returns the bus's position.
///
/// # Errors
/// The bus doesn't run any more.
pub(crate) fn advance<C, B, R>(
    card: &mut C,
    bus: &mut Bus<C::Stream>,
    sums: &mut Sums,
    index: usize,
    voices: &mut Table<C::Stream, B>,
    scratch: &mut Scratch,
    lead: Lead,
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
    pass(track, ring, passed, scratch);

    let clipped_frames = sums.retire(fetched, track.layout.format);
    track.stats.clipped_frames = track.stats.clipped_frames.saturating_add(clipped_frames);
    track.note_fetched(fetched);
    let mut is_late = false;
    for voice in voices.voices_mut().filter(|voice| voice.plays_on(index)) {
        is_late |= voice.skip_to(fetched);
    }
    let full = track.passed.saturating_add(track.cycle.frames()).min(sums.end());
    let layout = track.layout;
    let mirrored = track.mirror_mut().and_then(|(place, mirror)| {
        let Some(Content::Direct(direct)) = voices.contents().nth(place) else { return None };
        let Backing::Guest(buffer) = card.buffer(&direct.stream)? else { return None };
        mirror.add(buffer, &layout, direct.written_bytes, sums, &mut scratch.work, fetched, full, lead)
    });
    let from = mix(track, ring, sums, index, voices, scratch, fetched, lead, mirrored);
    // This domain may not have had a processor meanwhile. Frames that are far ahead are safe from that.
    let is_near = from.is_some_and(|from| from < fetched.saturating_add(track.allowance_frames() / 2));
    if is_near {
        let after = bus.look::<Backing<B, R>, C>(card)?;
        let fetched = bus.track.fetched(&after);
        if let Some((_, mirror)) = bus.track.mirror_mut() {
            mirror.note_fetched(fetched);
        }
        for voice in voices.voices_mut().filter(|voice| voice.plays_on(index)) {
            is_late |= voice.note_fetched(fetched);
        }
    }
    if is_late {
        bus.track.stats.late_turns = bus.track.stats.late_turns.saturating_add(1);
        bus.track.allowance.note_late();
    }
    Ok(position)
}

/// Fills the ring of a bus that is about to start.
pub(crate) fn prepare<C, B, R>(
    card: &C,
    bus: &mut Bus<C::Stream>,
    sums: &mut Sums,
    index: usize,
    voices: &mut Table<C::Stream, B>,
    scratch: &mut Scratch,
    lead: Lead,
) -> Result<(), CardError>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    let Bus { stream, track } = bus;
    let Some(Backing::Bus(ring)) = card.buffer(stream) else { return Err(CardError::Hardware) };
    silence(track, ring, 0, track.cycle.frames(), scratch);
    sums.begin(track.layout.channels);
    let first_fetch = track.layout.frames_in(quantum::FIRST_FETCH.0);
    mix(track, ring, sums, index, voices, scratch, first_fetch, lead, None);
    Ok(())
}

/// Lets go of the frames that have passed.
///
/// Out of the turn's line, where the seldom wanted peaks would cost registers.
#[inline(never)]
fn pass(track: &mut Track, ring: &impl SampleMemory, passed: u64, scratch: &mut Scratch) {
    if let Some(meter) = &mut track.meter {
        meter.measure(ring, (&track.layout, &track.cycle), track.passed, passed, &mut scratch.work);
    }
    // If a turn comes late, silence is played again, and nothing old.
    silence(track, ring, track.passed, passed, scratch);
    track.passed = passed;
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

/// Adds each voice's next frames to the sums, as far as `lead` says for it, and encodes the sums that change. Returns the first
/// frame that changed.
#[allow(clippy::too_many_arguments, reason = "parts of one mixer, borrowed one by one")]
fn mix<S, B: SampleMemory>(
    track: &Track,
    ring: &impl SampleMemory,
    sums: &mut Sums,
    index: usize,
    voices: &mut Table<S, B>,
    scratch: &mut Scratch,
    fetched: u64,
    lead: Lead,
    mirrored: Option<(u64, u64)>,
) -> Option<u64> {
    let full = track.passed.saturating_add(track.cycle.frames()).min(sums.end());
    let mut mixed = mirrored.map_or(fetched, |(_, end)| end);
    let mut from = mirrored.map(|(from, _)| from);
    for voice in voices.voices_mut().filter(|voice| voice.plays_on(index)) {
        let announced = voice.announced();
        let end = lead.end(fetched, announced).min(full);
        let first = voice.timeline.next();
        // Nobody misses a dry voice's silence.
        voice.mixed_from = if announced.is_some_and(|end| end <= first) { u64::MAX } else { first };
        if first < end {
            from = Some(from.unwrap_or(u64::MAX).min(voice.mixed_from));
        }
        while voice.timeline.next() < end {
            voice.mix_into(sums.add(voice.timeline.next(), end), &mut scratch.work);
        }
        mixed = mixed.max(end);
    }
    let Layout { format, channels, .. } = track.layout;
    sums.encode_changed(mixed, |frame, sums| {
        format.encode(channels, sums, &mut scratch.work.bytes);
        let bytes = head(&mut scratch.work.bytes, track.layout.bytes(channels.frames(sums.len())));
        track.cycle.write(ring, frame, bytes);
    });
    from
}

/// The quantum of a bus, by all its voices that run.
pub(crate) fn quantum_of<S, B: SampleMemory>(track: &Track, index: usize, voices: &Table<S, B>) -> Nanos {
    let running = voices.voices().filter(|voice| voice.is_running_on(index));
    quantum::quantum(&track.layout, running.map(|voice| voice.period))
}
