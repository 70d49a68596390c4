//! Where the image lives: in bare QEMU, later on Xen.

pub mod bare;
