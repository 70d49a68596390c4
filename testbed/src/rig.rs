//! The Xen rig: the real hypervisor, dom0 and xl in an emulated machine, with the image as driver domain.
//!
//! Dom0's initramfs holds everything that a run needs, and a run takes no input: in virtual time each run is the same.
//! Dom0 reports to the host by a port of its own (`line.rs`). Xen's console goes to a file. At the end dom0 hands out an
//! archive of all its logs. Guests hand out files on their consoles, among those logs.

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
pub use plan::{Dom0Sound, Plan};
pub use run::{Progress, keep, run};
pub use xtask::Iommu;
