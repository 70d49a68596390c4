//! The echo test: is what the system says about its streams good enough for an echo canceller, without a call?
//!
//! It plays a known signal, records at the same time, and asks three things:
//!
//! - **Where does the signal come back?** [`correlate`] finds it in what was recorded, to a fraction of a frame.
//! - **Does the system say the same?** Each [`Take`] comes with the offset between the two streams as the system
//!   published it. What lies between that and the correlated one is the way through the air: the same at each restart
//!   of the streams, if the system is right.
//! - **What is that worth?** [`erle`] runs the takes through a real canceller (the port of WebRTC's AEC3) that believes
//!   the published offset, and measures how much of the echo it removes, and how fast.
//!
//! The crate knows no hardware and no hypervisor: an owner of two streams implements [`DuplexRun`].
//!
//! ```
//! use echo_check::{Bounds, Check, DuplexRun, SyntheticRoom, signal};
//!
//! // A room that returns what is played 10 ms later, at half the volume.
//! let mut room = SyntheticRoom::with_echo(480, 0.5);
//! let check = Check { restarts: 2, ..Check::new(signal::Kind::Mls) };
//! let report = check.run(&mut room, &mut |_, _| {})?;
//! assert_eq!(report.restarts[0].difference_frames().round(), 480.0);
//! # Ok::<(), anyhow::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod command;
pub mod correlate;
pub mod erle;
pub mod plot;
pub mod report;
pub mod signal;

#[cfg(feature = "alsa")]
pub mod alsa;

mod canceller;
mod check;
mod duplex;
mod statistics;
mod synthetic;

pub use check::Check;
pub use duplex::{DuplexRun, OffsetReading, Take};
pub use report::{Bounds, Report, Restart};
pub use statistics::Spread;
pub use synthetic::SyntheticRoom;

/// The rate of everything here, in Hz: the one at which the link counts its own frames, and which the canceller knows.
pub const RATE_HZ: u32 = 48_000;

/// One frame: left and right, 16 bits each.
pub type Frame = [i16; 2];
