//! Jacks: what is plugged, and what follows from it.
//!
//! A stream on a built-in speaker moves to headphones when these are plugged, and back; one from a built-in microphone to
//! a microphone that is plugged. The stream goes on as it is: only the codec is told. So its position doesn't notice.

use embedded_hal::delay::DelayNs;

use crate::codec::{CodecLink, Connection, PinDevice, Route, connect};
use crate::command::CommandError;
use crate::controller::{Controller, RouteIndex};
use crate::dma::{Direction, DmaRegion};
use crate::registers::Registers;
use crate::spec::verbs;

/// Rounds in which unsolicited responses are looked through at a time.
const ROUNDS: u32 = 2;

/// What happens when something is plugged into a jack that nobody has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JackPolicy {
    /// Headphones take over from a built-in speaker, a microphone from a built-in one.
    #[default]
    Move,
    /// The same, but the speaker goes on.
    Both,
    /// Nothing: each stream stays where it was opened.
    Stay,
}

impl<R, D, G> Controller<R, D, G>
where
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Says what plugs do from now on; streams that are connected follow at once.
    pub fn set_jack_policy(&mut self, policy: JackPolicy) {
        self.jack_policy = policy;
        for index in self.indices() {
            if self.leave_jack(index, true).is_err() {
                log::warn!("route {}: its codec did not answer", index.0);
            }
            self.follow(index);
        }
    }

    /// Takes what codecs have said of their own accord, and does what follows from plugs. To be called after
    /// [`handle_interrupt`](Self::handle_interrupt), or in every turn of a loop: without news it costs nothing.
    /// Returns whether a plug has changed.
    pub fn attend_jacks(&mut self) -> bool {
        let mut has_changed = false;
        for _ in 0..ROUNDS {
            // A bit a route: a codec that says the same often is asked once.
            let mut news = 0_u32;
            while let Some(unsolicited) = self.commands.take_unsolicited() {
                let tag = unsolicited.response >> 26;
                let at = tag.checked_sub(1).and_then(|at| self.routes.get(at as usize));
                if at.is_some_and(|route| route.codec == unsolicited.codec && route.jack.is_some()) {
                    news |= 1_u32.wrapping_shl(tag.wrapping_sub(1));
                }
            }
            let lost = self.commands.unsolicited_lost();
            if core::mem::replace(&mut self.unsolicited_lost, lost) != lost {
                news = u32::MAX;
            }
            if news == 0 {
                break;
            }
            for index in self.indices() {
                has_changed |= news & 1_u32.wrapping_shl(index.0.into()) != 0 && self.sense(index);
            }
        }
        if has_changed {
            self.follow_all();
        }
        has_changed
    }

    /// Moves all streams to where the plugs say that they belong.
    pub(crate) fn follow_all(&mut self) {
        for index in self.indices() {
            self.follow(index);
        }
    }

    /// Sends streams home that have followed plugs by ways which a route needs: somebody has asked for it.
    pub(crate) fn clear_jacks(&mut self, index: RouteIndex) {
        for owner in self.indices() {
            let way = self.way_of_jack(owner);
            let route = self.routes.get(usize::from(index.0));
            if way.zip(route).is_some_and(|(way, route)| way.conflicts_with(route)) {
                // Who doesn't answer is in the log.
                let _ = self.leave_jack(owner, true);
            }
        }
    }

    /// Asks all jacks to tell when something is plugged, and whether something is.
    pub(crate) fn watch_jacks(&mut self) {
        for index in self.indices() {
            let Some((mut link, _, route)) = self.link(index) else { continue };
            let Some(jack) = route.jack else { continue };
            // Tags are for 1 to 63, and there are fewer routes.
            let verb = verbs::enable_unsolicited(index.0.saturating_add(1));
            if jack.is_unsolicited {
                // Who doesn't answer is in the log.
                let _ = link.ask(route.pin, verb);
            }
            self.sense(index);
        }
    }

    /// Looks whether something is plugged. Returns whether that has changed.
    fn sense(&mut self, index: RouteIndex) -> bool {
        let Some((mut link, _, route)) = self.link(index) else { return false };
        let Some(jack) = route.jack else { return false };
        let triggered =
            if jack.needs_trigger { link.ask(route.pin, verbs::EXECUTE_PIN_SENSE) } else { Ok(0) };
        let sense = triggered.and_then(|_| link.ask(route.pin, verbs::GET_PIN_SENSE));
        let Ok(sense) = sense else { return false };
        let is_plugged = sense & verbs::PIN_SENSE_PRESENT != 0;
        let has_changed = is_plugged != jack.is_plugged;
        if has_changed {
            log::info!("{}: {}", route.name, if is_plugged { "plugged" } else { "unplugged" });
        }
        if let Some(jack) = self.routes.get_mut(usize::from(index.0)).and_then(|route| route.jack.as_mut()) {
            jack.is_plugged = is_plugged;
        }
        has_changed
    }

    /// Moves the stream of a route to where the plugs say that it belongs.
    pub(crate) fn follow(&mut self, index: RouteIndex) {
        let Some(now) = self.own_connection(index).map(|connection| connection.moved_to) else { return };
        for at in self.indices() {
            // Those that don't tell by themselves.
            if self.is_candidate(index, at)
                && let Some(route) = self.routes.get(usize::from(at.0))
                && route.jack.is_some_and(|jack| !jack.is_unsolicited)
            {
                self.sense(at);
            }
        }
        let wanted = self.indices().find(|jack| self.can_move(index, *jack));
        if wanted.map(|jack| jack.0) == now {
            return;
        }
        let left = self.leave_jack(index, true);
        let moved = match wanted {
            Some(jack) => left.and_then(|()| self.take_over(index, jack)),
            None => left,
        };
        if moved.is_err() {
            // What was half done is undone, as far as the codec lets it.
            let _ = self.leave_jack(index, true);
        }
    }

    /// Whether a jack could ever take over from a route.
    fn is_candidate(&self, index: RouteIndex, jack: RouteIndex) -> bool {
        let (Some(own), Some(other)) =
            (self.routes.get(usize::from(index.0)), self.routes.get(usize::from(jack.0)))
        else {
            return false;
        };
        let kinds = (own.device, other.device);
        self.jack_policy != JackPolicy::Stay
            && own.codec == other.codec
            && own.is_built_in
            && other.jack.is_some()
            && matches!(
                kinds,
                (PinDevice::Speaker, PinDevice::Headphone) | (PinDevice::Microphone, PinDevice::Microphone)
            )
    }

    /// Whether a jack is to take over from a route now: something is plugged, nobody else has it, and it can do the format.
    fn can_move(&self, index: RouteIndex, jack: RouteIndex) -> bool {
        let (Some(connection), Some(route)) =
            (self.own_connection(index), self.routes.get(usize::from(jack.0)))
        else {
            return false;
        };
        let is_free = route.connection.is_none_or(|other| other.is_jack && other.owner == index.0);
        self.is_candidate(index, jack)
            && route.is_plugged() == Some(true)
            && is_free
            && (route.direction() == Direction::Input || self.supports(jack, connection.format))
            && self.way(index, jack).is_some_and(|way| !self.is_in_use(way, Some(index.0)))
    }

    /// The connection of a stream of its own, that isn't spread over a surround group.
    fn own_connection(&self, index: RouteIndex) -> Option<Connection> {
        let route = self.routes.get(usize::from(index.0))?;
        let of_one = |connection: &Connection| {
            !connection.is_jack
                && connection.owner == index.0
                && connection.format.channels() <= route.converter_channels
        };
        route.connection.filter(of_one)
    }

    /// The way by which a jack serves the stream of a route: its own; or, for a recording, one to the same converter.
    fn way(&self, index: RouteIndex, jack: RouteIndex) -> Option<&Route> {
        let own = self.routes.get(usize::from(index.0))?;
        let other = self.routes.get(usize::from(jack.0))?;
        if own.direction() == Direction::Output || own.converter == other.converter {
            return Some(other);
        }
        self.detours
            .iter()
            .find(|way| way.codec == own.codec && way.converter == own.converter && way.pin == other.pin)
    }

    /// The way that a jack has taken over by, with the stream's volume.
    pub(crate) fn way_of_jack(&self, index: RouteIndex) -> Option<Route> {
        let own = self.routes.get(usize::from(index.0))?;
        let jack = own.connection?.moved_to?;
        let way = self.way(index, RouteIndex(jack))?;
        Some(Route { levels: own.levels, ..way.clone() })
    }

    fn take_over(&mut self, index: RouteIndex, jack: RouteIndex) -> Result<(), CommandError> {
        let Some(mut connection) = self.own_connection(index) else { return Ok(()) };
        connection.moved_to = Some(jack.0);
        if let Some(own) = self.routes.get_mut(usize::from(index.0)) {
            own.connection = Some(connection);
        }
        let Some(way) = self.way_of_jack(index) else { return Ok(()) };
        let taken = Connection { words: 0, is_jack: true, moved_to: None, ..connection };
        if let Some(other) = self.routes.get_mut(usize::from(jack.0)) {
            other.connection = Some(taken);
        }
        let mutes = self.jack_policy == JackPolicy::Move;
        let Some((mut link, routes, own)) = self.link(index) else { return Ok(()) };
        if own.direction() == Direction::Input {
            connect::mute_mixers(&mut link, &own.hops)?;
        }
        connect::open(&mut link, routes, &way)?;
        if own.direction() == Direction::Output {
            if way.converter != own.converter {
                connect::listen(&mut link, &way, &taken)?;
            }
            if mutes {
                connect::shut_pin(&mut link, own)?;
            }
        }
        Ok(())
    }

    /// Takes the stream of a route away from the jack that it had moved to; back to its own pin, if it is to be heard there.
    pub(crate) fn leave_jack(&mut self, index: RouteIndex, reopens: bool) -> Result<(), CommandError> {
        let Some(way) = self.way_of_jack(index) else { return Ok(()) };
        let own = self.routes.get_mut(usize::from(index.0)).and_then(|own| own.connection.as_mut());
        let jack = own.and_then(|connection| connection.moved_to.take());
        if let Some(other) = jack.and_then(|jack| self.routes.get_mut(usize::from(jack))) {
            other.connection = None;
        }
        let Some((mut link, routes, own)) = self.link(index) else { return Ok(()) };
        connect::shut_pin(&mut link, &way)?;
        if way.converter == own.converter {
            connect::mute_mixers(&mut link, &way.hops)?;
        } else {
            connect::disconnect(&mut link, &way)?;
        }
        if reopens { connect::open(&mut link, routes, own) } else { Ok(()) }
    }

    /// All routes there are.
    pub(crate) fn indices(&self) -> impl Iterator<Item = RouteIndex> + use<R, D, G> {
        // At most `MAX_ROUTES`.
        (0..self.routes.len() as u8).map(RouteIndex)
    }
}
