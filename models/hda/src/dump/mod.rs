//! Codec dumps, as Linux prints them in `/proc/asound/cardN/codec#M`.
//!
//! [`Dump::parse`] reads a dump, in the current style or an older one. [`Dump::codec`] builds a
//! codec for the model. It answers verbs as the dumped codec did.
//!
//! The parser refuses a text that is cut short in a node, contradicts itself or isn't a dump. The
//! error names the line and the reason. Unknown lines pass where later versions of Linux might add
//! some: indented details of a node of the form `Words: ...`.

mod build;
mod contents;
mod error;
mod node;
mod parse;
mod requirements;
mod scan;

pub use contents::{Dump, FunctionGroup, Gpio, GroupKind};
pub use error::DumpError;
pub use node::{AmpCaps, Node, Pcm, Processing, VolumeKnob};
