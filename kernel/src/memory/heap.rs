//! The heap: for set-up only. Once sealed, any allocation ends the image.
#![allow(unsafe_code, reason = "leaf: the global allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering};

use linked_list_allocator::Heap;
use spin::Mutex;

use super::range::PhysRange;
use crate::epitaph::Cause;

#[global_allocator]
static HEAP: SetUpHeap = SetUpHeap { heap: Mutex::new(Heap::empty()), sealed: AtomicBool::new(false) };

struct SetUpHeap {
    heap: Mutex<Heap>,
    sealed: AtomicBool,
}

/// Gives the heap its memory. `None` if it has some already.
///
/// # Safety
///
/// `range` is RAM, mapped one to one and writable until the machine stops, handed out to the caller by the frame
/// allocator and used for nothing else.
pub(super) unsafe fn init(range: PhysRange) -> Option<()> {
    let mut heap = HEAP.heap.lock();
    if !heap.bottom().is_null() {
        return None;
    }
    let bottom = ptr::with_exposed_provenance_mut::<u8>(range.start as usize);
    // SAFETY: the caller vouches for the memory; it is page-aligned and at least a page, as frames are.
    unsafe { heap.init(bottom, range.size_bytes() as usize) };
    Some(())
}

/// From now on, every allocation ends in an epitaph: set-up is over.
pub fn seal() {
    HEAP.sealed.store(true, Ordering::Relaxed);
}

/// Octets that are taken, and octets that there are.
pub fn usage_bytes() -> (usize, usize) {
    let heap = HEAP.heap.lock();
    (heap.used(), heap.size())
}

// SAFETY: the linked-list heap returns memory that fits the layout and is in no other allocation; the lock can't be
// contended, since there is one thread and interrupt handlers don't allocate. A sealed heap never returns.
unsafe impl GlobalAlloc for SetUpHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.sealed.load(Ordering::Relaxed) {
            crate::arch::die(Cause::AllocationAfterStart { size_bytes: layout.size() });
        }
        self.heap.lock().allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if let Some(pointer) = NonNull::new(pointer) {
            // SAFETY: the caller passes what `alloc` returned for this layout, as GlobalAlloc demands.
            unsafe { self.heap.lock().deallocate(pointer, layout) };
        }
    }
}
