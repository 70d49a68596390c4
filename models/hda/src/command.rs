//! CORB, RIRB and the immediate command interface: specification 4.4.

use std::collections::VecDeque;

use crate::frame_context::FrameContext;
use crate::violations::Rule;

/// RIRBSTS: response interrupt and overrun.
pub(crate) const RESPONSE_INTERRUPT: u8 = 1 << 0;
pub(crate) const RESPONSE_OVERRUN: u8 = 1 << 2;
/// CORBSTS: memory error.
pub(crate) const MEMORY_ERROR: u8 = 1 << 0;
/// CORBCTL and RIRBCTL: the DMA engine runs.
pub(crate) const RING_RUN: u8 = 1 << 1;
/// CORBCTL: memory errors interrupt. RIRBCTL: responses interrupt.
pub(crate) const RING_INTERRUPT: u8 = 1 << 0;
/// RIRBCTL: overruns interrupt.
pub(crate) const OVERRUN_INTERRUPT: u8 = 1 << 2;
/// RIRB entry: the response is unsolicited.
const UNSOLICITED: u32 = 1 << 4;

/// A response in transit.
struct Response {
    due_frame: u64,
    codec: u8,
    value: u32,
    unsolicited: bool,
    immediate: bool,
}

/// The state behind registers 0x40 to 0x68.
#[derive(Default)]
pub(crate) struct Command {
    pub(crate) corb_address: u64,
    pub(crate) corb_write: u16,
    pub(crate) corb_read: u16,
    /// CORBRP bit 15 as the driver reads it.
    pub(crate) corb_pointer_reset: bool,
    pub(crate) corb_control: u8,
    pub(crate) corb_status: u8,
    pub(crate) corb_size: u8,
    pub(crate) rirb_address: u64,
    pub(crate) rirb_write: u16,
    pub(crate) rirb_control: u8,
    pub(crate) rirb_status: u8,
    pub(crate) rirb_size: u8,
    /// RINTCNT; 0 means 256.
    pub(crate) response_count: u8,
    pub(crate) immediate_command: u32,
    pub(crate) immediate_response: u32,
    pub(crate) immediate_busy: bool,
    pub(crate) immediate_valid: bool,
    immediate_waiting: bool,
    responses: VecDeque<Response>,
    /// Responses since the last response interrupt.
    counted: u16,
}

/// Entries of a ring, from the low two bits of its size register.
fn ring_entries(size: u8) -> u16 {
    match size & 3 {
        0 => 2,
        1 => 16,
        _ => 256,
    }
}

impl Command {
    pub(crate) fn new(ring_size_capability: u8) -> Self {
        // A controller with one possible ring size has it fixed.
        let size = match ring_size_capability {
            1 => 0,
            2 => 1,
            _ => 2,
        };
        Self { corb_size: size, rirb_size: size, ..Self::default() }
    }

    pub(crate) fn corb_running(&self) -> bool {
        self.corb_control & RING_RUN != 0
    }

    pub(crate) fn rirb_running(&self) -> bool {
        self.rirb_control & RING_RUN != 0
    }

    /// Whether the rings can change anything in a link frame.
    pub(crate) fn is_active(&self) -> bool {
        (self.corb_running() && self.corb_read != self.corb_write)
            || !self.responses.is_empty()
            || self.immediate_waiting
            || self.counted > 0
    }

    /// CIS's share of INTSTS.
    pub(crate) fn interrupts(&self) -> bool {
        let rirb = &self.rirb_control;
        (self.rirb_status & RESPONSE_INTERRUPT != 0 && rirb & RING_INTERRUPT != 0)
            || (self.rirb_status & RESPONSE_OVERRUN != 0 && rirb & OVERRUN_INTERRUPT != 0)
            || (self.corb_status & MEMORY_ERROR != 0 && self.corb_control & RING_INTERRUPT != 0)
    }

    /// Sends an unsolicited response of a codec.
    pub(crate) fn unsolicited(&mut self, codec: u8, value: u32, frame: u64) {
        self.responses.push_back(Response {
            due_frame: frame + 1,
            codec,
            value,
            unsolicited: true,
            immediate: false,
        });
    }

    /// Software set ICB.
    pub(crate) fn start_immediate(&mut self) {
        self.immediate_busy = true;
        self.immediate_waiting = true;
    }

    /// Software cleared ICB: it gave up.
    pub(crate) fn abandon_immediate(&mut self) {
        self.immediate_busy = false;
        self.immediate_waiting = false;
        self.responses.retain(|response| !response.immediate);
    }

    /// Software acknowledged RIRBSTS.
    pub(crate) fn acknowledged(&mut self) {
        self.counted = 0;
    }

    /// Runs a link frame: the last one's responses arrive, and the next verb leaves.
    pub(crate) fn link_frame(&mut self, cx: &mut FrameContext<'_>, codecs_ready: bool) -> Option<(u8, bool)> {
        let mut quiet = true;
        while self.responses.front().is_some_and(|response| response.due_frame <= cx.frame) {
            if let Some(response) = self.responses.pop_front() {
                quiet = false;
                self.receive(cx, &response);
            }
        }
        if cx.profile.commands_at_once {
            return None;
        }
        if quiet && self.counted > 0 && self.responses.is_empty() {
            self.interrupt();
        }
        let verb = self.next_verb(cx)?;
        self.send(cx, verb, codecs_ready)
    }

    /// Runs verbs at once, as QEMU does, until the ring is empty or RINTCNT responses await
    /// acknowledgement.
    pub(crate) fn run_at_once(&mut self, cx: &mut FrameContext<'_>) -> Option<(u8, bool)> {
        let mut format_set_on = None;
        loop {
            let limit = u16::from(self.response_count);
            let waits =
                !self.immediate_waiting && cx.profile.corb_waits_for_acknowledge && self.counted == limit;
            if waits {
                return format_set_on;
            }
            let Some(verb) = self.next_verb(cx) else { return format_set_on };
            format_set_on = self.send(cx, verb, true).or(format_set_on);
            while let Some(response) = self.responses.pop_front() {
                self.receive(cx, &response);
                if self.counted == limit || self.corb_read == self.corb_write {
                    self.raise_if_enabled();
                }
            }
        }
    }

    fn next_verb(&mut self, cx: &mut FrameContext<'_>) -> Option<(u32, bool)> {
        if std::mem::take(&mut self.immediate_waiting) {
            return Some((self.immediate_command, true));
        }
        if !self.corb_running() || self.corb_read == self.corb_write || cx.faults.corb_dead {
            return None;
        }
        let next = (self.corb_read + 1) % ring_entries(self.corb_size);
        let address = self.corb_address.wrapping_add(4 * u64::from(next));
        match cx.memory.dma_read_u32(address) {
            Ok(verb) => {
                self.corb_read = next;
                Some((verb, false))
            }
            Err(fault) => {
                cx.violations.dma(cx.now_ns, format!("CORB reads {:#x}: {}", fault.address, fault.reason));
                self.corb_status |= MEMORY_ERROR;
                self.corb_control &= !RING_RUN;
                None
            }
        }
    }

    fn send(
        &mut self,
        cx: &mut FrameContext<'_>,
        (verb, immediate): (u32, bool),
        ready: bool,
    ) -> Option<(u8, bool)> {
        let address = verb >> 28;
        if !ready {
            cx.violations.rule(cx.now_ns, Rule::CodecsNotReady, || {
                format!("verb {verb:#010x} less than 521 us after CRST")
            });
            return None;
        }
        let codec = cx.link.codec(address as usize)?;
        if cx.faults.silent_codecs >> address & 1 != 0 {
            return None;
        }
        let is_late = cx.faults.late_codecs == 0 || cx.faults.late_codecs >> address & 1 != 0;
        let answer = codec.command(cx.now_ns, verb, cx.violations);
        if let Some(value) = answer.response {
            self.responses.push_back(Response {
                due_frame: cx.frame + 1 + if is_late { cx.faults.answer_late_frames } else { 0 },
                codec: address as u8,
                value,
                unsolicited: false,
                immediate,
            });
        }
        answer.format_set_on
    }

    fn receive(&mut self, cx: &mut FrameContext<'_>, response: &Response) {
        if response.immediate {
            self.immediate_response = response.value;
            self.immediate_busy = false;
            self.immediate_valid = true;
            return;
        }
        if !self.rirb_running() || cx.faults.rirb_dead {
            return;
        }
        if std::mem::take(&mut cx.faults.rirb_overrun_once) {
            self.rirb_status |= RESPONSE_OVERRUN;
            return;
        }
        let next = (self.rirb_write + 1) % ring_entries(self.rirb_size);
        let address = self.rirb_address.wrapping_add(8 * u64::from(next));
        let extended = u32::from(response.codec) | if response.unsolicited { UNSOLICITED } else { 0 };
        let mut entry = [0; 8];
        entry[..4].copy_from_slice(&response.value.to_le_bytes());
        entry[4..].copy_from_slice(&extended.to_le_bytes());
        if let Err(fault) = cx.memory.dma_write(address, &entry) {
            cx.violations.dma(cx.now_ns, format!("RIRB writes {:#x}: {}", fault.address, fault.reason));
        }
        self.rirb_write = next;
        self.counted += 1;
        let limit = if self.response_count == 0 { 256 } else { u16::from(self.response_count) };
        if !cx.profile.corb_waits_for_acknowledge && self.counted >= limit {
            self.interrupt();
        }
    }

    fn interrupt(&mut self) {
        self.counted = 0;
        self.raise_if_enabled();
    }

    fn raise_if_enabled(&mut self) {
        if self.rirb_control & RING_INTERRUPT != 0 {
            self.rirb_status |= RESPONSE_INTERRUPT;
        }
    }
}
