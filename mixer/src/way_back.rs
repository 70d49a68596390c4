//! A voice that is alone on its port becomes direct at its next START.

use audioback::card::{Card, CardError, OpenFailure, PortIndex, PortMode};
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::BusPlace;
use crate::direct::Direct;
use crate::layout::Layout;
use crate::mixer::Mixer;
use crate::table::{Content, MixerStream};
use crate::voice::{NO_BUS, State, Voice, Way};

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// Makes a voice direct if it is ready, alone on a port that may be direct, and the hardware can do all that is asked of it.
    /// If the card below refuses, it stays a voice.
    pub(crate) fn go_direct(&mut self, stream: &MixerStream) {
        let Some(port) = self.way_back(stream) else { return };
        self.mix_ahead();
        let Some(Content::Voice(voice)) = self.table.replace(stream, Content::Lost) else { return };
        self.budget.release(voice.cost);
        let (params, way, reach) = (voice.params, voice.way, voice.reach);
        let (is_link_wanted, period_frames, written_bytes) =
            (voice.is_link_wanted(), voice.period_frames(), voice.written_bytes());
        let buffer = voice.retire(&mut self.converters);
        self.release_idle_bus(port);
        self.mix_ahead();
        let content = match self.card.open(port, &params, Backing::Guest(buffer)) {
            Ok(opened) => {
                let mut direct = Direct::new(port, params, opened);
                direct.is_link_wanted = is_link_wanted;
                direct.period_frames = period_frames;
                direct.written_bytes = written_bytes;
                direct.reach = reach;
                self.card.set_reach(&mut direct.stream, reach);
                self.card.set_link_wanted(&mut direct.stream, is_link_wanted);
                self.card.set_period(&mut direct.stream, period_frames);
                if let Some(bytes) = written_bytes {
                    self.card.note_written(&mut direct.stream, bytes);
                }
                Content::Direct(direct)
            }
            Err(OpenFailure::Stuck { error, stream }) => {
                log::error!("port {}: it can't be direct: {error:?}", port.0);
                Content::Direct(Direct { state: State::Broken, ..Direct::new(port, params, stream) })
            }
            Err(OpenFailure::Refused { buffer: Backing::Bus(_), .. }) => Content::Lost,
            Err(OpenFailure::Refused { error, buffer: Backing::Guest(buffer) }) => {
                log::debug!("port {}: a voice stays one: {error:?}", port.0);
                match self.voice_again(port, way, &params, buffer) {
                    Some(mut voice) => {
                        voice.port = port;
                        voice.reach = reach;
                        voice.set_link_wanted(is_link_wanted);
                        voice.set_period(period_frames);
                        if let Some(bytes) = written_bytes {
                            voice.note_written(bytes);
                        }
                        Content::Voice(voice)
                    }
                    None => Content::Lost,
                }
            }
        };
        self.table.replace(stream, content);
        if let Some(bus) = self.bus_of(port) {
            self.update_reach(bus);
        }
    }

    /// A voice like the one that was retired. Without a bus it can't start.
    fn voice_again(
        &mut self,
        port: PortIndex,
        way: Way,
        params: &audioback::card::StreamParams,
        buffer: B,
    ) -> Option<Voice<B>> {
        let layout = Layout::of(params)?;
        let joined: Result<usize, CardError> = self.join_bus(port, params);
        let bus_layout = self.bus_layout(port, params).filter(|_| joined.is_ok()).unwrap_or(layout);
        let layouts = (layout, bus_layout);
        let bus = joined.unwrap_or(NO_BUS);
        let voice = Voice::new(bus, way, *params, layouts, buffer, &mut self.converters).ok()?;
        // Its share was released a moment ago.
        self.budget.admit(voice.cost);
        Some(voice)
    }

    /// The port on which this voice can be direct.
    fn way_back(&self, stream: &MixerStream) -> Option<PortIndex> {
        let voice = self.table.voice(stream)?;
        let bus = self.buses.get(voice.bus)?.open()?;
        let port = bus.track.port;
        let is_monitor = (voice.way == Way::Play) != bus.track.direction.is_playback();
        let is_alone = self.table.voices().filter(|other| other.bus == voice.bus).count() == 1;
        let can_be = voice.state == State::Ready
            && voice.gain.is_unity()
            && !is_monitor
            && is_alone
            && bus.track.joining.is_none()
            && self.setup(port)?.mode == PortMode::Auto
            && self.card.supports(port, &voice.params);
        can_be.then_some(port)
    }

    /// Whether the port has a bus that nobody uses.
    pub(crate) fn has_idle_bus(&self, port: PortIndex) -> bool {
        self.bus_of(port).is_some_and(|index| !self.has_voices(index))
    }

    /// Closes a bus that nobody uses, so that the port is free at once.
    pub(crate) fn release_idle_bus(&mut self, port: PortIndex) {
        if let Some(index) = self.bus_of(port).filter(|index| !self.has_voices(*index)) {
            if self.buses.get(index).and_then(BusPlace::open).is_some_and(|bus| bus.track.is_running) {
                self.halt(index);
            }
            self.close_bus(index, Nanos(0));
        }
    }
}
