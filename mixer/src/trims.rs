//! The administrator's gains: a stream's own and its port's reach voices by arithmetic, and direct streams by the amplifiers.

use audioback::card::{Card, CardError, PortIndex, PortMode, Trim};
use hyper::SampleMemory;

use crate::backing::Backing;
use crate::direct::Direct;
use crate::mixer::Mixer;
use crate::start::Group;
use crate::table::Content;
use crate::voice::State;

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// The gain of a port. A monitor has none: it hears the output's.
    pub(crate) fn port_trim(&self, port: PortIndex) -> Trim {
        self.setups.get(usize::from(port.0)).map_or(Trim::default(), |setup| setup.trim)
    }

    /// Puts a port's gain in force for its streams.
    pub(crate) fn apply_port_trim(&mut self, port: PortIndex) {
        self.logged_ports &= !port_bit(port);
        for place in 0..self.table.contents().count() {
            let is_its = match self.table.contents().nth(place) {
                Some(Content::Voice(voice)) => voice.port == port,
                Some(Content::Direct(direct)) => direct.port == port,
                _ => false,
            };
            if is_its {
                self.apply_trim(place, None);
            }
        }
    }

    /// Puts the gains of a stream in force: its port's, and its own, if that is given here.
    pub(crate) fn apply_trim(&mut self, place: usize, own: Option<Trim>) {
        self.settle(place);
        let (port, [before, _]) = match self.table.contents().nth(place) {
            Some(Content::Voice(voice)) => (voice.port, voice.gain.trims()),
            Some(Content::Direct(direct)) => (direct.port, direct.trims),
            _ => return,
        };
        let trims = [own.unwrap_or(before), self.port_trim(port)];
        if self.direct_at(place).is_some_and(|direct| direct.trims != trims) {
            self.mix_ahead();
        }
        let Self { card, table, .. } = self;
        let done = match table.contents_mut().nth(place) {
            Some(Content::Voice(voice)) => {
                let ramp_hz = voice.ramp_hz();
                voice.gain.set_trims(trims, ramp_hz);
                Ok(())
            }
            Some(Content::Direct(direct)) if direct.trims != trims => {
                direct.set_trims::<Backing<B, R>, C>(card, trims)
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.on_direct_trim_failed(place, port, error);
        }
    }

    /// Asks the amplifiers of direct streams that must not run once more: they may not have answered the last time.
    pub(crate) fn retry_trims(&mut self, group: &Group) {
        for place in group {
            if !self.direct_at(*place).is_some_and(Direct::is_barred) {
                continue;
            }
            self.mix_ahead();
            let Self { card, table, .. } = self;
            if let Some(Content::Direct(direct)) = table.contents_mut().nth(*place) {
                let trims = direct.trims;
                // Whether it may run then shows whether that was enough.
                let _ = direct.set_trims::<Backing<B, R>, C>(card, trims);
            }
        }
    }

    fn direct_at(&self, place: usize) -> Option<&Direct<C::Stream>> {
        match self.table.contents().nth(place) {
            Some(Content::Direct(direct)) => Some(direct),
            _ => None,
        }
    }

    /// The amplifiers can't do a direct stream's gain. A mixer can, if the port may have one.
    fn on_direct_trim_failed(&mut self, place: usize, port: PortIndex, error: CardError) {
        let mode = self.setup(port).map_or(PortMode::Direct, |setup| setup.mode);
        // A codec that doesn't answer has the gain later, and couldn't be opened for a bus now.
        let is_unable = error == CardError::Unsupported;
        if is_unable && mode != PortMode::Direct && self.hand_over(port).is_ok() {
            return;
        }
        self.mix_ahead();
        let Some(Content::Direct(direct)) = self.table.contents_mut().nth(place) else { return };
        let is_barred = direct.is_barred();
        if is_barred && direct.state == State::Running {
            direct.state = State::Broken;
            if let Err(error) = self.card.stop(&mut direct.stream) {
                log::error!("port {}: a muted stream does not stop: {error:?}", port.0);
            }
        }
        // A guest may open its stream again and again.
        if self.logged_ports & port_bit(port) == 0 {
            self.logged_ports |= port_bit(port);
            let effect = if is_barred { "its stream must not run" } else { "it plays too loud" };
            if is_unable {
                log::error!(
                    "port {}: direct, and its amplifiers can't do dom0's volume or mute: {effect}; set its mode to shared",
                    port.0
                );
            } else {
                log::error!(
                    "port {}: its codec doesn't answer to dom0's volume or mute ({error:?}): {effect}",
                    port.0
                );
            }
        }
    }
}

fn port_bit(port: PortIndex) -> u64 {
    1u64.checked_shl(port.0.into()).unwrap_or_default()
}
