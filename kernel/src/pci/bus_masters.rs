//! The controllers that may use DMA, and the end of that.

use core::sync::atomic::{AtomicBool, Ordering};

use pci_types::{CommandRegister, PciAddress, PciHeader};
use snd_hda::InReset;
use spin::Once;

use super::config::ConfigSpace;
use super::registers::HdaRegisters;

/// A controller that is a bus master.
struct BusMaster {
    controller: Once<(PciAddress, HdaRegisters)>,
    /// It is being put into reset, or was.
    is_cut_off: AtomicBool,
}

static BUS_MASTERS: [BusMaster; 8] =
    [const { BusMaster { controller: Once::new(), is_cut_off: AtomicBool::new(false) } }; 8];

/// Enables DMA for a controller that is in reset, and records it for [`stop_bus_masters`]. Returns
/// false, with DMA off, if no record is free.
pub(super) fn start_bus_master(address: PciAddress, registers: &HdaRegisters, _: &InReset) -> bool {
    let Some(slot) = BUS_MASTERS.iter().find(|slot| !slot.controller.is_completed()) else {
        return false;
    };
    slot.controller.call_once(|| (address, registers.clone()));
    PciHeader::new(address)
        .update_command(ConfigSpace, |command| command | CommandRegister::BUS_MASTER_ENABLE);
    true
}

/// Ends all DMA in any state of the image: puts every recorded controller into reset, and clears
/// its Bus Master Enable.
///
/// So whoever has the controller next finds it quiet, also if they enable DMA before they look.
pub fn stop_bus_masters() {
    for slot in &BUS_MASTERS {
        let Some((address, registers)) = slot.controller.get() else { continue };
        // Once: if the access faults, this is called again.
        if !slot.is_cut_off.swap(true, Ordering::Relaxed) {
            snd_hda::cut_off(&mut registers.clone());
        }
        PciHeader::new(*address)
            .update_command(ConfigSpace, |command| command & !CommandRegister::BUS_MASTER_ENABLE);
    }
}
