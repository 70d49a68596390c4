//! The work that a call of [`Vsnd::poll`](crate::Vsnd::poll) leaves to its caller.

use hyper::Nanos;

/// The work that a call of [`Vsnd::poll`](crate::Vsnd::poll) leaves to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The latest time of the next call. `None`: only an event on a channel makes one due.
    pub next: Option<Nanos>,
    /// xenstored needs an event on its channel.
    pub notify_store: bool,
    /// An event on xenstore's channel may wait until `next`, which is near: only the publisher of
    /// the status awaits one.
    pub store_may_wait: bool,
}

/// The earlier of two times; `None` is never.
pub(crate) fn earlier(one: Option<Nanos>, other: Option<Nanos>) -> Option<Nanos> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The time that lies so many nanoseconds after `time`.
pub(crate) const fn after(time: Nanos, ns: u64) -> Nanos {
    Nanos(time.0.saturating_add(ns))
}
