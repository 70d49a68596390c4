//! Grant references.

/// A grant reference as a guest states it (grant_table.h, `grant_ref_t`).
///
/// It is an allegation, not a proof that the guest granted anything. Mapping it proves that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantRef(pub u32);

impl GrantRef {
    /// The reference that stands for none. Entry 0 belongs to the console (grant_table.h, `GNTTAB_RESERVED_CONSOLE`).
    pub const NONE: Self = Self(0);
}
