//! Jacks: plug detection and its effect on streams.
//!
//! When headphones are plugged, a stream on a built-in speaker moves to them, and back afterwards.
//! A stream from a built-in microphone moves to a plugged one. Only the codec changes: the stream
//! goes on and its position is unaffected.

use super::{JackPolicy, Patchbay, RouteIndex};
use crate::codec::{CodecLink, Connection, PinDevice, Route, connect};
use crate::command::{CommandError, CommandLink};
use crate::dma::Direction;
use crate::spec::verbs;

/// Limit of rounds through unsolicited responses.
const ROUNDS: u32 = 2;

impl Patchbay {
    /// Sets how streams follow plugs. Connected streams follow at once.
    pub(crate) fn set_jack_policy(&mut self, link: &mut dyn CommandLink, policy: JackPolicy) {
        self.jack_policy = policy;
        for index in self.indices() {
            // The log has a codec that doesn't answer; its stream follows the next plug.
            let _ = self.leave_jack(link, index, true);
        }
        self.follow_all(link);
    }

    /// Sets the routes, a bit each, that the stream of a route may follow plugs to. It follows at once, and returns from others.
    pub(crate) fn set_reach(&mut self, link: &mut dyn CommandLink, index: RouteIndex, routes: u32) {
        if let Some(reach) = self.reaches.get_mut(usize::from(index.0)) {
            *reach = routes;
        }
        self.follow(link, index);
    }

    fn may_reach(&self, index: RouteIndex, jack: RouteIndex) -> bool {
        let reach = self.reaches.get(usize::from(index.0)).copied().unwrap_or_default();
        reach & 1_u32.checked_shl(jack.0.into()).unwrap_or_default() != 0
    }

    /// Reads unsolicited responses and moves streams after plugs, and settles a route whose codec has missed a verb. Returns
    /// whether a plug has changed.
    pub(crate) fn attend_jacks(&mut self, link: &mut dyn CommandLink) -> bool {
        let mut has_changed = self.settle_next(link);
        for _ in 0..ROUNDS {
            // A bit for each route: a codec that repeats itself is queried once.
            let mut news = 0_u32;
            while let Some(unsolicited) = link.take_unsolicited() {
                let tag = unsolicited.response >> 26;
                let at = tag.checked_sub(1).and_then(|at| self.routes.get(at as usize));
                if at.is_some_and(|route| route.codec == unsolicited.codec && route.jack.is_some()) {
                    news |= 1_u32.wrapping_shl(tag.wrapping_sub(1));
                }
            }
            let lost = link.unsolicited_lost();
            if core::mem::replace(&mut self.unsolicited_lost, lost) != lost {
                news = u32::MAX;
            }
            if news == 0 {
                break;
            }
            for index in self.indices() {
                // Of a codec that doesn't answer the plug is read later.
                has_changed |= news & 1_u32.wrapping_shl(index.0.into()) != 0
                    && self.sense(link, index).unwrap_or(false);
            }
        }
        if has_changed {
            self.follow_all(link);
        }
        has_changed
    }

    /// Moves all streams to the routes that the plugs select.
    pub(super) fn follow_all(&mut self, link: &mut dyn CommandLink) {
        for index in self.indices() {
            self.follow(link, index);
        }
    }

    /// Returns streams from detours that a requested route needs.
    pub(super) fn clear_jacks(&mut self, link: &mut dyn CommandLink, index: RouteIndex) {
        for owner in self.indices() {
            let way = self.way_of_jack(owner);
            let route = self.route(index);
            if way.zip(route).is_some_and(|(way, route)| way.conflicts_with(route)) {
                // The log has a codec that doesn't answer; its route is taken away all the same.
                let _ = self.leave_jack(link, owner, true);
            }
        }
    }

    /// Enables plug detection of all jacks, and reads their present state.
    pub(super) fn watch_jacks(&mut self, link: &mut dyn CommandLink) {
        for index in self.indices() {
            // The log has a codec that doesn't answer; the jack is watched later.
            let _ = self.watch_jack(link, index);
        }
    }

    /// Enables plug detection of a route's jack, and reads its present state. Returns whether it has changed.
    pub(super) fn watch_jack(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
    ) -> Result<bool, CommandError> {
        let Some(route) = self.route(index) else { return Ok(false) };
        let Some(jack) = route.jack else { return Ok(false) };
        if jack.is_unsolicited {
            // Tags range from 1 to 63, and there are fewer routes.
            let verb = verbs::enable_unsolicited(index.0.saturating_add(1));
            let enabled = CodecLink::run(link, route.codec, |link| link.tell(route.pin, verb));
            self.note(index, enabled)?;
        }
        self.sense(link, index)
    }

    /// Reads the plug state. Returns whether it has changed.
    fn sense(&mut self, link: &mut dyn CommandLink, index: RouteIndex) -> Result<bool, CommandError> {
        let Some(route) = self.route(index) else { return Ok(false) };
        let Some(jack) = route.jack else { return Ok(false) };
        let sense = CodecLink::run(link, route.codec, |link| {
            if jack.needs_trigger {
                link.tell(route.pin, verbs::EXECUTE_PIN_SENSE)?;
            }
            link.ask(route.pin, verbs::GET_PIN_SENSE)
        });
        let is_plugged = self.note(index, sense)? & verbs::PIN_SENSE_PRESENT != 0;
        let has_changed = is_plugged != jack.is_plugged;
        let Some(route) = self.route_mut(index) else { return Ok(false) };
        if has_changed {
            log::info!("{}: {}", route.name, if is_plugged { "plugged" } else { "unplugged" });
        }
        if let Some(jack) = &mut route.jack {
            jack.is_plugged = is_plugged;
        }
        Ok(has_changed)
    }

    /// Moves the stream of a route to the route that the plugs select.
    pub(super) fn follow(&mut self, link: &mut dyn CommandLink, index: RouteIndex) {
        let Some(now) = self.own_connection(index).map(|connection| connection.moved_to) else { return };
        for at in self.indices() {
            // Poll the jacks that send no events.
            if self.is_candidate(index, at)
                && let Some(route) = self.route(at)
                && route.jack.is_some_and(|jack| !jack.is_unsolicited)
            {
                // The log has a codec that doesn't answer; what was known before holds.
                let _ = self.sense(link, at);
            }
        }
        let wanted = self.indices().find(|jack| self.can_move(index, *jack));
        if wanted.map(|jack| jack.0) == now {
            return;
        }
        let left = self.leave_jack(link, index, true);
        let moved = match wanted {
            Some(jack) => left.and_then(|()| self.take_over(link, index, jack)),
            None => left,
        };
        if moved.is_err() {
            // Undo a partial move. The log has the first failure, and this one.
            let _ = self.leave_jack(link, index, true);
        }
    }

    /// Whether a jack could ever take over from a route.
    fn is_candidate(&self, index: RouteIndex, jack: RouteIndex) -> bool {
        let (Some(own), Some(other)) = (self.route(index), self.route(jack)) else {
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

    /// Whether a jack takes over from a route now.
    ///
    /// It needs a plug, no other stream, support for the format, and the leave of the stream's owner.
    fn can_move(&self, index: RouteIndex, jack: RouteIndex) -> bool {
        let (Some(connection), Some(route)) = (self.own_connection(index), self.route(jack)) else {
            return false;
        };
        let is_free = route.connection.is_none_or(|other| other.is_jack && other.owner == index.0);
        self.is_candidate(index, jack)
            && self.may_reach(index, jack)
            && route.is_plugged() == Some(true)
            && is_free
            && (route.direction() == Direction::Input || self.supports(jack, connection.format))
            && self.way(index, jack).is_some_and(|way| !self.is_in_use(way, Some(index.0)))
    }

    /// The connection of a route's own stream, if no surround group shares it.
    fn own_connection(&self, index: RouteIndex) -> Option<Connection> {
        let route = self.route(index)?;
        let of_one = |connection: &Connection| {
            !connection.is_jack
                && connection.owner == index.0
                && connection.format.channels() <= route.converter_channels
        };
        route.connection.filter(of_one)
    }

    /// The way by which a jack serves the stream of a route: its own, or for a recording one to
    /// the same converter.
    fn way(&self, index: RouteIndex, jack: RouteIndex) -> Option<&Route> {
        let own = self.route(index)?;
        let other = self.route(jack)?;
        if own.direction() == Direction::Output || own.converter == other.converter {
            return Some(other);
        }
        self.detours
            .iter()
            .find(|way| way.codec == own.codec && way.converter == own.converter && way.pin == other.pin)
    }

    /// The way by which a jack took over, with the stream's volume.
    pub(super) fn way_of_jack(&self, index: RouteIndex) -> Option<Route> {
        let own = self.route(index)?;
        let jack = own.connection?.moved_to?;
        let way = self.way(index, RouteIndex(jack))?;
        Some(Route { levels: own.levels, ..way.clone() })
    }

    fn take_over(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
        jack: RouteIndex,
    ) -> Result<(), CommandError> {
        let Some(mut connection) = self.own_connection(index) else { return Ok(()) };
        connection.moved_to = Some(jack.0);
        if let Some(own) = self.route_mut(index) {
            own.connection = Some(connection);
        }
        let Some(way) = self.way_of_jack(index) else { return Ok(()) };
        let taken = Connection { is_jack: true, moved_to: None, ..connection };
        if let Some(other) = self.route_mut(jack) {
            other.connection = Some(taken);
        }
        let mutes = self.jack_policy == JackPolicy::Move;
        let Some(own) = self.route(index) else { return Ok(()) };
        let has_other_converter = own.direction() == Direction::Output && way.converter != own.converter;
        let opened = CodecLink::run(link, own.codec, |link| {
            if own.direction() == Direction::Input {
                connect::mute_mixers(link, &own.hops)?;
            }
            connect::open(link, &self.routes, &way)?;
            if has_other_converter { connect::set_format(link, &way, &taken) } else { Ok(()) }
        });
        self.note(index, opened)?;
        if has_other_converter {
            self.tune(link, jack, &taken)?;
        }
        let Some(own) = self.route(index).filter(|own| own.direction() == Direction::Output && mutes) else {
            return Ok(());
        };
        let shut = CodecLink::run(link, own.codec, |link| connect::shut_pin(link, own));
        self.note(index, shut)
    }

    /// Takes a route's stream from the jack that it moved to. It returns to its own pin if that is
    /// to sound.
    pub(super) fn leave_jack(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
        reopens: bool,
    ) -> Result<(), CommandError> {
        let Some(way) = self.way_of_jack(index) else { return Ok(()) };
        let own = self.route_mut(index).and_then(|own| own.connection.as_mut());
        let jack = own.and_then(|connection| connection.moved_to.take()).map(RouteIndex);
        if let Some(other) = jack.and_then(|jack| self.route_mut(jack)) {
            other.connection = None;
        }
        let (Some(own), Some(jack)) = (self.route(index), jack) else { return Ok(()) };
        let has_other_converter = way.converter != own.converter;
        let left = CodecLink::run(link, own.codec, |link| {
            connect::shut_pin(link, &way)?;
            if has_other_converter {
                connect::disconnect(link, &way)
            } else {
                connect::mute_mixers(link, &way.hops)
            }
        });
        let left = self.note(jack, left);
        // Its own way may be shut still.
        self.note(index, left)?;
        if has_other_converter {
            self.doubts.set_tag(jack.0, 0);
        }
        let Some(own) = self.route(index).filter(|_| reopens) else { return Ok(()) };
        let reopened = CodecLink::run(link, own.codec, |link| connect::open(link, &self.routes, own));
        self.note(index, reopened)
    }
}
