//! The mixer as a card.

use core::fmt::Write;

use audioback::card::{
    Card, CardError, CardSettings, Direction, LinkedStart, OpenFailure, Port, PortIndex, PortLabel, PortMode,
    PortPeaks, PortSet, PortState, StillRunning, StreamParams, StreamPosition, Trim,
};
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::BusPlace;
use crate::conversion::Conversion;
use crate::cycle::Cycle;
use crate::direct::Direct;
use crate::layout::Layout;
use crate::mixer::Mixer;
use crate::start::{Begin, Group};
use crate::table::{Content, MixerStream};
use crate::voice::{State, Voice, Way};

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    pub(crate) fn direction(&self, port: PortIndex) -> Option<Direction> {
        self.ports.get(usize::from(port.0)).map(|port| port.direction)
    }

    /// Opens a stream whose buffer the card below gets.
    fn open_direct(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<MixerStream, OpenFailure<B, MixerStream>> {
        let Some(place) = self.table.vacant() else {
            return Err(OpenFailure::Refused { error: CardError::Busy, buffer });
        };
        self.mix_ahead();
        let (content, error) = match self.card.open(port, params, Backing::Guest(buffer)) {
            Ok(stream) => (Content::Direct(Direct::new(port, *params, stream)), None),
            Err(OpenFailure::Refused { error, buffer: Backing::Guest(buffer) }) => {
                return Err(OpenFailure::Refused { error, buffer });
            }
            Err(OpenFailure::Refused { error, .. }) => (Content::Lost, Some(error)),
            Err(OpenFailure::Stuck { error, stream }) => {
                (Content::Direct(Direct::new(port, *params, stream)), Some(error))
            }
        };
        let stream = self.table.put(place, content);
        match error {
            None => {
                self.apply_trim(stream.index(), None);
                Ok(stream)
            }
            Some(error) => Err(OpenFailure::Stuck { error, stream }),
        }
    }

    /// Opens a voice.
    fn open_voice(
        &mut self,
        port: PortIndex,
        below: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<MixerStream, OpenFailure<B, MixerStream>> {
        let layouts = Layout::of(params).zip(self.bus_layout(below, params));
        let refused = |error, buffer| Err(OpenFailure::Refused { error, buffer });
        let (Some((layout, bus_layout)), Some(direction)) = (layouts, self.direction(port)) else {
            return refused(CardError::Unsupported, buffer);
        };
        let Some(place) = self.table.vacant() else { return refused(CardError::Busy, buffer) };
        let bus = match self.join_bus(below, params) {
            Ok(bus) => bus,
            Err(error) => return refused(error, buffer),
        };
        let way = Way::of(direction);
        let layouts = (layout, bus_layout);
        let mut voice = match Voice::new(bus, way, *params, layouts, buffer, &mut self.converters) {
            Ok(voice) => voice,
            Err(buffer) if Cycle::new(buffer.size_bytes(), layout.frame_bytes()).is_none() => {
                return refused(CardError::BadBuffer, buffer);
            }
            Err(buffer) => return refused(CardError::Busy, buffer),
        };
        if !self.budget.admit(voice.cost) {
            return refused(CardError::Busy, voice.retire(&mut self.converters));
        }
        voice.port = port;
        voice.gain.set_trims([Trim::default(), self.port_trim(port)], 0);
        Ok(self.table.put(place, Content::Voice(voice)))
    }

    /// The position of a voice after a look at its bus.
    fn look(&mut self, stream: &MixerStream) -> Result<StreamPosition, CardError> {
        let voice = self.table.voice(stream).ok_or(CardError::WrongState)?;
        if matches!(voice.state, State::Ready | State::Broken) {
            return Ok(voice.last_position());
        }
        let (index, way) = (voice.bus, voice.way);
        let bus_position = match way {
            // Frames that have arrived are in the guest's buffer before they are told.
            Way::Record => self.advance(index),
            Way::Play => {
                let bus = self.buses.get_mut(index).and_then(BusPlace::open_mut);
                match bus
                    .filter(|bus| bus.track.is_running)
                    .map(|bus| bus.look::<Backing<B, R>, C>(&mut self.card))
                {
                    Some(Ok(position)) => Some(position),
                    Some(Err(_)) => {
                        self.halt(index);
                        None
                    }
                    None => None,
                }
            }
        };
        let voice = self.table.voice_mut(stream).ok_or(CardError::WrongState)?;
        Ok(match bus_position {
            Some(position) => voice.look(&position),
            None => voice.last_position(),
        })
    }

    /// Prepares for a request that the card below may take time for, if the stream is direct.
    fn settle_and_mix_ahead(&mut self, stream: &MixerStream) {
        if let Some(Content::Direct(_)) = self.table.get(stream) {
            self.settle(stream.index());
            self.mix_ahead();
        }
    }

    /// The same for a request that can be refused, where the stream would break off otherwise.
    fn try_settle_and_mix_ahead(&mut self, stream: &MixerStream) -> Result<(), CardError> {
        if let Some(Content::Direct(_)) = self.table.get(stream) {
            self.try_settle(stream.index())?;
            self.mix_ahead();
        }
        Ok(())
    }

    fn begin_one(&mut self, stream: &MixerStream, how: Begin) -> Result<(), CardError> {
        self.table.get(stream).ok_or(CardError::WrongState)?;
        let mut group = Group::new();
        group.push(stream.index()).map_err(|_| CardError::Busy)?;
        self.begin(&group, how).map(drop)
    }
}

impl<C, B, R> Card<B> for Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    type Stream = MixerStream;

    fn configure(&mut self, settings: &CardSettings) {
        self.card.configure(settings);
        self.set_up_ports(&settings.ports);
    }

    fn poll(&mut self, now: Nanos, is_interrupted: bool) -> bool {
        let plugs_changed = self.card.poll(now, is_interrupted);
        for index in 0..self.buses.len() {
            self.attend(index, now);
        }
        plugs_changed
    }

    fn next_due(&self) -> Option<Nanos> {
        let of_buses = (0..self.buses.len()).filter_map(|index| self.bus_due(index));
        of_buses.chain(self.card.next_due()).min()
    }

    fn has_lost_state(&mut self) -> bool {
        self.card.has_lost_state()
    }

    fn restore(&mut self) -> Result<(), CardError> {
        let restored = self.card.restore();
        for index in 0..self.buses.len() {
            if self.buses.get(index).and_then(BusPlace::open).is_some_and(|bus| bus.track.is_running) {
                self.halt(index);
            }
        }
        restored
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn port_name(&self, port: PortIndex) -> Option<PortLabel> {
        let source = self.source(port)?;
        let name = self.card.port_name(source.port);
        if !source.is_monitor {
            return name;
        }
        let mut label = PortLabel::new();
        if write!(label, "Monitor of {}", name?).is_err() {
            // The name is too long for a prefix. A number is unique, too.
            label.clear();
            write!(label, "Monitor of output {}", source.port.0).ok()?;
        }
        Some(label)
    }

    fn is_plugged(&self, port: PortIndex) -> Option<bool> {
        let source = self.source(port).filter(|source| !source.is_monitor)?;
        self.card.is_plugged(source.port)
    }

    fn port_state(&self, port: PortIndex) -> Option<PortState> {
        self.state_of(port)
    }

    fn measure_peaks(&mut self, port: PortIndex) -> bool {
        self.begin_meter(port)
    }

    fn take_peaks(&mut self, port: PortIndex) -> Option<PortPeaks> {
        self.end_meter(port)
    }

    fn supports(&self, port: PortIndex, params: &StreamParams) -> bool {
        let (Some(source), Some(direction)) = (self.source(port), self.direction(port)) else { return false };
        if source.mode == PortMode::Direct {
            return !source.is_monitor && self.card.supports(source.port, params);
        }
        let layouts = Layout::of(params).zip(self.bus_layout(source.port, params));
        layouts.is_some_and(|(layout, bus)| match direction {
            Direction::Playback => Conversion::is_possible(&layout, &bus),
            Direction::Capture => Conversion::is_possible(&bus, &layout),
        })
    }

    fn is_free(&self, port: PortIndex) -> bool {
        self.source(port).is_some_and(|source| match source.mode {
            PortMode::Direct => {
                !source.is_monitor && (self.card.is_free(source.port) || self.has_idle_bus(source.port))
            }
            PortMode::Shared | PortMode::Auto => {
                let has_ring = self.buses.iter().any(|place| matches!(place, BusPlace::Free(_)));
                let has_bus = self.bus_of(source.port).is_some();
                let can_be_direct =
                    source.mode == PortMode::Auto && !source.is_monitor && self.card.is_free(source.port);
                self.table.vacant().is_some() && (has_ring || has_bus || can_be_direct)
            }
        })
    }

    fn open_due(&mut self, port: PortIndex) -> Nanos {
        match self.source(port) {
            Some(source) if source.mode != PortMode::Direct => self.joining_due(source.port),
            _ => Nanos(0),
        }
    }

    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<MixerStream, OpenFailure<B, MixerStream>> {
        let Some(source) = self.source(port) else {
            return Err(OpenFailure::Refused { error: CardError::NoSuchPort, buffer });
        };
        if source.mode == PortMode::Direct {
            if source.is_monitor {
                return Err(OpenFailure::Refused { error: CardError::Unsupported, buffer });
            }
            self.release_idle_bus(source.port);
            return self.open_direct(port, params, buffer);
        }
        let has_bus = self.bus_of(source.port).is_some() && !self.has_idle_bus(source.port);
        let is_alone = !has_bus && self.direct_of(source.port).is_none();
        let can_be_direct = source.mode == PortMode::Auto && !source.is_monitor && is_alone;
        if can_be_direct && self.card.supports(source.port, params) {
            self.release_idle_bus(source.port);
            return self.open_direct(port, params, buffer);
        }
        // Nobody is moved for a stream that is refused anyway.
        if !Card::<B>::supports(self, port, params) {
            return Err(OpenFailure::Refused { error: CardError::Unsupported, buffer });
        }
        if !Card::<B>::is_free(self, port) {
            return Err(OpenFailure::Refused { error: CardError::Busy, buffer });
        }
        if let Err(error) = self.hand_over(source.port) {
            return Err(OpenFailure::Refused { error, buffer });
        }
        self.open_voice(port, source.port, params, buffer)
    }

    fn open_beside(
        &mut self,
        _: &MixerStream,
        buffer: B,
    ) -> Result<MixerStream, OpenFailure<B, MixerStream>> {
        Err(OpenFailure::Refused { error: CardError::Unsupported, buffer })
    }

    fn start_beside(&mut self, _: &mut MixerStream, _: &mut MixerStream) -> Result<(), CardError> {
        Err(CardError::WrongState)
    }

    fn take_port(&mut self, _: &mut MixerStream, _: &mut MixerStream) -> Result<(), CardError> {
        Err(CardError::WrongState)
    }

    fn set_reach(&mut self, stream: &mut MixerStream, ports: PortSet) {
        self.note_reach(stream, ports);
    }

    fn set_link_wanted(&mut self, stream: &mut MixerStream, is_wanted: bool) {
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) => {
                direct.is_link_wanted = is_wanted;
                self.card.set_link_wanted(&mut direct.stream, is_wanted);
            }
            Some(Content::Voice(voice)) => voice.set_link_wanted(is_wanted),
            _ => {}
        }
    }

    fn set_period(&mut self, stream: &mut MixerStream, period_frames: u32) {
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) => {
                direct.period_frames = period_frames;
                self.card.set_period(&mut direct.stream, period_frames);
            }
            Some(Content::Voice(voice)) => {
                voice.set_period(period_frames);
            }
            _ => {}
        }
    }

    fn note_written(&mut self, stream: &mut MixerStream, bytes: u64) -> u64 {
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) => {
                direct.written_bytes = Some(bytes);
                self.card.note_written(&mut direct.stream, bytes)
            }
            Some(Content::Voice(voice)) => voice.note_written(bytes),
            _ => 0,
        }
    }

    fn buffer<'a>(&'a self, stream: &'a MixerStream) -> Option<&'a B> {
        match self.table.get(stream)? {
            Content::Direct(direct) => match self.card.buffer(&direct.stream)? {
                Backing::Guest(buffer) => Some(buffer),
                Backing::Bus(_) => None,
            },
            Content::Voice(voice) => Some(voice.buffer()),
            Content::Free | Content::Lost => None,
        }
    }

    fn set_volume(&mut self, stream: &mut MixerStream, channel: u8, mdb: i32) -> Result<(), CardError> {
        self.try_settle_and_mix_ahead(stream)?;
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) => {
                direct.set_volume::<Backing<B, R>, C>(&mut self.card, channel, mdb)
            }
            Some(Content::Voice(voice)) => {
                let ramp_hz = voice.ramp_hz();
                voice.gain.set_level(channel, mdb, ramp_hz).ok_or(CardError::Unsupported)
            }
            _ => Err(CardError::WrongState),
        }
    }

    fn volume(&self, stream: &MixerStream, channel: u8) -> Result<i32, CardError> {
        match self.table.get(stream) {
            Some(Content::Direct(direct)) => direct.volume::<Backing<B, R>, C>(&self.card, channel),
            Some(Content::Voice(voice)) => voice.gain.level_mdb(channel).ok_or(CardError::Unsupported),
            _ => Err(CardError::WrongState),
        }
    }

    fn set_mute(&mut self, stream: &mut MixerStream, channel: u8, is_muted: bool) -> Result<(), CardError> {
        self.try_settle_and_mix_ahead(stream)?;
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) => {
                direct.set_mute::<Backing<B, R>, C>(&mut self.card, channel, is_muted)
            }
            Some(Content::Voice(voice)) => {
                let ramp_hz = voice.ramp_hz();
                voice.gain.set_mute(channel, is_muted, ramp_hz).ok_or(CardError::Unsupported)
            }
            _ => Err(CardError::WrongState),
        }
    }

    fn set_trim(&mut self, stream: &mut MixerStream, trim: Trim) {
        // A handle whose stream is gone leads nowhere.
        if self.table.get(stream).is_some() {
            self.apply_trim(stream.index(), Some(trim));
        }
    }

    fn start(&mut self, stream: &mut MixerStream) -> Result<(), CardError> {
        self.go_direct(stream);
        self.begin_one(stream, Begin::Start)
    }

    fn start_together(&mut self, streams: &mut [&mut MixerStream]) -> Result<LinkedStart, CardError> {
        let mut group = Group::new();
        for stream in streams {
            self.table.get(stream).ok_or(CardError::WrongState)?;
            group.push(stream.index()).map_err(|_| CardError::Busy)?;
        }
        self.begin(&group, Begin::Start)
    }

    fn pause(&mut self, stream: &mut MixerStream) -> Result<(), CardError> {
        self.settle_and_mix_ahead(stream);
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) => {
                self.card.pause(&mut direct.stream)?;
                direct.state = State::Paused;
                direct.was_paused = true;
                Ok(())
            }
            Some(Content::Voice(voice)) if matches!(voice.state, State::Running | State::Broken) => {
                voice.state = State::Paused;
                Ok(())
            }
            _ => Err(CardError::WrongState),
        }
    }

    fn resume(&mut self, stream: &mut MixerStream) -> Result<(), CardError> {
        self.begin_one(stream, Begin::Resume)
    }

    fn stop(&mut self, stream: &mut MixerStream) -> Result<StreamPosition, CardError> {
        self.settle_and_mix_ahead(stream);
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) => {
                let last = self.card.stop(&mut direct.stream)?;
                direct.state = State::Ready;
                direct.written_bytes = None;
                direct.was_paused = false;
                return Ok(last);
            }
            Some(Content::Voice(voice)) if voice.state == State::Running => voice.state = State::Paused,
            Some(Content::Voice(_)) => {}
            _ => return Err(CardError::WrongState),
        }
        let last = self.look(stream)?;
        if let Some(voice) = self.table.voice_mut(stream) {
            voice.stop();
        }
        Ok(last)
    }

    fn position(&mut self, stream: &mut MixerStream) -> Result<StreamPosition, CardError> {
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) if direct.state == State::Broken => {
                Ok(StreamPosition { descriptor_errors: 1, ..StreamPosition::default() })
            }
            Some(Content::Direct(direct)) => self.card.position(&mut direct.stream),
            _ => self.look(stream),
        }
    }

    fn close(&mut self, stream: MixerStream) -> Result<B, StillRunning<MixerStream>> {
        self.settle_and_mix_ahead(&stream);
        let content = match self.table.take(&stream) {
            Some(Content::Voice(voice)) => {
                self.budget.release(voice.cost);
                let bus = voice.bus;
                let buffer = voice.retire(&mut self.converters);
                self.update_reach(bus);
                return Ok(buffer);
            }
            Some(Content::Direct(direct)) => {
                let (port, params) = (direct.port, direct.params);
                match self.card.close(direct.stream) {
                    Ok(Backing::Guest(buffer)) => return Ok(buffer),
                    Ok(Backing::Bus(_)) => Content::Lost,
                    Err(StillRunning(stream)) => Content::Direct(Direct::new(port, params, stream)),
                }
            }
            Some(other) => other,
            None => return Err(StillRunning(stream)),
        };
        Err(StillRunning(self.table.put(stream.vacated(), content)))
    }
}
