//! Where the image lives: in bare QEMU, or on Xen.

#[cfg(target_os = "none")]
pub mod bare;
pub mod costs;
pub mod hypervisor;
pub mod loop_back;
#[cfg(target_os = "none")]
pub mod xen;

/// The image's hypervisor.
#[cfg(target_os = "none")]
type ImageHypervisor<'a> = hypervisor::AnyHypervisor<
    hypervisor_model::BackEnd<'a, bare::GuestMemory>,
    xen_guest::driver_domain::DriverDomain<xen_guest::hypercalls::Hypercalls>,
>;

/// A buffer that it has mapped.
#[cfg(target_os = "none")]
type ImageBuffer = <ImageHypervisor<'static> as hyper::Hypervisor>::Buffer;
