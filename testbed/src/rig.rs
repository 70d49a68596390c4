//! The Xen rig: the real hypervisor, dom0 and xl in an emulated machine, with the image as driver domain.
//!
//! All that a run needs lies in dom0's initramfs before it starts, and nothing is typed into it: under virtual time a
//! run is the same every time. What dom0 says to the host comes by a port of its own ([`mod@line`]); Xen's console goes to a
//! file; and at the end dom0 hands out an archive of all its logs. What guests hand out is on their consoles, among
//! those logs.

mod cpio;
mod dom0;
mod guest;
mod hand_out;
mod line;
mod machine;
mod outcome;
mod packages;
mod plan;
mod root;
mod run;
mod troubles;

pub use guest::Files;
pub use line::Figures;
pub use outcome::Outcome;
pub use plan::Plan;
pub use run::{Progress, keep, run};
pub use xtask::Iommu;
