//! What is known of a kind of controller beyond what its registers say.

use crate::stream::PositionChoice;

/// Where SSYNC is looked for. It counts as there only if it keeps what is written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncRegister {
    /// At 0x38, where the specification has it (1.0a, 3.3.17), then at 0x34.
    #[default]
    Anywhere,
    /// At 0x38 only: what is at 0x34 isn't to be written to.
    Specified,
    /// At 0x34 only, where ICH6 to ICH10 have it (their datasheets).
    Old,
}

/// What is known of a kind of controller beyond what its registers say. The platform knows which kind it is, by PCI's vendor
/// and device; [`ControllerTraits::default`] is for a controller of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerTraits {
    /// Bits of an address that DMA gets right, 32 to 64, where GCAP.64OK promises all of them. 32: the promise isn't
    /// believed.
    pub address_bits: u8,
    /// What [`PositionChoice::Auto`] comes to. On a controller one of whose position sources is known to be wrong: the
    /// other one.
    pub positions: PositionChoice,
    /// Where SSYNC is.
    pub sync_register: SyncRegister,
}

impl Default for ControllerTraits {
    fn default() -> Self {
        Self { address_bits: 64, positions: PositionChoice::Auto, sync_register: SyncRegister::Anywhere }
    }
}

/// Whether DMA of so many address bits can't reach all of what lies at `address`.
pub(crate) fn is_beyond(address_bits: u8, address: u64, size_bytes: u64) -> bool {
    let last = address.checked_add(size_bytes.saturating_sub(1));
    last.is_none_or(|last| last.checked_shr(address_bits.into()).unwrap_or(0) != 0)
}
