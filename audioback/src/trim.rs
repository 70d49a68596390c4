//! The administrator's gain for streams.

/// A gain on top of what a guest sets for its stream. The guest's own volume and mute stay as they are, and can't undo it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    /// The gain in units of 0.001 dB: from [`MIN_MDB`](Self::MIN_MDB) to 0.
    pub mdb: i32,
    /// Silence, whatever the gain is.
    pub is_muted: bool,
}

impl Trim {
    /// The least gain apart from mute: -100 dB.
    pub const MIN_MDB: i32 = -100_000;

    /// Both gains, one after the other.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { mdb: self.mdb.saturating_add(other.mdb), is_muted: self.is_muted || other.is_muted }
    }
}
