//! Controller and stream descriptor registers (specification 1.0a, 3.3).

use crate::registers::{ReadOnly, ReadWrite, Register, WriteOnly};

/// 3.3.2: what the controller has.
pub(crate) const GCAP: Register<u16, ReadOnly> = Register::new("GCAP", 0x00);
/// 3.3.3: minor version.
pub(crate) const VMIN: Register<u8, ReadOnly> = Register::new("VMIN", 0x02);
/// 3.3.4: major version.
pub(crate) const VMAJ: Register<u8, ReadOnly> = Register::new("VMAJ", 0x03);
/// 3.3.5: words that all output streams together may put on a link frame.
pub(crate) const OUTPAY: Register<u16, ReadOnly> = Register::new("OUTPAY", 0x04);
/// 3.3.6: the same for input.
pub(crate) const INPAY: Register<u16, ReadOnly> = Register::new("INPAY", 0x06);
/// 3.3.7: reset, and acceptance of unsolicited responses.
pub(crate) const GCTL: Register<u32, ReadWrite> = Register::new("GCTL", 0x08);
/// 3.3.9: codecs that made themselves known on the link; write ones to clear.
pub(crate) const STATESTS: Register<u16, ReadWrite> = Register::new("STATESTS", 0x0e);
/// 3.3.11: words of one output stream on a link frame; 0: as OUTPAY says.
pub(crate) const OUTSTRMPAY: Register<u16, ReadOnly> = Register::new("OUTSTRMPAY", 0x18);
/// 3.3.12: the same for input.
pub(crate) const INSTRMPAY: Register<u16, ReadOnly> = Register::new("INSTRMPAY", 0x1a);
/// 3.3.14: which interrupts may be raised.
pub(crate) const INTCTL: Register<u32, ReadWrite> = Register::new("INTCTL", 0x20);
/// 3.3.15: which interrupts there are.
pub(crate) const INTSTS: Register<u32, ReadOnly> = Register::new("INTSTS", 0x24);
/// 3.3.16: ticks of the 24 MHz link clock, modulo 2^32.
pub(crate) const WALCLK: Register<u32, ReadOnly> = Register::new("WALCLK", 0x30);
/// 3.3.17: a set bit holds a stream back.
pub(crate) const SSYNC: Register<u32, ReadWrite> = Register::new("SSYNC", 0x38);
/// The same, where ICH6 to ICH10 have it (their datasheets; specification 1.0).
pub(crate) const SSYNC_ICH: Register<u32, ReadWrite> = Register::new("SSYNC", 0x34);
/// 3.3.18 and the following: the ring of commands.
pub(crate) const CORBLBASE: Register<u32, ReadWrite> = Register::new("CORBLBASE", 0x40);
pub(crate) const CORBUBASE: Register<u32, ReadWrite> = Register::new("CORBUBASE", 0x44);
pub(crate) const CORBWP: Register<u16, ReadWrite> = Register::new("CORBWP", 0x48);
pub(crate) const CORBRP: Register<u16, ReadWrite> = Register::new("CORBRP", 0x4a);
pub(crate) const CORBCTL: Register<u8, ReadWrite> = Register::new("CORBCTL", 0x4c);
pub(crate) const CORBSTS: Register<u8, ReadWrite> = Register::new("CORBSTS", 0x4d);
pub(crate) const CORBSIZE: Register<u8, ReadWrite> = Register::new("CORBSIZE", 0x4e);
/// 3.3.25 and the following: the ring of responses.
pub(crate) const RIRBLBASE: Register<u32, ReadWrite> = Register::new("RIRBLBASE", 0x50);
pub(crate) const RIRBUBASE: Register<u32, ReadWrite> = Register::new("RIRBUBASE", 0x54);
pub(crate) const RIRBWP: Register<u16, ReadWrite> = Register::new("RIRBWP", 0x58);
pub(crate) const RINTCNT: Register<u16, ReadWrite> = Register::new("RINTCNT", 0x5a);
pub(crate) const RIRBCTL: Register<u8, ReadWrite> = Register::new("RIRBCTL", 0x5c);
pub(crate) const RIRBSTS: Register<u8, ReadWrite> = Register::new("RIRBSTS", 0x5d);
pub(crate) const RIRBSIZE: Register<u8, ReadWrite> = Register::new("RIRBSIZE", 0x5e);
/// 3.3.32, 3.3.33: the DMA position buffer.
pub(crate) const DPLBASE: Register<u32, ReadWrite> = Register::new("DPLBASE", 0x70);
pub(crate) const DPUBASE: Register<u32, ReadWrite> = Register::new("DPUBASE", 0x74);
/// 3.4.1 to 3.4.3: the immediate command interface.
pub(crate) const ICOI: Register<u32, WriteOnly> = Register::new("ICOI", 0x60);
pub(crate) const ICII: Register<u32, ReadOnly> = Register::new("ICII", 0x64);
pub(crate) const ICIS: Register<u16, ReadWrite> = Register::new("ICIS", 0x68);

/// GCAP: the controller takes 64-bit addresses.
pub(crate) const GCAP_64OK: u16 = 1 << 0;
/// GCTL: 0 resets the link.
pub(crate) const GCTL_CRST: u32 = 1 << 0;
/// GCTL: unsolicited responses go to the RIRB.
pub(crate) const GCTL_UNSOL: u32 = 1 << 8;
/// STATESTS: one bit a codec address.
pub(crate) const STATESTS_CODECS: u16 = 0x7fff;
/// INTCTL, INTSTS: everything.
pub(crate) const INT_GLOBAL: u32 = 1 << 31;
/// INTCTL, INTSTS: commands, responses and codecs that come and go.
pub(crate) const INT_CONTROLLER: u32 = 1 << 30;
/// INTCTL, INTSTS: one bit a stream descriptor.
pub(crate) const INT_STREAMS: u32 = (1 << 30) - 1;
/// CORBRP, RIRBWP: reset the pointer.
pub(crate) const POINTER_RESET: u16 = 1 << 15;
/// CORBCTL: DMA runs.
pub(crate) const CORBCTL_RUN: u8 = 1 << 1;
/// RIRBCTL: DMA runs.
pub(crate) const RIRBCTL_RUN: u8 = 1 << 1;
/// RIRBCTL: interrupt after RINTCNT responses.
pub(crate) const RIRBCTL_INTERRUPT: u8 = 1 << 0;
/// RIRBSTS: RINTCNT responses have come.
pub(crate) const RIRBSTS_RESPONSE: u8 = 1 << 0;
/// RIRBSTS: a response was lost for want of room.
pub(crate) const RIRBSTS_OVERRUN: u8 = 1 << 2;
/// DPLBASE: the controller writes positions.
pub(crate) const DPLBASE_ENABLE: u32 = 1 << 0;
/// ICIS: a command is under way.
pub(crate) const ICIS_BUSY: u16 = 1 << 0;
/// ICIS: there is a response; write one to clear.
pub(crate) const ICIS_VALID: u16 = 1 << 1;

/// Registers of one stream descriptor (3.3.35 to 3.3.43), 32 bytes from 0x80 on.
#[derive(Clone, Copy)]
pub(crate) struct StreamRegisters {
    base: u16,
}

impl StreamRegisters {
    /// Of stream descriptor `index`, below 30.
    pub(crate) const fn new(index: u8) -> Self {
        // 0x80 + 255 * 32 < 2^16: no overflow whatever the index.
        Self { base: 0x80_u16.wrapping_add((index as u16).wrapping_mul(0x20)) }
    }

    const fn at<W: crate::registers::Width, A>(self, name: &'static str, offset: u16) -> Register<W, A> {
        Register::new(name, self.base.wrapping_add(offset))
    }

    /// SDnCTL, bits 7:0: reset, run, interrupts. A byte, for the status byte shares the 32-bit word.
    pub(crate) const fn control(self) -> Register<u8, ReadWrite> {
        self.at("SDnCTL", 0x00)
    }
    /// SDnCTL, and SDnSTS in bits 31:24, at one reading. Not to be written.
    pub(crate) const fn control_and_status(self) -> Register<u32, ReadOnly> {
        self.at("SDnCTL", 0x00)
    }
    /// SDnCTL, bits 23:16: stream tag and direction.
    pub(crate) const fn control_tag(self) -> Register<u8, ReadWrite> {
        self.at("SDnCTL", 0x02)
    }
    /// SDnSTS: write ones to clear.
    pub(crate) const fn status(self) -> Register<u8, ReadWrite> {
        self.at("SDnSTS", 0x03)
    }
    /// SDnLPIB: bytes through the link, from the start of the cyclic buffer.
    pub(crate) const fn link_position(self) -> Register<u32, ReadOnly> {
        self.at("SDnLPIB", 0x04)
    }
    /// SDnCBL: bytes in the cyclic buffer.
    pub(crate) const fn buffer_length(self) -> Register<u32, ReadWrite> {
        self.at("SDnCBL", 0x08)
    }
    /// SDnLVI: index of the last descriptor.
    pub(crate) const fn last_valid_index(self) -> Register<u16, ReadWrite> {
        self.at("SDnLVI", 0x0c)
    }
    /// SDnFIFOS: valid once FMT is written.
    pub(crate) const fn fifo_size(self) -> Register<u16, ReadOnly> {
        self.at("SDnFIFOS", 0x10)
    }
    /// SDnFMT.
    pub(crate) const fn format(self) -> Register<u16, ReadWrite> {
        self.at("SDnFMT", 0x12)
    }
    /// SDnBDPL: descriptor list, low half of the address.
    pub(crate) const fn list_low(self) -> Register<u32, ReadWrite> {
        self.at("SDnBDPL", 0x18)
    }
    /// SDnBDPU: high half.
    pub(crate) const fn list_high(self) -> Register<u32, ReadWrite> {
        self.at("SDnBDPU", 0x1c)
    }
}

/// SDnCTL: stream reset.
pub(crate) const SDCTL_SRST: u8 = 1 << 0;
/// SDnCTL: DMA runs.
pub(crate) const SDCTL_RUN: u8 = 1 << 1;
/// SDnCTL: interrupt on a FIFO error.
pub(crate) const SDCTL_FEIE: u8 = 1 << 3;
/// SDnCTL: interrupt on a descriptor error.
pub(crate) const SDCTL_DEIE: u8 = 1 << 4;
/// SDnCTL bits 23:16: a bidirectional stream puts out.
pub(crate) const SDCTL_TAG_DIR: u8 = 1 << 3;
/// SDnSTS: a descriptor with IOC is done.
pub(crate) const SDSTS_BCIS: u8 = 1 << 2;
/// SDnSTS: FIFO error.
pub(crate) const SDSTS_FIFOE: u8 = 1 << 3;
/// SDnSTS: descriptor error.
pub(crate) const SDSTS_DESE: u8 = 1 << 4;
/// SDnSTS: the output FIFO holds enough to start.
pub(crate) const SDSTS_FIFORDY: u8 = 1 << 5;

/// Ticks of the wall clock in a second (3.3.16).
pub(crate) const WALL_CLOCK_HZ: u32 = 24_000_000;
