//! Stand-ins for Xen and for xenstored.

pub mod memory_xen;
pub mod stored;
