//! Which stream has which route.

use embedded_hal::delay::DelayNs;
use heapless::Vec;

use crate::codec::{self, CodecPort, Connection, Route};
use crate::command::CommandError;
use crate::controller::{Controller, RouteIndex};
use crate::dma::{Direction, DmaBuffer, DmaRegion};
use crate::error::ConnectError;
use crate::registers::Registers;
use crate::spec::format::Format;
use crate::stream::{Configured, Stream};

/// Routes that a stream has at once: the pairs of a surround group.
type Members = Vec<RouteIndex, 4>;

/// What it takes to talk to a route's codec: the way there, all routes, and the route.
pub(crate) type RouteLink<'a, R, D, G> = (CodecPort<'a, R, D, G>, &'a [Route], &'a Route);

impl<R, D, G> Controller<R, D, G>
where
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Whether a converter can do `format`, and whether the link could carry it if it were the only stream.
    pub fn supports(&self, route: RouteIndex, format: Format) -> bool {
        self.routes.get(usize::from(route.0)).is_some_and(|route| {
            route.pcm().supports(format)
                && format.words_per_link_frame() <= self.capabilities.stream_words(route.direction())
        })
    }

    /// Opens a route and makes its converter listen to (or speak on) `stream`, in the stream's format, at 0 dB. Before START:
    /// a converter's format isn't to be changed while its stream runs. With more channels than its converter has, the other
    /// routes of its surround group are opened too: front, surround, centre and subwoofer, side, two channels each.
    ///
    /// # Errors
    /// [`ConnectError`]. No converter is on the stream then.
    pub fn connect<B: DmaBuffer>(
        &mut self,
        route: RouteIndex,
        stream: &Stream<Configured<B, R, D, G>>,
    ) -> Result<(), ConnectError> {
        self.connect_format(route, stream.direction(), stream.format(), stream.tag())
    }

    fn connect_format(
        &mut self,
        index: RouteIndex,
        direction: Direction,
        format: Format,
        tag: u8,
    ) -> Result<(), ConnectError> {
        let supported = self.supports(index, format);
        let route = self.routes.get(usize::from(index.0)).ok_or(ConnectError::NoSuchRoute)?;
        if route.direction() != direction {
            return Err(ConnectError::WrongDirection);
        }
        if !supported {
            return Err(ConnectError::Unsupported);
        }
        let members = self.members(index, route, format.channels());
        if members.iter().any(|member| self.is_taken(*member)) {
            return Err(ConnectError::Taken);
        }
        let in_use = self.routes.iter().filter(|other| other.direction() == direction);
        let in_use = in_use.filter_map(|other| other.connection).map(|connection| connection.words);
        let words = format.words_per_link_frame();
        let needed_words = in_use.fold(0, u32::saturating_add).saturating_add(words);
        let available_words = self.capabilities.words(direction);
        if needed_words > available_words {
            return Err(ConnectError::NoBandwidth { available_words, needed_words });
        }
        for member in &members {
            self.clear_jacks(*member);
        }
        for (place, member) in (0_u8..).zip(&members) {
            let words = if place == 0 { words } else { 0 };
            let channel = place.saturating_mul(2);
            let connection =
                Connection { format, tag, channel, words, owner: index.0, is_jack: false, moved_to: None };
            if let Err(error) = self.bind(*member, connection) {
                for member in &members {
                    // It may have heard the tag.
                    let _ = self.unbind(*member);
                }
                return Err(ConnectError::Command(error));
            }
        }
        self.follow(index);
        Ok(())
    }

    /// The routes that a stream of so many channels needs.
    fn members(&self, index: RouteIndex, leader: &Route, channels: u8) -> Members {
        let mut members = Members::new();
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
            // A group has four pairs at most, and one of each place.
            if let Some(at) = self.routes.iter().position(is_next) {
                let _ = members.push(RouteIndex(at as u8));
            }
        }
        members
    }

    /// Whether a route can't be connected now, because it or a part of it is in use. A stream that has followed a plug there
    /// is in nobody's way: it goes back when somebody asks for the jack itself.
    pub fn is_taken(&self, index: RouteIndex) -> bool {
        self.routes.get(usize::from(index.0)).is_some_and(|route| self.is_in_use(route, None))
    }

    /// Whether a part of the route, which may be a detour, is in use; by others than `but_for`.
    pub(crate) fn is_in_use(&self, route: &Route, but_for: Option<u8>) -> bool {
        self.routes.iter().any(|other| {
            let is_own = |connection: Connection| !connection.is_jack && Some(connection.owner) != but_for;
            other.connection.is_some_and(is_own) && other.conflicts_with(route)
        })
    }

    /// Takes a route's converter off its stream, and those of its surround group. After the stream has stopped.
    ///
    /// # Errors
    /// [`ConnectError::Command`] if the codec doesn't answer; the route counts as free all the same.
    pub fn disconnect(&mut self, index: RouteIndex) -> Result<(), ConnectError> {
        self.routes.get(usize::from(index.0)).ok_or(ConnectError::NoSuchRoute)?;
        let mut result = self.leave_jack(index, false);
        for at in 0..self.routes.len() as u8 {
            let connection = self.routes.get(usize::from(at)).and_then(|route| route.connection);
            if connection.is_some_and(|connection| connection.owner == index.0) {
                result = result.and(self.unbind(RouteIndex(at)));
            }
        }
        self.follow_all();
        result.map_err(ConnectError::Command)
    }

    /// Opens one route at 0 dB and puts its converter on a stream.
    pub(crate) fn bind(&mut self, index: RouteIndex, connection: Connection) -> Result<(), CommandError> {
        if let Some(route) = self.routes.get_mut(usize::from(index.0)) {
            route.connection = Some(connection);
            route.levels = Default::default();
        }
        let Some((mut link, routes, route)) = self.link(index) else { return Ok(()) };
        codec::connect::open(&mut link, routes, route)?;
        codec::connect::listen(&mut link, route, &connection)
    }

    /// Takes one route's converter off its stream.
    pub(crate) fn unbind(&mut self, index: RouteIndex) -> Result<(), CommandError> {
        if let Some(route) = self.routes.get_mut(usize::from(index.0)) {
            route.connection = None;
        }
        let Some((mut link, _, route)) = self.link(index) else { return Ok(()) };
        codec::connect::disconnect(&mut link, route)
    }

    /// A route, and its codec to talk to.
    pub(crate) fn link(&mut self, index: RouteIndex) -> Option<RouteLink<'_, R, D, G>> {
        let route = self.routes.get(usize::from(index.0))?;
        let link = CodecPort { port: &mut self.commands, delay: &mut self.delay, codec: route.codec };
        Some((link, &self.routes, route))
    }
}
