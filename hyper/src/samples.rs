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
        let (part, tail) = rest.split_at_mut(rest.len().min(to_end(at, PAGE_SIZE_BYTES)));
        match pages.get(at / PAGE_SIZE_BYTES) {
            Some(page) => read_page(page, at % PAGE_SIZE_BYTES, part),
            None => part.fill(0),
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
        let (part, tail) = rest.split_at(rest.len().min(to_end(at, PAGE_SIZE_BYTES)));
        if let Some(page) = pages.get(at / PAGE_SIZE_BYTES) {
            write_page(page, at % PAGE_SIZE_BYTES, part);
        }
        at = at.saturating_add(part.len());
        rest = tail;
    }
}

/// Bytes from `at` to the end of its page or word of so many bytes.
fn to_end(at: usize, unit_bytes: usize) -> usize {
    unit_bytes.saturating_sub(at.checked_rem(unit_bytes).unwrap_or_default())
}

/// Copies bytes out of a page that holds them all.
fn read_page(page: &impl SharedPage, offset: usize, into: &mut [u8]) {
    let unaligned = if offset.is_multiple_of(4) { 0 } else { to_end(offset, 4) };
    let (head, rest) = into.split_at_mut(unaligned.min(into.len()));
    let first = offset.saturating_add(head.len()) / 4;
    let (words, tail) = rest.as_chunks_mut::<4>();
    let after = first.saturating_add(words.len());
    page.load_run(first, words);
    let part = |word: usize, skipped: usize, into: &mut [u8]| {
        // A word is loaded only if a byte of it is wanted.
        if !into.is_empty() {
            let bytes = page.load(word).to_le_bytes();
            into.iter_mut().zip(bytes.iter().skip(skipped)).for_each(|(to, from)| *to = *from);
        }
    };
    part(offset / 4, offset % 4, head);
    part(after, 0, tail);
}

/// Copies bytes into a page that has room for them all.
fn write_page(page: &impl SharedPage, offset: usize, from: &[u8]) {
    let unaligned = if offset.is_multiple_of(4) { 0 } else { to_end(offset, 4) };
    let (head, rest) = from.split_at(unaligned.min(from.len()));
    let first = offset.saturating_add(head.len()) / 4;
    let (words, tail) = rest.as_chunks::<4>();
    page.store_run(first, words.iter().map(|bytes| u32::from_le_bytes(*bytes)));
    let part = |word: usize, skipped: usize, from: &[u8]| {
        if !from.is_empty() {
            let mut bytes = page.load(word).to_le_bytes();
            bytes.iter_mut().skip(skipped).zip(from).for_each(|(to, from)| *to = *from);
            page.store(word, u32::from_le_bytes(bytes));
        }
    };
    part(offset / 4, offset % 4, head);
    part(first.saturating_add(words.len()), 0, tail);
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
    fn every_length_at_every_alignment_touches_its_bytes_only() {
        let pages = pages();
        let pages: Vec<&PageWords> = pages.iter().collect();
        for offset in 0..9u32 {
            for length in 0..14usize {
                write_pages(&pages, 8_192, 0, &[0xee; 32]);
                let bytes: Vec<u8> = (1..=length as u8).collect();
                write_pages(&pages, 8_192, offset, &bytes);
                let mut expected = [0xee; 32];
                expected.iter_mut().skip(offset as usize).zip(&bytes).for_each(|(to, from)| *to = *from);
                let mut back = [0; 32];
                read_pages(&pages, 8_192, 0, &mut back);
                assert_eq!(back, expected, "{length} bytes at {offset}");
                let mut part = std::vec![0; length];
                read_pages(&pages, 8_192, offset, &mut part);
                assert_eq!(part, bytes, "{length} bytes at {offset}");
            }
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
