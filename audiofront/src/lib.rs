//! The sound front end: what netfront is to the network.
//!
//! [`StreamFront`] is one stream of a sound card behind Xen's sound protocol. It is a state machine that never waits:
//! requests are sent and return at once, [`StreamFront::poll`] tells what came back. So it runs in an event loop beside
//! other things, or under a caller that sleeps on the event channel between polls. How pages are granted, how the peer
//! is notified and where the references are published is the [`Transport`]'s business, the only seam.
//!
//! ```text
//! connect -> query* -> open -> fill, start -> (poll: positions; fill)* -> stop -> close -> disconnect
//! ```
//!
//! # Positions
//!
//! The back end counts octets from OPEN on and never goes back. STOP rounds the count up to a whole buffer, and the
//! next START begins there: so the octet at position `p` always lies at offset `p` modulo the buffer's size.
//!
//! # What a back end can't do
//!
//! Nothing that it writes into the rings makes this crate panic, loop or grow. Answers to no request, positions that go
//! back, indices that can't be: each is a [`Fault`], reported by [`StreamFront::poll`] and counted.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod buffer;
mod capture;
mod playback;
mod stream;
mod transport;

pub use buffer::{MAX_BUFFER_BYTES, MAX_BUFFER_PAGES};
pub use capture::Capture;
pub use playback::Playback;
pub use stream::{
    ConnectError, Fault, FrontEvent, OpenError, RequestError, StreamConfig, StreamFront, StreamState,
};
pub use transport::{EventPort, GrantAccess, GrantedPage, PublishFailed, StillMapped, Transport};
