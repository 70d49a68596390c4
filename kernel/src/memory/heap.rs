//! The heap: for set-up only. Once sealed, any allocation ends the image.
//!
//! It hands out one piece after the other. Only the newest is taken back; nothing else of set-up is worth the trouble.
#![allow(unsafe_code, reason = "leaf: the global allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::range::PhysRange;
use crate::epitaph::Cause;

#[global_allocator]
static HEAP: SetUpHeap = SetUpHeap {
    start: AtomicUsize::new(0),
    free: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
    sealed: AtomicBool::new(false),
};

/// Addresses: what lies from `free` on, up to `end`, has not been handed out.
struct SetUpHeap {
    start: AtomicUsize,
    free: AtomicUsize,
    end: AtomicUsize,
    sealed: AtomicBool,
}

/// Gives the heap its memory. `None` if it has some already.
///
/// # Safety
///
/// `range` is RAM, mapped one to one and writable until the machine stops, handed out to the caller by the frame
/// allocator and used for nothing else.
pub(super) unsafe fn init(range: PhysRange) -> Option<()> {
    if HEAP.end.load(Ordering::Relaxed) != 0 {
        return None;
    }
    HEAP.start.store(range.start as usize, Ordering::Relaxed);
    HEAP.free.store(range.start as usize, Ordering::Relaxed);
    HEAP.end.store(range.end as usize, Ordering::Relaxed);
    Some(())
}

/// From now on, every allocation ends in an epitaph: set-up is over.
pub fn seal() {
    HEAP.sealed.store(true, Ordering::Relaxed);
}

/// Octets that are taken, and octets that there are.
pub fn usage_bytes() -> (usize, usize) {
    let [start, free, end] = [&HEAP.start, &HEAP.free, &HEAP.end].map(|at| at.load(Ordering::Relaxed));
    (free - start, end - start)
}

// SAFETY: a piece is aligned, ends before the heap does, and begins where none that was handed out before and not given back
// lies. There is one thread, and interrupt handlers don't allocate. A sealed heap never returns.
unsafe impl GlobalAlloc for SetUpHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.sealed.load(Ordering::Relaxed) {
            crate::arch::die(Cause::AllocationAfterStart { size_bytes: layout.size() });
        }
        let start = self.free.load(Ordering::Relaxed).checked_next_multiple_of(layout.align());
        let Some((start, end)) = start.and_then(|start| Some((start, start.checked_add(layout.size())?)))
        else {
            return ptr::null_mut();
        };
        if end > self.end.load(Ordering::Relaxed) {
            return ptr::null_mut();
        }
        self.free.store(end, Ordering::Relaxed);
        ptr::with_exposed_provenance_mut(start)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let start = pointer.addr();
        if start.wrapping_add(layout.size()) == self.free.load(Ordering::Relaxed) {
            self.free.store(start, Ordering::Relaxed);
        }
    }
}
