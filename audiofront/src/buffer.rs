//! The shared buffer: bytes in a ring of granted pages.

use alloc::vec::Vec;

use hyper::{GrantRef, PAGE_SIZE_BYTES, SharedPage};
use sndif::page_directory::pages_for;
use sndif::request::Range;

use crate::transport::{GrantAccess, GrantedPage, Transport};

/// Pages in the largest buffer: the entries of an HDA controller's buffer descriptor list, one page
/// each.
pub const MAX_BUFFER_PAGES: usize = 256;

/// Bytes in the largest buffer.
pub const MAX_BUFFER_BYTES: u32 = 1 << 20;
const _: () = assert!(MAX_BUFFER_BYTES as usize == MAX_BUFFER_PAGES * PAGE_SIZE_BYTES);

/// Room for the pages of the largest buffer, reused from buffer to buffer.
#[derive(Debug)]
pub(crate) struct PageList<P>(Vec<GrantedPage<P>>);

impl<P: SharedPage> PageList<P> {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(MAX_BUFFER_PAGES))
    }

    /// Ends the pages' grants. Returns how many pages are still mapped and therefore lost.
    fn revoke<T: Transport<Page = P>>(&mut self, transport: &mut T) -> u32 {
        let lost = self.0.drain(..).map(|page| u32::from(transport.revoke_page(page).is_err()));
        lost.fold(0, u32::saturating_add)
    }
}

/// Pages, used in order up to `size_bytes` and then from the start again.
#[derive(Debug)]
pub(crate) struct Buffer<P> {
    pages: PageList<P>,
    size_bytes: u32,
    /// End of the last hint.
    hinted_bytes: u64,
}

impl<P: SharedPage> Buffer<P> {
    /// Grants the pages for a buffer of `size_bytes`, 1 to [`MAX_BUFFER_BYTES`]. If they run out,
    /// grants none.
    pub(crate) fn grant<T: Transport<Page = P>>(
        transport: &mut T,
        mut pages: PageList<P>,
        size_bytes: u32,
        access: GrantAccess,
    ) -> Result<Self, PageList<P>> {
        transport.reserve(pages_for(size_bytes), access);
        // At most MAX_BUFFER_PAGES, which fit into the list.
        for _ in 0..pages_for(size_bytes) {
            match transport.grant_page(access) {
                Some(page) => pages.0.push(page),
                None => {
                    // The back end doesn't know these pages yet, so it maps none.
                    pages.revoke(transport);
                    return Err(pages);
                }
            }
        }
        Ok(Self { pages, size_bytes, hinted_bytes: 0 })
    }

    /// Ends the grants. Returns the empty list, and how many pages are still mapped and therefore
    /// lost.
    pub(crate) fn revoke<T: Transport<Page = P>>(mut self, transport: &mut T) -> (PageList<P>, u32) {
        let lost = self.pages.revoke(transport);
        (self.pages, lost)
    }

    /// The pages' references, in order.
    pub(crate) fn grants(&self) -> impl Iterator<Item = GrantRef> {
        self.pages.0.iter().map(|page| page.grant)
    }

    pub(crate) fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    /// The offset of the byte at this position.
    pub(crate) fn offset_of(&self, position_bytes: u64) -> u32 {
        position_bytes
            .checked_rem(u64::from(self.size_bytes))
            .and_then(|offset| u32::try_from(offset).ok())
            .unwrap_or(0)
    }

    /// The first position at or after this one where the buffer starts again.
    pub(crate) fn round_up(&self, position_bytes: u64) -> u64 {
        position_bytes.checked_next_multiple_of(u64::from(self.size_bytes)).unwrap_or(position_bytes)
    }

    /// The next contiguous piece for a hint: up to `to_bytes` or the end of the buffer. `None` if it
    /// is empty.
    pub(crate) fn next_hint(&self, to_bytes: u64) -> Option<Range> {
        let offset_bytes = self.offset_of(self.hinted_bytes);
        let until_end = self.size_bytes.saturating_sub(offset_bytes);
        let length_bytes =
            u32::try_from(to_bytes.saturating_sub(self.hinted_bytes)).unwrap_or(u32::MAX).min(until_end);
        (length_bytes > 0).then_some(Range { offset_bytes, length_bytes })
    }

    /// Records that a hint for this piece is sent.
    pub(crate) fn hinted(&mut self, range: Range) {
        self.hinted_bytes = self.hinted_bytes.saturating_add(u64::from(range.length_bytes));
    }

    /// Continues hints at `bytes`.
    pub(crate) fn skip_hints(&mut self, bytes: u64) {
        self.hinted_bytes = bytes;
    }

    /// Writes bytes from `position_bytes` on, wrapping at the buffer's end.
    pub(crate) fn write(&self, position_bytes: u64, bytes: &[u8]) {
        let mut rest = bytes;
        self.for_each_piece(position_bytes, bytes.len(), &mut |page, word, first, count| {
            let Some((head, tail)) = rest.split_at_checked(count) else { return };
            rest = tail;
            if let (whole, []) = head.as_chunks() {
                page.store_run(word, whole.iter().map(|word| u32::from_le_bytes(*word)));
            } else {
                let mut lanes = page.load(word).to_le_bytes();
                lanes.iter_mut().skip(first).zip(head).for_each(|(lane, byte)| *lane = *byte);
                page.store(word, u32::from_le_bytes(lanes));
            }
        });
    }

    /// Reads bytes from `position_bytes` on, wrapping at the buffer's end.
    pub(crate) fn read(&self, position_bytes: u64, bytes: &mut [u8]) {
        let length = bytes.len();
        let mut places = bytes.iter_mut();
        self.for_each_piece(position_bytes, length, &mut |page, word, first, count| {
            for word in (word..).take(count.div_ceil(4)) {
                let lanes = page.load(word).to_le_bytes();
                let lanes = lanes.iter().skip(first).take(count);
                // The lanes come first: `zip` takes from its left side before it sees that the
                // right side has ended.
                lanes.zip(&mut places).for_each(|(lane, place)| *place = *lane);
            }
        });
    }

    /// Repeats eight bytes over `length_bytes` from `position_bytes` on. The pattern is in phase
    /// with the buffer's start.
    pub(crate) fn repeat(&self, position_bytes: u64, length_bytes: u64, pattern: [u8; 8]) {
        let [a, b, c, d, e, f, g, h] = pattern;
        let (even, odd) = ([a, b, c, d], [e, f, g, h]);
        let wanted = |word: usize| if word.is_multiple_of(2) { even } else { odd };
        let length = usize::try_from(length_bytes).unwrap_or(usize::MAX).min(self.size_bytes as usize);
        self.for_each_piece(position_bytes, length, &mut |page, word, first, count| {
            if count.is_multiple_of(4) {
                let words = (word..).take(count / 4);
                page.store_run(word, words.map(|word| u32::from_le_bytes(wanted(word))));
            } else {
                let mut lanes = page.load(word).to_le_bytes();
                let part = lanes.iter_mut().zip(wanted(word)).skip(first).take(count);
                part.for_each(|(lane, byte)| *lane = byte);
                page.store(word, u32::from_le_bytes(lanes));
            }
        });
    }

    /// Calls `touch(page, word, first, count)` in order for each piece of `length` bytes from
    /// `position_bytes` on: `count` bytes from byte `first` of word `word` on.
    ///
    /// A piece is a part of one word (`count` is 1 to 3), or a run of whole words (`first` is 0,
    /// `count` a multiple of 4). For a buffer that isn't empty the counts add up to `length`.
    fn for_each_piece(
        &self,
        position_bytes: u64,
        length: usize,
        touch: &mut dyn FnMut(&P, usize, usize, usize),
    ) {
        let size = self.size_bytes as usize;
        let mut offset = self.offset_of(position_bytes) as usize;
        let mut left = length;
        while left > 0 {
            let Some(page) = self.pages.0.get(offset / PAGE_SIZE_BYTES) else { return };
            let mut in_page = offset % PAGE_SIZE_BYTES;
            let run = (PAGE_SIZE_BYTES.saturating_sub(in_page)).min(size.saturating_sub(offset)).min(left);
            let mut run_left = run;
            while run_left > 0 {
                let first = in_page % 4;
                let whole = run_left & !3;
                let count =
                    if first == 0 && whole > 0 { whole } else { 4usize.saturating_sub(first).min(run_left) };
                touch(&page.page, in_page / 4, first, count);
                // Neither wraps: in_page stays within the page, and count is at most run_left.
                in_page = in_page.wrapping_add(count);
                run_left = run_left.wrapping_sub(count);
            }
            offset = offset.wrapping_add(run);
            if offset >= size {
                offset = 0;
            }
            left = left.saturating_sub(run);
        }
    }
}

/// The largest multiple of a frame that isn't more than `length`.
pub(crate) fn whole_frames(length: usize, frame_bytes: u32) -> usize {
    length.saturating_sub(length.checked_rem(frame_bytes as usize).unwrap_or(length))
}
