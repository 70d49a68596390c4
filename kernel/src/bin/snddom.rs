//! The driver domain under Xen: the released image.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code, reason = "leaf: the name by which the entry code finds it")]
mod image {
    pvh::xen_elfnote_phys32_entry!(snddom_kernel::boot::entry::pvh_start32);

    /// The entry code calls this once the processor is in long mode.
    #[unsafe(no_mangle)]
    extern "C" fn snddom_main(start_info_paddr: u32, entry_tsc: u64) -> ! {
        snddom_kernel::xen::main(start_info_paddr, entry_tsc)
    }
}

/// The image runs on `x86_64-unknown-none` only; on the host it is empty.
#[cfg(not(target_os = "none"))]
fn main() {}
