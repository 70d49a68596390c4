//! Events of a stream.

use sndif::hw_params::HwParams;
use sndif::op::{LinkedStart, Operation};
use sndif::response::Status;

/// An event of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEvent {
    /// The back end has answered a request.
    Answered {
        /// The number that the request's method returned.
        id: u16,
        /// The request's operation.
        operation: Operation,
        /// The request's result.
        status: Status,
        /// The remaining configurations, after a successful HW_PARAM_QUERY. An answer may only
        /// narrow the request. Anything beyond it is removed and counts as a fault.
        hw_params: Option<HwParams>,
        /// How the streams were started, after a successful linked start.
        started: Option<LinkedStart>,
    },
    /// The stream's position in bytes since OPEN, played or captured. Not reported while STOP is
    /// under way, because the back end then rounds up.
    Position {
        /// Bytes since OPEN.
        bytes: u64,
    },
    /// The back end violated the protocol.
    Fault(Fault),
}

/// A protocol violation by the back end. It changes nothing in the stream, except for
/// [`RingBroken`](Self::RingBroken).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer to a request that isn't under way.
    UnknownAnswer {
        /// The echoed number.
        id: u16,
    },
    /// An answer that echoes another operation. The request counts as unanswered.
    WrongOperation {
        /// The request's number.
        id: u16,
        /// The request's operation.
        asked: Operation,
        /// The answer's operation.
        answered: u8,
    },
    /// A position before the last one; it is ignored.
    PositionWentBack {
        /// The last position.
        from_bytes: u64,
        /// The rejected position.
        to_bytes: u64,
    },
    /// The index of responses is impossible; the stream is
    /// [`StreamState::Broken`](crate::StreamState::Broken).
    RingBroken,
}
