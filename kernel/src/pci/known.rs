//! Settings and limits of known controllers, by vendor and device.
//!
//! Each row says where it's from. "Linux" is its driver for these controllers (sound/pci/hda/hda_intel.c), by what it
//! does; the registers themselves are in the makers' datasheets where those are named. Not here, for the image has no use
//! for it: limits of MSI's address (those of the local APIC have 32 bits), and which controllers' capabilities count
//! streams wrong (ULi M5461, which no machine with an IOMMU has).

use core::fmt;

use snd_hda::stream::PositionChoice;
use snd_hda::{ControllerTraits, SyncRegister};

/// Bits of a byte in configuration space that must have a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which byte.
    pub offset: u8,
    /// The bits.
    pub mask: u8,
    /// Their value.
    pub value: u8,
}

impl Setting {
    /// Reads, writes if that would change something, and reads back. False if it doesn't take: a hypervisor may keep such
    /// registers to itself.
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

/// A known kind of controllers.
#[derive(Debug)]
pub struct Known {
    vendor: u16,
    /// Empty: all of the vendor's that no row before names.
    devices: &'static [u16],
    /// Their usual name.
    pub name: &'static str,
    /// Settings to apply before DMA is allowed.
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

/// TCSEL: DMA in traffic class 0, the one that is served in time whatever the chipset has been set up for (ICH6 to ICH10
/// datasheets, "TCSEL - Traffic Class Select", bits 2:0; Linux).
const TRAFFIC_CLASS_0: Setting = Setting { offset: 0x44, mask: 0x07, value: 0 };
/// Bit 11 of DEVC at 0x78, "No Snoop Enable" (System Controller Hub US15W datasheet, "DEVC"; Linux). It is PCI Express's
/// Device Control, but not everywhere is that capability in the list.
const NO_SNOOP_OFF: Setting = Setting { offset: 0x79, mask: 0x08, value: 0 };
/// Misc Control 2: snooping for all DMA (AMD SB600 and SB700 register reference guides, "HD Audio", 0x42; Linux).
const ATI_SNOOP: Setting = Setting { offset: 0x42, mask: 0x07, value: 0x02 };
/// Coherent DMA: of outputs, of inputs, and of everything else (Linux).
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
/// The DMA position buffer can't be relied on: LPIB it is.
const BY_LINK: ControllerTraits = ControllerTraits { positions: PositionChoice::Link, ..PLAIN };

/// The row for unknown controllers.
static UNKNOWN: Known =
    Known { vendor: 0xffff, devices: &[], name: "unknown", settings: &[], traits: PLAIN, has_msi: true };

/// The first that fits holds.
static ROWS: [Known; 13] = [
    // SSYNC is at 0x34 (ICH6 to ICH10 datasheets; Linux). QEMU's two controllers have these numbers, and no SSYNC.
    Known {
        vendor: 0x8086,
        devices: &[0x2668, 0x27d8, 0x269a, 0x284b, 0x293e, 0x293f, 0x3a3e, 0x3a6e],
        name: "Intel ICH6 to ICH10",
        settings: &[TRAFFIC_CLASS_0],
        traits: ControllerTraits { sync_register: SyncRegister::Old, ..PLAIN },
        has_msi: true,
    },
    // The display's controller in Broadwell writes its position buffer too late (Linux).
    Known {
        vendor: 0x8086,
        devices: &[0x160c],
        name: "Intel Broadwell, display",
        settings: &[TRAFFIC_CLASS_0, NO_SNOOP_OFF],
        traits: ControllerTraits { sync_register: SyncRegister::Specified, ..BY_LINK },
        has_msi: true,
    },
    // SCH and everything from 5 Series on (datasheets of US15W, and of the 5 to 800 Series PCHs; Linux).
    Known {
        vendor: 0x8086,
        devices: &[],
        name: "Intel SCH or PCH",
        settings: &[TRAFFIC_CLASS_0, NO_SNOOP_OFF],
        traits: ControllerTraits { sync_register: SyncRegister::Specified, ..PLAIN },
        has_msi: true,
    },
    // SB450, SB600 and, with SB600's number, SB700 to SB900. SB600 gets addresses beyond 4 GiB wrong; only another
    // function's revision tells it from the others, which so are held to 4 GiB too (Linux).
    Known {
        vendor: 0x1002,
        devices: &[0x437b, 0x4383],
        name: "ATI SB450 to SB900",
        settings: &[ATI_SNOOP],
        traits: ControllerTraits { address_bits: 32, ..BY_LINK },
        has_msi: true,
    },
    // Of displays. 40 bits (Linux).
    Known {
        vendor: 0x1002,
        devices: &[],
        name: "ATI, display",
        settings: &[],
        traits: ControllerTraits { address_bits: 40, ..BY_LINK },
        has_msi: true,
    },
    // Hudson, Stoney, Raven, and those beside X370 and X570. 40 bits, or 48: the safe one (Linux).
    Known {
        vendor: 0x1022,
        devices: &[0x780d, 0x1457, 0x1487, 0x157a, 0x15e3],
        name: "AMD Hudson to Matisse",
        settings: &[ATI_SNOOP],
        traits: ControllerTraits { address_bits: 40, ..BY_LINK },
        has_msi: true,
    },
    // The same without the register for snooping, of which nothing is known there (Linux).
    Known {
        vendor: 0x1022,
        devices: &[],
        name: "AMD",
        settings: &[],
        traits: ControllerTraits { address_bits: 40, ..BY_LINK },
        has_msi: true,
    },
    // Chipsets and displays. 40 bits; MSI makes trouble (Linux).
    Known {
        vendor: 0x10de,
        devices: &[],
        name: "NVIDIA",
        settings: &NVIDIA_COHERENT,
        traits: ControllerTraits { address_bits: 40, ..PLAIN },
        has_msi: false,
    },
    // VT8251, VT8237A and later ones: for inputs the position buffer counts anew in every period (Linux).
    Known {
        vendor: 0x1106,
        devices: &[0x3288],
        name: "VIA VT8237A or VT8251",
        settings: &[],
        traits: BY_LINK,
        has_msi: true,
    },
    // CA0132: no addresses beyond 4 GiB, whatever GCAP says, and no MSI (Linux).
    Known {
        vendor: 0x1102,
        devices: &[0x0010, 0x0012],
        name: "Creative CA0132",
        settings: &[],
        traits: ControllerTraits { address_bits: 32, ..BY_LINK },
        has_msi: false,
    },
    // X-Fi (CA0110): the same, with MSI (Linux).
    Known {
        vendor: 0x1102,
        devices: &[],
        name: "Creative X-Fi",
        settings: &[],
        traits: ControllerTraits { address_bits: 32, ..BY_LINK },
        has_msi: true,
    },
    // No addresses beyond 4 GiB, whatever GCAP says (Linux).
    Known {
        vendor: 0x6549,
        devices: &[],
        name: "Teradici",
        settings: &[],
        traits: ControllerTraits { address_bits: 32, ..PLAIN },
        has_msi: true,
    },
    // No MSI (Linux).
    Known {
        vendor: 0x13f6,
        devices: &[0x5011],
        name: "C-Media CM8888",
        settings: &[],
        traits: BY_LINK,
        has_msi: false,
    },
];
