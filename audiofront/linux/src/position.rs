//! Positions from the control page, without a system call.

use std::sync::Arc;

use sndif::control_page::{ControlReader, Header, HeaderError, ReadError, Slot};

use crate::clock::Clock;
use crate::transport::Page;

/// Reads a stream's position from the control page: no system call, no hypercall, no event.
#[derive(Clone, Debug)]
pub struct PositionReader {
    control: Arc<ControlReader<Page>>,
    stream: usize,
    clock: Arc<Clock>,
}

impl PositionReader {
    pub(crate) fn new(control: Arc<ControlReader<Page>>, stream: usize, clock: Arc<Clock>) -> Self {
        Self { control, stream, clock }
    }

    /// What the back end has published last.
    ///
    /// # Errors
    /// When it was writing each time, or what stands there makes no sense.
    pub fn slot(&self) -> Result<Slot, ReadError> {
        self.control.slot(self.stream)
    }

    /// The header of the control page.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn header(&self) -> Result<Header, HeaderError> {
        self.control.header()
    }

    /// This guest's clock, in which [`now_ns`](Clock::now_ns) is free of system calls.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
