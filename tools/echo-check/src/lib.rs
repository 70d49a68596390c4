//! A test whether the published stream offsets are good enough for an echo canceller.
//!
//! The test needs no call. It plays a known signal, records at the same time, and answers three
//! questions:
//!
//! - **Where does the signal come back?** [`correlate`] finds it in the recording, to a fraction
//!   of a frame.
//! - **Does the system publish the same offset?** Each [`Take`] has the published offset between
//!   the two streams. Its difference from the correlated one is the way through the air. If the
//!   system is right, it is the same at each restart of the streams.
//! - **How well does a canceller work with it?** [`erle`] runs the takes through the port of
//!   WebRTC's AEC3, which trusts the published offset. It measures how much echo the canceller
//!   removes, and how fast.
//!
//! With a monitor ([`Monitored`]) the far end is all that the output played. The canceller then
//! removes what others play, too. The report has both references side by side.
//!
//! The crate knows no hardware and no hypervisor: the owner of two streams implements
//! [`DuplexRun`].
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
pub use duplex::{DuplexRun, Monitored, OffsetReading, Take};
pub use report::{Bounds, MonitorReport, MonitorRestart, Report, Restart};
pub use statistics::Spread;
pub use synthetic::SyntheticRoom;

/// The rate of all streams in Hz, as the link counts frames. The canceller supports it.
pub const RATE_HZ: u32 = 48_000;

/// One frame: left and right, 16 bits each.
pub type Frame = [i16; 2];
