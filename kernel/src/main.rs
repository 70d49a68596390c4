//! The driver domain's image: here its parts are wired, nothing else.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod image {
    use core::convert::Infallible;

    use snddom_kernel::arch::xen;
    use snddom_kernel::platform::{self, BringUpError, Foundations};
    use snddom_kernel::{boot, console, runtime};

    pvh::xen_elfnote_phys32_entry!(boot::entry::pvh_start32);

    /// Where the entry code goes once the processor is in long mode.
    #[unsafe(no_mangle)]
    extern "C" fn snddom_main(start_info_paddr: u32, entry_tsc: u64) -> ! {
        let Err(error) = run(start_info_paddr, entry_tsc);
        console::exit(console::Verdict::Fail(format_args!("{error}")))
    }

    /// Finds out where this is, and makes itself at home.
    fn run(start_info_paddr: u32, entry_tsc: u64) -> Result<Infallible, BringUpError> {
        let presence = xen::detect();
        let foundations = Foundations::lay(start_info_paddr, entry_tsc, presence.as_ref())?;
        match presence {
            Some(presence) => runtime::xen::run(platform::xen::Platform::bring_up(foundations, presence)?),
            None => runtime::bare::run(platform::bare::Platform::bring_up(foundations)?),
        }
    }
}

/// On the host there is nothing to run: the image is built for `x86_64-unknown-none`.
#[cfg(not(target_os = "none"))]
fn main() {}
