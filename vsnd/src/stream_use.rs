//! The part of a stream in the use of its port.

use audioback::card::{Card, PortIndex};
use audioback::stream::Stream;
use hyper::{DomainId, Hypervisor};
use sndif::control_page::SlotState;

/// The part of a stream in the use of its port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamUse {
    pub(crate) guest: DomainId,
    pub(crate) port: PortIndex,
    /// OPENs so far.
    pub(crate) opens: u32,
    /// It has the port, or its part of it.
    pub(crate) is_open: bool,
    /// Samples may pass.
    pub(crate) is_running: bool,
}

impl StreamUse {
    pub(crate) fn of<H: Hypervisor, C: Card<H::Buffer>>(guest: DomainId, stream: &Stream<H, C>) -> Self {
        // The hardware of a stuck stream may still work on its buffer.
        let (state, is_stuck) = (stream.state(), stream.is_stuck());
        Self {
            guest,
            port: stream.port(),
            opens: stream.stats().opens,
            is_open: state != SlotState::Closed || is_stuck,
            is_running: state == SlotState::Running || is_stuck,
        }
    }
}
