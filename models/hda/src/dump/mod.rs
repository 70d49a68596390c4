//! A codec as Linux prints it in `/proc/asound/cardN/codec#M`: read, looked at, and brought to life.
//!
//! [`Dump::parse`] reads such a text, in the style of today or in older ones; [`Dump::codec`] is a codec for the model
//! that answers verbs as the one did from which the text was made.
//!
//! A text that is cut short in a node, contradicts itself or holds something else is refused with line and reason. Lines that
//! aren't known are let pass where later versions might add some: details of a node, with indentation, of the form
//! `Words: ...`.

mod build;
mod contents;
mod error;
mod node;
mod parse;
mod requirements;
mod scan;

pub use contents::{Dump, FunctionGroup, Gpio, GroupKind};
pub use error::DumpError;
pub use node::{
    AmpCaps, AmpValue, Control, ControlAmp, ConverterState, Device, Node, Pcm, Power, Processing, VolumeKnob,
};
