//! The 64-byte entry of requests, responses and events.

use hyper::SharedPage;

/// Bytes in a request, a response or an event (sndif.h: "All request packets have the same length (64 bytes)").
pub const ENTRY_BYTES: usize = 64;

/// Words in an entry.
pub(crate) const ENTRY_WORDS: usize = ENTRY_BYTES / 4;

/// A private copy of one request, response or event, in wire format (little-endian).
pub type Entry = [u8; ENTRY_BYTES];

/// Copies the entry that starts at `word` out of the page, each word once.
pub(crate) fn load(page: &impl SharedPage, word: usize) -> Entry {
    let mut entry = [0; ENTRY_BYTES];
    let mut word = word;
    for bytes in entry.as_chunks_mut::<4>().0 {
        *bytes = page.load(word).to_le_bytes();
        word = word.wrapping_add(1);
    }
    entry
}

/// Copies an entry into the page, from `word` on.
pub(crate) fn store(page: &impl SharedPage, word: usize, entry: &Entry) {
    let mut word = word;
    for bytes in entry.as_chunks::<4>().0 {
        page.store(word, u32::from_le_bytes(*bytes));
        word = word.wrapping_add(1);
    }
}

/// `N` bytes at `offset`, or zeros past the entry's end; no caller's constant offset reaches there.
pub(crate) fn bytes<const N: usize>(entry: &Entry, offset: usize) -> [u8; N] {
    entry.get(offset..).and_then(|tail| tail.first_chunk()).copied().unwrap_or([0; N])
}

pub(crate) fn get_u8(entry: &Entry, offset: usize) -> u8 {
    u8::from_le_bytes(bytes(entry, offset))
}

pub(crate) fn get_u16(entry: &Entry, offset: usize) -> u16 {
    u16::from_le_bytes(bytes(entry, offset))
}

pub(crate) fn get_u32(entry: &Entry, offset: usize) -> u32 {
    u32::from_le_bytes(bytes(entry, offset))
}

pub(crate) fn get_u64(entry: &Entry, offset: usize) -> u64 {
    u64::from_le_bytes(bytes(entry, offset))
}

/// Writes the bytes of one field at `offset`; the counterpart of [`bytes`].
pub(crate) fn put<const N: usize>(entry: &mut Entry, offset: usize, field: [u8; N]) {
    if let Some(place) = entry.get_mut(offset..).and_then(|tail| tail.first_chunk_mut()) {
        *place = field;
    }
}
