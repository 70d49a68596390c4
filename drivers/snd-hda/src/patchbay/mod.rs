//! The patchbay: which routes there are, which stream has which, and the verbs that make it so.

mod connections;
mod jacks;
mod volume;

use heapless::Vec;

use crate::capabilities::Capabilities;
use crate::codec::{
    self, Codec, CodecLink, Findings, MAX_DETOURS, MAX_ROUTES, MAX_UNSERVED, PinDevice, Route, UnservedPin,
};
use crate::command::{CommandError, CommandLink};
use crate::dma::Direction;
use crate::sort::insertion_sort;
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
    /// The same, but the speaker goes on.
    Both,
    /// Nothing: each stream stays where it was opened.
    Stay,
}

/// Codecs, routes, and what is connected to what. It sends verbs by the [`CommandLink`] that each method takes.
pub(crate) struct Patchbay {
    capabilities: Capabilities,
    codecs: Vec<Codec, { CODECS_MAX as usize }>,
    routes: Vec<Route, MAX_ROUTES>,
    /// Ways for recordings that follow a plug.
    detours: Vec<Route, MAX_DETOURS>,
    unserved: Vec<UnservedPin, MAX_UNSERVED>,
    jack_policy: JackPolicy,
    /// Unsolicited responses that had been lost when jacks were looked at last.
    unsolicited_lost: u32,
}

impl Patchbay {
    /// Empty. `capabilities` limit what the link can carry.
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            codecs: Vec::new(),
            routes: Vec::new(),
            detours: Vec::new(),
            unserved: Vec::new(),
            jack_policy: JackPolicy::default(),
            unsolicited_lost: 0,
        }
    }

    pub(crate) fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(crate) fn unserved(&self) -> &[UnservedPin] {
        &self.unserved
    }

    /// Asks every codec of `present`, a bit each, and finds routes. Returns the first failure.
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
            match codec::discover(&mut CodecLink::new(link, address), address, &mut findings) {
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

    /// Orders and names the routes that were found, shuts them, and watches their jacks.
    pub(crate) fn set_up(&mut self, link: &mut dyn CommandLink) {
        // Outputs first, displays last of them; the order among each is the codecs' and their routes'.
        insertion_sort(&mut self.routes, |route| {
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
            // A failure is in the log, and connecting the route will report it again.
            let _ = codec::connect::shut(&mut CodecLink::new(link, route.codec), route);
        }
        self.watch_jacks(link);
    }

    /// Makes codecs what they were before they lost all state. Returns the first failure, when all has been tried.
    pub(crate) fn restore(&mut self, link: &mut dyn CommandLink) -> Result<(), CommandError> {
        let mut result = Ok(());
        for codec in &self.codecs {
            for group in codec.groups.into_iter().flatten() {
                result = result.and(codec::wake(&mut CodecLink::new(link, codec.address), group));
            }
        }
        for route in &mut self.routes {
            // Plugs are looked at anew.
            route.connection = route.connection.filter(|connection| !connection.is_jack);
            if let Some(connection) = &mut route.connection {
                connection.moved_to = None;
            }
        }
        for route in &self.routes {
            result = result.and(codec::connect::shut(&mut CodecLink::new(link, route.codec), route));
        }
        self.watch_jacks(link);
        for index in self.indices() {
            result = result.and(self.open(link, index));
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
