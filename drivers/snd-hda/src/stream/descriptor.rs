//! A stream descriptor's registers, and their order of access (specification 1.0a, 3.3.35 to
//! 3.3.43 and 4.5).

use crate::timer::Timer;

use super::buffer_list;
use crate::deadline::{Deadline, Patience, wait_for};
use crate::dma::{Direction, DmaBuffer, DmaRegion, high, low};
use crate::registers::{ReadWrite, Register, Registers};
use crate::spec::format::Format;
use crate::spec::registers::{self as reg, StreamRegisters};
use crate::traits::PositionChoice;

/// RUN takes effect at a link frame's end; active DMA may take some frames longer. Everybody waits with the driver, and whoever
/// asked asks again.
const STOP: Patience = Patience::new(2_000, 10);
/// The same where nobody asks again: at bring-up, and before a buffer is lost for good.
const LAST_STOP: Patience = Patience::new(20_000, 10);
/// A stream reset takes a few link frames.
const RESET: Patience = Patience::new(1_000, 5);
/// Filling an output's FIFO: some kilobytes.
const FIFO_READY: Patience = Patience::new(1_000, 5);

/// Errors since the last read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamErrors {
    /// The controller is gone: the status reads as ones, but two of its bits are always 0.
    pub(crate) is_gone: bool,
    /// RUN reads 1.
    pub(crate) runs: bool,
    pub(crate) fifo: bool,
    pub(crate) descriptor: bool,
}

/// One of the controller's stream descriptors.
pub(crate) struct Descriptor<R, D, G> {
    pub(crate) index: u8,
    pub(crate) direction: Direction,
    pub(crate) is_bidirectional: bool,
    /// 1 to 15.
    pub(crate) tag: u8,
    /// Address bits that DMA handles correctly.
    pub(crate) address_bits: u8,
    pub(crate) registers: R,
    pub(crate) delay: D,
    /// The descriptor list.
    pub(crate) list: G,
    /// The DMA position buffer, if there is one.
    pub(crate) positions: Option<G>,
    /// The chosen position source.
    pub(crate) position_choice: PositionChoice,
    /// SSYNC, if the controller has it.
    pub(crate) ssync: Option<Register<u32, ReadWrite>>,
    /// The wall clock moved during bring-up, so it is reliable.
    pub(crate) wall_clock_moves: bool,
    /// Learned: setting RUN restarts the list.
    pub(crate) restarts: bool,
    /// The last reset didn't end.
    pub(crate) has_failed: bool,
}

impl<R: Registers + Clone, D: Timer + Clone, G: DmaRegion> Clone for Descriptor<R, D, G> {
    fn clone(&self) -> Self {
        Self {
            index: self.index,
            direction: self.direction,
            is_bidirectional: self.is_bidirectional,
            tag: self.tag,
            address_bits: self.address_bits,
            registers: self.registers.clone(),
            delay: self.delay.clone(),
            list: self.list.clone(),
            positions: self.positions.clone(),
            position_choice: self.position_choice,
            ssync: self.ssync,
            wall_clock_moves: self.wall_clock_moves,
            restarts: self.restarts,
            has_failed: self.has_failed,
        }
    }
}

impl<R: Registers, D: Timer, G: DmaRegion> Descriptor<R, D, G> {
    const fn at(&self) -> StreamRegisters {
        StreamRegisters::new(self.index)
    }

    /// This stream's bit in INTCTL, INTSTS and SSYNC.
    pub(crate) fn bit(&self) -> u32 {
        // The index is below 30.
        1_u32.wrapping_shl(u32::from(self.index))
    }

    pub(crate) fn wall_clock(&mut self) -> u32 {
        reg::WALCLK.read(&mut self.registers)
    }

    /// Clears RUN and waits until it reads back 0.
    pub(crate) fn stop(&mut self) -> Result<(), Deadline> {
        stop(&mut self.registers, &mut self.delay, self.index, STOP)
    }

    /// The same with more patience, where nobody would try again.
    pub(crate) fn stop_at_last(&mut self) -> Result<(), Deadline> {
        stop_at_last(&mut self.registers, &mut self.delay, self.index)
    }

    /// Stream reset: everything but the direction returns to its default. RUN must read 0.
    pub(crate) fn reset(&mut self) -> Result<(), Deadline> {
        let control = self.at().control();
        control.write(&mut self.registers, reg::SDCTL_SRST);
        let srst = u32::from(reg::SDCTL_SRST);
        // Reading 1 says that the stream is in reset. QEMU finishes before the read. That is no
        // error: only the 0 afterwards counts.
        if let Err(deadline) =
            wait_for(&mut self.registers, &mut self.delay, control, srst, srst, Patience::new(200, 5))
        {
            log::debug!("{deadline}");
        }
        control.write(&mut self.registers, 0);
        let ended = wait_for(&mut self.registers, &mut self.delay, control, srst, 0, RESET);
        let ended = or_cut_off(&mut self.registers, ended);
        self.has_failed = ended.is_err();
        ended
    }

    /// Resets the stream and sets it up for a checked `buffer`, from `origin` on. RUN reads 0.
    pub(crate) fn load<B: DmaBuffer>(
        &mut self,
        format: Format,
        buffer: &B,
        origin: u32,
    ) -> Result<(), Deadline> {
        self.reset()?;
        let at = self.at();
        // Set the direction first: the rest may depend on it (3.3.35, DIR).
        let direction =
            if self.is_bidirectional && self.direction == Direction::Output { reg::SDCTL_TAG_DIR } else { 0 };
        at.control_tag().write(&mut self.registers, direction | (self.tag << 4));
        let entries = buffer_list::write(buffer, origin, &mut self.list);
        let list = self.list.device_address();
        let r = &mut self.registers;
        at.list_low().write(r, low(list));
        at.list_high().write(r, high(list));
        at.buffer_length().write(r, buffer.size_bytes());
        at.last_valid_index().write(r, entries.saturating_sub(1));
        at.format().write(r, format.encode());
        at.status().write(r, reg::SDSTS_BCIS | reg::SDSTS_FIFOE | reg::SDSTS_DESE);
        let slot = self.position_slot();
        if let Some(positions) = &mut self.positions {
            positions.write_u32(slot, 0);
        }
        Ok(())
    }

    /// Forgets buffer and tag. RUN reads 0.
    pub(crate) fn unload(&mut self) -> Result<(), Deadline> {
        let reset = self.reset();
        // In a reset that doesn't end the registers have their defaults, and must not be written (3.3.35, SRST).
        if reset.is_ok() {
            let at = self.at();
            let r = &mut self.registers;
            at.list_low().write(r, 0);
            at.list_high().write(r, 0);
            at.buffer_length().write(r, 0);
        }
        for word in 0..self.list.size_bytes() / 4 {
            // Inside the region by the loop's bound.
            self.list.write_u32(word.wrapping_mul(4), 0);
        }
        reset
    }

    /// Sets RUN, with interrupts for errors.
    pub(crate) fn run(&mut self) {
        let enabled = reg::INTCTL.read(&mut self.registers) | self.bit();
        reg::INTCTL.write(&mut self.registers, enabled);
        let bits = reg::SDCTL_RUN | reg::SDCTL_FEIE | reg::SDCTL_DEIE;
        self.at().control().write(&mut self.registers, bits);
    }

    /// Holds the stream back from the link with SSYNC, or releases it, if the controller has
    /// SSYNC.
    pub(crate) fn hold(&mut self, is_held: bool) {
        let bit = self.bit();
        if let Some(ssync) = self.ssync {
            let held = ssync.read(&mut self.registers) & !bit;
            ssync.write(&mut self.registers, if is_held { held | bit } else { held });
        }
    }

    /// Waits until an output's FIFO is full. An input doesn't wait.
    pub(crate) fn wait_fifo_ready(&mut self) -> Result<(), Deadline> {
        if self.direction == Direction::Input {
            return Ok(());
        }
        let ready = u32::from(reg::SDSTS_FIFORDY);
        let status = self.at().status();
        wait_for(&mut self.registers, &mut self.delay, status, ready, ready, FIFO_READY)
    }

    /// Reads and acknowledges errors.
    pub(crate) fn take_errors(&mut self) -> StreamErrors {
        let [control, _, _, read] = self.at().control_and_status().read(&mut self.registers).to_le_bytes();
        if read == u8::MAX {
            return StreamErrors { is_gone: true, runs: false, fifo: false, descriptor: true };
        }
        let runs = control & reg::SDCTL_RUN != 0;
        let seen = read & (reg::SDSTS_BCIS | reg::SDSTS_FIFOE | reg::SDSTS_DESE);
        if seen != 0 {
            // Acknowledge only the bits read: later ones stay for the next look.
            self.at().status().write(&mut self.registers, seen);
        }
        let is_error = seen & (reg::SDSTS_FIFOE | reg::SDSTS_DESE) != 0;
        if is_error && runs {
            // The interrupt handler may have disabled this stream's interrupt until this poll.
            let enabled = reg::INTCTL.read(&mut self.registers) | self.bit();
            reg::INTCTL.write(&mut self.registers, enabled);
        }
        StreamErrors {
            is_gone: false,
            runs,
            fifo: seen & reg::SDSTS_FIFOE != 0,
            descriptor: seen & reg::SDSTS_DESE != 0,
        }
    }

    /// Whether the registers still hold this buffer's length: after a loss of power they don't.
    pub(crate) fn knows(&mut self, size_bytes: u32) -> bool {
        self.at().buffer_length().read(&mut self.registers) == size_bytes
    }

    /// SDnLPIB.
    pub(crate) fn link_position(&mut self) -> u32 {
        self.at().link_position().read(&mut self.registers)
    }

    /// The stream's entry in the DMA position buffer.
    pub(crate) fn memory_position(&self) -> Option<u32> {
        Some(self.positions.as_ref()?.read_u32(self.position_slot()))
    }

    fn position_slot(&self) -> usize {
        // 8 bytes a stream (3.6.1), below 30 * 8.
        usize::from(self.index).wrapping_mul(8)
    }

    /// Bytes that the FIFO holds; valid while a format is set.
    ///
    /// On the chips whose datasheets say so, 3.3.40 gives the size less one. As a bound, one too
    /// many does no harm.
    pub(crate) fn fifo_bytes(&mut self) -> u32 {
        match self.at().fifo_size().read(&mut self.registers) {
            0 => 0,
            size => u32::from(size).saturating_add(1),
        }
    }
}

/// Stops stream descriptor `index` where nobody would try again.
pub(crate) fn stop_at_last<R: Registers, D: Timer>(
    registers: &mut R,
    delay: &mut D,
    index: u8,
) -> Result<(), Deadline> {
    stop(registers, delay, index, LAST_STOP)
}

/// Clears RUN of stream descriptor `index` and waits until it reads 0. Disables its error
/// interrupt first.
fn stop<R: Registers, D: Timer>(
    registers: &mut R,
    delay: &mut D,
    index: u8,
    patience: Patience,
) -> Result<(), Deadline> {
    let enabled = reg::INTCTL.read(registers);
    reg::INTCTL.write(registers, enabled & !1_u32.wrapping_shl(u32::from(index)));
    let control = StreamRegisters::new(index).control();
    control.write(registers, 0);
    let stopped = wait_for(registers, delay, control, u32::from(reg::SDCTL_RUN), 0, patience);
    or_cut_off(registers, stopped)
}

/// A stream that doesn't stop is as good as stopped if the controller can't use DMA any more.
fn or_cut_off<R: Registers>(registers: &mut R, result: Result<(), Deadline>) -> Result<(), Deadline> {
    match result {
        Err(deadline) if registers.is_cut_off() => {
            log::warn!("{deadline}: the controller is gone or asleep, and with it its DMA");
            Ok(())
        }
        result => result,
    }
}
