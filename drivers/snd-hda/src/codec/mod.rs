//! Codecs: their contents, routes through them, and their verbs.

pub(crate) mod amplifier;
pub(crate) mod connect;
mod discovery;
mod display;
mod graph;
mod link;
mod pin;
mod route;
mod route_flow;
mod routing;

pub use amplifier::GainRange;
pub use discovery::Codec;
pub(crate) use discovery::{discover, wake};
pub(crate) use link::CodecLink;
pub use pin::{Location, PinDevice, PinName, Unserved};
pub(crate) use route::{Connection, Level};
pub use route::{Hop, Route};
pub(crate) use routing::{Findings, MAX_DETOURS, MAX_UNSERVED};
pub use routing::{MAX_ROUTES, UnservedPin};
