//! Streams: a stream descriptor and a buffer, with their legal operations in each state.
//!
//! ```text
//!           configure            start             pause
//!  Reset ---------------> Configured ---> Running ------> Paused
//!    ^                        ^  |          |  ^            | |
//!    |        release         |  |   stop   |  |   resume   | |
//!    +------------------------|--+<---------+  +------------+ |
//!                             |         stop                  |
//!                             +-------------------------------+
//! ```
//!
//! The buffer goes in with [`configure`](Stream::configure) and comes out with
//! [`release`](Stream::release), once RUN reads 0. Then the controller no longer touches it
//! (specification 1.0a, 3.3.35 and 4.5.4). If RUN sticks, [`Refused`] keeps stream and buffer
//! together until a retry succeeds.
//!
//! Dropping a stream in any state stops its DMA. If RUN sticks even then, the buffer is leaked on
//! purpose ([`core::mem::forget`]). A page that the controller still writes must not serve
//! anything else.

mod buffer_list;
mod descriptor;
mod error;
mod linked;
mod loaded;
mod progress;
mod start;
mod state;

pub use crate::traits::PositionChoice;
pub use buffer_list::BufferError;
pub(crate) use buffer_list::LIST_ENTRIES_MAX;
pub(crate) use descriptor::{Descriptor, stop_at_last};
pub use error::{ConfigureError, Refused, Rejected};
pub use linked::{release_together, start_together};
pub use progress::{PositionSource, StreamStatus};
pub use start::{LinkTime, LinkedStart, StartMethod};
pub use state::{Configured, Held, Paused, Reset, Running, Stream};

/// Bytes of a descriptor list: 256 entries of 16.
pub(crate) const LIST_BYTES: usize = 4096;
