//! Grant references.

/// A grant reference as a guest states it: an allegation, no proof that the guest granted anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantRef(pub u32);

impl GrantRef {
    /// The reference that stands for none: 0 belongs to the console (grant_table.h, `GNTTAB_RESERVED_CONSOLE`).
    pub const NONE: Self = Self(0);
}
