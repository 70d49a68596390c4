//! A xenstore client that never waits.
//!
//! Requests go out as the ring has room; answers and watch events come in as they arrive. Each
//! request has a deadline by the caller's clock.
//!
//! ```text
//! store.submit(Request::Read(path), None, deadline)?;
//! loop {
//!     while let Some(event) = store.next(clock.now()) { ... }      // answers, watch events, time-outs
//!     if store.take_notify() { send an event on the store's channel }
//!     sleep until an event on that channel, or store.deadline()
//! }
//! ```
//!
//! The client also checks xenstored's messages: a wrong length, index, number or text causes an
//! error at worst.

mod error;
mod ring;
mod store;
mod text;
mod transaction;

pub use error::{BadText, BrokenStore, Oddity, Refusal, RequestError, SubmitError};
pub use store::{Event, MAX_IN_FLIGHT, Reply, Request, RequestId, Store, TransactionId};
pub use text::{MAX_TOKEN_BYTES, Path};
pub use transaction::{Operation, Progress, Transaction, TransactionError};
