//! The commands, a file each.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod codec;
pub(crate) mod dist;
pub(crate) mod run;
pub(crate) mod test;
pub(crate) mod xen;
