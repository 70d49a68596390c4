//! The set-up heap. Once it is sealed, any allocation ends the image.
#![allow(unsafe_code, reason = "leaf: the global allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering};

use linked_list_allocator::Heap;
use spin::Mutex;

use super::range::PhysRange;
use crate::epitaph::Cause;

#[global_allocator]
static HEAP: SetUpHeap = SetUpHeap { heap: Mutex::new(Heap::empty()), is_sealed: AtomicBool::new(false) };

/// The lock is never contended: the image has one thread, and interrupt handlers don't allocate.
struct SetUpHeap {
    heap: Mutex<Heap>,
    is_sealed: AtomicBool,
}

/// Gives the heap its memory. `None` if it already has memory.
///
/// # Safety
///
/// `range` is RAM, mapped one to one and writable until the machine stops. The frame allocator
/// handed it to the caller, and nothing else uses it.
pub(super) unsafe fn init(range: PhysRange) -> Option<()> {
    let mut heap = HEAP.heap.lock();
    if heap.size() != 0 {
        return None;
    }
    let start = ptr::with_exposed_provenance_mut(range.start as usize);
    // SAFETY: the caller's promise. The heap had no memory before.
    unsafe { heap.init(start, range.size_bytes() as usize) };
    Some(())
}

/// Seals the heap: from now on every allocation ends in an epitaph.
pub fn seal() {
    HEAP.is_sealed.store(true, Ordering::Relaxed);
}

/// Bytes in use, and bytes in total.
pub fn usage_bytes() -> (usize, usize) {
    let heap = HEAP.heap.lock();
    (heap.used(), heap.size())
}

// SAFETY: `Heap` keeps the allocator's contract. A sealed heap never returns.
unsafe impl GlobalAlloc for SetUpHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.is_sealed.load(Ordering::Relaxed) {
            crate::arch::die(Cause::AllocationAfterStart { size_bytes: layout.size() });
        }
        self.heap.lock().allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(pointer) = NonNull::new(pointer) else { return };
        // SAFETY: the caller promises an allocation of this heap, with this layout, not freed
        // before.
        unsafe { self.heap.lock().deallocate(pointer, layout) };
    }
}
