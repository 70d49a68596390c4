//! Settings and limits of known controllers, by vendor and device.
//!
//! Each row names its source. "Linux" means the behaviour of its driver for these controllers
//! (sound/pci/hda/hda_intel.c). The makers' datasheets, where named, describe the registers.
//!
//! Two kinds of facts are left out because the image doesn't use them:
//! - Limits of MSI's address: the local APIC's addresses have 32 bits.
//! - Wrong stream counts in the capabilities: only ULi M5461 has them, never beside an IOMMU.

use core::fmt;

use snd_hda::stream::PositionChoice;
use snd_hda::{ControllerTraits, SyncRegister};

/// Required values of bits in a byte of configuration space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Offset of the byte.
    pub offset: u8,
    /// The bits.
    pub mask: u8,
    /// Their required value.
    pub value: u8,
}

impl Setting {
    /// Reads the byte, writes it if needed, and reads it back. Returns false if the write has no
    /// effect: a hypervisor may protect such registers.
    pub fn apply(self, read: impl Fn(u8) -> u8, write: impl FnOnce(u8, u8)) -> bool {
        let before = read(self.offset);
        let after = before & !self.mask | self.value;
        if after == before {
            return true;
        }
        write(self.offset, after);
        read(self.offset) & self.mask == self.value
    }
}

/// A known kind of controller.
#[derive(Debug)]
pub struct Known {
    vendor: u16,
    /// Device numbers. Empty matches all devices of the vendor not matched by an earlier row.
    devices: &'static [u16],
    /// Its usual name.
    pub name: &'static str,
    /// Settings to apply before enabling DMA.
    pub settings: &'static [Setting],
    /// Limits for the driver.
    pub traits: ControllerTraits,
    /// Whether its MSI arrives.
    pub has_msi: bool,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The row for the controller with this vendor and device.
pub fn find((vendor, device): (u16, u16)) -> &'static Known {
    let is_it =
        |row: &&Known| row.vendor == vendor && (row.devices.is_empty() || row.devices.contains(&device));
    ROWS.iter().find(is_it).unwrap_or(&UNKNOWN)
}

/// TCSEL: DMA in traffic class 0. Every chipset setting serves it in time (ICH6 to ICH10
/// datasheets, "TCSEL - Traffic Class Select", bits 2:0; Linux).
const TRAFFIC_CLASS_0: Setting = Setting { offset: 0x44, mask: 0x07, value: 0 };
/// Bit 11 of DEVC at 0x78, "No Snoop Enable" (System Controller Hub US15W datasheet, "DEVC";
/// Linux). It is PCI Express's Device Control, but some controllers don't list that capability.
const NO_SNOOP_OFF: Setting = Setting { offset: 0x79, mask: 0x08, value: 0 };
/// Misc Control 2: snooping for all DMA (AMD SB600 and SB700 register reference guides, "HD Audio",
/// 0x42; Linux).
const ATI_SNOOP: Setting = Setting { offset: 0x42, mask: 0x07, value: 0x02 };
/// Coherent DMA of outputs, inputs and everything else (Linux).
const NVIDIA_COHERENT: [Setting; 3] = [
    Setting { offset: 0x4e, mask: 0x0f, value: 0x0f },
    Setting { offset: 0x4d, mask: 0x01, value: 0x01 },
    Setting { offset: 0x4c, mask: 0x01, value: 0x01 },
];

/// The registers alone decide.
const PLAIN: ControllerTraits = ControllerTraits {
    address_bits: 64,
    positions: PositionChoice::Auto,
    sync_register: SyncRegister::Anywhere,
};
/// The DMA position buffer is unreliable: use LPIB.
const BY_LINK: ControllerTraits = ControllerTraits { positions: PositionChoice::Link, ..PLAIN };

/// A row without peculiarities.
const fn row(vendor: u16, devices: &'static [u16], name: &'static str) -> Known {
    Known { vendor, devices, name, settings: &[], traits: PLAIN, has_msi: true }
}

/// The row for unknown controllers.
static UNKNOWN: Known = row(0xffff, &[], "unknown");

/// The first match applies.
static ROWS: [Known; 13] = [
    // SSYNC is at 0x34 (ICH6 to ICH10 datasheets; Linux). QEMU's two controllers have these numbers
    // but no SSYNC.
    Known {
        settings: &[TRAFFIC_CLASS_0],
        traits: ControllerTraits { sync_register: SyncRegister::Old, ..PLAIN },
        ..row(
            0x8086,
            &[0x2668, 0x27d8, 0x269a, 0x284b, 0x293e, 0x293f, 0x3a3e, 0x3a6e],
            "Intel ICH6 to ICH10",
        )
    },
    // The display controller in Broadwell updates its position buffer too late (Linux).
    Known {
        settings: &[TRAFFIC_CLASS_0, NO_SNOOP_OFF],
        traits: ControllerTraits { sync_register: SyncRegister::Specified, ..BY_LINK },
        ..row(0x8086, &[0x160c], "Intel Broadwell, display")
    },
    // SCH, and 5 Series and later (datasheets of US15W, and of the 5 to 800 Series PCHs; Linux).
    Known {
        settings: &[TRAFFIC_CLASS_0, NO_SNOOP_OFF],
        traits: ControllerTraits { sync_register: SyncRegister::Specified, ..PLAIN },
        ..row(0x8086, &[], "Intel SCH or PCH")
    },
    // SB450, SB600 and, with SB600's number, SB700 to SB900. SB600 mishandles addresses above 4
    // GiB. Only another function's revision distinguishes it, so the limit applies to all (Linux).
    Known {
        settings: &[ATI_SNOOP],
        traits: ControllerTraits { address_bits: 32, ..BY_LINK },
        ..row(0x1002, &[0x437b, 0x4383], "ATI SB450 to SB900")
    },
    // Display controllers: 40-bit addresses (Linux).
    Known { traits: ControllerTraits { address_bits: 40, ..BY_LINK }, ..row(0x1002, &[], "ATI, display") },
    // Hudson, Stoney, Raven, and those with X370 and X570. They support 40 or 48 bits; this row
    // uses the safe value (Linux).
    Known {
        settings: &[ATI_SNOOP],
        traits: ControllerTraits { address_bits: 40, ..BY_LINK },
        ..row(0x1022, &[0x780d, 0x1457, 0x1487, 0x157a, 0x15e3], "AMD Hudson to Matisse")
    },
    // As above, but without a known snooping register (Linux).
    Known { traits: ControllerTraits { address_bits: 40, ..BY_LINK }, ..row(0x1022, &[], "AMD") },
    // Chipsets and displays: 40-bit addresses, unreliable MSI (Linux).
    Known {
        settings: &NVIDIA_COHERENT,
        traits: ControllerTraits { address_bits: 40, ..PLAIN },
        has_msi: false,
        ..row(0x10de, &[], "NVIDIA")
    },
    // VT8251, VT8237A and later: for inputs the position buffer restarts in every period (Linux).
    Known { traits: BY_LINK, ..row(0x1106, &[0x3288], "VIA VT8237A or VT8251") },
    // CA0132: no addresses above 4 GiB, regardless of GCAP, and no MSI (Linux).
    Known {
        traits: ControllerTraits { address_bits: 32, ..BY_LINK },
        has_msi: false,
        ..row(0x1102, &[0x0010, 0x0012], "Creative CA0132")
    },
    // X-Fi (CA0110): the same, with MSI (Linux).
    Known { traits: ControllerTraits { address_bits: 32, ..BY_LINK }, ..row(0x1102, &[], "Creative X-Fi") },
    // No addresses above 4 GiB, regardless of GCAP (Linux).
    Known { traits: ControllerTraits { address_bits: 32, ..PLAIN }, ..row(0x6549, &[], "Teradici") },
    // No MSI (Linux).
    Known { traits: BY_LINK, has_msi: false, ..row(0x13f6, &[0x5011], "C-Media CM8888") },
];
