//! Making controller and codecs again what they were, after they have lost all state: suspend to RAM, or a power cut.

use embedded_hal::delay::DelayNs;

use crate::codec::{self, CodecPort};
use crate::command::CommandError;
use crate::controller::{Controller, DISCOVERY_LIMIT_US, RouteIndex};
use crate::dma::DmaRegion;
use crate::error::BringUpError;
use crate::registers::Registers;
use crate::reset::wake;

impl<R, D, G> Controller<R, D, G>
where
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Makes controller and codecs what they were before the power was gone: link, commands, interrupts, and every connected
    /// route with its format, tag, volume and mute. What has been plugged meanwhile is followed. Nothing is asked anew but
    /// which widgets there are to be silenced, and nothing is allocated. What the function's PCI side needs has been done
    /// again.
    ///
    /// Streams come back by themselves. One that was [running](crate::stream::Running) tells by a descriptor error at each
    /// look that it doesn't run any more, and its position stands: [pause](crate::Stream::pause) and
    /// [resume](crate::Stream::resume) make it go on about where it was when it was looked at last; [stop](crate::Stream::stop)
    /// and [start](crate::Stream::start) from the buffer's start. One that was paused, configured or armed goes on as if
    /// nothing had been. The wall clock begins at 0 again.
    ///
    /// Streams that do run are stopped by this, as by a loss of power: what has got stuck can be tried again with it.
    ///
    /// # Errors
    /// [`BringUpError`], as in bring-up; every wait is bounded. With [`BringUpError::NoAnswer`], of a codec that doesn't come
    /// back, everything else has been restored.
    pub fn restore(&mut self) -> Result<(), BringUpError> {
        let present = wake(&mut self.registers, &mut self.delay)?;
        self.gone_logged = false;
        if present == 0 {
            return Err(BringUpError::NoCodec);
        }
        self.commands.restart();
        self.commands.limit_sleep(Some(DISCOVERY_LIMIT_US));
        let restored = self.restore_codecs();
        self.commands.limit_sleep(None);
        self.open_for_streams();
        restored.map_err(BringUpError::NoAnswer)
    }

    /// Says whether all codecs have answered, when all has been tried.
    fn restore_codecs(&mut self) -> Result<(), CommandError> {
        let mut result = Ok(());
        for codec in &self.codecs {
            let mut link =
                CodecPort { port: &mut self.commands, delay: &mut self.delay, codec: codec.address };
            for group in codec.groups.into_iter().flatten() {
                result = result.and(codec::wake(&mut link, group));
            }
        }
        for route in &mut self.routes {
            // Plugs are looked at anew.
            if route.connection.is_some_and(|connection| connection.is_jack) {
                route.connection = None;
            }
            if let Some(connection) = &mut route.connection {
                connection.moved_to = None;
            }
        }
        for index in self.indices() {
            if let Some((mut link, _, route)) = self.link(index) {
                result = result.and(codec::connect::shut(&mut link, route));
            }
        }
        self.watch_jacks();
        for index in self.indices() {
            result = result.and(self.reopen(index));
        }
        for index in self.indices() {
            self.follow(index);
        }
        result
    }

    /// Opens a connected route as it was.
    fn reopen(&mut self, index: RouteIndex) -> Result<(), CommandError> {
        let Some((mut link, routes, route)) = self.link(index) else { return Ok(()) };
        let Some(connection) = route.connection else { return Ok(()) };
        codec::connect::open(&mut link, routes, route)?;
        codec::connect::listen(&mut link, route, &connection)
    }
}
