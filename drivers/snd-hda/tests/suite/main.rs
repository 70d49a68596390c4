//! The driver on the model.

mod bring_up;
mod buffers;
mod capture;
mod codec_routes;
mod common;
mod counters;
mod displays;
mod dumps;
mod errors;
mod formats;
mod jacks;
mod linked_start;
mod patience;
mod pause;
mod playback;
mod position;
mod random_codecs;
mod restore;
mod schedules;
mod start;
mod stop;
mod volume;
