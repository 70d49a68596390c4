//! Which ports a stream may follow plugs to.
//!
//! A bus follows to those ports alone that all may use whose voices are on it: nobody is heard, or hears, where they have no right.

use audioback::card::{Card, PortSet};
use hyper::SampleMemory;

use crate::backing::Backing;
use crate::bus::BusPlace;
use crate::mixer::Mixer;
use crate::table::{Content, MixerStream};

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// Takes the ports that a stream's owner may use.
    pub(crate) fn note_reach(&mut self, stream: &MixerStream, ports: PortSet) {
        match self.table.get_mut(stream) {
            Some(Content::Direct(direct)) if direct.reach != ports => {
                direct.reach = ports;
                if let Some(bus) = self.joining_bus(stream.index()) {
                    return self.update_reach(bus);
                }
                // A return takes verbs.
                self.mix_ahead();
                if let Some(Content::Direct(direct)) = self.table.get_mut(stream) {
                    self.card.set_reach(&mut direct.stream, ports);
                }
            }
            Some(Content::Voice(voice)) => {
                voice.reach = ports;
                let bus = voice.bus;
                self.update_reach(bus);
            }
            _ => {}
        }
    }

    /// Lets a bus follow plugs to where all its voices may, and nowhere else.
    pub(crate) fn update_reach(&mut self, index: usize) {
        let Some(bus) = self.buses.get(index).and_then(BusPlace::open) else { return };
        let (port, before) = (bus.track.port, bus.track.reach);
        let own = self.table.voices().filter(|voice| voice.bus == index && voice.port == port);
        let joining = bus.track.joining.and_then(|joining| match self.table.contents().nth(joining.place) {
            Some(Content::Direct(direct)) => Some(direct.reach),
            _ => None,
        });
        let all = own.map(|voice| voice.reach).chain(joining).reduce(PortSet::and);
        let Some(ports) = all.filter(|ports| Some(*ports) != before) else { return };
        self.mix_ahead();
        if let Some(bus) = self.buses.get_mut(index).and_then(BusPlace::open_mut) {
            bus.track.reach = Some(ports);
            self.card.set_reach(&mut bus.stream, ports);
        }
    }
}
