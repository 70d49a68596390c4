//! Access to the kernel and to shared memory. Each file is a leaf behind a safe interface.

mod counter;
mod event_channels;
mod grants;
mod ioctl;
mod region;

pub(crate) use counter::{monotonic_raw_ns, ticks};
pub(crate) use event_channels::EventChannels;
pub(crate) use grants::Grants;
pub(crate) use region::Region;
