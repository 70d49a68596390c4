//! Access to one codec.

use crate::command::{Command, CommandError, CommandLink, NoResponse};
use crate::spec::verbs::{self, CodecAddress, NodeId, Verb};

/// Limit of polls while a node powers up.
const POWER_POLLS: u32 = 10;
/// Time between two polls.
const POWER_POLL_US: u32 = 1_000;

/// Commands to one codec.
pub(crate) struct CodecLink<'a> {
    commands: &'a mut dyn CommandLink,
    codec: CodecAddress,
}

impl<'a> CodecLink<'a> {
    /// Sends verbs to a codec, and waits for all responses. The first failure counts.
    pub(crate) fn run<T>(
        commands: &'a mut dyn CommandLink,
        codec: CodecAddress,
        verbs: impl FnOnce(&mut Self) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let mut link = Self { commands, codec };
        let sent = verbs(&mut link);
        let answered = logged(link.commands.finish());
        sent.and_then(|value| answered.map(|()| value))
    }

    /// Sends a verb and waits for the response.
    pub(crate) fn ask(&mut self, node: NodeId, verb: Verb) -> Result<u32, CommandError> {
        logged(self.commands.send(Command { codec: self.codec, node, verb }))
    }

    /// Sends a verb whose response says nothing.
    pub(crate) fn tell(&mut self, node: NodeId, verb: Verb) -> Result<(), CommandError> {
        logged(self.commands.post(Command { codec: self.codec, node, verb }))
    }

    /// Reads a parameter of a node.
    pub(crate) fn parameter(&mut self, node: NodeId, parameter: u8) -> Result<u32, CommandError> {
        self.ask(node, verbs::get_parameter(parameter))
    }

    /// Requests D0 and waits a bounded time for it (7.3.3.10: actual state in bits 7:4).
    pub(crate) fn power_up(&mut self, node: NodeId) -> Result<(), CommandError> {
        self.tell(node, verbs::SET_POWER_STATE_D0)?;
        for _ in 0..POWER_POLLS {
            if (self.ask(node, verbs::GET_POWER_STATE)? >> 4) & 0xf == 0 {
                return Ok(());
            }
            self.commands.sleep_us(POWER_POLL_US);
        }
        log::warn!("codec {} node {:#x} does not report D0", self.codec.get(), node.get());
        Ok(())
    }
}

/// Logs a failure, because some callers ignore it. That a codec is left alone the log has already.
fn logged<T>(result: Result<T, CommandError>) -> Result<T, CommandError> {
    result.inspect_err(|error| match error.cause {
        NoResponse::Absent { .. } => log::debug!("{error}"),
        _ => log::warn!("{error}"),
    })
}
