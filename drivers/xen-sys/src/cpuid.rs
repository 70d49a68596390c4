//! CPUID in a Xen guest (arch-x86/cpuid.h).
//!
//! Xen's leaves begin at 0x40000000. Behind a Viridian interface they begin at a multiple of 0x100 above it, below
//! 0x40010000.

/// `XEN_CPUID_FIRST_LEAF`.
pub const FIRST_LEAF: u32 = 0x4000_0000;
/// Distance to the next place at which Xen's leaves may begin.
pub const LEAF_STEP: u32 = 0x100;
/// The end of the search.
pub const LEAF_END: u32 = 0x4001_0000;

/// EBX, ECX and EDX of the first leaf, "XenVMMXenVMM" (`XEN_CPUID_SIGNATURE_*`). EAX is the last leaf.
pub const SIGNATURE: [u32; 3] = [0x566e_6558, 0x6558_4d4d, 0x4d4d_566e];

/// Offset of the leaf with the version: EAX, major version in the high 16 bits, minor in the low ones.
pub const VERSION_OFFSET: u32 = 1;
/// Offset of the leaf about time; subleaf 0: EAX, flags; EBX, TSC mode; ECX, TSC frequency in kHz; EDX, incarnation.
pub const TIME_OFFSET: u32 = 3;
/// Offset of the leaf about HVM guests; subleaf 0: EAX, `HVM_*`; EBX, vCPU; ECX, domain.
pub const HVM_OFFSET: u32 = 4;

/// `XEN_HVM_CPUID_IOMMU_MAPPINGS`: pages mapped from other domains are in the IOMMU's tables.
pub const HVM_IOMMU_MAPPINGS: u32 = 1 << 2;
/// `XEN_HVM_CPUID_DOMID_PRESENT`: ECX is valid.
pub const HVM_DOMID_PRESENT: u32 = 1 << 4;
