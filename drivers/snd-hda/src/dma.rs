//! Memory that the controller reaches by DMA.

/// Which way a stream's samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Direction {
    /// From memory to the link: playback.
    Output,
    /// From the link to memory: capture.
    Input,
}

/// Where the driver gets memory for its own rings and lists: CORB, RIRB, DMA position buffer, buffer descriptor lists.
///
/// Audio samples never pass through here: a stream's pages belong to the caller, who states their addresses only
/// (see [`DmaBuffer`]).
pub trait DmaMemory {
    /// A piece of memory that both sides can reach until it is dropped or the controller is gone.
    type Region: DmaRegion;

    /// Hands out `size_bytes` of zeroed, physically contiguous memory whose device address is a multiple of
    /// `align_bytes` (a power of two, at most 4096). `None` when there is no more.
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

/// A piece of memory shared by driver and controller. Accesses are volatile or atomic, never cached or merged.
/// `Clone` gives a second handle to the same memory.
pub trait DmaRegion: Clone {
    /// The address to be written into the controller's registers, as the controller sees it (behind an IOMMU).
    fn device_address(&self) -> u64;
    /// Length in bytes.
    fn size_bytes(&self) -> usize;
    /// Reads the 32-bit little-endian word at `offset_bytes` (a multiple of 4 inside the region).
    fn read_u32(&self, offset_bytes: usize) -> u32;
    /// Writes the 32-bit little-endian word at `offset_bytes` (a multiple of 4 inside the region).
    fn write_u32(&mut self, offset_bytes: usize, value: u32);
}

/// The pages of a stream's buffer: owned by the stream while the controller may touch them, given back when RUN has
/// read back 0. The driver can't look inside: it learns addresses and lengths, nothing else.
///
/// References are no buffers on purpose: one that is leaked, because RUN sticks, must keep its pages for ever.
pub trait DmaBuffer {
    /// Device addresses of the buffer's pages of 4096 bytes, in playing order; they need not be contiguous.
    fn page_addresses(&self) -> &[u64];
    /// Bytes in use, from the start of the first page: at most 4096 times the number of pages, and more than
    /// 4096 times one less (the last page may be used in part).
    fn size_bytes(&self) -> u32;
}

/// Whether DMA of so many address bits can't reach all of what lies at `address`.
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
