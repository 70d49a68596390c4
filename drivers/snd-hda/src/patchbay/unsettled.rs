//! Routes whose codec may not be as it should: it has missed a verb. They are settled when it answers again.
//!
//! Until then a converter may still be on a stream that has ended. Its tag is given to no other: that one would play here
//! too, or record from here.

use super::doubts::Doubt;
use super::{Patchbay, RouteIndex};
use crate::codec::{CodecLink, Connection, Hop, Route, connect};
use crate::command::{CommandError, CommandLink};
use crate::dma::Direction;
use crate::spec::verbs::CodecAddress;

/// Tries for an unconnected route without being asked, one each time that the codec is no longer left alone. After that only
/// a request for the route, or one that shares a widget with it, tries again: each try that fails keeps the codec's other routes from being used for a while.
const TRIES_MAX: u8 = 8;

/// Whether a route is settled without being asked.
fn is_to_be_settled(route: &Route, doubt: &Doubt) -> bool {
    doubt.is_unsettled && (doubt.tries < TRIES_MAX || route.is_connected())
}

impl Patchbay {
    /// Marks a route if a verb for it has failed.
    pub(super) fn note<T>(
        &mut self,
        index: RouteIndex,
        result: Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        if result.is_err() {
            self.doubts.change(index.0, |doubt| doubt.is_unsettled = true);
        }
        result
    }

    pub(super) fn is_unsettled(&self, index: RouteIndex) -> bool {
        self.doubts.of(index.0).is_unsettled
    }

    /// Whether any converter of this direction may have a tag.
    pub(crate) fn may_have(&self, direction: Direction, tag: u8) -> bool {
        let bit = 1_u16.checked_shl(tag.into()).unwrap_or_default();
        let of_direction = self.routes.iter().zip(&self.doubts.routes);
        of_direction
            .filter(|(route, _)| route.direction() == direction)
            .any(|(_, doubt)| doubt.tags & bit != 0)
    }

    /// The codecs of routes that are to be settled without being asked.
    pub(crate) fn unsettled_codecs(&self) -> impl Iterator<Item = CodecAddress> + '_ {
        let routes = self.routes.iter().zip(&self.doubts.routes);
        routes.filter(|(route, doubt)| is_to_be_settled(route, doubt)).map(|(route, _)| route.codec)
    }

    /// Settles one route whose codec may be asked again. Returns whether a plug has changed.
    pub(super) fn settle_next(&mut self, link: &mut dyn CommandLink) -> bool {
        let first = self.doubts.next;
        let order = self.indices().filter(|at| at.0 >= first).chain(self.indices().filter(|at| at.0 < first));
        let found = order.into_iter().find(|at| {
            let doubt = self.doubts.of(at.0);
            self.route(*at)
                .is_some_and(|route| is_to_be_settled(route, &doubt) && !link.is_absent(route.codec))
        });
        let Some(index) = found else { return false };
        self.doubts.next = index.0.saturating_add(1);
        let was_plugged = self.route(index).and_then(|route| route.jack).map(|jack| jack.is_plugged);
        // The log has a failure.
        let _ = self.settle(link, index);
        self.route(index).and_then(|route| route.jack).map(|jack| jack.is_plugged) != was_plugged
    }

    /// Settles what stands in the way of a stream on these routes: they themselves, and unconnected ones that share a widget
    /// with them. An input of theirs that was left open would be heard by the stream.
    pub(super) fn settle_around(
        &mut self,
        link: &mut dyn CommandLink,
        members: &[RouteIndex],
    ) -> Result<(), CommandError> {
        for at in self.indices() {
            let Some(route) = self.route(at).filter(|_| self.is_unsettled(at)) else { continue };
            let mut wanted = members.iter().filter_map(|member| self.route(*member));
            let is_near = !route.is_connected() && wanted.any(|member| member.shares_widget_with(route));
            if is_near || members.contains(&at) {
                self.settle(link, at)?;
            }
        }
        Ok(())
    }

    /// Makes the codec what it should be for a route.
    pub(super) fn settle(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
    ) -> Result<(), CommandError> {
        self.doubts.change(index.0, |doubt| doubt.is_unsettled = false);
        let mut result = self.watch_jack(link, index).map(|_| ());
        result = result.and_then(|()| match self.route(index).and_then(|route| route.connection) {
            None => self.close(link, index),
            // Its owner's stream has moved there.
            Some(Connection { is_jack: true, owner, .. }) => self.reopen(link, RouteIndex(owner)),
            Some(_) => self.reopen(link, index),
        });
        if self.note(index, result).is_ok() && !self.is_unsettled(index) {
            self.doubts.change(index.0, |doubt| doubt.tries = 0);
            if let Some(route) = self.route(index) {
                log::info!("{}: its codec is what it should be again", route.name);
            }
            return Ok(());
        }
        self.doubts.change(index.0, |doubt| {
            doubt.is_unsettled = true;
            doubt.tries = doubt.tries.saturating_add(1);
        });
        result
    }

    /// Opens a connected route anew.
    fn reopen(&mut self, link: &mut dyn CommandLink, index: RouteIndex) -> Result<(), CommandError> {
        self.leave_jack(link, index, false)?;
        let Some(route) = self.route(index) else { return Ok(()) };
        if route.direction() == Direction::Input {
            // An input of a jack that it has left may still be open.
            let muted = CodecLink::run(link, route.codec, |link| connect::mute_mixers(link, &route.hops));
            self.note(index, muted)?;
        }
        self.open(link, index)?;
        self.follow(link, index);
        Ok(())
    }

    /// Takes the converter of an unconnected route off all streams, and shuts the route, except for what a connected one
    /// uses.
    fn close(&mut self, link: &mut dyn CommandLink, index: RouteIndex) -> Result<(), CommandError> {
        let Some(route) = self.route(index) else { return Ok(()) };
        let users = || self.routes.iter().filter(|other| other.is_connected());
        let of_codec = || users().filter(|other| other.codec == route.codec);
        let has_pin = of_codec().any(|other| other.pin == route.pin);
        // A recording that has moved to a jack is still on its own converter: the jack's is on no stream.
        let is_detour = |other: &&Route| {
            other.direction() == Direction::Input
                && other.connection.is_some_and(|connection| connection.is_jack)
        };
        let has_converter =
            of_codec().filter(|other| !is_detour(other)).any(|other| other.converter == route.converter);
        let has_input = |hop: &Hop| {
            let is_same = |other: &Hop| other.node == hop.node && other.input == hop.input;
            of_codec().any(|other| other.hops.iter().any(is_same))
        };
        let has_mixer = |hop: &Hop| of_codec().any(|other| other.hops.iter().any(|of| of.node == hop.node));
        CodecLink::run(link, route.codec, |link| {
            if !has_pin {
                connect::shut_pin(link, route)?;
            }
            if !has_converter {
                connect::leave(link, route)?;
            }
            for hop in &route.hops {
                if !has_mixer(hop) {
                    connect::mute_mixer(link, hop)?;
                } else if !has_input(hop) {
                    connect::mute_own_input(link, hop)?;
                }
            }
            Ok(())
        })?;
        self.doubts.set_tag(index.0, 0);
        Ok(())
    }
}
