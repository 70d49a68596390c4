//! `snd-hda` as the sound card that the back end plays through.
//!
//! This crate translates between the back end's ports and streams and the driver's routes and
//! typestates.
//!
//! A port is a route: a path between a converter and a pin. A stream owns a stream descriptor, a
//! route and the guest's buffer. It returns the buffer once RUN reads 0.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

extern crate alloc;

pub mod card_info;
mod in_step;
mod pages;
mod port;
mod stream;
mod timing;

use in_step::InStep;
use pages::Pages;
pub use stream::CardStream;
use timing::Timing;

use core::fmt::{self, Write};

use audioback::card::{
    Card, CardError, CardSettings, JackPolicy, LinkedStart, OpenFailure, Port, PortIndex, PortLabel, PortSet,
    PositionChoice, StillRunning, StreamParams, StreamPosition,
};
use heapless::Vec;
use hyper::{Clock, MappedBuffer, Nanos};
use snd_hda::Timer;
use snd_hda::position::Cadence;
use snd_hda::stream::{ConfigureError, PositionChoice as CounterChoice};
use snd_hda::{ConnectError, Controller, Direction, DmaRegion, Format, MAX_ROUTES, Registers, RouteIndex};

/// A stream, or why there is none.
type Opened<B, S> = Result<S, OpenFailure<B, S>>;

/// The highest rate on the link.
const FASTEST_HZ: u32 = 192_000;

/// Hardware failures that are logged at level warn; later ones at level debug.
const HARDWARE_WARNINGS: u8 = 64;

/// Stream descriptors that an open tries.
const DESCRIPTOR_TRIES: u32 = 2;

/// An HDA controller with its codecs, as a [`Card`].
pub struct HdaCard<R: Registers, D: Timer, G: DmaRegion, C: Clock> {
    timing: Timing<C>,
    controller: Controller<R, D, G>,
    settings: CardSettings,
    /// Hardware failures that may still be logged at level warn. A guest can repeat a request that fails.
    warnings_left: u8,
    /// One for each of the controller's routes, in their order: outputs first.
    ports: Vec<Port, MAX_ROUTES>,
}

impl<R, D, G, C> HdaCard<R, D, G, C>
where
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
    C: Clock,
{
    /// A card on a controller after bring-up. `clock` is the time of positions, and the controller's [`Timer`] tells the
    /// same.
    pub fn new(mut controller: Controller<R, D, G>, clock: C) -> Self {
        let mut timing = Timing::new(clock);
        // A longer comparison of the two clocks gives a more precise rate.
        timing.look_to_start(&mut controller, FASTEST_HZ);
        let ports = (0..).map(RouteIndex).zip(controller.routes()).map(|(index, route)| {
            let volume = controller.volume_range(index);
            port::describe(route, volume, |format| controller.supports(index, format))
        });
        Self {
            ports: ports.collect(),
            controller,
            timing,
            settings: CardSettings::default(),
            warnings_left: HARDWARE_WARNINGS,
        }
    }

    /// The controller, for information that the back end does not need.
    pub fn controller(&mut self) -> &mut Controller<R, D, G> {
        &mut self.controller
    }

    /// The settings in force.
    pub fn settings(&self) -> CardSettings {
        self.settings
    }

    /// The link's format for a stream on this route, if converter and link support it.
    fn format(&self, index: RouteIndex, params: &StreamParams) -> Option<Format> {
        let route = self.controller.routes().get(usize::from(index.0))?;
        port::format(route, params).filter(|format| self.controller.supports(index, *format))
    }

    /// Connects a configured stream to its route.
    fn connect<B: MappedBuffer>(&mut self, stream: &CardStream<B, R, D, G>) -> Result<(), CardError> {
        let Some(configured) = stream.configured() else { return Err(CardError::WrongState) };
        let route = stream.route();
        self.controller.connect(route, configured).map_err(|error| self.refused(route, &error))
    }

    /// Sets up a descriptor with a buffer for a route. No converter is on it yet.
    #[allow(clippy::result_large_err, reason = "the stream comes back by value: there is no heap")]
    fn configure_stream<B: MappedBuffer>(
        &mut self,
        route: RouteIndex,
        direction: Direction,
        format: Format,
        codec_delay_frames: u32,
        buffer: B,
    ) -> Opened<B, CardStream<B, R, D, G>> {
        let mut pages = Pages(buffer);
        let mut last = CardError::Busy;
        // One that fails doesn't keep a stream from those that work. Two fit into a turn.
        for _ in 0..DESCRIPTOR_TRIES {
            let Some(descriptor) = self.controller.take_stream(direction) else { break };
            let rejected = match descriptor.configure(format, pages) {
                Ok(configured) => return Ok(CardStream::new(route, codec_delay_frames, configured)),
                Err(rejected) => rejected,
            };
            pages = rejected.buffer;
            last = match rejected.error {
                ConfigureError::Buffer(_) => CardError::BadBuffer,
                _ => CardError::Hardware,
            };
            self.controller.give_back(rejected.stream);
            self.log_failure(route, last, &rejected.error);
            if last == CardError::BadBuffer {
                break;
            }
        }
        Err(OpenFailure::Refused { error: last, buffer: pages.0 })
    }

    /// Translates a driver's error of a route, and logs it.
    fn refused(&mut self, route: RouteIndex, error: &ConnectError) -> CardError {
        let translated = match error {
            ConnectError::NoSuchRoute | ConnectError::WrongDirection => CardError::NoSuchPort,
            ConnectError::Taken | ConnectError::NoBandwidth { .. } => CardError::Busy,
            ConnectError::Unsupported => CardError::Unsupported,
            _ => CardError::Hardware,
        };
        if error.is_absence() {
            // What it missed was logged, and this may come again and again.
            log::debug!("port {}: {error}", route.0);
        } else {
            self.log_failure(route, translated, error);
        }
        translated
    }

    /// Logs the driver's error. It names the codec, node and verb, or the register.
    fn log_failure(&mut self, route: RouteIndex, translated: CardError, error: &dyn fmt::Display) {
        let level = match self.warnings_left.checked_sub(1) {
            Some(left) if translated == CardError::Hardware => {
                self.warnings_left = left;
                log::Level::Warn
            }
            // The back end logs refusals.
            _ => log::Level::Debug,
        };
        log::log!(level, "port {}: {error}", route.0);
    }
}

impl<B, R, D, G, C> Card<B> for HdaCard<R, D, G, C>
where
    B: MappedBuffer,
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
    C: Clock,
{
    type Stream = CardStream<B, R, D, G>;

    fn configure(&mut self, settings: &CardSettings) {
        let before = core::mem::replace(&mut self.settings, *settings);
        if before.position_source != settings.position_source {
            self.controller.set_position_choice(match settings.position_source {
                PositionChoice::Auto => CounterChoice::Auto,
                PositionChoice::Link => CounterChoice::Link,
                PositionChoice::Memory => CounterChoice::Memory,
            });
        }
        if before.jack_policy != settings.jack_policy {
            self.controller.set_jack_policy(match settings.jack_policy {
                JackPolicy::Move => snd_hda::JackPolicy::Move,
                JackPolicy::Both => snd_hda::JackPolicy::Both,
                JackPolicy::Stay => snd_hda::JackPolicy::Stay,
            });
        }
    }

    fn poll(&mut self, _: Nanos, is_interrupted: bool) -> bool {
        if is_interrupted {
            self.controller.handle_interrupt();
        }
        self.controller.attend_jacks()
    }

    fn next_due(&self) -> Option<Nanos> {
        self.controller.attention_due_ns().map(Nanos)
    }

    fn has_lost_state(&mut self) -> bool {
        self.controller.has_lost_state()
    }

    fn restore(&mut self) -> Result<(), CardError> {
        let restored = self.controller.restore();
        self.timing.restart();
        self.timing.look_to_start(&mut self.controller, FASTEST_HZ);
        restored.map_err(|error| {
            log::error!("the controller was not restored: {error}");
            CardError::Hardware
        })
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn port_name(&self, port: PortIndex) -> Option<PortLabel> {
        let mut label = PortLabel::new();
        write!(label, "{}", self.controller.routes().get(usize::from(port.0))?.name()).ok()?;
        Some(label)
    }

    fn is_plugged(&self, port: PortIndex) -> Option<bool> {
        let route = self.controller.routes().get(usize::from(port.0))?;
        // Without unsolicited responses a plug would be noticed too late.
        route.is_plugged().filter(|_| route.tells_plugs())
    }

    fn supports(&self, port: PortIndex, params: &StreamParams) -> bool {
        self.format(RouteIndex(port.0), params).is_some()
    }

    fn is_free(&self, port: PortIndex) -> bool {
        let route = self.controller.routes().get(usize::from(port.0));
        let has_stream = route.is_some_and(|route| self.controller.has_stream(route.direction()));
        has_stream && !self.controller.is_taken(RouteIndex(port.0))
    }

    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<Self::Stream, OpenFailure<B, Self::Stream>> {
        let route = RouteIndex(port.0);
        let Some(described) = self.controller.routes().get(usize::from(port.0)) else {
            return Err(OpenFailure::Refused { error: CardError::NoSuchPort, buffer });
        };
        let direction = described.direction();
        let described_delay = described.delay_frames();
        let Some(format) = self.format(route, params) else {
            return Err(OpenFailure::Refused { error: CardError::Unsupported, buffer });
        };
        if self.controller.is_taken(route) {
            return Err(OpenFailure::Refused { error: CardError::Busy, buffer });
        }
        let stream = self.configure_stream(route, direction, format, described_delay.into(), buffer)?;
        // Nobody has said yet where else it may go.
        self.controller.set_reach(route, 0);
        if let Err(error) = self.connect(&stream) {
            return Err(match stream.release(&mut self.timing) {
                Ok((descriptor, buffer)) => {
                    self.controller.give_back(descriptor);
                    OpenFailure::Refused { error, buffer }
                }
                Err(stream) => OpenFailure::Stuck { error, stream },
            });
        }
        Ok(stream)
    }

    fn open_beside(
        &mut self,
        other: &Self::Stream,
        buffer: B,
    ) -> Result<Self::Stream, OpenFailure<B, Self::Stream>> {
        let route = other.route();
        if let Err(error) = self.controller.can_double(route) {
            return Err(OpenFailure::Refused { error: self.refused(route, &error), buffer });
        }
        let mut stream = self.configure_stream(
            route,
            other.direction(),
            other.format(),
            other.codec_delay_frames(),
            buffer,
        )?;
        stream.set_connected(false);
        Ok(stream)
    }

    fn beside_due(&mut self, other: &mut Self::Stream) -> Nanos {
        if other.direction() != Direction::Output {
            return Nanos(0);
        }
        self.timing.look_if_due(&mut self.controller);
        // The first position tells where the stream began.
        if other.start_ticks().is_none() && other.position(&mut self.timing).is_err() {
            return Nanos(0);
        }
        other.start_ticks().map_or(Nanos(0), |start_ticks| {
            InStep::new(&self.timing, start_ticks, Cadence::of(other.format().rate())).due()
        })
    }

    fn start_beside(&mut self, other: &mut Self::Stream, beside: &mut Self::Stream) -> Result<(), CardError> {
        // The first position tells where the stream began.
        other.position(&mut self.timing)?;
        self.timing.look_to_start(&mut self.controller, FASTEST_HZ);
        let start_ticks = other.start_ticks().filter(|_| other.direction() == Direction::Output);
        // An input gets its first frame when the converter turns to it.
        let Some(start_ticks) = start_ticks else { return beside.start(&self.timing) };
        beside.start(&InStep::new(&self.timing, start_ticks, Cadence::of(other.format().rate())))
    }

    fn take_port(&mut self, from: &mut Self::Stream, to: &mut Self::Stream) -> Result<(), CardError> {
        let route = from.route();
        // The second stream has it already when the codec is asked again.
        let is_beside = from.is_connected() != to.is_connected() && to.route() == route;
        self.timing.look_to_start(&mut self.controller, to.rate_hz());
        let running = to.running_mut().filter(|_| is_beside).ok_or(CardError::WrongState)?;
        let moved = self.controller.retag(route, running, Some(&self.timing));
        // A converter that does not answer may be on either. The port is the new stream's all the same.
        from.set_connected(false);
        to.set_connected(true);
        moved.map_err(|error| self.refused(route, &error))
    }

    fn set_reach(&mut self, stream: &mut Self::Stream, ports: PortSet) {
        let routes = (0..32u8).filter(|route| ports.contains(PortIndex(*route)));
        let routes = routes.fold(0, |routes, route| routes | 1u32.wrapping_shl(route.into()));
        self.controller.set_reach(stream.route(), routes);
    }

    fn set_link_wanted(&mut self, stream: &mut Self::Stream, is_wanted: bool) {
        stream.set_link_wanted(is_wanted);
    }

    fn set_period(&mut self, _: &mut Self::Stream, _: u32) {
        // DMA fetches the samples as late as it can, whatever the period.
    }

    fn note_written(&mut self, _: &mut Self::Stream, _: u64) -> u64 {
        // DMA plays the whole buffer, written or not.
        0
    }

    fn buffer<'a>(&'a self, stream: &'a Self::Stream) -> Option<&'a B> {
        stream.buffer()
    }

    fn set_volume(&mut self, stream: &mut Self::Stream, channel: u8, mdb: i32) -> Result<(), CardError> {
        let route = stream.route();
        self.controller.set_volume(route, channel, mdb).map_err(|error| self.refused(route, &error))
    }

    fn volume(&self, stream: &Self::Stream, channel: u8) -> Result<i32, CardError> {
        self.controller.volume(stream.route(), channel).ok_or(CardError::Unsupported)
    }

    fn set_mute(&mut self, stream: &mut Self::Stream, channel: u8, is_muted: bool) -> Result<(), CardError> {
        let route = stream.route();
        self.controller.set_mute(route, channel, is_muted).map_err(|error| self.refused(route, &error))
    }

    fn start(&mut self, stream: &mut Self::Stream) -> Result<(), CardError> {
        self.timing.look_to_start(&mut self.controller, stream.rate_hz());
        stream.start(&self.timing)
    }

    fn start_together(&mut self, streams: &mut [&mut Self::Stream]) -> Result<LinkedStart, CardError> {
        let fastest_hz = streams.iter().map(|stream| stream.rate_hz()).max();
        self.timing.look_to_start(&mut self.controller, fastest_hz.unwrap_or(FASTEST_HZ));
        stream::start_together(streams, &self.timing)
    }

    fn pause(&mut self, stream: &mut Self::Stream) -> Result<(), CardError> {
        self.timing.look_to_start(&mut self.controller, stream.rate_hz());
        stream.pause(&mut self.timing)
    }

    fn resume(&mut self, stream: &mut Self::Stream) -> Result<(), CardError> {
        self.timing.look_to_start(&mut self.controller, stream.rate_hz());
        stream.resume(&self.timing)
    }

    fn stop(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError> {
        stream.stop(&mut self.timing)
    }

    fn position(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError> {
        if stream.is_link_wanted() {
            self.timing.look_if_due(&mut self.controller);
        }
        stream.position(&mut self.timing)
    }

    fn close(&mut self, stream: Self::Stream) -> Result<B, StillRunning<Self::Stream>> {
        let (route, is_connected) = (stream.route(), stream.is_connected());
        let (descriptor, buffer) = stream.release(&mut self.timing).map_err(StillRunning)?;
        if is_connected && let Err(error) = self.controller.disconnect(route) {
            self.log_failure(route, CardError::Hardware, &error);
        }
        self.controller.give_back(descriptor);
        Ok(buffer)
    }
}
