//! Memory shared with other writers.
#![allow(unsafe_code, reason = "leaf: reaches shared memory by its address")]

use core::sync::atomic::{AtomicU32, Ordering, fence};
use core::{ptr, slice};

use hyper::{PAGE_SIZE_BYTES, PAGE_WORDS, SharedPage};
use xen_sys::SharedLayout;

use crate::hypervisor::Slot;

/// The structure at an address, in a page that Xen or another domain shares.
///
/// # Safety
/// `address` is a multiple of 4096. The page there is mapped, readable and writable, for as long
/// as the program runs. It belongs to the structure alone.
pub unsafe fn at<T: SharedLayout>(address: usize) -> &'static T {
    let structure: *const T = ptr::with_exposed_provenance(address);
    // SAFETY: permanently mapped, as the caller promises. A page is aligned for every such type
    // and holds it. All of it is atomics, and any bits are a value, as `SharedLayout` promises.
    unsafe { &*structure }
}

/// Guest-physical addresses at which grants are mapped, in slots of a page.
#[derive(Debug)]
pub struct Window {
    first_address: u64,
    slots: u16,
}

impl Window {
    /// A window of `slots` pages from `first_address` on.
    ///
    /// # Safety
    /// `first_address` is a multiple of 4096. The addresses hold no memory, have no other user,
    /// and are mapped one to one, readable and writable but not executable, for as long as the
    /// program runs.
    pub unsafe fn new(first_address: u64, slots: u16) -> Self {
        Self { first_address, slots }
    }

    /// Slots in it.
    pub fn slots(&self) -> u16 {
        self.slots
    }

    /// The slot's address.
    pub fn address(&self, slot: Slot) -> Option<u64> {
        let offset = u64::from(slot.0).checked_mul(PAGE_SIZE_BYTES as u64)?;
        self.first_address.checked_add(offset).filter(|_| slot.0 < self.slots)
    }

    /// The processor's view of the slot. Without a mapping, reads return ones, and writes are
    /// lost.
    pub fn view(&self, slot: Slot) -> WindowPage {
        WindowPage { address: self.address(slot).and_then(|address| usize::try_from(address).ok()) }
    }
}

/// A page of the window. It isn't `Copy`: its owner decides when to unmap it.
#[derive(Debug)]
pub struct WindowPage {
    address: Option<usize>,
}

impl WindowPage {
    /// The words of the page from `first` on. There are none without a page, or behind its end.
    fn words(&self, first: usize) -> &[AtomicU32] {
        let Some(address) = self.address else { return &[] };
        let first_word: *const AtomicU32 = ptr::with_exposed_provenance(address);
        // SAFETY: the window is permanently mapped and has no other user, as its maker promised,
        // so no Rust object is there. A page is aligned for words. All of this domain's accesses
        // to it are atomic; other domains answer for theirs. The references end before the owner
        // can unmap the page.
        let words = unsafe { slice::from_raw_parts(first_word, PAGE_WORDS) };
        words.get(first..).unwrap_or_default()
    }
}

impl SharedPage for WindowPage {
    fn load(&self, word: usize) -> u32 {
        self.words(word).first().map_or(0, |cell| u32::from_le(cell.load(Ordering::Acquire)))
    }

    fn store(&self, word: usize, value: u32) {
        if let Some(cell) = self.words(word).first() {
            cell.store(value.to_le(), Ordering::Release);
        }
    }

    fn store_run(&self, first: usize, values: impl Iterator<Item = u32>) {
        self.words(first).iter().zip(values).for_each(|(cell, value)| {
            cell.store(value.to_le(), Ordering::Release);
        });
    }

    fn load_run(&self, first: usize, into: &mut [[u8; 4]]) {
        let words = self.words(first);
        let (inside, outside) = into.split_at_mut(words.len().min(into.len()));
        for (cell, bytes) in words.iter().zip(inside) {
            *bytes = cell.load(Ordering::Acquire).to_ne_bytes();
        }
        outside.fill([0; 4]);
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::expect_used, reason = "a test's")]
mod tests {
    use core::sync::atomic::Ordering;

    use alloc::boxed::Box;
    use hyper::SharedPage;
    use xen_sys::xs_wire::StoreRing;

    use super::{Window, at};
    use crate::hypervisor::Slot;

    #[repr(C, align(4096))]
    struct Pages([[core::sync::atomic::AtomicU32; 1024]; 2]);

    /// Two pages of memory, and their address.
    fn pages() -> (&'static Pages, usize) {
        let pages = || core::array::from_fn(|_| core::sync::atomic::AtomicU32::new(0));
        let pages: &'static Pages = Box::leak(Box::new(Pages([pages(), pages()])));
        (pages, (&raw const *pages).expose_provenance())
    }

    #[test]
    fn a_slots_words_are_those_of_its_page() {
        let (pages, address) = pages();
        // SAFETY: memory of this test's, reached by atomics alone, for good.
        let window = unsafe { Window::new(address as u64, 2) };
        assert_eq!(window.address(Slot(1)), Some(address as u64 + 4096));
        let view = window.view(Slot(1));
        view.store(1023, 7);
        assert_eq!(pages.0[1][1023].load(Ordering::Relaxed), 7);
        pages.0[1][0].store(8, Ordering::Relaxed);
        assert_eq!(view.load(0), 8);
        view.fence();
    }

    #[test]
    fn nothing_outside_is_reached() {
        let (pages, address) = pages();
        pages.0[1][0].store(9, Ordering::Relaxed);
        // SAFETY: as above. The second page isn't in the window.
        let window = unsafe { Window::new(address as u64, 1) };
        let view = window.view(Slot(0));
        for word in [1024, 1025, usize::MAX] {
            view.store(word, 1);
            assert_eq!(view.load(word), 0);
        }
        assert_eq!(pages.0[1][0].load(Ordering::Relaxed), 9);
        assert_eq!(window.address(Slot(1)), None);
        window.view(Slot(1)).store(0, 1);
        assert_eq!(window.view(Slot(1)).load(0), 0);
        assert_eq!(pages.0[1][0].load(Ordering::Relaxed), 9);
        // SAFETY: never touched.
        let last = unsafe { Window::new(u64::MAX - 4095, 2) };
        assert_eq!(last.address(Slot(1)), None);
    }

    #[test]
    fn a_structure_is_found_at_its_address() {
        let (pages, address) = pages();
        // SAFETY: the page is there for good and all of it is atomics.
        let ring: &StoreRing = unsafe { at(address) };
        ring.rsp_prod.store(5, Ordering::Relaxed);
        assert_eq!(pages.0[0][515].load(Ordering::Relaxed), 5);
    }
}
