//! The front end's errors, one enum for each kind of call, and a helper to drop a result.

use crate::state::StreamState;

/// Why a stream couldn't be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// No page or no grant for a ring.
    NoPage,
    /// No event channel.
    NoChannel,
    /// The transport nodes couldn't be written.
    NotPublished,
}

/// Why a request isn't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// 32 requests are under way: poll first.
    RingFull,
    /// The stream's state forbids it: not open, or already open.
    WrongState(StreamState),
}

/// Why a volume request isn't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeError {
    /// The request couldn't be sent.
    Request(RequestError),
    /// The values don't match the stream's channels, exceed
    /// [`MAX_VOLUME_CHANNELS`](crate::MAX_VOLUME_CHANNELS), or don't fit into the buffer.
    Channels,
    /// Another volume request, or STOP, is under way: poll first.
    UnderWay,
}

/// Why OPEN isn't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The request couldn't be sent.
    Request(RequestError),
    /// The format has no sample size, or there are no channels.
    BadFrame,
    /// The buffer isn't whole frames, is empty or is too large.
    BadBufferSize,
    /// Not enough pages or grants for the buffer and its page directory.
    NoPages,
}

/// Drops a result on purpose. `why` says why that loses nothing.
pub fn ignored<T>(result: T, _why: &'static str) {
    drop(result);
}
