//! The sound front end as a program in a Linux guest. It needs no kernel driver, no copy in the
//! kernel, and no system call for positions.
//!
//! [`Card::connect`] finds the card that the toolstack gave this guest (`vsnd = ...`). It grants
//! pages to the back end by `/dev/xen/gntalloc` and creates event channels by `/dev/xen/evtchn`. It
//! passes the states in xenstore by `/dev/xen/xenbus`. An open stream's buffer is contiguous in the
//! program's own memory. The sound controller's DMA uses it directly ([`DmaArea`]).
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use audiofront::StreamConfig;
//! use audiofront_linux::Card;
//! use sndif::format::SampleFormat;
//! use sndif::Direction;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let samples = vec![0u8; 192_000];
//! let mut card = Card::connect(0)?;
//! let stream = card.find(Direction::Playback, None)?;
//! card.open(
//!     stream,
//!     &StreamConfig {
//!         rate_hz: 48_000,
//!         format: SampleFormat::S16Le,
//!         channels: 2,
//!         buffer_bytes: 65_536,
//!         period_bytes: 16_384,
//!     },
//! )?;
//! let mut next = card.front(stream).fill(&samples);
//! card.start(stream)?;
//! while next < samples.len() {
//!     card.wait(Duration::from_secs(1))?;
//!     next += card.front(stream).fill(&samples[next..]);
//! }
//! if let Some(position) = card.position(stream) {
//!     // A snapshot of the control page: which frame was at the link, and when.
//!     println!("{:?}", position.slot());
//! }
//! card.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! The kernel's own front end, snd_xen_front, must not use the card: see [`ErrorKind::Busy`] and
//! its remedy.
#![deny(unsafe_code)]

mod card;
mod clock;
mod deadline;
mod directory;
mod duplex;
mod error;
mod handshake;
mod position;
mod sys;
mod transport;
mod xenstore;

pub use card::Card;
pub use clock::Clock;
pub use directory::{CardInfo, StreamInfo};
pub use duplex::{Duplex, Frame, Monitored, OffsetReading, Take};
pub use error::{Error, ErrorKind, Result};
pub use position::{Frames, Position, PositionReader};
pub use transport::{DmaArea, LinuxTransport, Page};
