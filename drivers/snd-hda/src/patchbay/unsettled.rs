//! Routes whose codec may not be as it should: it has missed a verb. They are settled when it answers again.
//!
//! Until then a converter may still be on a stream that has ended. Its tag is given to no other: that one would play here
//! too, or record from here.

use super::{Patchbay, RouteIndex};
use crate::codec::{CodecLink, Connection, connect};
use crate::command::{CommandError, CommandLink};
use crate::dma::Direction;
use crate::spec::verbs::CodecAddress;

/// Tries without being asked, one each time that the codec is no longer left alone. After that only a request for the
/// route tries again: each try that fails keeps the codec's other routes from being used for a while.
const TRIES_MAX: u8 = 8;

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
        routes
            .filter(|(_, doubt)| doubt.is_unsettled && doubt.tries < TRIES_MAX)
            .map(|(route, _)| route.codec)
    }

    /// Settles one route whose codec may be asked again. Returns whether a plug has changed.
    pub(super) fn settle_next(&mut self, link: &mut dyn CommandLink) -> bool {
        let first = self.doubts.next;
        let order = self.indices().filter(|at| at.0 >= first).chain(self.indices().filter(|at| at.0 < first));
        let found = order.into_iter().find(|at| {
            let doubt = self.doubts.of(at.0);
            let is_open = doubt.is_unsettled && doubt.tries < TRIES_MAX;
            is_open && self.route(*at).is_some_and(|route| !link.is_absent(route.codec))
        });
        let Some(index) = found else { return false };
        self.doubts.next = index.0.saturating_add(1);
        let was_plugged = self.route(index).and_then(|route| route.jack).map(|jack| jack.is_plugged);
        // The log has a failure.
        let _ = self.settle(link, index);
        self.route(index).and_then(|route| route.jack).map(|jack| jack.is_plugged) != was_plugged
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
        self.open(link, index)?;
        self.follow(link, index);
        Ok(())
    }

    /// Takes the converter of an unconnected route off all streams, and shuts the route, except for what a connected one
    /// uses.
    fn close(&mut self, link: &mut dyn CommandLink, index: RouteIndex) -> Result<(), CommandError> {
        let Some(route) = self.route(index) else { return Ok(()) };
        let users = || self.routes.iter().filter(|other| other.is_connected());
        let is_shared = users().any(|other| other.shares_widget_with(route));
        let of_codec = || users().filter(|other| other.codec == route.codec);
        let has_pin = of_codec().any(|other| other.pin == route.pin);
        let has_converter = of_codec().any(|other| other.converter == route.converter);
        CodecLink::run(link, route.codec, |link| {
            if !has_pin {
                connect::shut_pin(link, route)?;
            }
            if !has_converter {
                connect::leave(link, route)?;
            }
            if is_shared { Ok(()) } else { connect::mute_mixers(link, &route.hops) }
        })?;
        self.doubts.set_tag(index.0, 0);
        Ok(())
    }
}
