//! Detection of Xen by CPUID.

use core::arch::x86_64::CpuidResult;

use xen_sys::cpuid;

/// Xen's CPUID data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
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
    /// Searches for Xen in at most 256 leaves; `cpuid` reads a leaf, subleaf 0.
    pub fn detect(cpuid: impl Fn(u32) -> CpuidResult) -> Option<Self> {
        let leaves = (cpuid::FIRST_LEAF..cpuid::LEAF_END).step_by(cpuid::LEAF_STEP as usize);
        let is_xen = |first: &CpuidResult| [first.ebx, first.ecx, first.edx] == cpuid::SIGNATURE;
        let (first_leaf, first) = leaves.map(|leaf| (leaf, cpuid(leaf))).find(|(_, first)| is_xen(first))?;
        // The last leaf is among those of this hypervisor.
        let leaf = |offset: u32| {
            Some(first_leaf.saturating_add(offset)).filter(|leaf| *leaf <= first.eax).map(&cpuid)
        };
        let version = leaf(cpuid::VERSION_OFFSET).map_or(0, |leaf| leaf.eax);
        let hvm = leaf(cpuid::HVM_OFFSET);
        let has = |flag: u32| hvm.is_some_and(|hvm| hvm.eax & flag != 0);
        Some(Self {
            // Cut to halves on purpose.
            version: ((version >> 16) as u16, version as u16),
            tsc_khz: leaf(cpuid::TIME_OFFSET).map(|time| time.ecx).filter(|khz| *khz != 0),
            iommu_mappings: has(cpuid::HVM_IOMMU_MAPPINGS),
            domain: hvm.filter(|_| has(cpuid::HVM_DOMID_PRESENT)).and_then(|hvm| u16::try_from(hvm.ecx).ok()),
        })
    }
}
