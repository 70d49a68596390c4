//! ALSA's PCM plug-in `snddom`: every ALSA program in a guest plays and records by the sound card's own pages.
//!
//! `libasound_module_pcm_snddom.so` is what alsa-lib loads for a PCM of `type snddom` (see `docs/alsa.md`). It is an "I/O
//! plug-in" (alsa-lib's `pcm_ioplug.h`): alsa-lib keeps the state, the parameters and the waiting, and asks by callbacks.
//!
//! - [`card`] is the seam to the sound card: what the plug-in needs of it, as a trait.
//! - [`pcm`] has the pointers: what may be written, when to wake the program, when it was too late.
//! - [`guest`] is that card: the guest's own, by the user-space front end.
//! - [`settings`] and [`limits`] read `asound.conf` and give ALSA its constraints.
//! - `ffi` is the seam to ALSA's C, and has all of the `unsafe`.

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
