//! The front end, against back ends that behave and that don't.

mod clock_map;
mod common;
mod control_page;
mod race;
mod samples;
mod stream;
mod volume;
