//! Stand-ins for Xen.

pub mod memory_xen;
pub mod raise;
