//! Finding Xen, and an MSI's message.

use core::arch::x86_64::CpuidResult;

use xen_guest::pirq::msi_message;
use xen_guest::presence::Presence;

const NOTHING: CpuidResult = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };

fn xen_at(first: u32, last_offset: u32) -> impl Fn(u32) -> CpuidResult {
    move |leaf| match leaf.wrapping_sub(first) {
        0 => CpuidResult { eax: first + last_offset, ebx: 0x566e_6558, ecx: 0x6558_4d4d, edx: 0x4d4d_566e },
        1 => CpuidResult { eax: 4 << 16 | 17, ..NOTHING },
        3 => CpuidResult { ecx: 2_400_000, ..NOTHING },
        4 => CpuidResult { eax: 1 << 2 | 1 << 4, ecx: 7, ..NOTHING },
        // Another hypervisor's interface comes first, or nothing at all.
        _ => CpuidResult { eax: leaf, ebx: 0x7263_694d, ..NOTHING },
    }
}

#[test]
fn xen_is_found_where_it_is() {
    for first in [0x4000_0000, 0x4000_0100, 0x4000_ff00] {
        let found = Presence::detect(xen_at(first, 5)).expect("Xen");
        assert_eq!(found.version, (4, 17));
        assert_eq!((found.tsc_khz, found.iommu_mappings, found.domain), (Some(2_400_000), true, Some(7)));
    }
    assert_eq!(Presence::detect(xen_at(0x4001_0000, 5)), None);
    assert_eq!(Presence::detect(|_| NOTHING), None);
}

#[test]
fn leaves_that_are_not_there_are_not_read() {
    let found = Presence::detect(xen_at(0x4000_0000, 1)).expect("Xen");
    assert_eq!((found.tsc_khz, found.iommu_mappings, found.domain), (None, false, None));
}

#[test]
fn a_pirq_is_where_the_device_model_looks_for_it() {
    let message = msi_message(0x1_2345);
    // hw/xen/xen_pt_msi.c: vector 0; low 8 bits of the destination, and the rest in the high half.
    assert_eq!(message.data & 0xff, 0);
    assert_eq!((message.address >> 12) & 0xff | (message.address >> 32) & 0xffff_ff00, 0x1_2345);
    assert_eq!(message.address & 0xfff0_0fff, 0xfee0_0000);
}

#[test]
fn a_32_bit_capability_takes_the_first_256_pirqs_only() {
    for (pirq, needs_64_bits) in [(0, false), (16, false), (255, false), (256, true), (0x1_2345, true)] {
        assert_eq!(msi_message(pirq).needs_64_bits(), needs_64_bits, "{pirq}");
    }
}
