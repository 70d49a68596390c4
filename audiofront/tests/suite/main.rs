//! The front end, against back ends that behave and that don't.

mod common;
mod race;
mod samples;
mod stream;
