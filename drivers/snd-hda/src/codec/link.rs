//! Access to one codec.

use crate::command::{CommandError, CommandLink};
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
    pub(crate) fn new(commands: &'a mut dyn CommandLink, codec: CodecAddress) -> Self {
        Self { commands, codec }
    }

    /// Sends a verb and waits for the response. It logs every failure, because some callers ignore
    /// it.
    pub(crate) fn ask(&mut self, node: NodeId, verb: Verb) -> Result<u32, CommandError> {
        self.commands.send(self.codec, node, verb).inspect_err(|error| log::warn!("{error}"))
    }

    /// Reads a parameter of a node.
    pub(crate) fn parameter(&mut self, node: NodeId, parameter: u8) -> Result<u32, CommandError> {
        self.ask(node, verbs::get_parameter(parameter))
    }

    /// Requests D0 and waits a bounded time for it (7.3.3.10: actual state in bits 7:4).
    pub(crate) fn power_up(&mut self, node: NodeId) -> Result<(), CommandError> {
        self.ask(node, verbs::SET_POWER_STATE_D0)?;
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
