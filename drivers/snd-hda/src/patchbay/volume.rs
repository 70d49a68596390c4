//! Volume and mute of connected streams, by the amplifiers on their routes. Samples don't change.

use super::{Patchbay, RouteIndex};
use crate::codec::{CodecLink, Connection, GainRange, Level, amplifier};
use crate::command::CommandLink;
use crate::error::ConnectError;

impl Patchbay {
    pub(crate) fn volume_range(&self, index: RouteIndex) -> Option<GainRange> {
        self.route(index).and_then(|route| amplifier::range(&route.hops))
    }

    pub(crate) fn volume(&self, index: RouteIndex, channel: u8) -> Option<i32> {
        let (at, side) = self.place(index, channel)?;
        let route = self.route(at)?;
        amplifier::nearest_mdb(&route.hops, route.levels.get(side)?.mdb)
    }

    pub(crate) fn set_level(
        &mut self,
        link: &mut dyn CommandLink,
        index: RouteIndex,
        channel: u8,
        change: &dyn Fn(&mut Level),
    ) -> Result<(), ConnectError> {
        let (at, side) = self.place(index, channel).ok_or(ConnectError::Unsupported)?;
        let route = self.route_mut(at).ok_or(ConnectError::NoSuchRoute)?;
        change(route.levels.get_mut(side).ok_or(ConnectError::Unsupported)?);
        let Some(route) = self.route(at) else { return Ok(()) };
        let way = self.way_of_jack(at);
        let set = CodecLink::run(link, route.codec, |link| {
            amplifier::set_levels(link, &route.hops, &route.levels)?;
            way.map_or(Ok(()), |way| amplifier::set_levels(link, &way.hops, &way.levels))
        });
        // A codec that doesn't answer gets the level later.
        Ok(self.note(at, set)?)
    }

    /// The route in the surround group, and the side, of a stream's channel.
    ///
    /// An amplifier has two sides. A converter with more channels has no volume for each.
    fn place(&self, index: RouteIndex, channel: u8) -> Option<(RouteIndex, usize)> {
        let channels = self.route(index)?.connection?.format.channels();
        let is_member = |connection: Connection| {
            connection.owner == index.0 && !connection.is_jack && connection.channel == channel & !1
        };
        let at = self.routes.iter().position(|route| route.connection.is_some_and(is_member))?;
        // Below `MAX_ROUTES`.
        (channel < channels).then_some((RouteIndex(at as u8), usize::from(channel & 1)))
    }
}
