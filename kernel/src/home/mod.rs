//! Where the image lives: in bare QEMU, or on Xen.

#[cfg(target_os = "none")]
pub mod bare;
pub mod loop_back;
pub mod stream;
pub mod vsnd;
#[cfg(target_os = "none")]
pub mod xen;
