//! The parts of the ABI that a host can check. Layouts are asserted when the crate is compiled.

use xen_sys::SharedLayout;
use xen_sys::console::ConsoleRing;
use xen_sys::cpuid;
use xen_sys::errno::Errno;
use xen_sys::shared_info::SharedInfo;
use xen_sys::xs_wire::StoreRing;

#[test]
fn errors_have_their_names() {
    assert_eq!(format!("{:?} {}", Errno::EAGAIN, Errno(11)), "EAGAIN EAGAIN");
    assert_eq!(format!("{:?}", Errno(4000)), "Errno(4000)");
}

#[test]
fn the_signature_spells_xen() {
    let text: Vec<u8> = cpuid::SIGNATURE.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(text, b"XenVMMXenVMM");
}

#[test]
fn shared_types_fit_into_a_page() {
    fn bytes<T: SharedLayout>() -> usize {
        size_of::<T>()
    }
    for bytes in [bytes::<SharedInfo>(), bytes::<StoreRing>(), bytes::<ConsoleRing>()] {
        assert!(bytes <= xen_sys::PAGE_SIZE_BYTES);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_processor_vendor_decides_on_the_gate() {
    use xen_sys::hypercall::Gate;
    let gate = |vendor: &[u8; 12]| {
        let word =
            |at: usize| u32::from_le_bytes([vendor[at], vendor[at + 1], vendor[at + 2], vendor[at + 3]]);
        Gate::for_vendor(word(0), word(4), word(8))
    };
    assert_eq!(gate(b"AuthenticAMD"), Gate::Vmmcall);
    assert_eq!(gate(b"HygonGenuine"), Gate::Vmmcall);
    assert_eq!(gate(b"GenuineIntel"), Gate::Vmcall);
    assert_eq!(gate(b"CentaurHauls"), Gate::Vmcall);
}
