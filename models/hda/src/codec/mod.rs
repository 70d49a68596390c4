//! Codecs, which answer verbs at the other end of the link.
//!
//! - [`Codec::duplex`] and its relatives are ready-made.
//! - [`Codec::builder`] builds a codec widget by widget.
//! - [`Codec::answering`] passes every verb to a closure, for codecs that lie.
//! - [`Dump::codec`](crate::Dump::codec) copies a real codec.

mod amplifier;
mod builder;
mod connections;
mod converter;
mod device;
mod graph;
mod group;
mod hdmi;
mod route;
mod verbs;
mod widget;
mod widget_builder;
mod widget_verbs;

pub use amplifier::Amplifier;
pub(crate) use amplifier::GainAtReset;
pub use builder::CodecBuilder;
pub use connections::ConnectionForm;
pub(crate) use connections::ConnectionList;
pub use converter::SourceFrame;
pub(crate) use converter::{Converter, Source};
pub use device::{Codec, TamperHook, VerbHook};
pub(crate) use graph::Graph;
pub(crate) use group::{Group, OtherGroup};
pub use route::Arrival;
pub(crate) use route::Way;
pub(crate) use widget::capability;
pub use widget::{Widget, WidgetKind};
