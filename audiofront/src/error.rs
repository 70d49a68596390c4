//! The errors of the front end, one enum for each kind of call, and the way to drop a result.

use crate::state::StreamState;

/// A stream that isn't connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// No page or no grant for a ring.
    NoPage,
    /// No event channel.
    NoChannel,
    /// The transport nodes couldn't be written.
    NotPublished,
}

/// A request that isn't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// 32 requests are under way: poll first.
    RingFull,
    /// Not in this state: the stream isn't open, or is already.
    WrongState(StreamState),
}

/// A volume request that isn't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeError {
    /// It couldn't be sent.
    Request(RequestError),
    /// Not one value for each channel of the stream, or more than
    /// [`MAX_VOLUME_CHANNELS`](crate::MAX_VOLUME_CHANNELS), or the buffer is smaller than they are.
    Channels,
    /// Another one is under way, or STOP is: poll first.
    UnderWay,
}

/// An OPEN that isn't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It couldn't be sent.
    Request(RequestError),
    /// The samples of this format have no size, or there is no channel.
    BadFrame,
    /// The buffer isn't whole frames, is empty or too large.
    BadBufferSize,
    /// Not enough pages or grants for the buffer and its page directory.
    NoPages,
}

/// Drops a result on purpose. `why` says why nothing is lost by that.
pub fn ignored<T>(result: T, _why: &'static str) {
    drop(result);
}
