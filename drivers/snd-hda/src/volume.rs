//! Volume and mute of what is connected, by the amplifiers on its route: no sample is touched.

use embedded_hal::delay::DelayNs;

use crate::codec::{Connection, Level, VolumeRange, amplifier};
use crate::controller::{Controller, RouteIndex};
use crate::dma::DmaRegion;
use crate::error::ConnectError;
use crate::registers::Registers;

impl<R, D, G> Controller<R, D, G>
where
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// What the amplifiers on a route can do, 0 dB being full level; `None`: there is none, or no such route.
    pub fn volume_range(&self, route: RouteIndex) -> Option<VolumeRange> {
        self.routes.get(usize::from(route.0)).and_then(|route| amplifier::range(&route.hops))
    }

    /// Sets the volume of one channel of a connected stream, in thousandths of a decibel: to the nearest step that there is.
    /// Each connection starts at 0 dB, or the nearest to it.
    ///
    /// # Errors
    /// [`ConnectError::Unsupported`] where no amplifier on the route has steps, or where it has no such channel.
    pub fn set_volume(&mut self, route: RouteIndex, channel: u8, mdb: i32) -> Result<(), ConnectError> {
        if self.volume_range(route).is_none_or(|range| range.step_mdb == 0) {
            return Err(ConnectError::Unsupported);
        }
        self.set_level(route, channel, &|level| level.mdb = mdb)
    }

    /// The volume of one channel of a connected stream, in thousandths of a decibel: that of the step which is set.
    pub fn volume(&self, route: RouteIndex, channel: u8) -> Option<i32> {
        let (at, side) = self.place(route, channel)?;
        let route = self.routes.get(usize::from(at.0))?;
        amplifier::nearest_mdb(&route.hops, route.levels.get(side)?.mdb)
    }

    /// Mutes one channel of a connected stream, or ends that.
    ///
    /// # Errors
    /// [`ConnectError::Unsupported`] where no amplifier on the route can mute, or where it has no such channel.
    pub fn set_mute(&mut self, route: RouteIndex, channel: u8, is_muted: bool) -> Result<(), ConnectError> {
        if self.volume_range(route).is_none_or(|range| !range.can_mute) {
            return Err(ConnectError::Unsupported);
        }
        self.set_level(route, channel, &|level| level.is_muted = is_muted)
    }

    fn set_level(
        &mut self,
        route: RouteIndex,
        channel: u8,
        change: &dyn Fn(&mut Level),
    ) -> Result<(), ConnectError> {
        let (at, side) = self.place(route, channel).ok_or(ConnectError::Unsupported)?;
        let route = self.routes.get_mut(usize::from(at.0)).ok_or(ConnectError::NoSuchRoute)?;
        let level = route.levels.get_mut(side).ok_or(ConnectError::Unsupported)?;
        change(level);
        let levels = route.levels;
        let way = self.way_of_jack(at);
        let Some((mut link, _, route)) = self.link(at) else { return Ok(()) };
        let result = amplifier::set_levels(&mut link, &route.hops, &levels);
        let result = result.and_then(|()| match way {
            Some(way) => amplifier::set_levels(&mut link, &way.hops, &levels),
            None => Ok(()),
        });
        result.map_err(ConnectError::Command)
    }

    /// The route in the surround group, and left or right, that a channel of a stream goes by. An amplifier has two sides:
    /// a converter with more channels has no volume for each.
    fn place(&self, index: RouteIndex, channel: u8) -> Option<(RouteIndex, usize)> {
        let channels = self.routes.get(usize::from(index.0))?.connection?.format.channels();
        let is_member = |connection: Connection| {
            connection.owner == index.0 && !connection.is_jack && connection.channel == channel & !1
        };
        let at = self.routes.iter().position(|route| route.connection.is_some_and(is_member))?;
        // Below `MAX_ROUTES`.
        (channel < channels).then_some((RouteIndex(at as u8), usize::from(channel & 1)))
    }
}
