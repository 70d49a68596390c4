//! Memory that the controller reaches by DMA.

/// Direction of a stream's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Direction {
    /// From memory to the link: playback.
    Output,
    /// From the link to memory: capture.
    Input,
}

/// Source of memory for the driver's own rings and lists: CORB, RIRB, DMA position buffer, buffer
/// descriptor lists.
///
/// Audio samples don't use it. A stream's pages belong to the caller, who gives only their
/// addresses (see [`DmaBuffer`]).
pub trait DmaMemory {
    /// Memory that both sides can reach until it is dropped or the controller is gone.
    type Region: DmaRegion;

    /// Allocates `size_bytes` of zeroed, physically contiguous memory. Its device address is a
    /// multiple of `align_bytes`, a power of two of at most 4096. Returns `None` if no memory is
    /// left.
    ///
    /// Called at bring-up only, never while a stream runs.
    fn allocate(&mut self, size_bytes: usize, align_bytes: usize) -> Option<Self::Region>;
}

impl<T: DmaMemory + ?Sized> DmaMemory for &mut T {
    type Region = T::Region;

    fn allocate(&mut self, size_bytes: usize, align_bytes: usize) -> Option<Self::Region> {
        (**self).allocate(size_bytes, align_bytes)
    }
}

/// Memory shared by driver and controller.
///
/// Accesses are volatile or atomic, never cached or merged. `Clone` gives a second handle to the
/// same memory.
pub trait DmaRegion: Clone {
    /// The address for the controller's registers, as the controller sees it (behind an IOMMU).
    fn device_address(&self) -> u64;
    /// Length in bytes.
    fn size_bytes(&self) -> usize;
    /// Reads the 32-bit little-endian word at `offset_bytes` (a multiple of 4 inside the region).
    fn read_u32(&self, offset_bytes: usize) -> u32;
    /// Writes the 32-bit little-endian word at `offset_bytes` (a multiple of 4 inside the region).
    fn write_u32(&mut self, offset_bytes: usize, value: u32);
}

/// The pages of a stream's buffer.
///
/// The stream owns them while the controller may touch them, and returns them once RUN reads 0.
/// The driver knows only their addresses and lengths.
///
/// References don't implement this trait: if RUN sticks, a leaked buffer must keep its pages
/// forever.
pub trait DmaBuffer {
    /// Device addresses of the buffer's 4096-byte pages, in playing order; they need not be
    /// contiguous.
    fn page_addresses(&self) -> &[u64];
    /// Bytes in use, from the start of the first page. At most 4096 bytes a page; only the last
    /// page may be used in part.
    fn size_bytes(&self) -> u32;
}

/// Whether DMA with this many address bits can't reach the whole range at `address`.
pub(crate) fn is_beyond(address_bits: u8, address: u64, size_bytes: u64) -> bool {
    let last = address.checked_add(size_bytes.saturating_sub(1));
    last.is_none_or(|last| last.checked_shr(address_bits.into()).unwrap_or(0) != 0)
}

/// The low half of an address.
pub(crate) const fn low(address: u64) -> u32 {
    address as u32
}

/// The high half of an address.
pub(crate) const fn high(address: u64) -> u32 {
    (address >> 32) as u32
}
