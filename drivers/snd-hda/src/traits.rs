//! Facts about a kind of controller that its registers don't tell.

/// Where positions are to be read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PositionChoice {
    /// Outputs: the link. Inputs: memory, or the link where the controller never writes the DMA position buffer.
    #[default]
    Auto,
    /// SDnLPIB.
    Link,
    /// The DMA position buffer. A controller that never writes it leaves the position at 0.
    Memory,
}

/// Where SSYNC is looked for. It counts as there only if it keeps what is written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SyncRegister {
    /// At 0x38, where the specification has it (1.0a, 3.3.17), then at 0x34.
    #[default]
    Anywhere,
    /// At 0x38 only: what is at 0x34 isn't to be written to.
    Specified,
    /// At 0x34 only, where ICH6 to ICH10 have it (their datasheets).
    Old,
}

/// Facts about a kind of controller that its registers don't tell. The platform knows which kind it is, by PCI's vendor
/// and device; [`ControllerTraits::default`] is for a controller of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ControllerTraits {
    /// Bits of an address that DMA gets right, 32 to 64, where GCAP.64OK promises all of them. 32: the promise isn't
    /// believed.
    pub address_bits: u8,
    /// The meaning of [`PositionChoice::Auto`]. On a controller with one wrong position source: the other one.
    pub positions: PositionChoice,
    /// Where SSYNC is.
    pub sync_register: SyncRegister,
}

impl Default for ControllerTraits {
    fn default() -> Self {
        Self { address_bits: 64, positions: PositionChoice::Auto, sync_register: SyncRegister::Anywhere }
    }
}
