//! Routes of a controller: streams on them, their volumes and plugs, and single verbs.
//!
//! Each operation has a limited time for its verbs, because everybody waits for it: some 5 ms at most, even if a codec
//! doesn't answer or answers late (9 ms without command rings). Such a codec is then left alone for 100 ms, and for twice as
//! long each time again, up to 10 s. So is one whose answers are late by more than 1.25 ms in all while operations follow
//! each other. Meanwhile operations on its routes fail at once, and [`Controller::attend_jacks`] does later what was missed.

use super::Controller;
use crate::codec::GainRange;
use crate::command::{Command, CommandError, CommandLink, Unsolicited};
use crate::dma::{DmaBuffer, DmaRegion};
use crate::error::ConnectError;
use crate::patchbay::{JackPolicy, RouteIndex};
use crate::registers::Registers;
use crate::spec::format::Format;
use crate::spec::verbs::{CodecAddress, NodeId, Verb};
use crate::stream::{Configured, LinkTime, Running, Stream};
use crate::timer::Timer;

impl<R, D, G> Controller<R, D, G>
where
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    /// Whether a converter supports `format`, and the link could carry it as the only stream.
    pub fn supports(&self, route: RouteIndex, format: Format) -> bool {
        self.patchbay.supports(route, format)
    }

    /// Opens a route and connects its converter to `stream`, in the stream's format, at 0 dB.
    ///
    /// Call it before START: a converter's format must not change while its stream runs. With more
    /// channels than the converter has, the rest of its surround group opens too. The order is
    /// front, surround, centre and subwoofer, side, two channels each.
    ///
    /// # Errors
    /// [`ConnectError`]. No converter is on the stream then.
    pub fn connect<B: DmaBuffer>(
        &mut self,
        route: RouteIndex,
        stream: &Stream<Configured<B, R, D, G>>,
    ) -> Result<(), ConnectError> {
        let (direction, format, tag) = (stream.direction(), stream.format(), stream.tag());
        let (patchbay, commands) = self.operation();
        patchbay.connect(commands, route, direction, format, tag)
    }

    /// Whether a second stream like the one on this route fits on the link.
    ///
    /// # Errors
    /// [`ConnectError::Taken`]: no stream is on the route. [`ConnectError::NoBandwidth`].
    pub fn can_double(&self, route: RouteIndex) -> Result<(), ConnectError> {
        self.patchbay.can_double(route)
    }

    /// Moves a route's converters to another stream of the same format, each by one verb (7.3.3.11). Both may run.
    ///
    /// An input's position counts from there. `time` narrows down in which link frame that was.
    ///
    /// # Errors
    /// [`ConnectError::Command`]: a converter may be on either stream.
    pub fn retag<B: DmaBuffer>(
        &mut self,
        route: RouteIndex,
        stream: &mut Stream<Running<B, R, D, G>>,
        time: Option<&dyn LinkTime>,
    ) -> Result<(), ConnectError> {
        let ((patchbay, commands), tag, mut moved) = (self.operation(), stream.tag(), Ok(()));
        stream.turn_to(time, &mut || moved = patchbay.retag(commands, route, tag));
        moved
    }

    /// Whether a route can't be connected now because it, or a part of it, is in use. A stream that followed a plug there
    /// doesn't count: it moves back when the jack itself is connected.
    pub fn is_taken(&self, route: RouteIndex) -> bool {
        self.patchbay.is_taken(route)
    }

    /// Disconnects a route's converter, and those of its surround group, once the stream has stopped.
    ///
    /// # Errors
    /// [`ConnectError::Command`] if the codec doesn't answer; the route is free all the same.
    pub fn disconnect(&mut self, route: RouteIndex) -> Result<(), ConnectError> {
        let (patchbay, commands) = self.operation();
        patchbay.disconnect(commands, route)
    }

    /// The gains of the amplifiers on a route; 0 dB is full level. `None` without an amplifier or a route.
    pub fn volume_range(&self, route: RouteIndex) -> Option<GainRange> {
        self.patchbay.volume_range(route)
    }

    /// Sets the volume of one channel of a connected stream, in thousandths of a decibel, to the
    /// nearest step.
    ///
    /// Each connection starts at 0 dB, or the nearest step.
    ///
    /// # Errors
    /// [`ConnectError::Unsupported`] if no amplifier on the route has steps, or the channel
    /// doesn't exist.
    pub fn set_volume(&mut self, route: RouteIndex, channel: u8, mdb: i32) -> Result<(), ConnectError> {
        if self.volume_range(route).is_none_or(|range| range.step_mdb == 0) {
            return Err(ConnectError::Unsupported);
        }
        let (patchbay, commands) = self.operation();
        patchbay.set_level(commands, route, channel, &|level| level.mdb = mdb)
    }

    /// The volume of one channel of a connected stream, in thousandths of a decibel: the current step's.
    pub fn volume(&self, route: RouteIndex, channel: u8) -> Option<i32> {
        self.patchbay.volume(route, channel)
    }

    /// Mutes or unmutes one channel of a connected stream.
    ///
    /// # Errors
    /// [`ConnectError::Unsupported`] if no amplifier on the route can mute, or the channel doesn't
    /// exist.
    pub fn set_mute(&mut self, route: RouteIndex, channel: u8, is_muted: bool) -> Result<(), ConnectError> {
        if self.volume_range(route).is_none_or(|range| !range.can_mute) {
            return Err(ConnectError::Unsupported);
        }
        let (patchbay, commands) = self.operation();
        patchbay.set_level(commands, route, channel, &|level| level.is_muted = is_muted)
    }

    /// Sets how streams follow plugs. Connected streams follow at once.
    pub fn set_jack_policy(&mut self, policy: JackPolicy) {
        let (patchbay, commands) = self.operation();
        patchbay.set_jack_policy(commands, policy);
    }

    /// Sets the routes, a bit each, that streams of a route may follow plugs to: by default all. One that is elsewhere returns.
    pub fn set_reach(&mut self, route: RouteIndex, routes: u32) {
        let (patchbay, commands) = self.operation();
        patchbay.set_reach(commands, route, routes);
    }

    /// Reads unsolicited responses and moves streams after plugs; returns whether a plug has
    /// changed.
    ///
    /// Call it after [`handle_interrupt`](Self::handle_interrupt), in every turn, and at [`attention_due_ns`](Self::attention_due_ns):
    /// without news it costs nothing. What a codec that didn't answer has missed is sent here when it is asked again, one
    /// route at a call.
    pub fn attend_jacks(&mut self) -> bool {
        let (patchbay, commands) = self.operation();
        patchbay.attend_jacks(commands)
    }

    /// When [`attend_jacks`](Self::attend_jacks) can next send what a codec has missed, on the [`Timer`]'s clock, in
    /// nanoseconds. `None`: nothing is missing, or only a request tries again.
    pub fn attention_due_ns(&self) -> Option<u64> {
        let due = |codec| self.commands.absent_until_ns(codec).unwrap_or(0);
        self.patchbay.unsettled_codecs().map(due).min()
    }

    /// Sends any verb to a codec and returns the response.
    ///
    /// # Errors
    /// [`CommandError`] without a response.
    pub fn command(&mut self, codec: CodecAddress, node: NodeId, verb: Verb) -> Result<u32, CommandError> {
        let (_, commands) = self.operation();
        commands.send(Command { codec, node, verb })
    }

    /// The oldest unsolicited response not yet taken. The driver keeps 16.
    pub fn take_unsolicited(&mut self) -> Option<Unsolicited> {
        self.commands.take_unsolicited()
    }

    /// Unsolicited responses lost because they weren't taken in time.
    pub fn unsolicited_lost(&self) -> u32 {
        self.commands.unsolicited_lost()
    }
}
