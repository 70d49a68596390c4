//! The driver domain's image: here its parts are wired, nothing else.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image {
    use snddom_kernel::{boot, console, home, platform};

    pvh::xen_elfnote_phys32_entry!(boot::entry::pvh_start32);

    /// Where the entry code goes once the processor is in long mode.
    #[unsafe(no_mangle)]
    extern "C" fn snddom_main(start_info_paddr: u32, entry_tsc: u64) -> ! {
        match platform::bring_up(start_info_paddr, entry_tsc) {
            Ok(platform) => home::bare::run(platform),
            Err(error) => console::exit(console::Verdict::Fail(format_args!("{error}"))),
        }
    }
}

/// On the host there is nothing to run: the image is built for `x86_64-unknown-none`.
#[cfg(not(target_os = "none"))]
fn main() {}
