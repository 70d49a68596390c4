//! The guest's page directory: the grants of a stream's buffer.

use hyper::{DomainId, GrantList, Hypervisor, MAX_BUFFER_PAGES};
use sndif::page_directory::DirectoryWalk;
use sndif::request::OpenParams;

use super::error::OpenError;
use crate::push_within;

/// Reads the directory one page at a time and each word once. The buffer's size bounds the walk.
pub(super) fn read<H: Hypervisor>(
    hypervisor: &mut H,
    guest: DomainId,
    asked: &OpenParams,
) -> Result<GrantList, OpenError> {
    let mut grants = GrantList::new();
    let mut walk = DirectoryWalk::new(asked.directory, asked.buffer_bytes, MAX_BUFFER_PAGES as u32)
        .map_err(OpenError::Directory)?;
    while let Some(grant) = walk.next() {
        let page = hypervisor.map_page(guest, grant).map_err(OpenError::Map)?;
        let taken = walk.take(&page, |grant| push_within(&mut grants, grant));
        hypervisor.unmap_page(page);
        taken.map_err(OpenError::Directory)?;
    }
    Ok(grants)
}
