//! ALSA's PCM plug-in `snddom`: ALSA programs in a guest play and record directly in the sound
//! card's shared pages.
//!
//! alsa-lib loads `libasound_module_pcm_snddom.so` for a PCM of `type snddom` (see `docs/alsa.md`).
//! It is an "I/O plug-in" (alsa-lib's `pcm_ioplug.h`): alsa-lib keeps state and parameters, waits,
//! and calls the plug-in's callbacks.
//!
//! - [`card`] is the interface to a sound card, as a trait.
//! - [`pcm`] computes the pointers: room to write, time to wake the program, xruns.
//! - [`guest`] implements [`card`] for the guest's own card, by the user-space front end.
//! - [`settings`] and [`limits`] read `asound.conf` and compute ALSA's constraints.
//! - `ffi` is the interface to ALSA's C, with all of the `unsafe`.

#![deny(unsafe_code)]

pub mod card;
mod connection;
#[expect(unsafe_code, reason = "the seam to C")]
mod ffi;
pub mod guest;
pub mod limits;
mod look;
pub mod pcm;
pub mod settings;

pub use ffi::memory::{AppFrames, DmaArea};
pub use ffi::{Opener, open};
