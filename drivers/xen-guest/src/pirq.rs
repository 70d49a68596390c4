//! A passed-through device's MSI as an event channel.
//!
//! An HVM guest asks Xen for a free pirq, writes the message below into the device's MSI capability and binds the pirq to a
//! port. The device model sees vector 0 in the data and takes the pirq from where the destination would be: so QEMU
//! (hw/xen/xen_pt_msi.c) and Linux (arch/x86/pci/xen.c) have agreed; no public header says it.

/// Address and data for an MSI capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiMessage {
    /// Low and high half go into the two address registers, so the capability has to be a 64-bit one where the pirq is
    /// above 255.
    pub address: u64,
    /// The data register.
    pub data: u16,
}

impl MsiMessage {
    /// Whether a capability without an upper address register would cut the pirq short: the message would be another's.
    pub const fn needs_64_bits(&self) -> bool {
        self.address >> 32 != 0
    }
}

/// The message that binds an MSI to a pirq.
pub const fn msi_message(pirq: u32) -> MsiMessage {
    /// Where MSIs go (Intel SDM 3, "Message Address Register Format").
    const MSI_ADDRESS: u64 = 0xfee0_0000;
    /// Level assert, delivery mode 3, vector 0.
    const PIRQ_DATA: u16 = 1 << 14 | 3 << 8;
    let low = (pirq as u64 & 0xff) << 12;
    let high = (pirq as u64 & 0xffff_ff00) << 32;
    MsiMessage { address: MSI_ADDRESS | low | high, data: PIRQ_DATA }
}
