//! Codecs: what is in them, how a sample gets through them, and how they are told.

pub(crate) mod amplifier;
pub(crate) mod connect;
mod discovery;
mod display;
mod graph;
mod pin;
mod route;
mod routing;
mod ways;

pub(crate) use amplifier::Level;
pub use amplifier::VolumeRange;
pub(crate) use discovery::{discover, wake};
pub use pin::{Location, PinDevice, PinName, Unserved};
pub(crate) use route::Connection;
pub use route::{Hop, Route};
pub(crate) use routing::Findings;
pub use routing::UnservedPin;

use crate::command::{CommandError, CommandPort};
use crate::dma::DmaRegion;
use crate::registers::Registers;
use crate::spec::verbs::{CodecAddress, NodeId, Verb};
use embedded_hal::delay::DelayNs;

/// A codec that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec {
    /// Where it is on the link.
    pub address: CodecAddress,
    /// Vendor in bits 31:16, device in 15:0.
    pub vendor_id: u32,
    /// Widgets in its audio function groups.
    pub widgets: u16,
    /// Its audio function groups.
    pub(crate) groups: [Option<NodeId>; discovery::FUNCTION_GROUPS_MAX],
}

/// One codec to talk to.
pub(crate) trait CodecLink {
    /// Sends a verb and waits for the answer.
    fn ask(&mut self, node: NodeId, verb: Verb) -> Result<u32, CommandError>;
    /// Gives the codec time.
    fn sleep_us(&mut self, us: u32);
}

/// A [`CodecLink`] over the controller's commands.
pub(crate) struct CodecPort<'a, R: Registers, D: DelayNs, G: DmaRegion> {
    pub(crate) port: &'a mut CommandPort<R, D, G>,
    pub(crate) delay: &'a mut D,
    pub(crate) codec: CodecAddress,
}

impl<R: Registers, D: DelayNs, G: DmaRegion> CodecLink for CodecPort<'_, R, D, G> {
    fn ask(&mut self, node: NodeId, verb: Verb) -> Result<u32, CommandError> {
        // Here once for all: some callers go on without the answer.
        self.port.send(self.codec, node, verb).inspect_err(|error| log::warn!("{error}"))
    }

    fn sleep_us(&mut self, us: u32) {
        self.delay.delay_us(us);
    }
}
