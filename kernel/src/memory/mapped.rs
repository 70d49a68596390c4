//! Physical memory, once mapped, as Rust references.
#![allow(unsafe_code, reason = "leaf: turns physical addresses that were handed out once into references")]

use core::ptr;
use core::slice;
use core::sync::atomic::AtomicU32;

use super::range::PhysRange;

/// The words of memory that is shared with the controller, or between the two ends of the loop-back home.
///
/// # Safety
///
/// `range` is RAM, mapped one to one and writable until the machine stops, aligned to 4, and it was handed out to
/// the caller by the frame allocator: nothing else in the image refers to it, other than by atomics.
pub unsafe fn words(range: PhysRange) -> &'static [AtomicU32] {
    let first = ptr::with_exposed_provenance::<AtomicU32>(range.start as usize);
    // SAFETY: the caller vouches for address, alignment and lifetime. Any content is a valid AtomicU32, and since
    // every access is atomic the controller may change it meanwhile.
    unsafe { slice::from_raw_parts(first, range.size_bytes() as usize / 4) }
}

/// The octets of a boot module.
///
/// # Safety
///
/// `range` is RAM, mapped one to one and read-only until the machine stops, and was kept from the frame allocator:
/// nothing ever writes it.
pub unsafe fn module(range: PhysRange) -> &'static [u8] {
    let first = ptr::with_exposed_provenance::<u8>(range.start as usize);
    // SAFETY: the caller vouches for address and lifetime; the pages are read-only, so nothing changes them.
    unsafe { slice::from_raw_parts(first, range.size_bytes() as usize) }
}
