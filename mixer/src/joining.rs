//! A direct stream that runs becomes a voice without a gap.
//!
//! A bus is started beside it, on a stream of its own that no converter hears. Both are on one link, so their phase is known to the
//! frame. The mixer writes what the direct stream plays to the bus, in the same link frames. Once that is at the link, one verb
//! moves the converter to the bus. Whenever the verb takes effect, what is heard is the same.
//!
//! A recording needs no phase. The bus runs beside it and gets nothing, until one verb turns the converter to it. The first frame
//! that the bus gets is the one after the direct stream's last, and the mixer goes on with it in the guest's buffer.

use audioback::card::{Card, CardError, Direction, OpenFailure, PortIndex, StillRunning};
use hyper::{Nanos, SampleMemory};
use sndif::format::SampleFormat;

use crate::backing::Backing;
use crate::budget::Cost;
use crate::bus::{Bus, BusPlace, Track};
use crate::cycle::Cycle;
use crate::direct::Direct;
use crate::layout::Layout;
use crate::lead::Lead;
use crate::mirror::{Joining, Mirror, Step};
use crate::mixer::{Mixer, RETRY};
use crate::phase::Phase;
use crate::playback;
use crate::start::{Begin, Group};
use crate::table::Content;
use crate::voice::{NO_BUS, State, Voice, Way};

/// Time to find out the phase, if a counter follows the link. Without it the hand-over has a gap.
const PATIENCE: Nanos = Nanos(60_000_000);

/// Time between two turns of a bus that is being joined.
const TURN: Nanos = Nanos(1_000_000);

/// Time between two verbs to a codec that doesn't answer, while either stream plays what the other does.
const AGAIN: Nanos = Nanos(100_000_000);

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What is mirrored is at the link. If the codec doesn't answer, nothing is lost until it is asked again at this time.
    Unhurried(Nanos),
    /// The same, and somebody waits for it.
    Heard,
    /// It isn't: the voice goes on after a gap.
    Gap,
    /// The bus has failed.
    Broken,
}

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// Starts a bus beside the direct stream at a place of the table.
    ///
    /// # Errors
    /// It can't join a bus without a gap. The direct stream plays on.
    pub(crate) fn begin_joining(&mut self, place: usize) -> Result<(), CardError> {
        let (layout, direction) = self.joinable(place).ok_or(CardError::Unsupported)?;
        let is_playback = direction.is_playback();
        let cost = Cost::of(&layout, &layout);
        if !self.budget.admit(cost) {
            return Err(CardError::Busy);
        }
        let begun = self.open_bus_beside(place, direction, layout).and_then(|index| {
            let begun =
                if is_playback { self.start_mirroring(place, index) } else { self.turn_to_bus(place, index) };
            if begun.is_err() {
                // No converter is on it.
                self.halt(index);
                self.close_bus(index, Nanos(0));
            }
            begun
        });
        if begun.is_err() {
            self.budget.release(cost);
        }
        begun
    }

    /// The layout and direction of a direct stream that may join a bus without a gap.
    fn joinable(&self, place: usize) -> Option<(Layout, Direction)> {
        let Some(Content::Direct(direct)) = self.table.contents().nth(place) else { return None };
        let (port, params) = (direct.port, direct.params);
        let (layout, direction) = (Layout::of(&params)?, self.direction(port)?);
        // The bytes of silence are zeros.
        let is_format =
            !direction.is_playback() || matches!(params.format, SampleFormat::S16Le | SampleFormat::S32Le);
        // The bus has the rate that it would have without a stream that runs.
        let is_rate = self.bus_layout(port, &params)?.rate_hz == params.rate_hz;
        (is_format && is_rate && direct.can_join()).then_some((layout, direction))
    }

    /// The time from which on the direct stream of a port soon joins a bus in step.
    pub(crate) fn joining_due(&mut self, port: PortIndex) -> Nanos {
        let Some(place) = self.direct_of(port).filter(|place| self.joinable(*place).is_some()) else {
            return Nanos(0);
        };
        // One that is on its way doesn't need another moment.
        if self.joining_bus(place).is_some() {
            return Nanos(0);
        }
        match self.table.contents_mut().nth(place) {
            Some(Content::Direct(direct)) => self.card.beside_due(&mut direct.stream),
            _ => Nanos(0),
        }
    }

    /// Opens a bus beside the direct stream. Returns its place.
    fn open_bus_beside(
        &mut self,
        place: usize,
        direction: Direction,
        layout: Layout,
    ) -> Result<usize, CardError> {
        let index = self.free_ring(&layout).ok_or(CardError::Busy)?;
        self.mix_ahead();
        let lateness = self.lateness;
        let Self { card, buses, table, .. } = self;
        let Some(Content::Direct(direct)) = table.contents_mut().nth(place) else {
            return Err(CardError::WrongState);
        };
        let bus_place = buses.get_mut(index).ok_or(CardError::Busy)?;
        let BusPlace::Free(mut ring) = core::mem::replace(bus_place, BusPlace::Lost) else {
            return Err(CardError::Busy);
        };
        ring.fit(layout.frame_bytes());
        let cycle = Cycle::new(hyper::MappedBuffer::size_bytes(&ring), layout.frame_bytes());
        let opened = card.open_beside(&direct.stream, Backing::Bus(ring));
        let (stream, cycle) = match (opened, cycle) {
            (Ok(stream), Some(cycle)) => (stream, cycle),
            (Ok(stream), None) => {
                *bus_place = BusPlace::Stuck(stream, RETRY);
                return Err(CardError::BadBuffer);
            }
            (Err(OpenFailure::Refused { error, buffer }), _) => {
                if let Backing::Bus(ring) = buffer {
                    *bus_place = BusPlace::Free(ring);
                }
                return Err(error);
            }
            (Err(OpenFailure::Stuck { error, stream }), _) => {
                *bus_place = BusPlace::Stuck(stream, RETRY);
                return Err(error);
            }
        };
        // The phase is found by both positions.
        card.set_link_wanted(&mut direct.stream, true);
        *bus_place = BusPlace::Open(Bus {
            stream,
            track: Track::new(direct.port, direction, layout, cycle, lateness),
        });
        Ok(index)
    }

    /// Starts the bus of a place, to play what the direct stream plays.
    fn start_mirroring(&mut self, place: usize, index: usize) -> Result<(), CardError> {
        let Self { card, buses, sums, table, scratch, lateness, .. } = self;
        let bus = buses.get_mut(index).and_then(BusPlace::open_mut).ok_or(CardError::WrongState)?;
        let sums = sums.get_mut(index).ok_or(CardError::WrongState)?;
        let lead = Lead::new(&bus.track.layout, TURN, *lateness);
        bus.track.joining = Some(Joining { place, step: Step::Begun { since: None } });
        let started =
            playback::prepare::<C, B, R>(card, bus, sums, index, table, scratch, lead).and_then(|()| {
                match table.contents_mut().nth(place) {
                    Some(Content::Direct(direct)) => card.start_beside(&mut direct.stream, &mut bus.stream),
                    _ => Err(CardError::WrongState),
                }
            });
        bus.track.is_running = started.is_ok();
        if started.is_err() {
            bus.track.joining = None;
        }
        started
    }

    /// Starts the bus of a place, and turns the converter that the direct stream records to it.
    fn turn_to_bus(&mut self, place: usize, index: usize) -> Result<(), CardError> {
        let Self { card, buses, table, .. } = self;
        let bus = buses.get_mut(index).and_then(BusPlace::open_mut).ok_or(CardError::WrongState)?;
        let Some(Content::Direct(direct)) = table.contents_mut().nth(place) else {
            return Err(CardError::WrongState);
        };
        card.start_beside(&mut direct.stream, &mut bus.stream)?;
        bus.track.is_running = true;
        let before = card.position(&mut direct.stream)?;
        let known = before.link.filter(|link| link.cadence.is_some());
        // Where the place at the link isn't known to the frame, what is lost isn't either.
        let link_frames = known.map_or(u64::MAX, |link| link.link_frames);
        bus.track.joining = Some(Joining { place, step: Step::Turned { link_frames } });
        self.end_joining(index, End::Heard);
        Ok(())
    }

    /// One turn of a bus that is being joined.
    pub(crate) fn attend_joining(&mut self, index: usize, now: Nanos) {
        let Some(bus) = self.buses.get_mut(index).and_then(BusPlace::open_mut) else { return };
        let Some(Joining { place, step }) = bus.track.joining else { return };
        match step {
            // Its own turns suffice until the codec is asked again.
            Step::Mirror(Mirror { again: Some(again), .. }) if again > now => return,
            _ => bus.track.due = Nanos(now.0.saturating_add(TURN.0).min(bus.track.due.0)),
        }
        let Some(position) = bus.look::<Backing<B, R>, C>(&mut self.card).ok() else { return };
        match step {
            Step::Begun { since } => {
                let since = since.unwrap_or(now);
                let Some(Content::Direct(direct)) = self.table.contents_mut().nth(place) else { return };
                let of_direct = self.card.position(&mut direct.stream).unwrap_or_default();
                // Nobody has followed it so far, and its start is forgotten.
                let is_unknown = !direct.is_link_wanted && of_direct.link.is_none();
                let (frame, is_exact) = match Phase::of(&of_direct, &position, bus.track.layout.rate_hz) {
                    Phase::Known { frame, is_exact } => (frame, is_exact),
                    Phase::Open if !is_unknown && now.0.saturating_sub(since.0) < PATIENCE.0 => {
                        if let Some(joining) = &mut bus.track.joining {
                            joining.step = Step::Begun { since: Some(since) };
                        }
                        return;
                    }
                    Phase::Open | Phase::Hidden => {
                        self.end_joining(index, End::Gap);
                        return;
                    }
                };
                let near = bus.track.layout.frames_in(TURN.0).saturating_add(1);
                let from = bus.track.fetched(&position).saturating_add(near);
                let step = Step::Mirror(Mirror { from, next: from, offset: frame, is_exact, again: None });
                bus.track.joining = Some(Joining { place, step });
                self.advance(index);
            }
            Step::Mirror(_) if self.is_mirrored(index) => {
                self.end_joining(index, End::Unhurried(Nanos(now.0.saturating_add(AGAIN.0))));
            }
            Step::Mirror(_) | Step::Turned { .. } => {}
        }
    }

    /// Whether what is mirrored is at the link.
    fn is_mirrored(&mut self, index: usize) -> bool {
        let Some(bus) = self.buses.get_mut(index).and_then(BusPlace::open_mut) else { return false };
        let Some(Joining { step: Step::Mirror(mirror), .. }) = bus.track.joining else { return false };
        let position = bus.look::<Backing<B, R>, C>(&mut self.card).ok();
        position.and_then(|position| position.link).is_some_and(|link| {
            let unsure = bus.track.layout.frames_in(link.error_ns.into()).saturating_add(1);
            link.link_frames >= mirror.from.saturating_add(unsure)
        })
    }

    /// The bus that the direct stream at this place of the table is moved to.
    pub(crate) fn joining_bus(&self, place: usize) -> Option<usize> {
        let is_it = |bus: &Bus<C::Stream>| bus.track.joining.is_some_and(|joining| joining.place == place);
        self.buses.iter().position(|bus| bus.open().is_some_and(is_it))
    }

    /// Ends the joining of a direct stream now, as somebody wants something of it that can be refused.
    ///
    /// # Errors
    /// Its codec doesn't answer. Two streams play the same on.
    pub(crate) fn try_settle(&mut self, place: usize) -> Result<(), CardError> {
        let Some(index) = self.joining_bus(place) else { return Ok(()) };
        // It is asked again in the bus's next turn.
        let end = if self.is_mirrored(index) { End::Unhurried(Nanos(0)) } else { End::Gap };
        self.end_joining(index, end);
        if self.joining_bus(place).is_some() { Err(CardError::Hardware) } else { Ok(()) }
    }

    /// Ends the joining of a direct stream now, as somebody wants something of it.
    pub(crate) fn settle(&mut self, place: usize) {
        let Some(index) = self.joining_bus(place) else { return };
        let end = if self.is_mirrored(index) { End::Heard } else { End::Gap };
        self.end_joining(index, end);
    }

    /// Stops a bus on which nothing runs, so that the next voice begins with its first frame.
    fn stop_unused(&mut self, index: usize) {
        if !self.table.voices().any(|voice| voice.is_running_on(index)) {
            self.halt(index);
        }
    }

    /// Ends the joining of a bus that fails.
    pub(crate) fn break_joining(&mut self, index: usize) {
        self.end_joining(index, End::Broken);
    }

    /// Gives the port to the bus. The direct stream is a voice from now on.
    fn end_joining(&mut self, index: usize, end: End) {
        let is_joined = |bus: &Bus<C::Stream>| bus.track.joining.is_some();
        if !self.buses.get(index).and_then(BusPlace::open).is_some_and(is_joined) {
            return;
        }
        if end != End::Broken {
            self.mix_ahead();
        }
        let Self { card, buses, table, .. } = self;
        let Some(bus) = buses.get_mut(index).and_then(BusPlace::open_mut) else { return };
        let Some(Joining { place, step }) = bus.track.joining.take() else { return };
        let Some(content) = table.contents_mut().nth(place) else { return };
        let mut direct = match core::mem::replace(content, Content::Lost) {
            Content::Direct(direct) => direct,
            other => {
                *content = other;
                return;
            }
        };
        let layout = bus.track.layout;
        let way = Way::of(bus.track.direction);
        let cost = Cost::of(&layout, &layout);
        let taken = card.take_port(&mut direct.stream, &mut bus.stream);
        if let (Err(CardError::Hardware), Step::Mirror(mirror), End::Unhurried(again)) = (taken, step, end) {
            if mirror.again.is_none() {
                log::warn!(
                    "port {}: its codec is asked again; until then two streams play the same",
                    direct.port.0
                );
            }
            let step = Step::Mirror(Mirror { again: Some(again), ..mirror });
            bus.track.joining = Some(Joining { place, step });
            *content = Content::Direct(direct);
            return;
        }
        if let Err(error) = taken {
            log::error!("port {}: the codec does not change to the bus: {error:?}", direct.port.0);
        }
        // Each step may wait for the hardware.
        self.mix_ahead();
        let last = match self.card.stop(&mut direct.stream) {
            Ok(last) => last,
            Err(_) => {
                self.budget.release(cost);
                self.table.set(place, Content::Direct(Direct { state: State::Broken, ..direct }));
                return;
            }
        };
        self.mix_ahead();
        let Direct { port, params, stream, is_link_wanted, period_frames, written_bytes, reach, .. } = direct;
        let buffer = match self.card.close(stream) {
            Ok(Backing::Guest(buffer)) => buffer,
            Ok(Backing::Bus(_)) => return,
            Err(StillRunning(stream)) => {
                self.budget.release(cost);
                let direct = Direct { state: State::Broken, ..Direct::new(port, params, stream) };
                self.table.set(place, Content::Direct(direct));
                return;
            }
        };
        // What goes on at once needs a bus that runs.
        let may_stand = end == End::Gap && !matches!(step, Step::Mirror(_));
        let bus = self.buses.get(index).and_then(BusPlace::open);
        let has_failed = !bus.is_some_and(|bus| bus.track.is_running || may_stand);
        let converters = &mut self.converters;
        let Ok(mut voice) = Voice::new(index, way, params, (layout, layout), buffer, converters) else {
            return;
        };
        voice.port = port;
        voice.reach = reach;
        voice.set_link_wanted(is_link_wanted);
        voice.set_period(period_frames);
        if let Some(bytes) = written_bytes {
            voice.note_written(bytes);
        }
        match step {
            // If somebody can't wait until what is mirrored is at the link, there is a gap until then.
            Step::Mirror(mirror) if end != End::Broken && taken.is_ok() => {
                let is_exact = mirror.is_exact && end != End::Gap;
                voice.join(mirror.from, mirror.offset, mirror.next, &last, is_exact);
            }
            Step::Turned { link_frames } if taken.is_ok() => voice.record_on(&last, link_frames),
            _ => voice.take_over(&last),
        }
        let is_over = end == End::Broken || taken.is_err() || has_failed;
        if is_over {
            voice.break_off();
        }
        let goes_on = voice.state == State::Paused && !is_over;
        let is_lost = taken.is_err() && !self.table.voices().any(|voice| voice.bus == index);
        if is_lost {
            voice.bus = NO_BUS;
        }
        self.table.set(place, Content::Voice(voice));
        if is_lost {
            // The converter may be on either stream. Who opens the port next finds out.
            self.halt(index);
            self.close_bus(index, Nanos(0));
        }
        self.update_reach(index);
        if goes_on {
            self.stop_unused(index);
            let mut group = Group::new();
            if group.push(place).is_err() || self.begin(&group, Begin::HandOver).is_err() {
                self.table.contents_mut().skip(place).take(1).for_each(|content| {
                    if let Content::Voice(voice) = content {
                        voice.break_off();
                    }
                });
            }
        }
    }
}
