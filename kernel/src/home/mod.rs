//! Where the image lives: in bare QEMU, or on Xen.

#[cfg(target_os = "none")]
pub mod bare;
pub mod costs;
pub mod facts;
pub mod hypervisor;
pub mod loop_back;
pub mod stream;
pub mod vsnd;
#[cfg(target_os = "none")]
pub mod xen;

/// The image's hypervisor.
#[cfg(target_os = "none")]
type ImageHypervisor<'a> = hypervisor::AnyHypervisor<
    loopback::BackEnd<'a, bare::GuestMemory>,
    xen_guest::driver_domain::DriverDomain<xen_guest::hypercalls::Hypercalls>,
>;

/// A buffer that it has mapped.
#[cfg(target_os = "none")]
type ImageBuffer = <ImageHypervisor<'static> as audioback::hypervisor::Hypervisor>::Buffer;
