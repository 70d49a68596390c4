//! Granted pages, contiguous in this process's memory.
#![allow(unsafe_code, reason = "leaf: reaches shared memory by its address")]

use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};

use audiofront::{GrantAccess, ignored};
use hyper::{GrantRef, PAGE_SIZE_BYTES, PAGE_WORDS};
use rustix::io;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::grants::Grants;

/// Contiguous pages, each granted to the back end. They start zeroed. Dropping the last handle
/// unmaps them and gives them back.
#[derive(Debug)]
pub(crate) struct Region {
    first: NonNull<AtomicU32>,
    references: Vec<GrantRef>,
    /// The owner of the pages: the device and their place in it. `None`: this process's own memory,
    /// for tests.
    keeper: Option<(Arc<Grants>, u64)>,
}

// SAFETY: the memory at this address stays mapped while the value lives. All accesses through it
// are atomic.
unsafe impl Send for Region {}
// SAFETY: see above.
unsafe impl Sync for Region {}

impl Region {
    pub(crate) fn grant(
        device: &Arc<Grants>,
        domain: u16,
        access: GrantAccess,
        pages: u32,
    ) -> io::Result<Self> {
        let allocation = device.allocate(domain, access, pages)?;
        let index = allocation.index;
        match map(pages, |length_bytes| {
            let protection = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: the kernel chooses the address, so nothing of this process is replaced.
            unsafe {
                mmap(ptr::null_mut(), length_bytes, protection, MapFlags::SHARED, device.as_ref(), index)
            }
        }) {
            Ok(first) => {
                Ok(Self { first, references: allocation.references, keeper: Some((device.clone(), index)) })
            }
            Err(error) => {
                ignored(device.deallocate(index, pages), "the kernel frees them with the file at the latest");
                Err(error)
            }
        }
    }

    /// This process's own memory, with references counted from 1.
    #[cfg(test)]
    pub(crate) fn private(pages: u32) -> io::Result<Self> {
        let first = map(pages, |length_bytes| {
            let protection = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: as above.
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), length_bytes, protection, MapFlags::SHARED) }
        })?;
        Ok(Self { first, references: (1..=pages).map(GrantRef).collect(), keeper: None })
    }

    pub(crate) fn references(&self) -> &[GrantRef] {
        &self.references
    }

    pub(crate) fn length_bytes(&self) -> usize {
        self.references.len() * PAGE_SIZE_BYTES
    }

    /// Where it starts.
    pub(crate) fn address(&self) -> *mut u8 {
        self.first.as_ptr().cast()
    }

    /// The mapped file and the offset in it.
    pub(crate) fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        self.keeper.as_ref().map(|(device, index)| (device.as_fd(), *index))
    }

    fn word(&self, word: usize) -> Option<&AtomicU32> {
        if word >= self.references.len() * PAGE_WORDS {
            return None;
        }
        let place = self.first.as_ptr().wrapping_add(word);
        // SAFETY: inside the mapping, as checked, which lives as long as `self` and so outlives the
        // reference. The kernel's pages are aligned. No other Rust object is there, and all
        // accesses are atomic.
        Some(unsafe { &*place })
    }

    fn byte(&self, offset: usize) -> Option<&AtomicU8> {
        if offset >= self.length_bytes() {
            return None;
        }
        let place = self.first.as_ptr().cast::<AtomicU8>().wrapping_add(offset);
        // SAFETY: as for `word`. The application must not use words and bytes at one place at the
        // same time.
        Some(unsafe { &*place })
    }

    /// The word, or 0 past the end.
    #[inline]
    pub(crate) fn load(&self, word: usize) -> u32 {
        self.word(word).map_or(0, |word| word.load(Ordering::Acquire))
    }

    #[inline]
    pub(crate) fn store(&self, word: usize, value: u32) {
        if let Some(word) = self.word(word) {
            word.store(value, Ordering::Release);
        }
    }

    pub(crate) fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    /// Copies bytes in. Bytes past the end are dropped.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let (head, words) = bytes.split_at(bytes.len().min(offset.wrapping_neg() % 4));
        let (words, tail) = words.as_chunks::<4>();
        let one = |offset: usize, bytes: &[u8]| {
            for (offset, byte) in (offset..).zip(bytes) {
                if let Some(place) = self.byte(offset) {
                    place.store(*byte, Ordering::Release);
                }
            }
        };
        one(offset, head);
        let first_word = (offset + head.len()) / 4;
        for (word, bytes) in (first_word..).zip(words) {
            self.store(word, u32::from_le_bytes(*bytes));
        }
        one((first_word + words.len()) * 4, tail);
    }

    /// Copies bytes out. Bytes past the end stay unchanged.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let head = bytes.len().min(offset.wrapping_neg() % 4);
        let (head, words) = bytes.split_at_mut(head);
        let one = |offset: usize, bytes: &mut [u8]| {
            for (offset, byte) in (offset..).zip(bytes) {
                if let Some(place) = self.byte(offset) {
                    *byte = place.load(Ordering::Acquire);
                }
            }
        };
        let first_word = (offset + head.len()) / 4;
        one(offset, head);
        let (words, tail) = words.as_chunks_mut::<4>();
        for (word, bytes) in (first_word..).zip(words.iter_mut()) {
            *bytes = self.load(word).to_le_bytes();
        }
        one((first_word + words.len()) * 4, tail);
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: this value mapped this length, and no borrow from it remains.
        let unmapped = unsafe { munmap(self.first.as_ptr().cast(), self.length_bytes()) };
        ignored(unmapped, "it fails only for a range that isn't page aligned");
        if let Some((device, index)) = &self.keeper {
            let freed = device.deallocate(*index, self.references.len() as u32);
            ignored(freed, "the kernel frees them with the file at the latest");
        }
    }
}

fn map(
    pages: u32,
    mapping: impl FnOnce(usize) -> io::Result<*mut std::ffi::c_void>,
) -> io::Result<NonNull<AtomicU32>> {
    let length_bytes = pages as usize * PAGE_SIZE_BYTES;
    NonNull::new(mapping(length_bytes)?).map(NonNull::cast).ok_or(io::Errno::NOMEM)
}

#[cfg(test)]
mod tests {
    use super::Region;

    #[test]
    fn bytes_come_back_wherever_they_lie() {
        let region = Region::private(2).unwrap();
        for offset in [0, 1, 2, 3, 4, 4090, 4095, 8180] {
            for length in 0..16 {
                let bytes: Vec<u8> = (1..=length).collect();
                region.write(offset, &bytes);
                let mut back = vec![0; bytes.len()];
                region.read(offset, &mut back);
                let there = bytes.len().min(region.length_bytes() - offset);
                assert_eq!(back[..there], bytes[..there], "{offset} {length}");
            }
        }
        assert_eq!(region.load(1 << 40), 0);
        region.store(1 << 40, 1);
    }

    #[test]
    fn words_are_little_endian() {
        let region = Region::private(1).unwrap();
        region.write(3, &[1, 2, 3, 4, 5, 6]);
        assert_eq!([region.load(0), region.load(1), region.load(2)], [0x0100_0000, 0x0504_0302, 6]);
    }
}
