//! The High Definition Audio specification, revision 1.0a, as far as the driver uses it: registers, verbs,
//! parameters and formats, each with its section.

pub mod format;
pub(crate) mod parameters;
pub(crate) mod registers;
pub mod verbs;
