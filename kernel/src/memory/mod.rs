//! Physical memory, page tables, the set-up heap, and memory shared with the controller.

#[cfg(target_os = "none")]
pub mod address_space;
pub mod dma;
pub mod frames;
#[cfg(target_os = "none")]
pub mod heap;
#[cfg(target_os = "none")]
pub mod layout;
#[cfg(target_os = "none")]
pub mod mapped_device;
pub mod page_table;
pub mod range;
#[cfg(feature = "xen")]
pub mod ring;

/// Bytes in a page and in a frame.
pub const PAGE_BYTES: u64 = 4096;
