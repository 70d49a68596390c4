//! The buffer descriptor list (specification 1.0a, 3.6.2 and 3.6.3): the bytes to play, in order.

use core::fmt;

use crate::dma::{DmaBuffer, DmaRegion, high, is_beyond, low};
use crate::kind::ErrorKind;

/// Most entries of a list (3.3.39: LVI has 8 bits).
pub(crate) const LIST_ENTRIES_MAX: usize = 256;

/// Bytes in a page.
const PAGE_BYTES: u32 = 4096;
/// An entry's address is a multiple of this (3.6.3).
const ADDRESS_ALIGN: u32 = 128;
/// A list needs two entries (3.3.39), so a single page is split and must be long enough for that.
const BUFFER_BYTES_MIN: u32 = 256;
/// Bytes in an entry.
const ENTRY_BYTES: usize = 16;

/// Why the controller can't use a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BufferError {
    /// Shorter than 256 bytes, the minimum for two descriptors.
    TooShort {
        /// Length in bytes.
        size_bytes: u32,
    },
    /// More pages than a descriptor list has entries.
    TooManyPages {
        /// Number of pages.
        pages: usize,
    },
    /// The length doesn't end in the last page.
    LengthMismatch {
        /// Length in bytes.
        size_bytes: u32,
        /// Number of pages.
        pages: usize,
    },
    /// The length is odd: a descriptor covers at least a word (3.6.3).
    OddLength {
        /// Length in bytes.
        size_bytes: u32,
    },
    /// The length isn't a whole number of frames (3.3.38).
    NotWholeFrames {
        /// Length in bytes.
        size_bytes: u32,
        /// Bytes in a frame.
        frame_bytes: u32,
    },
    /// A page's address isn't a multiple of 128 (3.6.3).
    Misaligned {
        /// The address.
        address: u64,
    },
    /// A page is beyond the controller's reach: 4 GiB without GCAP.64OK (3.3.2), or its traits'
    /// limit.
    AddressTooHigh {
        /// The address.
        address: u64,
    },
}

impl BufferError {
    /// The kind of failure.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::AddressTooHigh { .. } => ErrorKind::Memory,
            _ => ErrorKind::Invalid,
        }
    }
}

impl fmt::Display for BufferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { size_bytes } => write!(f, "{size_bytes} bytes are too short a buffer"),
            Self::TooManyPages { pages } => write!(f, "{pages} pages are more than 256 descriptors"),
            Self::LengthMismatch { size_bytes, pages } => {
                write!(f, "{size_bytes} bytes don't end in the last of {pages} pages")
            }
            Self::OddLength { size_bytes } => write!(f, "{size_bytes} bytes are no whole words"),
            Self::NotWholeFrames { size_bytes, frame_bytes } => {
                write!(f, "{size_bytes} bytes are no whole frames of {frame_bytes}")
            }
            Self::Misaligned { address } => write!(f, "page at {address:#x} isn't aligned to 128 bytes"),
            Self::AddressTooHigh { address } => {
                write!(f, "page at {address:#x} is beyond the controller's reach")
            }
        }
    }
}

impl core::error::Error for BufferError {}

/// Checks a buffer before the controller learns of it.
pub(crate) fn judge<B: DmaBuffer>(buffer: &B, frame_bytes: u32, address_bits: u8) -> Result<(), BufferError> {
    let size_bytes = buffer.size_bytes();
    let addresses = buffer.page_addresses();
    let pages = addresses.len();
    if pages > LIST_ENTRIES_MAX {
        return Err(BufferError::TooManyPages { pages });
    }
    if usize::try_from(size_bytes.div_ceil(PAGE_BYTES)) != Ok(pages) {
        return Err(BufferError::LengthMismatch { size_bytes, pages });
    }
    if size_bytes < BUFFER_BYTES_MIN {
        return Err(BufferError::TooShort { size_bytes });
    }
    if !size_bytes.is_multiple_of(2) {
        return Err(BufferError::OddLength { size_bytes });
    }
    if !size_bytes.is_multiple_of(frame_bytes) {
        return Err(BufferError::NotWholeFrames { size_bytes, frame_bytes });
    }
    for address in addresses {
        if !address.is_multiple_of(u64::from(ADDRESS_ALIGN)) {
            return Err(BufferError::Misaligned { address: *address });
        }
        if is_beyond(address_bits, *address, PAGE_BYTES.into()) {
            return Err(BufferError::AddressTooHigh { address: *address });
        }
    }
    Ok(())
}

/// The place in the buffer at which a list may start to reach `place` soon.
///
/// It is a whole frame, at an entry address that is a multiple of 128. Splitting a page takes one
/// entry more than there are pages.
pub(crate) fn origin_before(place: u32, pages: usize, frame_bytes: u32) -> u32 {
    let align = if pages < LIST_ENTRIES_MAX { ADDRESS_ALIGN } else { PAGE_BYTES };
    // Frames have 64 bytes at most, so the product is small. If it isn't reached, use the buffer's
    // start.
    let align =
        align.saturating_mul(frame_bytes.checked_div(common_divisor(align, frame_bytes)).unwrap_or(1));
    place.saturating_sub(place.checked_rem(align).unwrap_or(0))
}

/// The greatest common divisor, by Euclid: a few rounds for numbers of 13 bits.
fn common_divisor(mut a: u32, mut b: u32) -> u32 {
    while let Some(rest) = a.checked_rem(b) {
        a = b;
        b = rest;
    }
    a
}

/// Writes a list from `origin` (see [`origin_before`]) to the buffer's end, then from its start to
/// `origin`.
///
/// Returns the number of entries, at least 2. The stream must not run.
pub(crate) fn write<B: DmaBuffer, G: DmaRegion>(buffer: &B, origin: u32, list: &mut G) -> u16 {
    let size_bytes = buffer.size_bytes();
    let addresses = buffer.page_addresses();
    let first_page = (origin / PAGE_BYTES) as usize;
    let in_page = origin % PAGE_BYTES;
    let mut entries = Entries { list, count: 0 };

    let length = |page: usize| {
        // Every page but the last is full. Fewer than 2^20 pages: no overflow.
        size_bytes.saturating_sub((page as u32).saturating_mul(PAGE_BYTES)).min(PAGE_BYTES)
    };
    for (page, address) in addresses.iter().enumerate().skip(first_page) {
        let skipped = if page == first_page { in_page } else { 0 };
        let length = length(page).saturating_sub(skipped);
        let address = address.saturating_add(u64::from(skipped));
        if addresses.len() == 1 && in_page == 0 {
            let half = (length / 2) & !ADDRESS_ALIGN.wrapping_sub(1);
            entries.push(address, half);
            entries.push(address.saturating_add(u64::from(half)), length.saturating_sub(half));
        } else {
            entries.push(address, length);
        }
    }
    for (page, address) in addresses.iter().enumerate().take(first_page) {
        entries.push(*address, length(page));
    }
    if let (Some(address), 1..) = (addresses.get(first_page), in_page) {
        entries.push(*address, in_page);
    }
    entries.count
}

struct Entries<'a, G> {
    list: &'a mut G,
    count: u16,
}

impl<G: DmaRegion> Entries<'_, G> {
    fn push(&mut self, address: u64, length: u32) {
        if length == 0 || usize::from(self.count) >= LIST_ENTRIES_MAX {
            return;
        }
        // Below 256 entries of 16 bytes.
        let at = usize::from(self.count).wrapping_mul(ENTRY_BYTES);
        // Address, length, and no interrupt on completion: the driver's clock detects a period's
        // end.
        for (offset, word) in [low(address), high(address), length, 0].into_iter().enumerate() {
            self.list.write_u32(at.wrapping_add(offset.wrapping_mul(4)), word);
        }
        self.count = self.count.saturating_add(1);
    }
}
