//! A passed-through device's MSI as an event channel.
//!
//! An HVM guest requests a free pirq from Xen. It writes the message below into the device's MSI
//! capability and binds the pirq to a port. The device model sees vector 0 in the data and takes
//! the pirq from the destination field. QEMU (hw/xen/xen_pt_msi.c) and Linux (arch/x86/pci/xen.c)
//! agree on this; no public header says it.

/// Address and data for an MSI capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiMessage {
    /// Low and high half go into the two address registers. A pirq above 255 needs a 64-bit
    /// capability.
    pub address: u64,
    /// The data register.
    pub data: u16,
}

impl MsiMessage {
    /// Whether a capability without an upper address register would truncate the pirq to another
    /// one.
    pub const fn needs_64_bits(&self) -> bool {
        self.address >> 32 != 0
    }
}

/// The message that binds an MSI to a pirq.
pub const fn msi_message(pirq: u32) -> MsiMessage {
    /// The MSI address range (Intel SDM 3, "Message Address Register Format").
    const MSI_ADDRESS: u64 = 0xfee0_0000;
    /// Level assert, delivery mode 3, vector 0.
    const PIRQ_DATA: u16 = 1 << 14 | 3 << 8;
    let low = (pirq as u64 & 0xff) << 12;
    let high = (pirq as u64 & 0xffff_ff00) << 32;
    MsiMessage { address: MSI_ADDRESS | low | high, data: PIRQ_DATA }
}
