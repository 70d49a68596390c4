//! Judges what came out: comparison, findings, a summary for people, a drawing.

pub mod compare;
#[cfg(feature = "xen")]
pub mod mix;
pub mod pieces;
#[cfg(feature = "plot")]
pub mod plot;
#[cfg(feature = "xen")]
pub mod positions;
#[cfg(feature = "room")]
pub mod room;
pub mod summary;
pub mod verdict;
