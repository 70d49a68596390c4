//! A device's registers that are mapped.

use super::range::PhysRange;

/// A range of registers that is mapped permanently, one to one and uncached. Only
/// [`AddressSpace::map_device`](super::address_space::AddressSpace::map_device) makes one.
#[derive(Clone, Copy, Debug)]
pub struct MappedDevice(PhysRange);

impl MappedDevice {
    pub(super) const fn new(range: PhysRange) -> Self {
        Self(range)
    }

    /// Its addresses.
    pub const fn range(&self) -> PhysRange {
        self.0
    }
}
