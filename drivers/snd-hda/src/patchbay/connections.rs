//! Assignment of streams to routes.

use heapless::Vec;

use super::{Patchbay, RouteIndex};
use crate::codec::{CodecLink, Connection, Route, connect};
use crate::command::{CommandError, CommandLink};
use crate::dma::Direction;
use crate::error::ConnectError;
use crate::spec::format::Format;

/// Routes of one stream: the pairs of a surround group.
type Members = Vec<RouteIndex, 4>;

impl Patchbay {
    pub(crate) fn supports(&self, index: RouteIndex, format: Format) -> bool {
        self.route(index).is_some_and(|route| {
            route.pcm().supports(format)
                && format.words_per_link_frame() <= self.capabilities.words(route.direction()).1
        })
    }

    pub(crate) fn connect(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
        direction: Direction,
        format: Format,
        tag: u8,
    ) -> Result<(), ConnectError> {
        let route = self.route(index).ok_or(ConnectError::NoSuchRoute)?;
        if route.direction() != direction {
            return Err(ConnectError::WrongDirection);
        }
        if !self.supports(index, format) {
            return Err(ConnectError::Unsupported);
        }
        let members = self.members(index, route, format.channels());
        if members.iter().any(|member| self.is_taken(*member)) {
            return Err(ConnectError::Taken);
        }
        let words = format.words_per_link_frame();
        self.has_bandwidth(direction, words)?;
        self.settle_around(link, &members)?;
        for member in &members {
            self.clear_jacks(link, *member);
        }
        for (place, member) in (0_u8..).zip(&members) {
            let channel = place.saturating_mul(2);
            let connection =
                Connection { format, tag, channel, owner: index.0, is_jack: false, moved_to: None };
            if let Err(error) = self.bind(link, *member, connection) {
                for member in &members {
                    // The converter may have received the tag. The first error counts; the log has
                    // this one.
                    let _ = self.unbind(link, *member);
                }
                return Err(ConnectError::Command(error));
            }
        }
        self.follow(link, index);
        Ok(())
    }

    /// Whether the link carries so many words a link frame more.
    fn has_bandwidth(&self, direction: Direction, words: u32) -> Result<(), ConnectError> {
        let in_use = self.routes.iter().filter(|other| other.direction() == direction);
        let in_use = in_use.filter_map(|other| other.connection).map(|connection| connection.words());
        let needed_words = in_use.fold(0, u32::saturating_add).saturating_add(words);
        let available_words = self.capabilities.words(direction).0;
        if needed_words > available_words {
            return Err(ConnectError::NoBandwidth { available_words, needed_words });
        }
        Ok(())
    }

    /// Whether a second stream like the one on this route fits on the link beside it.
    pub(crate) fn can_double(&self, index: RouteIndex) -> Result<(), ConnectError> {
        let route = self.route(index).ok_or(ConnectError::NoSuchRoute)?;
        let connection = route.connection.filter(|connection| connection.owner == index.0);
        let words = connection.ok_or(ConnectError::Taken)?.words();
        match route.direction() {
            Direction::Output => self.has_bandwidth(Direction::Output, words),
            // A converter sends to one stream.
            Direction::Input => Ok(()),
        }
    }

    /// Moves the converters of a route's stream, one after another, to the stream of another tag and the same format.
    pub(crate) fn retag(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
        tag: u8,
    ) -> Result<(), ConnectError> {
        for at in self.indices() {
            let Some(route) = self.route_mut(at) else { continue };
            let Some(connection) = route.connection.as_mut().filter(|one| one.owner == index.0) else {
                continue;
            };
            connection.tag = tag;
            let connection = *connection;
            // A recording that has followed a plug is still on its own converter: the jack's was never on the stream.
            if connection.is_jack && route.direction() == Direction::Input {
                continue;
            }
            self.tune(link, at, &connection)?;
        }
        Ok(())
    }

    /// The routes for a stream of `channels` channels.
    fn members(&self, index: RouteIndex, leader: &Route, channels: u8) -> Members {
        let mut members = Members::new();
        // There is room for four.
        let _ = members.push(index);
        let Some(pair) = leader.pair.filter(|pair| pair.place == 0 && channels > leader.converter_channels)
        else {
            return members;
        };
        for place in 1..channels.div_ceil(2) {
            let is_next = |route: &Route| {
                route.codec == leader.codec
                    && route.device == leader.device
                    && route.pair.is_some_and(|other| other.group == pair.group && other.place == place)
            };
            // A group has at most four pairs, one of each place.
            if let Some(at) = self.routes.iter().position(is_next) {
                let _ = members.push(RouteIndex(at as u8));
            }
        }
        members
    }

    pub(crate) fn is_taken(&self, index: RouteIndex) -> bool {
        self.route(index).is_some_and(|route| self.is_in_use(route, None))
    }

    /// Whether a stream other than `but_for` uses part of the route, which may be a detour.
    pub(super) fn is_in_use(&self, route: &Route, but_for: Option<u8>) -> bool {
        self.routes.iter().any(|other| {
            let is_own = |connection: Connection| !connection.is_jack && Some(connection.owner) != but_for;
            other.connection.is_some_and(is_own) && other.conflicts_with(route)
        })
    }

    pub(crate) fn disconnect(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
    ) -> Result<(), ConnectError> {
        self.route(index).ok_or(ConnectError::NoSuchRoute)?;
        let mut result = self.leave_jack(link, index, false);
        for at in self.indices() {
            let connection = self.route(at).and_then(|route| route.connection);
            if connection.is_some_and(|connection| connection.owner == index.0) {
                result = result.and(self.unbind(link, at));
            }
        }
        self.follow_all(link);
        result.map_err(ConnectError::Command)
    }

    /// Opens one route at 0 dB and puts its converter on a stream.
    fn bind(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
        connection: Connection,
    ) -> Result<(), CommandError> {
        if let Some(route) = self.route_mut(index) {
            route.connection = Some(connection);
            route.levels = Default::default();
        }
        self.open(link, index)
    }

    /// Opens a route with its levels and puts its converter on its stream, if any.
    pub(super) fn open(&mut self, link: &mut dyn CommandLink, index: RouteIndex) -> Result<(), CommandError> {
        let Some(route) = self.route(index) else { return Ok(()) };
        let Some(connection) = route.connection else { return Ok(()) };
        // The codec has answered before it gets the tag.
        let opened = CodecLink::run(link, route.codec, |link| {
            connect::open(link, &self.routes, route)?;
            connect::set_format(link, route, &connection)
        });
        self.note(index, opened)?;
        self.tune(link, index, &connection)
    }

    /// Puts the converter of a route on a stream. It has the stream's format.
    pub(super) fn tune(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
        connection: &Connection,
    ) -> Result<(), CommandError> {
        self.doubts.add_tag(index.0, connection.tag);
        let Some(route) = self.route(index) else { return Ok(()) };
        let tuned = CodecLink::run(link, route.codec, |link| connect::tune(link, route, connection));
        self.note(index, tuned)?;
        self.doubts.set_tag(index.0, connection.tag);
        Ok(())
    }

    /// Takes one route's converter off its stream.
    fn unbind(&mut self, link: &mut dyn CommandLink, index: RouteIndex) -> Result<(), CommandError> {
        let Some(route) = self.route_mut(index) else { return Ok(()) };
        route.connection = None;
        let Some(route) = self.route(index) else { return Ok(()) };
        let left = CodecLink::run(link, route.codec, |link| connect::disconnect(link, route));
        self.note(index, left)?;
        self.doubts.set_tag(index.0, 0);
        Ok(())
    }
}
