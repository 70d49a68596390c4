//! `/dev/xen/gntalloc` (Linux, include/uapi/xen/gntalloc.h): kernel pages, granted to another
//! domain and mapped into this process.
//!
//! A grant ends when it is given back, unmapped here, and unmapped by the other domain. Until then
//! the kernel keeps the page, so that it never becomes another owner's memory.
#![allow(unsafe_code, reason = "leaf: ioctl")]

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};

use audiofront::GrantAccess;
use hyper::GrantRef;
use rustix::io;
use rustix::ioctl::Opcode;

use super::ioctl::{self, opcode};

/// `IOCTL_GNTALLOC_ALLOC_GREF`: u16 domain, u16 flags, u32 count, u64 index (out), then a u32 for
/// each page (out).
const ALLOC_GREF: Opcode = opcode(b'G', 5, 24);
/// `IOCTL_GNTALLOC_DEALLOC_GREF`: u64 index, u32 count.
const DEALLOC_GREF: Opcode = opcode(b'G', 6, 16);
/// `GNTALLOC_FLAG_WRITABLE`.
const WRITABLE: u64 = 1;

/// The device's file.
#[derive(Debug)]
pub(crate) struct Grants(File);

/// Granted pages, not yet mapped.
pub(super) struct Allocation {
    /// Their offset for mmap.
    pub(super) index: u64,
    pub(super) references: Vec<GrantRef>,
}

impl Grants {
    pub(crate) const PATH: &str = "/dev/xen/gntalloc";

    pub(crate) fn open() -> std::io::Result<Self> {
        OpenOptions::new().read(true).write(true).open(Self::PATH).map(Self)
    }

    pub(super) fn allocate(&self, domain: u16, access: GrantAccess, pages: u32) -> io::Result<Allocation> {
        let flags = if access == GrantAccess::ReadWrite { WRITABLE } else { 0 };
        // Two header words, then two references per word. The header's structure has room for two
        // references.
        let mut words = vec![0u64; 2 + (pages as usize).div_ceil(2).max(1)];
        words[0] = u64::from(domain) | flags << 16 | u64::from(pages) << 32;
        // SAFETY: the call reads the first word. It writes the second and a u32 per page after it.
        // All of these lie in `words`.
        unsafe { ioctl::call(self.0.as_fd(), ALLOC_GREF, &mut words) }?;
        let references = words[2..].iter().flat_map(|pair| [*pair as u32, (pair >> 32) as u32]);
        Ok(Allocation {
            index: words[1],
            references: references.take(pages as usize).map(GrantRef).collect(),
        })
    }

    /// Gives pages back. They are freed once unmapped everywhere.
    pub(super) fn deallocate(&self, index: u64, pages: u32) -> io::Result<()> {
        let mut words = [index, pages.into()];
        // SAFETY: the call reads both words and writes nothing.
        unsafe { ioctl::call(self.0.as_fd(), DEALLOC_GREF, &mut words) }.map(drop)
    }
}

impl AsFd for Grants {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
