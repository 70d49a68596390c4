//! Bulk copies between a buffer's pages and private memory.

use crate::page::PAGE_SIZE_BYTES;
use crate::{MappedBuffer, SharedPage};

/// A buffer whose samples the processor may reach, too.
///
/// A buffer that is only handed to a device doesn't need this, so code that is generic over [`MappedBuffer`] can't reach a
/// sample. Copies are volatile: each word is read once, and no slice of the pages exists.
pub trait SampleMemory: MappedBuffer {
    /// Copies bytes out, from `offset_bytes` on. Bytes beyond the buffer's end read as 0.
    fn read(&self, offset_bytes: u32, into: &mut [u8]);
    /// Copies bytes in, from `offset_bytes` on. Bytes beyond the buffer's end are dropped, and so are all bytes of a buffer
    /// that the device only reads.
    fn write(&self, offset_bytes: u32, from: &[u8]);
}

/// Copies bytes out of consecutive pages of a buffer of `size_bytes`, for [`SampleMemory::read`].
pub fn read_pages<P: SharedPage>(pages: &[P], size_bytes: u32, offset_bytes: u32, into: &mut [u8]) {
    let room = size_bytes.saturating_sub(offset_bytes) as usize;
    let (into, beyond) = into.split_at_mut(room.min(into.len()));
    beyond.fill(0);
    let mut at = offset_bytes as usize;
    let mut rest = into;
    while !rest.is_empty() {
        let in_word = at % 4;
        let (part, tail) = rest.split_at_mut(rest.len().min(4usize.saturating_sub(in_word)));
        let page = pages.get(at / PAGE_SIZE_BYTES);
        let word = page.map_or(0, |page| page.load(at % PAGE_SIZE_BYTES / 4)).to_le_bytes();
        for (to, from) in part.iter_mut().zip(word.iter().skip(in_word)) {
            *to = *from;
        }
        at = at.saturating_add(part.len());
        rest = tail;
    }
}

/// Copies bytes into consecutive pages of a buffer of `size_bytes`, for [`SampleMemory::write`].
///
/// A word that is written in part is read before: the peer's writes to its other bytes at that moment are lost.
pub fn write_pages<P: SharedPage>(pages: &[P], size_bytes: u32, offset_bytes: u32, from: &[u8]) {
    let room = size_bytes.saturating_sub(offset_bytes) as usize;
    let mut at = offset_bytes as usize;
    let mut rest = from.get(..room.min(from.len())).unwrap_or_default();
    while !rest.is_empty() {
        let in_word = at % 4;
        let (part, tail) = rest.split_at(rest.len().min(4usize.saturating_sub(in_word)));
        if let Some(page) = pages.get(at / PAGE_SIZE_BYTES) {
            let word = at % PAGE_SIZE_BYTES / 4;
            let mut bytes = if part.len() < 4 { page.load(word).to_le_bytes() } else { [0; 4] };
            for (to, from) in bytes.iter_mut().skip(in_word).zip(part) {
                *to = *from;
            }
            page.store(word, u32::from_le_bytes(bytes));
        }
        at = at.saturating_add(part.len());
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{PAGE_WORDS, PageWords};
    use core::sync::atomic::AtomicU32;
    use std::vec::Vec;

    fn pages() -> [PageWords; 2] {
        [const { [const { AtomicU32::new(0) }; PAGE_WORDS] }; 2]
    }

    #[test]
    fn bytes_come_back_across_pages_at_every_alignment() {
        let pages = pages();
        let pages: Vec<&PageWords> = pages.iter().collect();
        for offset in 4_080..4_100u32 {
            let bytes: Vec<u8> = (0..23).map(|n: u8| n.wrapping_add(offset as u8)).collect();
            write_pages(&pages, 8_192, offset - 1, &[0xee; 25]);
            write_pages(&pages, 8_192, offset, &bytes);
            let mut back = [0; 25];
            read_pages(&pages, 8_192, offset - 1, &mut back);
            assert_eq!((back[0], &back[1..24], back[24]), (0xee, &bytes[..], 0xee), "{offset}");
        }
    }

    #[test]
    fn bytes_beyond_the_end_are_zero_and_stay() {
        let pages = pages();
        let pages: Vec<&PageWords> = pages.iter().collect();
        write_pages(&pages, 8_192, 0, &[7; 8_192]);
        write_pages(&pages, 5_000, 4_990, &[9; 20]);
        let mut back = [1; 20];
        read_pages(&pages, 5_000, 4_990, &mut back);
        assert_eq!(back, [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        read_pages(&pages, 8_192, 5_000, &mut back);
        assert_eq!(back, [7; 20]);
        read_pages(&pages, 8_192, u32::MAX, &mut back);
        assert_eq!(back, [0; 20]);
        write_pages(&pages, u32::MAX, u32::MAX - 2, &[1; 8]);
    }
}
