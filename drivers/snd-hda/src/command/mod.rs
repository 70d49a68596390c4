//! Commands to codecs and their responses.
//!
//! They pass through rings in memory (CORB and RIRB, specification 1.0a, 4.4.1 and 4.4.2). If the
//! rings don't work, the immediate command registers (3.4) replace them.

mod absence;
mod port;
mod rings;

use core::fmt;

pub(crate) use port::CommandPort;
pub(crate) use rings::{Rings, stop_rings};

use crate::deadline::Deadline;
use crate::kind::ErrorKind;
use crate::spec::verbs::{CodecAddress, NodeId, Verb};

/// An unsolicited response (specification 1.0a, 7.3.3.14), such as a jack event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unsolicited {
    /// The codec that sent it.
    pub codec: CodecAddress,
    /// The response: bits 31:26 hold the node's tag.
    pub response: u32,
}

/// Why a command has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NoResponse {
    /// The codec didn't answer: the register that should have shown the response, RIRBWP or ICIS.
    Late(Deadline),
    /// The command wasn't sent: earlier ones used up the time of bring-up, or of the operation.
    NotSent {
        /// Their time, in microseconds.
        waited_us: u32,
    },
    /// The command wasn't sent: the codec has missed an answer, or took too long, a short time ago.
    Absent {
        /// It is asked again after this time, in microseconds.
        again_us: u32,
    },
}

/// A command without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CommandError {
    /// The addressed codec.
    pub codec: CodecAddress,
    /// The addressed node.
    pub node: NodeId,
    /// The verb and its payload.
    pub verb: Verb,
    /// Why.
    pub cause: NoResponse,
}

impl CommandError {
    /// The kind of failure.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Timeout
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "codec {} node {:#x} did not ", self.codec.get(), self.node.get())?;
        let verb = self.verb.bits();
        match self.cause {
            NoResponse::Late(deadline) => write!(f, "answer verb {verb:#07x}: {deadline}"),
            NoResponse::NotSent { waited_us } => {
                write!(f, "get verb {verb:#07x}: earlier commands took {waited_us} us")
            }
            NoResponse::Absent { again_us } => {
                write!(f, "get verb {verb:#07x}: it gave no answer, and is asked again in {again_us} us")
            }
        }
    }
}

impl core::error::Error for CommandError {}

/// A verb to a node of a codec.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    pub(crate) codec: CodecAddress,
    pub(crate) node: NodeId,
    pub(crate) verb: Verb,
}

impl Command {
    fn failed(self, cause: NoResponse) -> CommandError {
        CommandError { codec: self.codec, node: self.node, verb: self.verb, cause }
    }
}

/// Commands to any codec, and unsolicited responses.
pub(crate) trait CommandLink {
    /// Sends a verb, and waits for its response and for those to all verbs before it.
    fn send(&mut self, command: Command) -> Result<u32, CommandError>;
    /// Sends a verb whose response says nothing. [`finish`](Self::finish) waits for it.
    ///
    /// An error is this verb's, or that of one before.
    fn post(&mut self, command: Command) -> Result<(), CommandError>;
    /// Waits for the responses to all verbs sent.
    fn finish(&mut self) -> Result<(), CommandError>;
    /// Whether a codec is sent nothing for now: see [`NoResponse::Absent`].
    fn is_absent(&self, codec: CodecAddress) -> bool;
    /// Gives a codec time.
    fn sleep_us(&mut self, us: u32);
    /// The oldest unsolicited response not yet taken.
    fn take_unsolicited(&mut self) -> Option<Unsolicited>;
    /// Unsolicited responses lost because they weren't taken in time.
    fn unsolicited_lost(&self) -> u32;
}
