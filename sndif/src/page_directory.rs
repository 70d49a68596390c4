//! The page directory: the chain of shared pages that lists a buffer's grant references (sndif.h,
//! `struct xensnd_page_directory`).
//!
//! Word 0 of a directory page is the grant reference of the next page, or 0 in the last one. Up to 1023 grant references
//! of buffer pages follow. Their number follows from the size of the buffer. A reader stops there, so a circular chain
//! ends like any other.

use core::error::Error;
use core::fmt;

use hyper::{GrantRef, PAGE_SIZE_BYTES, PAGE_WORDS, SharedPage};

/// Buffer pages that one directory page lists.
pub const REFS_PER_PAGE: u32 = PAGE_WORDS as u32 - 1;

/// Pages of a buffer of this size.
pub const fn pages_for(buffer_bytes: u32) -> u32 {
    buffer_bytes.div_ceil(PAGE_SIZE_BYTES as u32)
}

/// Directory pages for a buffer of this size, at least 1 (sndif.h: "At least one page exists").
pub const fn directory_pages_for(buffer_bytes: u32) -> u32 {
    let pages = pages_for(buffer_bytes).div_ceil(REFS_PER_PAGE);
    if pages == 0 { 1 } else { pages }
}

/// The reason to refuse a guest's page directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// A buffer of 0 bytes.
    EmptyBuffer,
    /// The buffer is larger than allowed.
    TooManyPages {
        /// Pages of the buffer.
        needed: u32,
        /// The most pages allowed.
        allowed: u32,
    },
    /// The chain ended before the buffer did.
    TooShort {
        /// Buffer pages that weren't listed.
        missing: u32,
    },
    /// Page `index` of the buffer has grant reference 0, which stands for none.
    NoGrant {
        /// The page in the buffer, from 0.
        index: u32,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyBuffer => f.write_str("the buffer has 0 bytes"),
            Self::TooManyPages { needed, allowed } => {
                write!(f, "the buffer has {needed} pages, and {allowed} are allowed")
            }
            Self::TooShort { missing } => write!(f, "the directory ends {missing} pages before the buffer"),
            Self::NoGrant { index } => write!(f, "page {index} of the buffer has no grant reference"),
        }
    }
}

impl Error for DirectoryError {}

/// A walk along a guest's page directory. The caller maps the pages, one at a time:
///
/// ```
/// # use sndif::{hyper::*, page_directory::*};
/// # fn map(_: GrantRef) -> Box<PageWords> {
/// #     let page: Box<PageWords> = Box::new([const { std::sync::atomic::AtomicU32::new(0) }; PAGE_WORDS]);
/// #     page.store(1, 77);
/// #     page
/// # }
/// # fn read(first: GrantRef, buffer_bytes: u32) -> Result<Vec<GrantRef>, DirectoryError> {
/// let mut grants = Vec::new();
/// let mut walk = DirectoryWalk::new(first, buffer_bytes, 256)?;
/// while let Some(reference) = walk.next() {
///     let page = map(reference);
///     walk.take(&*page, |grant| grants.push(grant))?;
/// }
/// # Ok(grants)
/// # }
/// # assert_eq!(read(GrantRef(5), 4096), Ok(vec![GrantRef(77)]));
/// ```
#[derive(Clone, Debug)]
pub struct DirectoryWalk {
    next: GrantRef,
    listed: u32,
    needed: u32,
}

impl DirectoryWalk {
    /// Starts at the directory page `first` of an OPEN, for a buffer of at most `max_pages` pages.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn new(first: GrantRef, buffer_bytes: u32, max_pages: u32) -> Result<Self, DirectoryError> {
        let needed = pages_for(buffer_bytes);
        if needed == 0 {
            return Err(DirectoryError::EmptyBuffer);
        }
        if needed > max_pages {
            return Err(DirectoryError::TooManyPages { needed, allowed: max_pages });
        }
        if first == GrantRef::NONE {
            return Err(DirectoryError::TooShort { missing: needed });
        }
        Ok(Self { next: first, listed: 0, needed })
    }

    /// The directory page to map next, until [`take`](Self::take) reads it. `None` after the last one, or after an error.
    pub fn next(&self) -> Option<GrantRef> {
        (self.listed < self.needed).then_some(self.next)
    }

    /// Reads the directory page that [`next`](Self::next) named, and calls `found` with its grant references in order.
    ///
    /// Each word is read at most once, and words past the buffer's need aren't read.
    ///
    /// # Errors
    /// See [`DirectoryError`]. The walk is over then.
    pub fn take(
        &mut self,
        page: &(impl SharedPage + ?Sized),
        mut found: impl FnMut(GrantRef),
    ) -> Result<(), DirectoryError> {
        let result = self.read(page, &mut found);
        if result.is_err() {
            self.listed = self.needed;
        }
        result
    }

    fn read(
        &mut self,
        page: &(impl SharedPage + ?Sized),
        found: &mut impl FnMut(GrantRef),
    ) -> Result<(), DirectoryError> {
        for word in 1..PAGE_WORDS {
            if self.listed >= self.needed {
                return Ok(());
            }
            let grant = GrantRef(page.load(word));
            if grant == GrantRef::NONE {
                return Err(DirectoryError::NoGrant { index: self.listed });
            }
            found(grant);
            self.listed = self.listed.saturating_add(1);
        }
        let missing = self.needed.saturating_sub(self.listed);
        if missing > 0 {
            self.next = GrantRef(page.load(0));
            if self.next == GrantRef::NONE {
                return Err(DirectoryError::TooShort { missing });
            }
        }
        Ok(())
    }
}

/// The directory has too few pages for all references: see [`directory_pages_for`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryTooSmall;

impl fmt::Display for DirectoryTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the directory has too few pages for the buffer")
    }
}

impl Error for DirectoryTooSmall {}

/// Writes a page directory.
///
/// `pages` are its own pages with their grant references, `buffers` the grant references of the buffer's pages. Unused
/// words become 0.
///
/// # Errors
/// [`DirectoryTooSmall`]: references were left over, and the written directory is incomplete.
pub fn write_directory<P: SharedPage + ?Sized>(
    pages: &[(&P, GrantRef)],
    buffers: impl Iterator<Item = GrantRef>,
) -> Result<(), DirectoryTooSmall> {
    let mut buffers = buffers.fuse();
    let mut rest = pages;
    while let [(page, _), tail @ ..] = rest {
        for word in 1..PAGE_WORDS {
            page.store(word, buffers.next().unwrap_or(GrantRef::NONE).0);
        }
        page.store(0, tail.first().map_or(GrantRef::NONE, |(_, next)| *next).0);
        rest = tail;
    }
    if buffers.next().is_some() { Err(DirectoryTooSmall) } else { Ok(()) }
}
