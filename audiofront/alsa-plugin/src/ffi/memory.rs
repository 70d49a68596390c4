//! The shared buffer, mapped in this process.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

use hyper::PAGE_SIZE_BYTES;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::card::DmaFile;

/// Contiguous frames of the application.
#[derive(Debug)]
pub struct AppFrames<'a> {
    first: NonNull<u8>,
    length_bytes: usize,
    _of: PhantomData<&'a mut [u8]>,
}

impl<'a> AppFrames<'a> {
    /// Frames in a slice.
    pub fn of(bytes: &'a mut [u8]) -> Self {
        Self { length_bytes: bytes.len(), first: NonNull::from(bytes).cast(), _of: PhantomData }
    }

    /// `length_bytes` bytes of frames, starting at `first`.
    ///
    /// # Safety
    /// They stay readable, and for capture writable, while this value is in use.
    pub(super) unsafe fn new(first: NonNull<u8>, length_bytes: usize) -> Self {
        Self { first, length_bytes, _of: PhantomData }
    }
}

/// A stream's mapped buffer. The controller reads or writes it at any time.
#[derive(Debug)]
pub struct DmaArea {
    start: NonNull<u8>,
    length_bytes: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread. No caller keeps an address into it.
unsafe impl Send for DmaArea {}

impl DmaArea {
    /// Maps a buffer at an address that the kernel chooses.
    ///
    /// # Errors
    /// mmap's error; `INVAL` for an empty buffer.
    pub fn map(file: DmaFile<'_>, length_bytes: usize) -> Result<Self, Errno> {
        // SAFETY: without a requested address the mapping replaces nothing.
        unsafe { Self::map_with(file, length_bytes, std::ptr::null_mut(), MapFlags::SHARED) }
    }

    /// Maps a buffer over the memory at `place`, which from then on *is* the buffer.
    ///
    /// # Errors
    /// mmap's error, with the memory unchanged. `INVAL` if `place` isn't page aligned.
    ///
    /// # Safety
    /// The buffer's whole pages from `place` on are shared memory, which its owner knows by address
    /// alone. The owner may detach it, but must not reuse it until this value is dropped.
    pub(super) unsafe fn map_over(
        file: DmaFile<'_>,
        length_bytes: usize,
        place: NonNull<u8>,
    ) -> Result<Self, Errno> {
        if !place.addr().get().is_multiple_of(PAGE_SIZE_BYTES) {
            return Err(Errno::INVAL);
        }
        // SAFETY: the caller allows replacing this memory.
        unsafe { Self::map_with(file, length_bytes, place.as_ptr(), MapFlags::SHARED | MapFlags::FIXED) }
    }

    /// # Safety
    /// With `FIXED`, the pages at `place` may be replaced.
    unsafe fn map_with(
        file: DmaFile<'_>,
        length_bytes: usize,
        place: *mut u8,
        flags: MapFlags,
    ) -> Result<Self, Errno> {
        if length_bytes == 0 {
            return Err(Errno::INVAL);
        }
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, or one over memory that the caller gives up.
        let start = unsafe {
            mmap(place.cast::<c_void>(), length_bytes, access, flags, file.file, file.offset_bytes)
        }?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(Errno::NOMEM)?;
        Ok(Self { start, length_bytes })
    }

    /// Bytes in the buffer.
    pub fn length_bytes(&self) -> usize {
        self.length_bytes
    }

    /// Copies the application's frames in from `offset_bytes` of the buffer on, wrapping at its
    /// end. Copies at most a whole buffer.
    pub fn put(&self, offset_bytes: usize, frames: AppFrames<'_>) {
        self.pieces(offset_bytes, frames.length_bytes, |from_start, done, count| {
            // SAFETY: `done + count` is at most the length of the application's frames.
            let source = unsafe { frames.first.add(done) };
            // SAFETY: `from_start + count` is at most the buffer's length, see `pieces`.
            let place = unsafe { self.start.add(from_start) };
            // SAFETY: both are valid for `count` bytes. The mapping doesn't overlap the
            // application's frames; if they are the same memory, nothing is copied here.
            unsafe { source.copy_to_nonoverlapping(place, count) };
        });
    }

    /// Copies frames out to the application, the reverse of [`put`](Self::put).
    pub fn get(&self, offset_bytes: usize, frames: AppFrames<'_>) {
        self.pieces(offset_bytes, frames.length_bytes, |from_start, done, count| {
            // SAFETY: as in `put`.
            let source = unsafe { self.start.add(from_start) };
            // SAFETY: as in `put`.
            let place = unsafe { frames.first.add(done) };
            // SAFETY: as in `put`.
            unsafe { source.copy_to_nonoverlapping(place, count) };
        });
    }

    /// Repeats eight bytes over a part of the buffer. The pattern is in phase with the buffer's
    /// start.
    pub fn repeat(&self, offset_bytes: usize, length_bytes: usize, pattern: [u8; 8]) {
        self.pieces(offset_bytes, length_bytes, |from_start, _, count| {
            // SAFETY: `from_start` is less than the buffer's length.
            let place = unsafe { self.start.add(from_start) };
            if let [byte, rest @ ..] = pattern
                && rest.iter().all(|other| *other == byte)
            {
                // SAFETY: valid for `count` bytes, see `pieces`.
                unsafe { place.write_bytes(byte, count) };
                return;
            }
            for (index, byte) in pattern.into_iter().cycle().skip(from_start % 8).take(count).enumerate() {
                // SAFETY: `index` is less than `count`.
                let place = unsafe { place.add(index) };
                // SAFETY: a byte of the mapping.
                unsafe { place.write(byte) };
            }
        });
    }

    /// Calls `touch(from_start, done, count)` for the one or two pieces of `length` bytes from
    /// `offset` on.
    fn pieces(&self, offset: usize, length: usize, mut touch: impl FnMut(usize, usize, usize)) {
        let length = length.min(self.length_bytes);
        let offset = offset % self.length_bytes;
        let first = length.min(self.length_bytes - offset);
        touch(offset, 0, first);
        if first < length {
            touch(0, first, length - first);
        }
    }
}

impl Drop for DmaArea {
    fn drop(&mut self) {
        // SAFETY: this value owns the mapping and no address into it remains. An application's view
        // ends with hw_free, before this.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast::<c_void>(), self.length_bytes) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

    use super::{AppFrames, DmaArea, DmaFile};

    fn file(bytes: u64) -> OwnedFd {
        let file = memfd_create("buffer", MemfdFlags::CLOEXEC).unwrap();
        ftruncate(&file, bytes).unwrap();
        file
    }

    #[test]
    fn frames_go_round_the_end_and_no_further() {
        let file = file(4096);
        let area = DmaArea::map(DmaFile { file: file.as_fd(), offset_bytes: 0 }, 10).unwrap();
        area.put(7, AppFrames::of(&mut [1, 2, 3, 4, 5]));
        let mut all = [0xff; 10];
        area.get(0, AppFrames::of(&mut all));
        assert_eq!(all, [4, 5, 0, 0, 0, 0, 0, 1, 2, 3]);
        // More than a buffer: copies only what fits.
        area.put(0, AppFrames::of(&mut [9; 30]));
        area.get(3, AppFrames::of(&mut all));
        assert_eq!(all, [9; 10]);
    }

    #[test]
    fn silence_is_in_phase_with_the_start() {
        let file = file(4096);
        let area = DmaArea::map(DmaFile { file: file.as_fd(), offset_bytes: 0 }, 16).unwrap();
        area.repeat(5, 14, [0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80]);
        let mut all = [0xff; 16];
        area.get(0, AppFrames::of(&mut all));
        assert_eq!(all, [0, 0x80, 0, 0, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80]);
    }

    #[test]
    fn two_maps_of_a_file_are_one_buffer() {
        let file = file(8192);
        let place = DmaArea::map(DmaFile { file: file.as_fd(), offset_bytes: 0 }, 4096).unwrap();
        let other = DmaFile { file: file.as_fd(), offset_bytes: 4096 };
        let area = DmaArea::map(other, 4096).unwrap();
        // SAFETY: the pages belong to `place`, which is forgotten.
        let over = unsafe { DmaArea::map_over(other, 4096, place.start) }.unwrap();
        std::mem::forget(place);
        area.put(0, AppFrames::of(&mut [1, 2, 3]));
        let mut seen = [0; 3];
        over.get(0, AppFrames::of(&mut seen));
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn what_begins_amid_a_page_is_not_replaced() {
        let file = file(8192);
        let area = DmaArea::map(DmaFile { file: file.as_fd(), offset_bytes: 0 }, 8192).unwrap();
        // SAFETY: within the mapping. The call refuses it.
        let place = unsafe { area.start.add(16) };
        let dma = DmaFile { file: file.as_fd(), offset_bytes: 0 };
        // SAFETY: as above.
        let refused = unsafe { DmaArea::map_over(dma, 4096, place) };
        assert_eq!(refused.err(), Some(rustix::io::Errno::INVAL));
    }
}
