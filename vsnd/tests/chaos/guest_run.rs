//! What a good guest plays or records from START on, and which of its frames are followed.

/// A frame that was at the link: its number in the run, and its link frame.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    pub frame: u64,
    pub link_frame: u64,
}

/// A run from START on.
#[derive(Clone, Debug)]
pub struct Run {
    pub number: u8,
    /// START was answered.
    pub started_ns: Option<u64>,
    /// The last frame that was heard or recorded.
    pub anchor: Option<Anchor>,
    /// A stop or a pause was asked for: silence may follow.
    pub is_ending: bool,
    /// The hardware itself failed meanwhile.
    pub is_excused: bool,
    /// It goes on after a pause: its next frame is in no next link frame.
    pub has_gap: bool,
    /// The last gap of a recording was before this time.
    pub gap_ns: u64,
    /// The last generation of its positions.
    pub generation: Option<u32>,
    /// The first frame after the last gap: of earlier ones the anchor tells nothing.
    pub since_frame: u64,
    /// A pause has come, and a hand-over may have cut frames off since.
    pub may_be_cut: bool,
    /// It has paused: a move to a bus isn't seamless then (docs/mixing.md).
    pub was_paused: bool,
    /// Its frames aren't followed any more.
    pub is_lost: bool,
    pub written_frames: u64,
    pub period_ns: u64,
}

impl Run {
    /// The run of this number, which begins now.
    pub fn new(number: u8, period_ns: u64) -> Self {
        Self {
            number,
            started_ns: None,
            anchor: None,
            is_ending: false,
            is_excused: false,
            has_gap: false,
            gap_ns: 0,
            generation: None,
            since_frame: 0,
            may_be_cut: false,
            was_paused: false,
            is_lost: false,
            written_frames: 0,
            period_ns,
        }
    }
}
