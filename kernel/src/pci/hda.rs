//! HD Audio controllers (class 04 subclass 03), prepared for the driver.

use core::fmt;

use embedded_hal::delay::DelayNs;
use heapless::Vec;
use pci_types::{CommandRegister, EndpointHeader, PciAddress, PciHeader};

use super::bar::{self, BarError, BarKind};
use super::bus_masters::{NoDma, Quiet};
use super::capability;
use super::config::ConfigSpace;
use super::in_use::{BUS_MASTERS, MAX_CONTROLLERS};
use super::known::{self, Known};
use super::message::{Messages, MsiCapability};
use super::registers::HdaRegisters;
use super::scan::{self, MAX_FUNCTIONS};
use crate::boot::start_info::MemoryEntry;
use crate::clock::TscClock;
use crate::memory::address_space::AddressSpace;
use crate::memory::dma::{DmaArena, DmaPiece};
use crate::memory::page_table::MapError;
use crate::memory::range::PhysRange;

/// Multimedia device, HD Audio (PCI Code and ID Assignment specification, 1.5).
const CLASS_HDA: (u8, u8) = (0x04, 0x03);

/// Bytes of registers, aliases included, that the specification defines (HDA specification 1.0a,
/// 3.3).
const REGISTERS_BYTES: u64 = 0x4000;

/// The window for unplaced BARs: above RAM, which ends below 0xf0000000 on Xen's and QEMU's
/// machines, and below the APICs. hvmloader and SeaBIOS use it too.
const WINDOW: PhysRange = PhysRange { start: 0xf000_0000, end: 0xfc00_0000 };

/// Longest change from D3hot to D0 (PCI Power Management specification 1.2, table 5-6).
const D3_TO_D0_NS: u32 = 10_000_000;

/// A controller that is powered, placed, mapped and held in reset. Until it is [driven](Self::drive), it may not use DMA.
#[derive(Debug)]
pub struct HdaController<I> {
    /// Its address on the bus.
    pub address: PciAddress,
    /// Vendor and device.
    pub id: (u16, u16),
    /// Its kind.
    pub known: &'static Known,
    /// Its registers.
    pub registers: HdaRegisters,
    /// The registers' address range.
    pub bar: PhysRange,
    /// Its interrupt. `None`: no MSI arrives, and only deadlines wake the main loop.
    pub interrupt: Option<I>,
    /// Until it is driven.
    quiet: Option<Quiet<PciAddress>>,
}

/// The driver of a controller.
pub type Driver = snd_hda::Controller<HdaRegisters, TscClock, DmaPiece>;

/// Why a controller couldn't be brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BringUpError {
    /// The function has a bridge's header.
    #[error("it has no endpoint's header")]
    NotAnEndpoint,
    /// BAR 0 is unusable.
    #[error(transparent)]
    Bar(#[from] BarError),
    /// Its registers couldn't be mapped.
    #[error(transparent)]
    Map(MapError),
    /// PMCSR doesn't report D0.
    #[error("it stays out of power state D0 (PMCSR)")]
    NotInD0,
    /// The command register rejects Memory Space Enable.
    #[error("it doesn't turn memory decoding on (command register)")]
    NoDecode,
    /// It doesn't go into reset, so it may still do what its last owner wanted.
    #[error("it can't be quieted: {0}")]
    NotQuiet(snd_hda::BringUpError),
    /// It was driven before, or that was refused.
    #[error("it is in use already")]
    InUse,
    /// The machine has more controllers than the image supports.
    #[error("there are more than {MAX_CONTROLLERS}")]
    TooMany,
}

impl<I> HdaController<I> {
    /// Allows it to use DMA, and has the driver bring it up.
    pub fn drive(&mut self, dma: &mut DmaArena, delay: TscClock) -> Result<Driver, FindError> {
        let quiet = self.quiet.take().ok_or(FindError::Unusable(self.address, BringUpError::InUse))?;
        if !BUS_MASTERS.start(quiet, &self.registers) {
            return Err(FindError::Unusable(self.address, BringUpError::TooMany));
        }
        Driver::bring_up_with(self.known.traits, self.registers.clone(), dma, delay)
            .map_err(|error| FindError::Driver(self.address, error))
    }
}

/// The parts of the image needed to bring controllers up.
#[derive(Debug)]
pub struct Surroundings<'a, M> {
    /// Maps registers.
    pub space: &'a mut AddressSpace,
    /// The loader's memory map.
    pub memory: &'a [MemoryEntry],
    /// Waits for a change of power state.
    pub delay: TscClock,
    /// Receives MSIs.
    pub messages: M,
    /// Whether to place BARs that already have a place.
    pub assign: bool,
}

/// Why no controller is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The bus has no controller.
    #[error("no HD Audio controller found on the PCI bus (class 0403)")]
    NoController,
    /// No controller is usable; this is the first one's error.
    #[error("HD Audio controller {0} can't be used: {1}")]
    Unusable(PciAddress, BringUpError),
    /// The driver can't bring this one up.
    #[error("controller {0}: {1}")]
    Driver(PciAddress, snd_hda::BringUpError),
}

/// The controllers of an image whose interrupts are `I`.
pub type Controllers<I> = Vec<HdaController<I>, MAX_CONTROLLERS>;

/// Brings up all controllers on the bus, at least one.
pub fn bring_up_all<M: Messages>(
    mut surroundings: Surroundings<'_, M>,
) -> Result<Controllers<M::Interrupt>, FindError> {
    let functions = scan::functions();
    log::debug!(target: "pci", "{} functions", functions.len());
    let mut controllers = Vec::new();
    let mut first_failure = None;
    for &address in &functions {
        let header = PciHeader::new(address);
        let (_, class, subclass, _) = header.revision_and_class(ConfigSpace);
        if (class, subclass) != CLASS_HDA {
            continue;
        }
        // An earlier user may have left it running. Also one that there is no room for may not use DMA.
        let no_dma = NoDma::new(address);
        let index = controllers.len() as u8;
        let result = if controllers.is_full() {
            Err(BringUpError::TooMany)
        } else {
            bring_up(address, no_dma, index, &functions, &mut surroundings)
        };
        match result {
            Ok(controller) => {
                log_controller(&controller);
                // The loop checked above that there is room.
                let _ = controllers.push(controller);
            }
            Err(error) => {
                log::error!(target: "pci", "{address}: HD Audio controller can't be used: {error}");
                first_failure = first_failure.or(Some(FindError::Unusable(address, error)));
            }
        }
    }
    if controllers.is_empty() {
        return Err(first_failure.unwrap_or(FindError::NoController));
    }
    Ok(controllers)
}

fn log_controller<I: fmt::Display>(controller: &HdaController<I>) {
    let interrupt: &dyn fmt::Display = match &controller.interrupt {
        Some(interrupt) => interrupt,
        None => &"no interrupt",
    };
    log::info!(
        target: "pci",
        "{}: HD Audio controller {:04x}:{:04x} ({}), registers at {:#x}, {interrupt}",
        controller.address,
        controller.id.0,
        controller.id.1,
        controller.known,
        controller.bar.start,
    );
}

fn bring_up<M: Messages>(
    address: PciAddress,
    no_dma: NoDma<PciAddress>,
    index: u8,
    functions: &Vec<PciAddress, MAX_FUNCTIONS>,
    surroundings: &mut Surroundings<'_, M>,
) -> Result<HdaController<M::Interrupt>, BringUpError> {
    let header = PciHeader::new(address);
    let id = header.id(ConfigSpace);
    let mut endpoint = EndpointHeader::from_header(header, ConfigSpace).ok_or(BringUpError::NotAnEndpoint)?;

    endpoint.update_command(ConfigSpace, |command| command | CommandRegister::INTERRUPT_DISABLE);
    let capabilities = endpoint.capability_pointer(ConfigSpace) as u8;
    let capability = |id| capability::find(id, capabilities, |offset| ConfigSpace.read_u32(address, offset));

    // This comes first: a function that leaves D3 may lose its BARs.
    if let Some(offset) = capability(capability::POWER_MANAGEMENT) {
        force_d0(address, offset, &mut surroundings.delay)?;
    }
    if let Some(offset) = capability(capability::PCI_EXPRESS) {
        forbid_no_snoop(address, offset);
    }
    let known = known::find(id);
    for setting in known.settings {
        let read = |offset| ConfigSpace.read_u8(address, offset);
        if !setting.apply(read, |offset, value| ConfigSpace.write_u8(address, offset, value)) {
            log::warn!(
                target: "pci",
                "{address}: {known}: {:#04x} of its configuration doesn't take {:#x} in bits {:#x}",
                setting.offset,
                setting.value,
                setting.mask
            );
        }
    }
    let bar = settle_bar(address, functions, surroundings)?;
    let registers = PhysRange { start: bar.start, end: bar.start + bar.size_bytes().min(REGISTERS_BYTES) };
    let registers = surroundings.space.map_device(registers).map_err(BringUpError::Map)?;
    let registers = HdaRegisters::new(registers, address);

    endpoint.update_command(ConfigSpace, |command| command | CommandRegister::MEMORY_ENABLE);
    if !endpoint.command(ConfigSpace).contains(CommandRegister::MEMORY_ENABLE) {
        return Err(BringUpError::NoDecode);
    }

    let quiet = no_dma
        .hold_in_reset(&mut registers.clone(), &mut surroundings.delay)
        .map_err(BringUpError::NotQuiet)?;
    let interrupt = capability(capability::MSI)
        .filter(|_| known.has_msi)
        .and_then(|offset| surroundings.messages.enable(MsiCapability { function: address, offset }, index));
    Ok(HdaController { address, id, known, registers, bar, interrupt, quiet: Some(quiet) })
}

/// Power Management Control/Status is 4 bytes into the capability; bits 1:0 are the state, 0 is D0.
fn force_d0(address: PciAddress, offset: u8, delay: &mut TscClock) -> Result<(), BringUpError> {
    // A capability starts at 0xfc at most.
    let Some(control) = offset.checked_add(4) else { return Ok(()) };
    let before = ConfigSpace.read_u32(address, control);
    if before & 0b11 == 0 {
        return Ok(());
    }
    // PME_Status, bit 15, is cleared by writing 1. Write 0 to keep it.
    ConfigSpace.write_u32(address, control, before & !(0b11 | 1 << 15));
    delay.delay_ns(D3_TO_D0_NS);
    let after = ConfigSpace.read_u32(address, control);
    log::info!(target: "pci", "{address}: from power state D{} to D{}", before & 0b11, after & 0b11);
    if after & 0b11 == 0 { Ok(()) } else { Err(BringUpError::NotInD0) }
}

/// Makes all DMA of the function snoop the processors' caches. The image and guests never flush
/// their writes, and some controllers otherwise fetch samples past the caches.
fn forbid_no_snoop(address: PciAddress, offset: u8) {
    // Device Control is 8 bytes into the capability, which starts at 0xfc at most.
    let Some(register) = offset.checked_add(8) else { return };
    let control = ConfigSpace.read_u32(address, register);
    ConfigSpace.write_u32(address, register, capability::without_no_snoop(control));
}

const BAR_0: u8 = 0x10;

/// A sized BAR: its kind and its addresses, empty at 0 if it has no place.
struct SizedBar {
    kind: BarKind,
    size_bytes: u64,
    address: u64,
}

/// Sizes the memory BAR at `offset` with decoding off, and restores everything.
fn size_bar(address: PciAddress, offset: u8) -> Result<SizedBar, BarError> {
    let low = ConfigSpace.read_u32(address, offset);
    let kind = bar::kind(low)?;
    let high_offset = match kind {
        BarKind::Memory32 => None,
        // The last BAR has no register for an upper half.
        BarKind::Memory64 if offset >= 0x24 => return Err(BarError::ReservedType),
        BarKind::Memory64 => Some(offset + 4),
    };
    let high = high_offset.map_or(0, |offset| ConfigSpace.read_u32(address, offset));

    let mut header = PciHeader::new(address);
    let command = header.command(ConfigSpace);
    header.update_command(ConfigSpace, |command| {
        command & !(CommandRegister::MEMORY_ENABLE | CommandRegister::IO_ENABLE)
    });
    ConfigSpace.write_u32(address, offset, u32::MAX);
    let low_mask = ConfigSpace.read_u32(address, offset);
    ConfigSpace.write_u32(address, offset, low);
    let mut high_mask = 0;
    if let Some(high_offset) = high_offset {
        ConfigSpace.write_u32(address, high_offset, u32::MAX);
        high_mask = ConfigSpace.read_u32(address, high_offset);
        ConfigSpace.write_u32(address, high_offset, high);
    }
    header.update_command(ConfigSpace, |_| command);

    let size_bytes = bar::size_bytes(kind, low_mask, high_mask)?;
    Ok(SizedBar { kind, size_bytes, address: bar::address(kind, low, high) })
}

/// Ensures that BAR 0 has a place, and returns it.
fn settle_bar(
    address: PciAddress,
    functions: &Vec<PciAddress, MAX_FUNCTIONS>,
    surroundings: &Surroundings<'_, impl Messages>,
) -> Result<PhysRange, BringUpError> {
    let sized = size_bar(address, BAR_0)?;
    if sized.size_bytes < REGISTERS_BYTES / 2 {
        return Err(BarError::TooSmall(sized.size_bytes).into());
    }
    let on_root_bus = address.bus() == 0;
    if sized.address != 0 && !(surroundings.assign && on_root_bus) {
        let bad = BarError::BadAddress(sized.address);
        let end = sized.address.checked_add(sized.size_bytes).ok_or(bad)?;
        let range = PhysRange { start: sized.address, end };
        // Firmware may call the range reserved, but it must not be RAM.
        let in_ram = surroundings.memory.iter().any(|entry| entry.is_ram && entry.range.overlaps(range));
        return if in_ram { Err(bad.into()) } else { Ok(range) };
    }
    if !on_root_bus {
        return Err(BarError::BehindBridge.into());
    }

    let mut occupied: Vec<PhysRange, 256> = Vec::new();
    let others = functions.iter().filter(|&&other| other != address).flat_map(|&other| decoded_bars(other));
    for range in surroundings.memory.iter().map(|entry| entry.range).chain(others) {
        occupied.push(range).map_err(|_| BarError::NoPlace(sized.size_bytes))?;
    }
    let no_place = BarError::NoPlace(sized.size_bytes);
    let place = bar::place(sized.size_bytes, WINDOW, &occupied).ok_or(no_place)?;
    let mut header = PciHeader::new(address);
    header.update_command(ConfigSpace, |command| command & !CommandRegister::MEMORY_ENABLE);
    ConfigSpace.write_u32(address, BAR_0, place as u32);
    let mut high = 0;
    if sized.kind == BarKind::Memory64 {
        ConfigSpace.write_u32(address, BAR_0 + 4, (place >> 32) as u32);
        high = ConfigSpace.read_u32(address, BAR_0 + 4);
    }
    if bar::address(sized.kind, ConfigSpace.read_u32(address, BAR_0), high) != place {
        return Err(BarError::NotAccepted(place).into());
    }
    log::info!(target: "pci", "{address}: BAR 0, {:#x} bytes, placed at {place:#x}", sized.size_bytes);
    Ok(PhysRange { start: place, end: place + sized.size_bytes })
}

/// The memory that a function decodes; empty if its decoding is off.
fn decoded_bars(address: PciAddress) -> Vec<PhysRange, 6> {
    let mut ranges = Vec::new();
    let header = PciHeader::new(address);
    if !header.command(ConfigSpace).contains(CommandRegister::MEMORY_ENABLE) {
        return ranges;
    }
    let count = match header.header_type(ConfigSpace) {
        pci_types::HeaderType::Endpoint => 6,
        pci_types::HeaderType::PciPciBridge => 2,
        _ => 0,
    };
    let mut index = 0;
    while index < count {
        let sized = size_bar(address, BAR_0 + index * 4);
        index += 1;
        if let Ok(sized) = sized {
            if sized.kind == BarKind::Memory64 {
                index += 1;
            }
            let end = sized.address.saturating_add(sized.size_bytes);
            // At most six BARs: there is room.
            let _ = ranges.push(PhysRange { start: sized.address, end });
        }
    }
    ranges
}
