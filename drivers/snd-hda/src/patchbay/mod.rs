//! The patchbay: routes, their streams, and the verbs that connect them.

mod connections;
mod doubts;
mod jacks;
mod unsettled;
mod volume;

use doubts::Doubts;
use heapless::Vec;

use crate::capabilities::Capabilities;
use crate::codec::{
    self, Codec, CodecLink, Findings, MAX_DETOURS, MAX_ROUTES, MAX_UNSERVED, PinDevice, Route, UnservedPin,
};
use crate::command::{CommandError, CommandLink};
use crate::dma::Direction;
use crate::spec::verbs::CodecAddress;

/// Codecs on a link: STATESTS has 15 bits.
const CODECS_MAX: u8 = 15;

/// A route, by its place in [`Controller::routes`](crate::Controller::routes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RouteIndex(pub u8);

/// The effect of a plug on a stream of a built-in device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum JackPolicy {
    /// Headphones take over from a built-in speaker, a microphone from a built-in one.
    #[default]
    Move,
    /// As above, but the speaker also plays.
    Both,
    /// None: each stream stays on its own route.
    Stay,
}

/// Codecs, routes and connections. It sends verbs by the [`CommandLink`] that each method takes.
pub(crate) struct Patchbay {
    capabilities: Capabilities,
    pub(crate) codecs: Vec<Codec, { CODECS_MAX as usize }>,
    pub(crate) routes: Vec<Route, MAX_ROUTES>,
    /// Ways for recordings that follow a plug.
    detours: Vec<Route, MAX_DETOURS>,
    pub(crate) unserved: Vec<UnservedPin, MAX_UNSERVED>,
    jack_policy: JackPolicy,
    /// The routes that the stream of each route may follow plugs to, a bit each.
    reaches: [u32; MAX_ROUTES],
    doubts: Doubts,
    /// Number of lost unsolicited responses at the last jack check.
    unsolicited_lost: u32,
}

impl Patchbay {
    /// An empty patchbay. `capabilities` limit the link's load.
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            codecs: Vec::new(),
            routes: Vec::new(),
            detours: Vec::new(),
            unserved: Vec::new(),
            jack_policy: JackPolicy::default(),
            reaches: [u32::MAX; MAX_ROUTES],
            doubts: Doubts::default(),
            unsolicited_lost: 0,
        }
    }

    /// Reads every codec of `present`, a bit each, and finds routes. Returns the first failure.
    pub(crate) fn discover(&mut self, link: &mut dyn CommandLink, present: u16) -> Option<CommandError> {
        let mut failure = None;
        let mut findings = Findings {
            routes: core::mem::take(&mut self.routes),
            detours: core::mem::take(&mut self.detours),
            unserved: core::mem::take(&mut self.unserved),
        };
        let addresses = (0..CODECS_MAX).filter(|n| present & 1_u16.wrapping_shl(u32::from(*n)) != 0);
        for address in addresses.filter_map(CodecAddress::new) {
            let before = (findings.routes.len(), findings.detours.len(), findings.unserved.len());
            let discovered =
                CodecLink::run(link, address, |link| codec::discover(link, address, &mut findings));
            match discovered {
                Ok(codec) => {
                    log::info!(
                        "codec {}: {:08x}, {} widgets, {} routes",
                        address.get(),
                        codec.vendor_id,
                        codec.widgets,
                        findings.routes.len().saturating_sub(before.0)
                    );
                    // As many as there are addresses.
                    let _ = self.codecs.push(codec);
                }
                Err(error) => {
                    findings.routes.truncate(before.0);
                    findings.detours.truncate(before.1);
                    findings.unserved.truncate(before.2);
                    failure = failure.or(Some(error));
                }
            }
        }
        Findings { routes: self.routes, detours: self.detours, unserved: self.unserved } = findings;
        failure
    }

    /// Orders and names the routes found, shuts them, and watches their jacks.
    pub(crate) fn set_up(&mut self, link: &mut dyn CommandLink) {
        // Outputs first, displays last of them. Otherwise keep the order of codecs and their
        // routes.
        self.routes.sort_unstable_by_key(|route| {
            let is_display = route.device() == PinDevice::Display;
            (route.direction() == Direction::Input, is_display, route.codec, route.order)
        });
        for at in 0..self.routes.len() {
            let (before, rest) = self.routes.split_at_mut(at);
            let Some(route) = rest.first_mut() else { break };
            let same = before.iter().filter(|other| other.name.is_like(&route.name)).count();
            // At most `MAX_ROUTES`.
            route.name.number = (same as u8).saturating_add(1);
            log::info!("{route}");
        }
        for index in self.indices() {
            // The log has a failure; the route is settled later.
            let _ = self.prepare(link, index);
        }
        self.watch_jacks(link);
    }

    /// Powers and shuts a route.
    fn prepare(&mut self, link: &mut dyn CommandLink, index: RouteIndex) -> Result<(), CommandError> {
        let Some(route) = self.route(index) else { return Ok(()) };
        let before = self.routes.get(..usize::from(index.0)).unwrap_or_default();
        let prepared = CodecLink::run(link, route.codec, |link| codec::connect::prepare(link, before, route));
        self.note(index, prepared)
    }

    /// Restores codecs after a loss of all state. Tries everything and returns the first failure.
    pub(crate) fn restore(&mut self, link: &mut dyn CommandLink) -> Result<(), CommandError> {
        let mut result = Ok(());
        self.doubts.begin_anew();
        for codec in &self.codecs {
            let mut woken = Ok(());
            for group in codec.groups.into_iter().flatten() {
                woken = woken.and(CodecLink::run(link, codec.address, |link| codec::wake(link, group)));
            }
            if woken.is_ok() {
                // It has taken its converters off all streams.
                let places = (0_u8..).zip(&self.routes).filter(|(_, route)| route.codec == codec.address);
                places.for_each(|(at, _)| self.doubts.set_tag(at, 0));
            }
            result = result.and(woken);
        }
        for route in &mut self.routes {
            // Read the plugs anew.
            route.connection = route.connection.filter(|connection| !connection.is_jack);
            if let Some(connection) = &mut route.connection {
                connection.moved_to = None;
            }
        }
        for index in self.indices() {
            let prepared = self.prepare(link, index);
            result = result.and(prepared);
        }
        self.watch_jacks(link);
        for index in self.indices() {
            let opened = self.open(link, index);
            result = result.and(opened);
        }
        self.follow_all(link);
        result
    }

    fn route(&self, index: RouteIndex) -> Option<&Route> {
        self.routes.get(usize::from(index.0))
    }

    fn route_mut(&mut self, index: RouteIndex) -> Option<&mut Route> {
        self.routes.get_mut(usize::from(index.0))
    }

    fn indices(&self) -> impl Iterator<Item = RouteIndex> + use<> {
        // At most `MAX_ROUTES`.
        (0..self.routes.len() as u8).map(RouteIndex)
    }
}
