//! The use of each port now, and its peaks.

use audioback::card::{BusState, Card, Direction, PortIndex, PortPeaks, PortState};
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::{Bus, Track};
use crate::meter::Meter;
use crate::mixer::Mixer;
use crate::table::Content;
use crate::voice::State;

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// The use of a port of the card below.
    pub(crate) fn state_of(&self, port: PortIndex) -> Option<PortState> {
        self.setup(port)?;
        let bus = self.bus_of(port).and_then(|index| Some((index, self.buses.get(index)?.open()?)));
        Some(match bus {
            Some((index, bus)) => PortState::Shared(self.bus_state(index, bus)),
            None if self.direct_of(port).is_some() => PortState::Direct,
            None => PortState::Idle,
        })
    }

    /// Begins to measure the peaks of a port's bus. Returns whether it has one.
    pub(crate) fn begin_meter(&mut self, port: PortIndex) -> bool {
        let track = self.track_mut(port);
        track.map(|track| track.meter = Some(Meter::new(&track.layout))).is_some()
    }

    /// Ends the measurement.
    pub(crate) fn end_meter(&mut self, port: PortIndex) -> Option<PortPeaks> {
        let track = self.track_mut(port)?;
        let meter = track.meter.take()?;
        Some(meter.peaks(&track.layout))
    }

    fn track_mut(&mut self, port: PortIndex) -> Option<&mut Track> {
        let index = self.bus_of(port)?;
        self.buses.get_mut(index)?.open_mut().map(|bus| &mut bus.track)
    }

    fn bus_state(&self, index: usize, bus: &Bus<C::Stream>) -> BusState {
        let Bus { track, .. } = bus;
        let mut state = BusState {
            rate_hz: track.layout.rate_hz,
            channels: track.layout.channels.count() as u8,
            is_running: track.is_running,
            lead: match track.direction {
                Direction::Playback => track.layout.span_of(self.lead(track, index).most_frames()),
                Direction::Capture => Nanos(0),
            },
            clipped_frames: track.stats.clipped_frames,
            late_turns: track.stats.late_turns,
            fifo_errors: track.stats.fifo_errors,
            ..BusState::default()
        };
        for content in self.table.contents() {
            let stream_state = match content {
                Content::Voice(voice) if voice.port == track.port => voice.state,
                // It is joining.
                Content::Direct(direct) if direct.port == track.port => direct.state,
                _ => continue,
            };
            state.voices = state.voices.saturating_add(1);
            state.running = state.running.saturating_add(u16::from(stream_state == State::Running));
        }
        state
    }
}
