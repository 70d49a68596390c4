//! The states of both ends as they connect and disconnect (io/xenbus.h, `enum xenbus_state`; sndif.h, "STATE DIAGRAMS").

/// The value of an end's `state` node. A missing or invalid value, `XenbusStateUnknown`, is `None` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum XenbusState {
    /// Created.
    Initialising = 1,
    /// The back end waits for the front end's transport nodes.
    InitWait = 2,
    /// The front end has published its transport nodes and waits for the back end.
    Initialised = 3,
    /// In use.
    Connected = 4,
    /// Closing: the device goes away, or an error was fatal.
    Closing = 5,
    /// Closed: no page or channel of the peer is mapped or bound.
    Closed = 6,
    /// Under reconfiguration: the old connection works and takes no new client.
    Reconfiguring = 7,
    /// Reconfigured.
    Reconfigured = 8,
}

impl XenbusState {
    /// All states, in the order of their codes, which start at 1.
    pub const ALL: [Self; 8] = [
        Self::Initialising,
        Self::InitWait,
        Self::Initialised,
        Self::Connected,
        Self::Closing,
        Self::Closed,
        Self::Reconfiguring,
        Self::Reconfigured,
    ];

    /// The number in the `state` node.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The state with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The state with this value in a `state` node.
    pub fn from_node(value: &str) -> Option<Self> {
        crate::nodes::decimal(value).and_then(|code| u8::try_from(code).ok()).and_then(Self::from_code)
    }

    /// The value of a `state` node.
    pub const fn node(self) -> &'static str {
        match self {
            Self::Initialising => "1",
            Self::InitWait => "2",
            Self::Initialised => "3",
            Self::Connected => "4",
            Self::Closing => "5",
            Self::Closed => "6",
            Self::Reconfiguring => "7",
            Self::Reconfigured => "8",
        }
    }
}
