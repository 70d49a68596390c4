//! The sound front end: the counterpart of netfront for sound.
//!
//! [`StreamFront`] is one stream of a sound card behind Xen's sound protocol. It is a state machine
//! that never waits: requests return at once, and [`StreamFront::poll`] returns the results. It
//! runs in an event loop, or under a caller that sleeps on the event channel between polls. The
//! only interface to its environment is [`Transport`], which grants pages, notifies the peer and
//! publishes the references.
//!
//! ```text
//! connect -> query* -> open -> fill, start -> (poll: positions; fill)* -> stop -> close -> disconnect
//! ```
//!
//! ```
//! use audiofront::{FrontEvent, RequestError, StreamConfig, StreamFront, Transport};
//! use sndif::format::SampleFormat;
//! use sndif::Direction;
//! use sndif::op::Operation;
//!
//! # fn connect<T: Transport>(transport: T) -> Result<StreamFront<T>, Box<dyn std::error::Error>> {
//! let mut front = StreamFront::connect(transport, Direction::Playback).map_err(|error| format!("{error:?}"))?;
//! # Ok(front)
//! # }
//! # fn open<T: Transport>(front: &mut StreamFront<T>) -> Result<(), Box<dyn std::error::Error>> {
//! // Once the back end is connected:
//! front.open(&StreamConfig {
//!     rate_hz: 48_000,
//!     format: SampleFormat::S16Le,
//!     channels: 2,
//!     buffer_bytes: 65_536,
//!     period_bytes: 1_920,
//! }).map_err(|error| format!("{error:?}"))?;
//! # Ok(())
//! # }
//!
//! /// Whenever an event came: plays `recording` from byte `next` on.
//! fn on_event<T: Transport>(front: &mut StreamFront<T>, recording: &[u8], next: &mut usize) -> Result<(), RequestError> {
//!     while let Some(event) = front.poll() {
//!         match event {
//!             FrontEvent::Answered { operation: Operation::Open, status, .. } if status.is_ok() => {
//!                 *next += front.fill(&recording[*next..]);
//!                 front.start()?;
//!             }
//!             FrontEvent::Position { .. } => *next += front.fill(&recording[*next..]),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! # use hyper::DomainId;
//! # use hypervisor_model::{HeapMemory, Limits, MemoryHypervisor};
//! # let home = MemoryHypervisor::new(HeapMemory::new(32), Limits::for_streams(1));
//! # let mut front = connect(home.front_end(DomainId(1), DomainId(0), 0)).unwrap();
//! # open(&mut front).unwrap();
//! # assert!(on_event(&mut front, &[], &mut 0).is_ok());
//! # assert_eq!(home.granted_pages(), 2 + 1 + 16);
//! ```
//!
//! # Positions
//!
//! The back end counts bytes from OPEN on and never goes back. STOP rounds the count up to a whole
//! buffer, and the next START begins there. So the byte at position `p` always lies at offset `p`
//! modulo the buffer's size.
//!
//! # Positions with a time
//!
//! With a control page ([`ControlPage`]) the back end also publishes the position at the link and
//! its time. Times are Xen's; a guest without that clock maps its own to it ([`ClockMap`]).
//! [`StreamFront::linked_start`] starts streams together.
//!
//! # Memory
//!
//! [`StreamFront::connect`] allocates the list of pages for the largest buffer. Nothing is
//! allocated later.
//!
//! # What a back end can't do
//!
//! Nothing that it writes into the rings makes this crate panic, loop or grow. Answers to no
//! request, positions that go back and impossible indices are [`Fault`]s, which
//! [`StreamFront::poll`] reports and counts.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

extern crate alloc;

mod buffer;
mod capture;
mod clock_map;
mod config;
mod control_page;
mod error;
mod event;
mod playback;
mod state;
mod stream;
mod transport;

pub use buffer::{MAX_BUFFER_BYTES, MAX_BUFFER_PAGES};
pub use capture::Capture;
pub use clock_map::{BadEcho, Bounded, ClockMap, DRIFT_MAX_PPB, WANDER_PPB};
pub use config::StreamConfig;
pub use control_page::ControlPage;
pub use error::{ConnectError, OpenError, RequestError, VolumeError, ignored};
pub use event::{Fault, FrontEvent};
pub use playback::Playback;
pub use state::StreamState;
pub use stream::{MAX_VOLUME_CHANNELS, StreamFront};
pub use transport::{EventPort, GrantAccess, GrantedPage, PublishFailed, StillMapped, Transport};
