//! The memory that an open stream shares with the back end: its buffer and the page directory for
//! it.

use heapless::Vec;
use hyper::{GrantRef, SharedPage};
use sndif::Direction;
use sndif::page_directory::{REFS_PER_PAGE, write_directory};
use sndif::request::{Range, RequestBody};

use crate::buffer::{Buffer, MAX_BUFFER_PAGES, PageList};
use crate::capture::Capture;
use crate::error::ignored;
use crate::playback::Playback;
use crate::transport::{GrantAccess, GrantedPage, Transport};

// One directory page lists the largest buffer.
const _: () = assert!(MAX_BUFFER_PAGES <= REFS_PER_PAGE as usize);

/// Most channels of a stream whose volume can be set: more than HD Audio has.
pub const MAX_VOLUME_CHANNELS: usize = 16;

/// The values of a volume request.
pub(super) type VolumeBytes = Vec<u8, { MAX_VOLUME_CHANNELS * 4 }>;

/// A piece of the buffer lent to a volume request.
#[derive(Debug)]
pub(super) struct Lent {
    /// The request's number.
    pub(super) id: u16,
    /// Start of the piece, in bytes since OPEN.
    pub(super) start_bytes: u64,
    /// The samples that the piece held.
    pub(super) saved: VolumeBytes,
}

/// Shape of a buffer to be granted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) buffer_bytes: u32,
    pub(super) frame_bytes: u32,
    pub(super) channels: u8,
    pub(super) silence: [u8; 8],
}

#[derive(Debug)]
enum Samples<P> {
    Playback(Playback<P>),
    Capture(Capture<P>),
}

/// A stream's buffer and its page directory.
#[derive(Debug)]
pub(super) struct Shared<P> {
    samples: Samples<P>,
    directory: GrantedPage<P>,
    channels: u8,
    lent: Option<Lent>,
}

impl<P: SharedPage> Shared<P> {
    /// Grants buffer and directory. If pages or grants run out, returns the list of pages.
    pub(super) fn grant<T: Transport<Page = P>>(
        transport: &mut T,
        pages: PageList<P>,
        layout: &Layout,
        direction: Direction,
        access: GrantAccess,
    ) -> Result<Self, PageList<P>> {
        let buffer = Buffer::grant(transport, pages, layout.buffer_bytes, access)?;
        // Read and write: back ends map all pages except samples that way.
        let Some(directory) = transport.grant_page(GrantAccess::ReadWrite) else {
            let (pages, _none_lost) = buffer.revoke(transport);
            return Err(pages);
        };
        let written = write_directory(&[(&directory.page, directory.grant)], buffer.grants());
        ignored(written, "one directory page lists the largest buffer");
        let samples = match direction {
            Direction::Playback => {
                Samples::Playback(Playback::new(buffer, layout.frame_bytes, layout.silence))
            }
            Direction::Capture => Samples::Capture(Capture::new(buffer, layout.frame_bytes)),
        };
        Ok(Self { samples, directory, channels: layout.channels, lent: None })
    }

    /// Ends all grants. Returns the empty list, and how many pages are still mapped and therefore
    /// lost.
    pub(super) fn revoke<T: Transport<Page = P>>(self, transport: &mut T) -> (PageList<P>, u32) {
        let buffer = match self.samples {
            Samples::Playback(playback) => playback.buffer,
            Samples::Capture(capture) => capture.buffer,
        };
        let (pages, lost) = buffer.revoke(transport);
        let directory_lost = u32::from(transport.revoke_page(self.directory).is_err());
        (pages, lost.saturating_add(directory_lost))
    }

    /// The reference that OPEN names.
    pub(super) fn directory_grant(&self) -> GrantRef {
        self.directory.grant
    }

    pub(super) fn channels(&self) -> u8 {
        self.channels
    }

    pub(super) fn buffer(&self) -> &Buffer<P> {
        match &self.samples {
            Samples::Playback(playback) => &playback.buffer,
            Samples::Capture(capture) => &capture.buffer,
        }
    }

    pub(super) fn buffer_mut(&mut self) -> &mut Buffer<P> {
        match &mut self.samples {
            Samples::Playback(playback) => &mut playback.buffer,
            Samples::Capture(capture) => &mut capture.buffer,
        }
    }

    pub(super) fn playback(&mut self) -> Option<&mut Playback<P>> {
        match &mut self.samples {
            Samples::Playback(playback) => Some(playback),
            Samples::Capture(_) => None,
        }
    }

    pub(super) fn capture(&mut self) -> Option<&mut Capture<P>> {
        match &mut self.samples {
            Samples::Playback(_) => None,
            Samples::Capture(capture) => Some(capture),
        }
    }

    /// The position advances to `bytes`; it never goes back.
    pub(super) fn advance(&mut self, bytes: u64) {
        match &mut self.samples {
            Samples::Playback(playback) => playback.advance(bytes),
            Samples::Capture(capture) => capture.advance(bytes),
        }
    }

    /// The next contiguous piece not yet hinted to the back end, with its request.
    pub(super) fn next_hint(&self) -> Option<(Range, RequestBody)> {
        match &self.samples {
            Samples::Playback(playback) => {
                playback.next_hint().map(|range| (range, RequestBody::Write(range)))
            }
            Samples::Capture(capture) => capture.next_hint().map(|range| (range, RequestBody::Read(range))),
        }
    }

    /// Whether a volume request holds a piece of the buffer.
    pub(super) fn is_lent(&self) -> bool {
        self.lent.is_some()
    }

    /// Lends a piece of the buffer to a volume request.
    pub(super) fn lend(&mut self, lent: Lent) {
        self.fence(Some(lent.start_bytes));
        self.lent = Some(lent);
    }

    /// Ends the loan to request `id`.
    pub(super) fn take_back(&mut self, id: u16) -> Option<Lent> {
        let lent = self.lent.take_if(|lent| lent.id == id)?;
        self.fence(None);
        Some(lent)
    }

    /// Drops a loan whose samples no longer count.
    pub(super) fn forget_lent(&mut self) {
        self.lent = None;
    }

    /// Keeps samples out of the buffer from here on. `None` lifts the limit.
    fn fence(&mut self, start_bytes: Option<u64>) {
        match &mut self.samples {
            Samples::Playback(playback) => playback.lend(start_bytes),
            Samples::Capture(capture) => capture.lend(start_bytes),
        }
    }
}
