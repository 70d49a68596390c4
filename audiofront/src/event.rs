//! Events of a stream.

use sndif::hw_params::HwParams;
use sndif::op::{LinkedStart, Operation};
use sndif::response::Status;

/// An event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEvent {
    /// The back end has answered a request.
    Answered {
        /// What the request's method returned.
        id: u16,
        /// The request's operation.
        operation: Operation,
        /// How it went.
        status: Status,
        /// HW_PARAM_QUERY that went well: what is left of the configurations asked for. An answer may only narrow: if it
        /// has more, that is taken off, and counts as a fault.
        hw_params: Option<HwParams>,
        /// A linked start that went well: how the streams were started.
        started: Option<LinkedStart>,
    },
    /// The stream is at this position: bytes since OPEN, played or captured. Not reported while STOP is under way, because the
    /// back end rounds up then.
    Position {
        /// Bytes since OPEN.
        bytes: u64,
    },
    /// The back end did what it must not do.
    Fault(Fault),
}

/// A back end's misdeed. Nothing of the stream's changes by it, except for [`RingBroken`](Self::RingBroken).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer to a request that isn't under way.
    UnknownAnswer {
        /// The number that it echoes.
        id: u16,
    },
    /// An answer that echoes another operation. The request counts as not answered.
    WrongOperation {
        /// The request's number.
        id: u16,
        /// What was asked.
        asked: Operation,
        /// What the answer says.
        answered: u8,
    },
    /// A position before the last one; it is left out.
    PositionWentBack {
        /// The last position.
        from_bytes: u64,
        /// The one refused.
        to_bytes: u64,
    },
    /// The index of responses can't be; the stream is [`StreamState::Broken`](crate::StreamState::Broken).
    RingBroken,
}
