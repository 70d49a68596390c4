//! The controllers that may use DMA: the order in which that begins and ends.
//!
//! A controller's last owner may have left it running, with addresses that are this domain's memory
//! now. So there is a type for each step of the way in:
//!
//! 1. [`NoDma`]: its bus mastering was turned off. That needs no register of the controller.
//! 2. [`Quiet`]: it was put into reset, with bus mastering off. A controller that isn't used stays so.
//! 3. [`BusMasters::start`] takes it, notes the controller and turns bus mastering on: once, and never after a stop.
//! 4. [`BusMasters::stop`] puts it into reset and turns bus mastering off, on every way out.

use core::sync::atomic::{AtomicBool, Ordering};

use snd_hda::registers::Registers;
use snd_hda::{BringUpError, InReset, Timer};
use spin::Once;

/// A function's switch for DMA: Bus Master Enable in PCI's command register.
pub trait BusMasterSwitch {
    /// Turns bus mastering on or off.
    fn set_bus_master(&self, is_on: bool);
}

/// A function that may not use DMA, in any state.
#[derive(Debug)]
pub struct NoDma<F>(F);

impl<F: BusMasterSwitch> NoDma<F> {
    /// Turns off the function's bus mastering.
    pub fn new(function: F) -> Self {
        function.set_bus_master(false);
        Self(function)
    }

    /// Stops all that the controller still does, and holds it in reset.
    ///
    /// # Errors
    /// The driver's. Bus mastering stays off.
    pub fn hold_in_reset<R: Registers, D: Timer>(
        self,
        registers: &mut R,
        delay: &mut D,
    ) -> Result<Quiet<F>, BringUpError> {
        let in_reset = snd_hda::hold_in_reset(registers, delay)?;
        Ok(Quiet { function: self.0, _in_reset: in_reset })
    }
}

/// A controller in reset, which may not use DMA.
#[derive(Debug)]
pub struct Quiet<F> {
    function: F,
    _in_reset: InReset,
}

/// A controller that may use DMA.
struct BusMaster<F, R> {
    controller: Once<(F, R)>,
    /// It is being put into reset, or was.
    is_cut_off: AtomicBool,
}

/// Up to `N` controllers that may use DMA.
pub struct BusMasters<F, R, const N: usize> {
    slots: [BusMaster<F, R>; N],
    /// The image is on a way out, and nobody begins DMA any more.
    is_over: AtomicBool,
}

impl<F: BusMasterSwitch + Clone, R: Registers + Clone, const N: usize> BusMasters<F, R, N> {
    /// Turns on the controller's bus mastering, and notes it for [`stop`](Self::stop). Returns
    /// false, with bus mastering off, if there is no room for the note, or after a [`stop`](Self::stop).
    pub fn start(&self, quiet: Quiet<F>, registers: &R) -> bool {
        if self.is_over.load(Ordering::Relaxed) {
            return false;
        }
        let Some(slot) = self.slots.iter().find(|slot| !slot.controller.is_completed()) else {
            return false;
        };
        let function = quiet.function;
        slot.controller.call_once(|| (function.clone(), registers.clone()));
        function.set_bus_master(true);
        true
    }

    /// Ends all DMA, in any state of the image: puts every noted controller into reset, and turns its
    /// bus mastering off.
    ///
    /// So whoever has the controller next finds it quiet, also if they enable DMA before they look.
    pub fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        for slot in &self.slots {
            let Some((function, registers)) = slot.controller.get() else { continue };
            // Once: if the access faults, this is called again.
            if !slot.is_cut_off.swap(true, Ordering::Relaxed) {
                snd_hda::cut_off(&mut registers.clone());
            }
            function.set_bus_master(false);
        }
    }
}

impl<F, R, const N: usize> BusMasters<F, R, N> {
    /// No controller may use DMA.
    pub const fn new() -> Self {
        Self {
            slots: [const { BusMaster { controller: Once::new(), is_cut_off: AtomicBool::new(false) } }; N],
            is_over: AtomicBool::new(false),
        }
    }
}

impl<F, R, const N: usize> Default for BusMasters<F, R, N> {
    fn default() -> Self {
        Self::new()
    }
}
