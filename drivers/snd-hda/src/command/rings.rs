//! CORB and RIRB: command and response rings in memory (specification 1.0a, 4.4.1 and 4.4.2).

use crate::deadline::{Deadline, Patience, wait_for};
use crate::dma::{DmaRegion, high, low};
use crate::registers::{ReadWrite, Register, Registers};
use crate::spec::registers as reg;
use crate::spec::verbs::CodecAddress;
use crate::timer::Timer;

/// The rings' handshakes take a few link frames.
const HANDSHAKE: Patience = Patience::new(2_000, 10);

/// RIRB: bit 4 of a response's second word marks an unsolicited one (4.4.2.1).
const RESPONSE_UNSOLICITED: u32 = 1 << 4;

/// A response of a codec.
#[derive(Clone, Copy)]
pub(super) struct Response {
    pub(super) codec: CodecAddress,
    pub(super) is_unsolicited: bool,
    pub(super) word: u32,
}

/// Both rings, and the driver's place in them.
pub(crate) struct Rings<G> {
    corb: G,
    rirb: G,
    corb_entries: u16,
    rirb_entries: u16,
    corb_write: u16,
    rirb_read: u16,
}

impl<G: DmaRegion> Rings<G> {
    /// Bytes of the largest CORB: 256 commands.
    pub(crate) const CORB_BYTES: usize = 1024;
    /// Bytes of the largest RIRB: 256 responses.
    pub(crate) const RIRB_BYTES: usize = 2048;

    pub(crate) fn new(corb: G, rirb: G) -> Self {
        Self { corb, rirb, corb_entries: 0, rirb_entries: 0, corb_write: 0, rirb_read: 0 }
    }

    /// Commands that may wait for their responses at once: as many as fit into both rings.
    pub(super) fn room(&self) -> usize {
        usize::from(self.corb_entries.min(self.rirb_entries)).saturating_sub(1)
    }

    /// Sets up both rings and starts their DMA.
    pub(super) fn start<R: Registers>(&mut self, r: &mut R, timer: &mut dyn Timer) -> Result<(), Deadline> {
        stop_rings(r, timer);
        self.corb_entries = choose_size(r, reg::CORBSIZE);
        self.rirb_entries = choose_size(r, reg::RIRBSIZE);

        let corb = self.corb.device_address();
        reg::CORBLBASE.write(r, low(corb));
        reg::CORBUBASE.write(r, high(corb));
        // Reset of the read pointer: the bit must read 1, then 0 (4.4.1.3). Some controllers clear
        // it by themselves and never show the 1. A pointer of 0 is then enough.
        reg::CORBRP.write(r, reg::POINTER_RESET);
        let mask = u32::from(reg::POINTER_RESET);
        let shown = wait_for(r, timer, reg::CORBRP, mask, mask, HANDSHAKE);
        if shown.is_err() && reg::CORBRP.read(r) != 0 {
            return shown;
        }
        reg::CORBRP.write(r, 0);
        wait_for(r, timer, reg::CORBRP, mask, 0, HANDSHAKE)?;
        reg::CORBWP.write(r, 0);
        self.corb_write = 0;

        let rirb = self.rirb.device_address();
        reg::RIRBLBASE.write(r, low(rirb));
        reg::RIRBUBASE.write(r, high(rirb));
        reg::RIRBWP.write(r, reg::POINTER_RESET);
        self.rirb_read = 0;
        // One response an interrupt, and the interrupt on. With RINTCNT 0 or without the interrupt
        // bit, some controllers (QEMU's) stop taking commands.
        reg::RINTCNT.write(r, 1);
        reg::RIRBSTS.write(r, reg::RIRBSTS_RESPONSE | reg::RIRBSTS_OVERRUN);
        reg::RIRBCTL.write(r, reg::RIRBCTL_RUN | reg::RIRBCTL_INTERRUPT);
        let run = u32::from(reg::RIRBCTL_RUN);
        wait_for(r, timer, reg::RIRBCTL, run, run, HANDSHAKE)?;
        reg::CORBCTL.write(r, reg::CORBCTL_RUN);
        let run = u32::from(reg::CORBCTL_RUN);
        wait_for(r, timer, reg::CORBCTL, run, run, HANDSHAKE)
    }

    /// Hands a command to the controller.
    pub(super) fn push<R: Registers>(&mut self, r: &mut R, command: u32) {
        // Entries are powers of two, 2 to 256.
        let next = self.corb_write.wrapping_add(1) & self.corb_entries.wrapping_sub(1);
        self.corb.write_u32(usize::from(next).wrapping_mul(4), command);
        self.corb_write = next;
        reg::CORBWP.write(r, next);
    }

    /// Takes all responses. The ring bounds the work. Returns false when the controller is gone.
    pub(super) fn drain<R: Registers>(&mut self, r: &mut R, take: &mut dyn FnMut(Response)) -> bool {
        let status = reg::RIRBSTS.read(r);
        // Nothing in the ring is new then.
        if status == u8::MAX {
            return false;
        }
        // Acknowledge first: a later response raises the flag again.
        if status & (reg::RIRBSTS_RESPONSE | reg::RIRBSTS_OVERRUN) != 0 {
            reg::RIRBSTS.write(r, reg::RIRBSTS_RESPONSE | reg::RIRBSTS_OVERRUN);
        }
        if status & reg::RIRBSTS_OVERRUN != 0 {
            log::warn!("RIRB overrun: a response is lost");
        }
        let mask = self.rirb_entries.wrapping_sub(1);
        let write = reg::RIRBWP.read(r) & mask;
        for _ in 0..self.rirb_entries {
            if self.rirb_read == write {
                break;
            }
            self.rirb_read = self.rirb_read.wrapping_add(1) & mask;
            let offset = usize::from(self.rirb_read).wrapping_mul(8);
            let word = self.rirb.read_u32(offset);
            let extended = self.rirb.read_u32(offset.wrapping_add(4));
            let Some(codec) = CodecAddress::new((extended & 0xf) as u8) else { continue };
            take(Response { codec, is_unsolicited: extended & RESPONSE_UNSOLICITED != 0, word });
        }
        true
    }

    /// What RIRBWP reads while the next response is missing, for an error.
    pub(super) fn missing<R: Registers>(&self, r: &mut R, waited_us: u32) -> Deadline {
        Deadline {
            register: reg::RIRBWP.name(),
            offset_bytes: reg::RIRBWP.offset_bytes(),
            mask: 0xff,
            expected: u32::from(self.rirb_read.wrapping_add(1) & self.rirb_entries.wrapping_sub(1)),
            last_read: u32::from(reg::RIRBWP.read(r)),
            waited_us,
        }
    }
}

/// Stops both rings' DMA; returns whether both stopped.
///
/// The caller's link reset stops a ring that sticks.
pub(crate) fn stop_rings<R: Registers>(registers: &mut R, timer: &mut dyn Timer) -> bool {
    let mut stopped = true;
    reg::CORBCTL.write(registers, 0);
    reg::RIRBCTL.write(registers, 0);
    for (register, run) in [(reg::CORBCTL, reg::CORBCTL_RUN), (reg::RIRBCTL, reg::RIRBCTL_RUN)] {
        if let Err(deadline) = wait_for(registers, timer, register, u32::from(run), 0, HANDSHAKE) {
            log::warn!("{deadline}");
            stopped = false;
        }
    }
    stopped
}

/// Chooses the largest ring that the register offers (3.3.24, 3.3.31).
///
/// Bits 6:4 offer 256, 16, 2 entries; bits 1:0 choose.
fn choose_size<R: Registers>(registers: &mut R, register: Register<u8, ReadWrite>) -> u16 {
    let offered = register.read(registers);
    let (code, entries) = if offered & 0x40 != 0 {
        (2, 256)
    } else if offered & 0x20 != 0 {
        (1, 16)
    } else {
        (0, 2)
    };
    register.write(registers, (offered & 0xf0) | code);
    entries
}
