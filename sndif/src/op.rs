//! Operations and trigger types (sndif.h, "REQUEST CODES").

/// The operation of a request (`XENSND_OP_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Operation {
    /// Open the stream with a format and a buffer.
    Open = 0,
    /// Close the stream.
    Close = 1,
    /// Capture: the front end is about to read a range of the buffer.
    Read = 2,
    /// Playback: the front end wrote a range of the buffer.
    Write = 3,
    /// Set the volume of each channel.
    SetVolume = 4,
    /// Get the volume of each channel.
    GetVolume = 5,
    /// Mute channels.
    Mute = 6,
    /// Unmute channels.
    Unmute = 7,
    /// Start, pause, stop or resume.
    Trigger = 8,
    /// Narrow the configuration space.
    HwParamQuery = 9,
    /// Start streams of the card together: an extension of sndif.
    ///
    /// Codes of extensions begin at 0x80, far from those of later versions. A back end that takes this one publishes
    /// [`FEATURE_LINKED_START`](crate::nodes::FEATURE_LINKED_START).
    LinkedStart = 0x80,
}

impl Operation {
    /// All operations, in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::Open,
        Self::Close,
        Self::Read,
        Self::Write,
        Self::SetVolume,
        Self::GetVolume,
        Self::Mute,
        Self::Unmute,
        Self::Trigger,
        Self::HwParamQuery,
        Self::LinkedStart,
    ];

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The operation with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.code() == code)
    }
}

/// A change of a stream's running state (`XENSND_OP_TRIGGER_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Trigger {
    /// Run from the start of the buffer.
    Start = 0,
    /// Stop and keep the position.
    Pause = 1,
    /// Stop and forget the position.
    Stop = 2,
    /// Go on after a pause.
    Resume = 3,
}

impl Trigger {
    /// All trigger types, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Start, Self::Pause, Self::Stop, Self::Resume];

    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The trigger type with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// The result of a linked start: a byte of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LinkedStart {
    /// One right after the other, for a card with nothing better. The control page tells their distance.
    BackToBack = 0,
    /// Frame 0 of each was in the same link frame.
    SameFrame = 1,
}

impl LinkedStart {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The result with this code. An unknown one promises nothing: [`BackToBack`](Self::BackToBack).
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::SameFrame,
            _ => Self::BackToBack,
        }
    }
}
