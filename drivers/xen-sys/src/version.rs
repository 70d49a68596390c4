//! Version and features (version.h, features.h): the arguments of `HYPERVISOR_xen_version`.

/// `XENVER_version`: returns major version in the high and minor version in the low 16 bits; no argument.
pub const VERSION: u32 = 0;
/// `XENVER_get_features`: see [`FeatureInfo`].
pub const GET_FEATURES: u32 = 6;

/// `struct xen_feature_info`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct FeatureInfo {
    /// In: the group of 32 features; only group 0 exists.
    pub submap_idx: u32,
    /// Out: a bit for each feature, `FEATURE_*`.
    pub submap: u32,
}
assert_layout!(FeatureInfo, size 8, submap at 4);

/// `XENFEAT_auto_translated_physmap`.
pub const FEATURE_AUTO_TRANSLATED_PHYSMAP: u32 = 2;
/// `XENFEAT_hvm_callback_vector`.
pub const FEATURE_HVM_CALLBACK_VECTOR: u32 = 8;
/// `XENFEAT_hvm_safe_pvclock`: an HVM guest may use the time in the shared info page.
pub const FEATURE_HVM_SAFE_PVCLOCK: u32 = 9;
/// `XENFEAT_hvm_pirqs`: an HVM guest may bind physical interrupts to event channels.
pub const FEATURE_HVM_PIRQS: u32 = 10;
