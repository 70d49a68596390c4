//! Starts: which frame of its bus is a voice's first.

use audioback::card::{Card, CardError, LinkPosition, LinkedStart, PositionLock, StreamPosition};
use heapless::Vec;
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::BusPlace;
use crate::lead::LEAST_LATENESS;
use crate::mixer::Mixer;
use crate::playback;
use crate::position::{TICKS_PER_LINK_FRAME, frame_at_tick, frames_in_ticks, tick_of};
use crate::table::Content;
use crate::voice::{State, Voice, Way};

/// Most streams that start together: the descriptors of a controller (HDA specification 1.0a, 3.3.14).
pub(crate) const GROUP_MAX: usize = 30;

/// Link frames in which a common one is looked for: the cadence of 44.1 kHz repeats after 160, that of 11.025 kHz after 640.
const SEARCH_LINK_FRAMES: u64 = 640;

/// Largest error of positions by which starts are put near each other: two link frames, of which the cadence of 44.1 kHz is one.
const NEAR_NS: u32 = 2_000_000_000 / 48_000;

/// How a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    Start,
    Resume,
    /// It was direct until now, and goes on as soon as it can: it has lost frames already.
    HandOver,
}

/// The streams that begin together, by their places in the table.
pub(crate) type Group = Vec<usize, GROUP_MAX>;

/// A bus of a group that runs already.
struct Moving {
    bus: usize,
    /// The first frame that all its voices of the group can have.
    from: u64,
    rate_hz: u32,
    link: Option<LinkPosition>,
}

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// Begins the runs of a group. After an error none of them runs.
    pub(crate) fn begin(&mut self, group: &Group, how: Begin) -> Result<LinkedStart, CardError> {
        self.retry_trims(group);
        let needed = if how == Begin::Start { State::Ready } else { State::Paused };
        for place in group {
            let is_able = match self.table.contents().nth(*place) {
                Some(Content::Voice(voice)) => {
                    if self.buses.get(voice.bus).and_then(BusPlace::open).is_none() {
                        return Err(CardError::Hardware);
                    }
                    voice.state == needed
                }
                Some(Content::Direct(direct)) if direct.is_barred() => return Err(CardError::Busy),
                Some(Content::Direct(direct)) => direct.state == needed,
                _ => false,
            };
            if !is_able {
                return Err(CardError::WrongState);
            }
        }
        let moving = self.moving(group, how)?;
        let common = common_frames(&moving);
        let is_common = common.is_some();
        let starts = common
            .or_else(|| near_frames(&moving))
            .unwrap_or_else(|| moving.iter().map(|one| (one.bus, one.from)).collect());
        for (place, content) in self.table.contents_mut().enumerate() {
            if let Content::Voice(voice) = content
                && group.contains(&place)
            {
                // A bus that doesn't run yet begins with frame 0.
                let start = starts.iter().find(|(bus, _)| *bus == voice.bus).map_or(0, |(_, frame)| *frame);
                match how {
                    Begin::Start => voice.begin(start),
                    Begin::Resume | Begin::HandOver => voice.resume(start),
                }
            }
        }
        let below = match self.begin_below(group, &moving, how) {
            Ok(below) => below,
            Err(error) => {
                self.take_back(group, how);
                return Err(error);
            }
        };
        for one in &moving {
            // The first frames are near, and the quantum may be shorter from now on.
            self.advance(one.bus);
            if let Some(bus) = self.buses.get_mut(one.bus).and_then(BusPlace::open_mut) {
                bus.track.due = Nanos(0);
            }
        }
        Ok(match (below, moving.is_empty()) {
            // All that begin below do so together, or there is only one.
            (Some(how), true) => how,
            (None, _) if is_common => LinkedStart::SameFrame,
            _ => LinkedStart::BackToBack,
        })
    }

    /// The voices of a group on one bus.
    fn members<'a>(&'a self, group: &'a Group, bus: usize) -> impl Iterator<Item = &'a Voice<B>> {
        self.table.contents().enumerate().filter_map(move |(place, content)| match content {
            Content::Voice(voice) if voice.bus == bus && group.contains(&place) => Some(voice),
            _ => None,
        })
    }

    /// The buses of a group that run, after a turn of each.
    fn moving(&mut self, group: &Group, how: Begin) -> Result<Vec<Moving, GROUP_MAX>, CardError> {
        let mut moving = Vec::<Moving, GROUP_MAX>::new();
        for index in 0..self.buses.len() {
            let is_member = self.members(group, index).next().is_some();
            let has_player = self.members(group, index).any(|voice| voice.way == Way::Play);
            let is_running =
                self.buses.get(index).and_then(BusPlace::open).is_some_and(|bus| bus.track.is_running);
            if !is_member || !is_running {
                continue;
            }
            let StreamPosition { link, .. } = self.advance(index).ok_or(CardError::Hardware)?;
            let Some(bus) = self.buses.get(index).and_then(BusPlace::open) else { continue };
            let at_link = link.map_or(0, |link| link.link_frames.saturating_add(1));
            let from = match bus.track.fetched_before {
                Some(fetched) if has_player => {
                    // Frames before its pause are still to be heard.
                    let ends = self.members(group, index).map(|voice| voice.end());
                    // This domain may have no processor for a while, before the voice is mixed.
                    let allowance = bus.track.allowance_frames();
                    let least = bus.track.layout.frames_in(LEAST_LATENESS.0);
                    let ahead = if how == Begin::HandOver { allowance.min(least) } else { allowance };
                    let near = fetched.saturating_add(ahead).saturating_add(1);
                    near.max(ends.max().unwrap_or_default())
                }
                _ => bus.track.passed.max(at_link),
            };
            let one = Moving { bus: index, from, rate_hz: bus.track.layout.rate_hz, link };
            moving.push(one).map_err(|_| CardError::Busy)?;
        }
        Ok(moving)
    }

    /// Starts what doesn't run yet: direct streams, and buses, which are filled before.
    fn begin_below(
        &mut self,
        group: &Group,
        moving: &[Moving],
        how: Begin,
    ) -> Result<Option<LinkedStart>, CardError> {
        let mut standing = Vec::<usize, GROUP_MAX>::new();
        for index in 0..self.buses.len() {
            let is_member = self.members(group, index).next().is_some();
            if !is_member || moving.iter().any(|one| one.bus == index) {
                continue;
            }
            standing.push(index).map_err(|_| CardError::Busy)?;
            let Some(bus) = self.buses.get_mut(index).and_then(BusPlace::open_mut) else { continue };
            bus.track.rewind();
            if bus.track.may_still_run {
                self.stop_again(index)?;
            }
            let Some(bus) = self.buses.get(index).and_then(BusPlace::open) else { continue };
            let lead = self.lead(&bus.track, index);
            let Self { card, buses, sums, table, scratch, .. } = &mut *self;
            let place = buses.get_mut(index).and_then(BusPlace::open_mut).zip(sums.get_mut(index));
            let Some((bus, sums)) = place else { continue };
            if bus.track.direction.is_playback() {
                playback::prepare(card, bus, sums, index, table, scratch, lead)?;
            }
        }
        let is_direct = |content: &Content<C::Stream, B>| matches!(content, Content::Direct(_));
        if !standing.is_empty()
            || group.iter().any(|place| self.table.contents().nth(*place).is_some_and(is_direct))
        {
            self.mix_ahead();
        }
        let Self { card, buses, table, .. } = self;
        let mut streams = Vec::<&mut C::Stream, GROUP_MAX>::new();
        let mut direct_states = Vec::<&mut State, GROUP_MAX>::new();
        for (index, place) in buses.iter_mut().enumerate() {
            if let Some(bus) = place.open_mut().filter(|_| standing.contains(&index)) {
                bus.track.is_running = true;
                streams.push(&mut bus.stream).map_err(|_| CardError::Busy)?;
            }
        }
        for (place, content) in table.contents_mut().enumerate() {
            if let Content::Direct(direct) = content
                && group.contains(&place)
            {
                streams.push(&mut direct.stream).map_err(|_| CardError::Busy)?;
                direct_states.push(&mut direct.state).map_err(|_| CardError::Busy)?;
            }
        }
        let is_direct = !direct_states.is_empty();
        let begun = match streams.as_mut_slice() {
            [] => return Ok(None),
            // A bus begins anew after a pause, too.
            [one] if how != Begin::Start && is_direct => card.resume(one).map(|()| LinkedStart::SameFrame),
            [one] => card.start(one).map(|()| LinkedStart::SameFrame),
            several => card.start_together(several),
        };
        drop(streams);
        if begun.is_ok() {
            direct_states.into_iter().for_each(|state| *state = State::Running);
        } else {
            for (index, place) in buses.iter_mut().enumerate() {
                if let Some(bus) = place.open_mut().filter(|_| standing.contains(&index)) {
                    bus.track.is_running = false;
                }
            }
        }
        begun.map(Some)
    }

    /// Stops a bus that didn't stop in time.
    fn stop_again(&mut self, index: usize) -> Result<(), CardError> {
        self.mix_ahead();
        let Self { card, buses, .. } = self;
        let Some(bus) = buses.get_mut(index).and_then(BusPlace::open_mut) else { return Ok(()) };
        card.stop(&mut bus.stream)?;
        bus.track.may_still_run = false;
        Ok(())
    }

    /// Undoes the begin of a group's voices.
    fn take_back(&mut self, group: &Group, how: Begin) {
        for (place, content) in self.table.contents_mut().enumerate() {
            if let Content::Voice(voice) = content
                && group.contains(&place)
            {
                voice.state = if how == Begin::Start { State::Ready } else { State::Paused };
            }
        }
    }
}

/// The frames of all these buses that are in one link frame, with their buses. `None`: that isn't known.
fn common_frames(moving: &[Moving]) -> Option<Vec<(usize, u64), GROUP_MAX>> {
    if let [one] = moving {
        return Some([(one.bus, one.from)].into_iter().collect());
    }
    let mut first = 0;
    for one in moving {
        first = first.max(tick_of(one.link.as_ref()?, one.rate_hz, one.from));
    }
    for step in 0..SEARCH_LINK_FRAMES {
        let tick = first.saturating_add(step.saturating_mul(TICKS_PER_LINK_FRAME));
        let mut frames = Vec::new();
        for one in moving {
            let link = one.link.as_ref().filter(|link| link.lock == PositionLock::Locked)?;
            let frame = frame_at_tick(link, tick)?;
            if frame >= one.from && tick_of(link, one.rate_hz, frame) == tick {
                frames.push((one.bus, frame)).ok()?;
            }
        }
        if frames.len() == moving.len() {
            return Some(frames);
        }
    }
    None
}

/// The frames of all these buses that are nearest to the first time that suits all. `None`: they are known too badly for that.
///
/// Without SSYNC, a start is known to one of two link frames. So these frames are not surely in the same one.
fn near_frames(moving: &[Moving]) -> Option<Vec<(usize, u64), GROUP_MAX>> {
    let mut first = 0;
    for one in moving {
        let link = one.link.as_ref().filter(|link| link.error_ns <= NEAR_NS)?;
        first = first.max(tick_of(link, one.rate_hz, one.from));
    }
    let mut frames = Vec::new();
    for one in moving {
        let start = one.link.as_ref()?.start_wall_ticks;
        let frame = frames_in_ticks(first.saturating_sub(start), one.rate_hz);
        frames.push((one.bus, frame.max(one.from))).ok()?;
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use audioback::card::PositionSource;

    /// A bus of 48 kHz that started at this tick.
    fn moving(bus: usize, from: u64, start_wall_ticks: u64, error_ns: u32) -> Moving {
        let link = LinkPosition {
            link_frames: from,
            time: Nanos(0),
            ns_per_frame_q32: (1_000_000_000u64 << 32) / 48_000,
            error_ns,
            lock: PositionLock::Coarse,
            source: PositionSource::Link,
            dma_lead_frames: 0,
            codec_delay_frames: 0,
            start_time: Nanos(0),
            start_wall_ticks,
            cadence: None,
            generation: 1,
        };
        Moving { bus, from, rate_hz: 48_000, link: Some(link) }
    }

    #[test]
    fn starts_are_near_each_other_if_both_buses_are_known_within_two_link_frames() {
        let pair = |error_ns| [moving(0, 100, 0, 1_000), moving(1, 30, 50_000, error_ns)];
        // Frame 30 of the second bus is at the link 130 frames after the first bus's start.
        assert_eq!(near_frames(&pair(41_666)).as_deref(), Some(&[(0, 130), (1, 30)][..]));
        assert_eq!(near_frames(&pair(41_667)), None);
        let [first, second] = pair(1_000);
        assert_eq!(near_frames(&[first, Moving { link: None, ..second }]), None);
        // Without a lock no frames are surely in one link frame.
        assert_eq!(common_frames(&pair(1_000)), None);
        assert_eq!(common_frames(&[moving(3, 77, 0, u32::MAX)]).as_deref(), Some(&[(3, 77)][..]));
    }
}
