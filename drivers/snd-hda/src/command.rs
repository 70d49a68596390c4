//! Commands to codecs and their responses.
//!
//! They pass through rings in memory (CORB and RIRB, specification 1.0a, 4.4.1 and 4.4.2). If the
//! rings don't work, the immediate command registers (3.4) replace them.

use core::fmt;

use embedded_hal::delay::DelayNs;
use heapless::Deque;

use crate::deadline::{Deadline, Patience, wait_for};
use crate::dma::{DmaRegion, high, low};
use crate::kind::ErrorKind;
use crate::registers::{ReadWrite, Register, Registers};
use crate::spec::registers as reg;
use crate::spec::verbs::{CodecAddress, NodeId, Verb};

/// Unsolicited responses kept until the caller takes them.
const UNSOLICITED_MAX: usize = 16;

/// A codec answers two link frames later (21 us each); a waking codec takes longer.
const RESPONSE: Patience = Patience::new(50_000, 10);
/// The rings' handshakes take a few link frames.
const HANDSHAKE: Patience = Patience::new(2_000, 10);

/// RIRB: bit 4 of a response's second word marks an unsolicited one (4.4.2.1).
const RESPONSE_UNSOLICITED: u32 = 1 << 4;

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
    /// The command wasn't sent: earlier ones used up the time of bring-up.
    NotSent {
        /// Their time, in microseconds.
        waited_us: u32,
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
        }
    }
}

impl core::error::Error for CommandError {}

/// Commands to any codec, and unsolicited responses.
pub(crate) trait CommandLink {
    /// Sends a verb and waits for the response.
    fn send(&mut self, codec: CodecAddress, node: NodeId, verb: Verb) -> Result<u32, CommandError>;
    /// Gives a codec time.
    fn sleep_us(&mut self, us: u32);
    /// The oldest unsolicited response not yet taken.
    fn take_unsolicited(&mut self) -> Option<Unsolicited>;
    /// Unsolicited responses lost because they weren't taken in time.
    fn unsolicited_lost(&self) -> u32;
}

/// A [`CommandLink`] that uses the controller's rings or immediate registers.
pub(crate) struct CommandPort<R: Registers, D: DelayNs, G: DmaRegion> {
    registers: R,
    delay: Metered<D>,
    /// Limit of total sleep for all commands. `None`: only each wait's own limit.
    sleep_limit_us: Option<u64>,
    rings: Option<Rings<G>>,
    unsolicited: Deque<Unsolicited, UNSOLICITED_MAX>,
    unsolicited_lost: u32,
}

/// Both rings, and the driver's place in them.
pub(crate) struct Rings<G> {
    pub(crate) corb: G,
    pub(crate) rirb: G,
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
}

/// A delay that counts its sleep.
struct Metered<D> {
    delay: D,
    slept_ns: u64,
}

impl<D: DelayNs> DelayNs for Metered<D> {
    fn delay_ns(&mut self, ns: u32) {
        self.slept_ns = self.slept_ns.saturating_add(ns.into());
        self.delay.delay_ns(ns);
    }
}

impl<R: Registers, D: DelayNs, G: DmaRegion> CommandPort<R, D, G> {
    /// Sets up the rings. Without memory for them, or if they don't start, the immediate registers
    /// serve.
    pub(crate) fn new(registers: R, delay: D, rings: Option<Rings<G>>) -> Self {
        let mut port = Self {
            registers,
            delay: Metered { delay, slept_ns: 0 },
            sleep_limit_us: None,
            rings: None,
            unsolicited: Deque::new(),
            unsolicited_lost: 0,
        };
        port.adopt(rings);
        port
    }

    /// Restarts after the controller has lost all state.
    pub(crate) fn restart(&mut self) {
        self.unsolicited.clear();
        let rings = self.rings.take();
        self.adopt(rings);
    }

    fn adopt(&mut self, rings: Option<Rings<G>>) {
        let Some(mut rings) = rings else { return };
        match self.start_rings(&mut rings) {
            Ok(()) => self.rings = Some(rings),
            Err(deadline) => {
                log::warn!("command rings don't start ({deadline}); immediate commands instead");
                self.give_up(Some(rings));
            }
        }
    }

    pub(crate) fn uses_rings(&self) -> bool {
        self.rings.is_some()
    }

    /// Stops using the rings.
    pub(crate) fn use_immediate(&mut self) {
        let rings = self.rings.take();
        self.give_up(rings);
    }

    fn give_up(&mut self, rings: Option<Rings<G>>) {
        if !stop_rings(&mut self.registers, &mut self.delay) {
            // Their DMA may still write, so the memory is kept forever.
            core::mem::forget(rings);
        }
    }

    fn start_rings(&mut self, rings: &mut Rings<G>) -> Result<(), Deadline> {
        stop_rings(&mut self.registers, &mut self.delay);
        let r = &mut self.registers;
        rings.corb_entries = choose_size(r, reg::CORBSIZE);
        rings.rirb_entries = choose_size(r, reg::RIRBSIZE);

        let corb = rings.corb.device_address();
        reg::CORBLBASE.write(r, low(corb));
        reg::CORBUBASE.write(r, high(corb));
        // Reset of the read pointer: the bit must read 1, then 0 (4.4.1.3). Some controllers clear
        // it by themselves and never show the 1. A pointer of 0 is then enough.
        reg::CORBRP.write(r, reg::POINTER_RESET);
        let mask = u32::from(reg::POINTER_RESET);
        let shown = wait_for(r, &mut self.delay, reg::CORBRP, mask, mask, HANDSHAKE);
        if shown.is_err() && reg::CORBRP.read(r) != 0 {
            return shown;
        }
        reg::CORBRP.write(r, 0);
        wait_for(r, &mut self.delay, reg::CORBRP, mask, 0, HANDSHAKE)?;
        reg::CORBWP.write(r, 0);
        rings.corb_write = 0;

        let rirb = rings.rirb.device_address();
        reg::RIRBLBASE.write(r, low(rirb));
        reg::RIRBUBASE.write(r, high(rirb));
        reg::RIRBWP.write(r, reg::POINTER_RESET);
        rings.rirb_read = 0;
        // One response an interrupt, and the interrupt on. With RINTCNT 0 or without the interrupt
        // bit, some controllers (QEMU's) stop taking commands.
        reg::RINTCNT.write(r, 1);
        reg::RIRBSTS.write(r, reg::RIRBSTS_RESPONSE | reg::RIRBSTS_OVERRUN);
        reg::RIRBCTL.write(r, reg::RIRBCTL_RUN | reg::RIRBCTL_INTERRUPT);
        let run = u32::from(reg::RIRBCTL_RUN);
        wait_for(r, &mut self.delay, reg::RIRBCTL, run, run, HANDSHAKE)?;
        reg::CORBCTL.write(r, reg::CORBCTL_RUN);
        let run = u32::from(reg::CORBCTL_RUN);
        wait_for(r, &mut self.delay, reg::CORBCTL, run, run, HANDSHAKE)
    }

    fn through_rings(&mut self, codec: CodecAddress, command: u32) -> Result<u32, Deadline> {
        // An earlier response doesn't answer this command.
        self.drain(None);
        if let Some(rings) = &mut self.rings {
            // Entries are powers of two, 2 to 256.
            let next = rings.corb_write.wrapping_add(1) & rings.corb_entries.wrapping_sub(1);
            rings.corb.write_u32(usize::from(next).wrapping_mul(4), command);
            rings.corb_write = next;
            reg::CORBWP.write(&mut self.registers, next);
        }
        for _ in 0..=RESPONSE.polls() {
            if let Some(response) = self.drain(Some(codec)) {
                return Ok(response);
            }
            self.delay.delay_us(RESPONSE.poll_us);
        }
        let last_read = u32::from(reg::RIRBWP.read(&mut self.registers));
        let expected = self.rings.as_ref().map_or(0, |rings| {
            u32::from(rings.rirb_read.wrapping_add(1) & rings.rirb_entries.wrapping_sub(1))
        });
        Err(Deadline {
            register: reg::RIRBWP.name(),
            offset_bytes: reg::RIRBWP.offset_bytes(),
            mask: 0xff,
            expected,
            last_read,
            waited_us: RESPONSE.deadline_us,
        })
    }

    /// Limits the total sleep of all commands from now on. `None` ends the limit.
    ///
    /// Otherwise a codec that answers each verb just in time could hold bring-up for minutes.
    pub(crate) fn limit_sleep(&mut self, limit_us: Option<u32>) {
        self.delay.slept_ns = 0;
        self.sleep_limit_us = limit_us.map(u64::from);
    }

    /// The time of all commands, once the limit is used up.
    fn used_up_us(&self) -> Option<u64> {
        let slept_us = self.delay.slept_ns / 1_000;
        self.sleep_limit_us.filter(|limit_us| slept_us >= *limit_us).map(|_| slept_us)
    }

    /// Takes all entries in the RIRB. Returns the last solicited response of codec `from`; keeps
    /// unsolicited ones. The ring bounds the work.
    pub(crate) fn drain(&mut self, from: Option<CodecAddress>) -> Option<u32> {
        let rings = self.rings.as_mut()?;
        // Acknowledge first: a later response raises the flag again.
        let status = reg::RIRBSTS.read(&mut self.registers);
        if status & (reg::RIRBSTS_RESPONSE | reg::RIRBSTS_OVERRUN) != 0 {
            reg::RIRBSTS.write(&mut self.registers, reg::RIRBSTS_RESPONSE | reg::RIRBSTS_OVERRUN);
        }
        if status & reg::RIRBSTS_OVERRUN != 0 {
            log::warn!("RIRB overrun: a response is lost");
        }
        let mask = rings.rirb_entries.wrapping_sub(1);
        let write = reg::RIRBWP.read(&mut self.registers) & mask;
        let mut answer = None;
        for _ in 0..rings.rirb_entries {
            if rings.rirb_read == write {
                break;
            }
            rings.rirb_read = rings.rirb_read.wrapping_add(1) & mask;
            let offset = usize::from(rings.rirb_read).wrapping_mul(8);
            let response = rings.rirb.read_u32(offset);
            let extended = rings.rirb.read_u32(offset.wrapping_add(4));
            let Some(codec) = CodecAddress::new((extended & 0xf) as u8) else { continue };
            if extended & RESPONSE_UNSOLICITED != 0 {
                if self.unsolicited.push_back(Unsolicited { codec, response }).is_err() {
                    self.unsolicited_lost = self.unsolicited_lost.saturating_add(1);
                }
            } else if from == Some(codec) {
                answer = Some(response);
            } else {
                log::debug!("codec {} answers late: {response:#x}", codec.get());
            }
        }
        answer
    }

    fn immediately(&mut self, command: u32) -> Result<u32, Deadline> {
        let r = &mut self.registers;
        let busy = u32::from(reg::ICIS_BUSY);
        wait_for(r, &mut self.delay, reg::ICIS, busy, 0, HANDSHAKE)?;
        reg::ICIS.write(r, reg::ICIS_VALID);
        reg::ICOI.write(r, command);
        reg::ICIS.write(r, reg::ICIS_BUSY);
        let valid = u32::from(reg::ICIS_VALID);
        let answered = wait_for(r, &mut self.delay, reg::ICIS, busy | valid, valid, RESPONSE);
        if answered.is_err() {
            // Cancel the command so that the next one finds the interface free (3.4.3).
            reg::ICIS.write(r, 0);
        }
        answered.map(|()| reg::ICII.read(r))
    }
}

impl<R: Registers, D: DelayNs, G: DmaRegion> CommandLink for CommandPort<R, D, G> {
    fn send(&mut self, codec: CodecAddress, node: NodeId, verb: Verb) -> Result<u32, CommandError> {
        let command = verb.command(codec, node);
        let response = if let Some(slept_us) = self.used_up_us() {
            Err(NoResponse::NotSent { waited_us: u32::try_from(slept_us).unwrap_or(u32::MAX) })
        } else if self.rings.is_some() {
            self.through_rings(codec, command).map_err(NoResponse::Late)
        } else {
            self.immediately(command).map_err(NoResponse::Late)
        };
        response.map_err(|cause| CommandError { codec, node, verb, cause })
    }

    fn sleep_us(&mut self, us: u32) {
        self.delay.delay_us(us);
    }

    fn take_unsolicited(&mut self) -> Option<Unsolicited> {
        self.unsolicited.pop_front()
    }

    fn unsolicited_lost(&self) -> u32 {
        self.unsolicited_lost
    }
}

impl<R, D, G> Drop for CommandPort<R, D, G>
where
    R: Registers,
    D: DelayNs,
    G: DmaRegion,
{
    /// Dropping this drops the rings' memory. If their DMA isn't over, the memory is kept forever.
    fn drop(&mut self) {
        if self.rings.is_some() {
            self.use_immediate();
        }
    }
}

/// Stops both rings' DMA; returns whether both stopped.
///
/// The caller's link reset stops a ring that sticks.
pub(crate) fn stop_rings<R: Registers>(registers: &mut R, delay: &mut dyn DelayNs) -> bool {
    let mut stopped = true;
    reg::CORBCTL.write(registers, 0);
    reg::RIRBCTL.write(registers, 0);
    for (register, run) in [(reg::CORBCTL, reg::CORBCTL_RUN), (reg::RIRBCTL, reg::RIRBCTL_RUN)] {
        if let Err(deadline) = wait_for(registers, delay, register, u32::from(run), 0, HANDSHAKE) {
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
