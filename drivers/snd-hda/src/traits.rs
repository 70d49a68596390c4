//! Properties of a kind of controller that its registers don't show.

/// Source of stream positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PositionChoice {
    /// Outputs: the link. Inputs: memory, or the link if the controller never writes the DMA
    /// position buffer.
    #[default]
    Auto,
    /// SDnLPIB.
    Link,
    /// The DMA position buffer. A controller that never writes it leaves the position at 0.
    Memory,
}

/// Where the driver probes for SSYNC. The register exists only if it keeps what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SyncRegister {
    /// At 0x38, where the specification puts it (1.0a, 3.3.17), then at 0x34.
    #[default]
    Anywhere,
    /// At 0x38 only: writes to 0x34 are unsafe.
    Specified,
    /// At 0x34 only, where ICH6 to ICH10 have it (their datasheets).
    Old,
}

/// Properties of a kind of controller that its registers don't show.
///
/// The platform identifies the kind by PCI vendor and device. [`ControllerTraits::default`] is for
/// an unknown controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ControllerTraits {
    /// Address bits that DMA handles correctly, 32 to 64, if GCAP.64OK promises all of them. 32
    /// ignores the promise.
    pub address_bits: u8,
    /// The meaning of [`PositionChoice::Auto`]. If one position source is wrong, name the other.
    pub positions: PositionChoice,
    /// Location of SSYNC.
    pub sync_register: SyncRegister,
}

impl Default for ControllerTraits {
    fn default() -> Self {
        Self { address_bits: 64, positions: PositionChoice::Auto, sync_register: SyncRegister::Anywhere }
    }
}
