//! Resets controller and link from any state.

use crate::timer::Timer;

use crate::capabilities::DESCRIPTORS_MAX;
use crate::command;
use crate::deadline::{Deadline, Patience, wait_for};
use crate::error::BringUpError;
use crate::registers::{ReadWrite, Register, Registers};
use crate::spec::registers as reg;
use crate::traits::SyncRegister;

/// CRST reads back within a few link frames (4.2.2); drivers allow 100 ms.
const LINK_RESET: Patience = Patience::new(100_000, 10);
/// CRST stays 0 for at least 100 us (4.2.2).
const LINK_RESET_HOLD_US: u32 = 100;
/// Reads of CRST in [`cut_off`]. Each takes a fraction of a microsecond at least.
const CUT_OFF_READS: u32 = 1_000;
/// Codecs report their presence within 25 link frames (521 us, 4.3).
const CODECS_APPEAR_US: u32 = 600;
/// Stops DMA left running by an earlier owner: none may be active at the link reset (4.2.2).
fn quiesce<R: Registers, D: Timer>(r: &mut R, delay: &mut D, gcap: u16) {
    if reg::GCTL.read(r) & reg::GCTL_CRST == 0 {
        // In reset, and all other registers with it.
        return;
    }
    reg::INTCTL.write(r, 0);
    let descriptors = (gcap >> 12).wrapping_add((gcap >> 8) & 0xf).wrapping_add((gcap >> 3) & 0x1f);
    // GCAP counts up to 61; only 30 have known registers.
    for index in 0..descriptors.min(DESCRIPTORS_MAX as u16) as u8 {
        if let Err(deadline) = crate::stream::stop_at_last(r, delay, index) {
            log::warn!("{deadline}");
        }
    }
    command::stop_rings(r, delay);
    reg::DPLBASE.write(r, 0);
}

/// A controller was put into reset: none of its DMA runs, whoever had it before.
///
/// It is the proof that bus mastering may be turned on.
#[derive(Debug)]
pub struct InReset(());

/// Stops all DMA in any state of the controller, and holds controller and link in reset (4.2.2).
///
/// Call it with bus mastering off (PCI's command register): what an earlier owner has left running would
/// write into this owner's memory.
///
/// # Errors
/// [`BringUpError::NoController`] if the registers read as ones, [`BringUpError::Reset`] if CRST doesn't read 0.
pub fn hold_in_reset<R: Registers, D: Timer>(r: &mut R, delay: &mut D) -> Result<InReset, BringUpError> {
    let gcap = reg::GCAP.read(r);
    if gcap == u16::MAX {
        return Err(BringUpError::NoController);
    }
    quiesce(r, delay, gcap);
    reg::GCTL.write(r, 0);
    wait_for(r, delay, reg::GCTL, reg::GCTL_CRST, 0, LINK_RESET).map_err(BringUpError::Reset)?;
    Ok(InReset(()))
}

/// Puts the controller into reset at once, in any state of the driver: for an end in which nothing can be waited for.
///
/// Bus mastering is turned off after that. Returns whether CRST reads 0.
pub fn cut_off<R: Registers>(r: &mut R) -> bool {
    reg::GCTL.write(r, 0);
    (0..CUT_OFF_READS).any(|_| reg::GCTL.read(r) & reg::GCTL_CRST == 0)
}

/// Ends the reset (4.2.2), and gives codecs time to report their presence (4.3).
fn leave_reset<R: Registers, D: Timer>(r: &mut R, delay: &mut D) -> Result<(), Deadline> {
    delay.delay_us(LINK_RESET_HOLD_US);
    reg::GCTL.write(r, reg::GCTL_CRST);
    wait_for(r, delay, reg::GCTL, reg::GCTL_CRST, reg::GCTL_CRST, LINK_RESET)?;
    delay.delay_us(CODECS_APPEAR_US);
    Ok(())
}

/// Wakes controller and link from any state, and routes unsolicited responses to the RIRB.
///
/// Returns a bit for each codec that has reported its presence.
pub(crate) fn wake<R: Registers, D: Timer>(r: &mut R, delay: &mut D) -> Result<u16, BringUpError> {
    hold_in_reset(r, delay)?;
    leave_reset(r, delay).map_err(BringUpError::Reset)?;
    let codecs = reg::STATESTS.read(r) & reg::STATESTS_CODECS;
    reg::STATESTS.write(r, codecs);
    let gctl = reg::GCTL.read(r);
    reg::GCTL.write(r, gctl | reg::GCTL_UNSOL);
    Ok(codecs)
}

/// Probes for SSYNC where this kind of controller can have it.
///
/// The register exists if a written value reads back. No stream runs yet.
pub(crate) fn find_ssync<R: Registers>(r: &mut R, place: SyncRegister) -> Option<Register<u32, ReadWrite>> {
    let places: &[_] = match place {
        SyncRegister::Anywhere => &[reg::SSYNC, reg::SSYNC_ICH],
        SyncRegister::Specified => &[reg::SSYNC],
        SyncRegister::Old => &[reg::SSYNC_ICH],
    };
    for &register in places {
        register.write(r, 1);
        let reads_back = register.read(r) == 1;
        register.write(r, 0);
        if reads_back && register.read(r) == 0 {
            return Some(register);
        }
    }
    None
}
