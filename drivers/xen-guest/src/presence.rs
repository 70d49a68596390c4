//! Detection of Xen by CPUID.

use xen_sys::cpuid;

/// EAX, EBX, ECX and EDX of a leaf of CPUID, subleaf 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// EAX.
    pub eax: u32,
    /// EBX.
    pub ebx: u32,
    /// ECX.
    pub ecx: u32,
    /// EDX.
    pub edx: u32,
}

/// Xen's CPUID data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The first of Xen's leaves.
    pub first_leaf: u32,
    /// Major and minor version.
    pub version: (u16, u16),
    /// Frequency of the guest's time stamp counter in kHz, if Xen states it.
    pub tsc_khz: Option<u32>,
    /// The IOMMU's tables include pages mapped from other domains: devices may reach them.
    pub iommu_mappings: bool,
    /// This domain's number, if Xen states it.
    pub domain: Option<u16>,
}

impl Presence {
    /// Searches for Xen in at most 256 leaves; `cpuid` reads a leaf.
    pub fn detect(cpuid: impl Fn(u32) -> Registers) -> Option<Self> {
        let mut first_leaf = cpuid::FIRST_LEAF;
        loop {
            let first = cpuid(first_leaf);
            // The last leaf is among those of this hypervisor.
            let last_leaf = first.eax;
            if [first.ebx, first.ecx, first.edx] == cpuid::SIGNATURE {
                let leaf = |offset: u32| {
                    let leaf = first_leaf.saturating_add(offset);
                    if leaf <= last_leaf { cpuid(leaf) } else { Registers::default() }
                };
                let version = leaf(cpuid::VERSION_OFFSET).eax;
                let time = leaf(cpuid::TIME_OFFSET);
                let hvm = leaf(cpuid::HVM_OFFSET);
                let has = |flag: u32| hvm.eax & flag != 0;
                return Some(Self {
                    first_leaf,
                    // Cut to halves on purpose.
                    version: ((version >> 16) as u16, version as u16),
                    tsc_khz: (time.ecx != 0).then_some(time.ecx),
                    iommu_mappings: has(cpuid::HVM_IOMMU_MAPPINGS),
                    domain: u16::try_from(hvm.ecx).ok().filter(|_| has(cpuid::HVM_DOMID_PRESENT)),
                });
            }
            first_leaf = first_leaf.saturating_add(cpuid::LEAF_STEP);
            if first_leaf >= cpuid::LEAF_END {
                return None;
            }
        }
    }
}
