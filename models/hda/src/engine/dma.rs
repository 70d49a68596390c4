//! Moves samples between memory and FIFO, along the descriptor list.

use super::position::wrapped;
use super::state::{BUFFER_COMPLETED, Engine};
use crate::descriptors::DescriptorError;
use crate::frame_context::FrameContext;
use crate::memory::DmaFault;
use crate::violations::Rule;

impl Engine {
    /// Moves up to `limit` bytes from memory to the FIFO, in bursts.
    pub(super) fn fetch(&mut self, cx: &mut FrameContext<'_>, limit: usize, burst: u32) {
        if cx.frame < self.starved_until {
            return;
        }
        let mut left = limit;
        loop {
            let Some((address, in_entry)) = self.next_descriptor(cx) else { return };
            let chunk = in_entry.min(burst);
            if chunk as usize > left || left == 0 {
                return;
            }
            self.scratch.clear();
            self.scratch.resize(chunk as usize, 0);
            if let Err(fault) = cx.memory.dma_read(address, &mut self.scratch) {
                self.report_fault(cx, "reads samples", &fault);
            }
            self.fifo.push(&self.scratch);
            left -= chunk as usize;
            if self.walk.advance(chunk, self.last_index) {
                self.status |= BUFFER_COMPLETED;
            }
        }
    }

    /// Moves up to `limit` bytes from the FIFO to memory.
    ///
    /// Bursts have at least `burst` bytes, unless an entry ends.
    pub(super) fn store(&mut self, cx: &mut FrameContext<'_>, limit: usize, burst: u32) {
        if cx.frame < self.starved_until {
            return;
        }
        let mut left = limit.min(self.fifo.len());
        while left > 0 {
            let Some((address, in_entry)) = self.next_descriptor(cx) else { return };
            if left < in_entry.min(burst) as usize {
                return;
            }
            let chunk = in_entry.min(cx.profile.dma_burst_bytes.max(burst)).min(left as u32);
            let mut bytes = std::mem::take(&mut self.scratch);
            self.fifo.pop_into(chunk as usize, &mut bytes);
            if let Err(fault) = cx.memory.dma_write(address, &bytes) {
                self.report_fault(cx, "writes samples", &fault);
            }
            self.scratch = bytes;
            left -= chunk as usize;
            if self.walk.advance(chunk, self.last_index) {
                self.status |= BUFFER_COMPLETED;
            }
        }
    }

    fn next_descriptor(&mut self, cx: &mut FrameContext<'_>) -> Option<(u64, u32)> {
        match self.walk.next(cx.memory, self.list_address) {
            Ok(next) => Some(next),
            Err(error) => {
                match error {
                    DescriptorError::Dma(fault) => self.report_fault(cx, "reads its descriptor list", &fault),
                    DescriptorError::Empty { index } => {
                        let stream = self.index;
                        cx.violations.rule(cx.now_ns, Rule::DescriptorList, || {
                            format!("stream {stream}: descriptor {index} has no bytes")
                        });
                    }
                }
                self.descriptor_error();
                None
            }
        }
    }

    fn report_fault(&self, cx: &mut FrameContext<'_>, what: &str, fault: &DmaFault) {
        let page = fault.address & !0xfff;
        let detail = format!("stream {} {what} in page {page:#x}: {}", self.index, fault.reason);
        cx.violations.dma(cx.now_ns, detail);
    }

    /// Writes the DMA position buffer (3.6.1): bytes moved by DMA, 8 bytes a stream.
    pub(super) fn report_position(&mut self, cx: &mut FrameContext<'_>) {
        let Some(base) = cx.position_buffer else { return };
        if cx.faults.position_buffer_dead {
            return;
        }
        let ahead = cx.faults.position_buffer_ahead_bytes;
        let position = wrapped(self.walk.position(), ahead, self.buffer_bytes);
        if let Err(fault) =
            cx.memory.dma_write(base.wrapping_add(8 * self.index as u64), &position.to_le_bytes())
        {
            self.report_fault(cx, "writes its position", &fault);
        }
    }

    /// Bytes moved by DMA in this round through the buffer.
    pub(crate) fn dma_position(&self) -> u32 {
        self.walk.position()
    }
}
