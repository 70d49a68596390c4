//! A stream descriptor together with its buffer.

use crate::timer::Timer;

use super::descriptor::Descriptor;
use crate::deadline::Deadline;
use crate::dma::{DmaBuffer, DmaRegion};
use crate::registers::Registers;
use crate::spec::format::Format;

/// A descriptor and its buffer. Only [`Stream::release`] separates them.
pub(super) struct Loaded<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion> {
    pub(super) descriptor: Descriptor<R, D, G>,
    format: Format,
    /// `None` only after the buffer was returned.
    buffer: Option<B>,
    /// The registers are as [`Descriptor::load`] leaves them: RUN hasn't been set since.
    is_fresh: bool,
}

impl<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion> Loaded<B, R, D, G> {
    /// The descriptor is already [loaded](Descriptor::load) with this buffer.
    pub(super) fn new(descriptor: Descriptor<R, D, G>, format: Format, buffer: B) -> Self {
        Self { descriptor, format, buffer: Some(buffer), is_fresh: true }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn buffer(&self) -> Option<&B> {
        self.buffer.as_ref()
    }

    /// Whether the registers kept their values: a loss of power clears them.
    pub(super) fn is_kept(&mut self) -> bool {
        let size_bytes = self.size_bytes();
        self.descriptor.knows(size_bytes)
    }

    /// Makes sure that RUN starts at the buffer's start.
    pub(super) fn refresh(&mut self) -> Result<(), Deadline> {
        if self.is_fresh && self.is_kept() {
            return Ok(());
        }
        self.descriptor.stop()?;
        self.load(0)?;
        self.is_fresh = true;
        Ok(())
    }

    /// Reloads the registers, with a list that starts at `origin`.
    pub(super) fn load(&mut self, origin: u32) -> Result<(), Deadline> {
        match &self.buffer {
            Some(buffer) => self.descriptor.load(self.format, buffer, origin),
            None => Ok(()),
        }
    }

    pub(super) fn run(&mut self) {
        self.is_fresh = false;
        self.descriptor.run();
    }

    /// Sets RUN while SSYNC holds the stream, and waits for an output's FIFO.
    ///
    /// Returns whether the FIFO is full. Without SSYNC this does nothing.
    pub(super) fn run_held(&mut self) -> bool {
        if self.descriptor.ssync.is_none() {
            return true;
        }
        self.descriptor.hold(true);
        self.run();
        match self.descriptor.wait_fifo_ready() {
            Ok(()) => true,
            Err(deadline) => {
                log::warn!("{deadline}");
                false
            }
        }
    }

    pub(super) fn size_bytes(&self) -> u32 {
        self.buffer.as_ref().map_or(0, DmaBuffer::size_bytes)
    }

    pub(super) fn pages(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| buffer.page_addresses().len())
    }
}

impl<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion> Loaded<B, R, D, G> {
    /// Makes the controller forget the buffer, and returns it, once RUN reads 0.
    pub(super) fn part(&mut self) -> Result<B, Deadline> {
        self.descriptor.stop()?;
        if let Err(deadline) = self.descriptor.unload() {
            // RUN read 0, so DMA is over. The next user's reset shows whether the stream works.
            log::warn!("{deadline}");
        }
        // `release` consumes the stream, so a buffer is always present.
        self.buffer.take().ok_or(Deadline::NEVER)
    }
}

impl<B: DmaBuffer, R: Registers, D: Timer, G: DmaRegion> Drop for Loaded<B, R, D, G> {
    fn drop(&mut self) {
        if self.buffer.is_none() {
            return;
        }
        if let Err(deadline) = self.descriptor.stop_at_last() {
            log::error!("stream {} still runs, its buffer is lost: {deadline}", self.descriptor.index);
            core::mem::forget(self.buffer.take());
            return;
        }
        if let Err(deadline) = self.descriptor.unload() {
            log::warn!("{deadline}");
        }
    }
}
