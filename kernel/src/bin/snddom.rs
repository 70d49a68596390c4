//! The driver domain under Xen: the released image.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code, reason = "leaf: the note by which the loader finds the entry code")]
mod image {
    pvh::xen_elfnote_phys32_entry!(snddom_kernel::boot::entry::pvh_start32);
}

/// The image runs on `x86_64-unknown-none` only; on the host it is empty.
#[cfg(not(target_os = "none"))]
fn main() {}
