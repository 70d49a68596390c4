//! Who may do what. What a guest writes about itself has no say here: rights come from whoever set this domain up.

use crate::card::Direction;

/// What one guest may do with one device.
///
/// Recording is an ear in the room: it is off unless somebody allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The guest may open playback streams. Default: yes.
    pub may_play: bool,
    /// The guest may open capture streams. Default: no.
    pub may_record: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { may_play: true, may_record: false }
    }
}

impl Policy {
    /// Whether a stream in this direction may be opened.
    pub const fn permits(&self, direction: Direction) -> bool {
        match direction {
            Direction::Playback => self.may_play,
            Direction::Capture => self.may_record,
        }
    }
}
