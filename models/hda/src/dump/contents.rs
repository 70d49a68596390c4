//! The contents of a dump: the codec, its function groups, its nodes.

use super::node::{AmpCaps, Node, Pcm};

/// Everything Linux printed about one codec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Linux's name for the codec: "Realtek ALC262".
    pub name: String,
    /// Address on the link, 0 to 14.
    pub address: u8,
    /// Vendor in the upper half, device in the lower half.
    pub vendor_id: u32,
    /// The board's vendor and number.
    pub subsystem_id: u32,
    /// Revision and stepping.
    pub revision_id: u32,
    /// Function groups by node.
    pub groups: Vec<FunctionGroup>,
    /// Rates, sample sizes and formats for converters without their own.
    pub pcm: Option<Pcm>,
    /// Input amplifier for widgets without their own; `None` if Linux prints N/A.
    pub amp_in: Option<AmpCaps>,
    /// Output amplifier for widgets without their own; `None` if Linux prints N/A.
    pub amp_out: Option<AmpCaps>,
    /// General-purpose pins.
    pub gpio: Gpio,
    /// Power states of the audio function group (parameter 0x0f), if printed.
    pub power_states: Option<u32>,
    /// Widgets of the audio function group, in rising order of node number.
    pub nodes: Vec<Node>,
}

/// A function group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionGroup {
    /// Node number.
    pub node: u8,
    /// Type.
    pub kind: GroupKind,
    /// The group can send unsolicited responses; `false` if Linux doesn't print it.
    pub unsolicited: bool,
}

/// The type of a function group (7.3.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Audio: type 1.
    Audio,
    /// Modem: type 2.
    Modem,
}

/// The number of general-purpose pins of each kind (7.3.4.14).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gpio {
    /// Pins that work in either direction.
    pub both_ways: u8,
    /// Outputs only.
    pub outputs: u8,
    /// Inputs only.
    pub inputs: u8,
    /// The pins can send unsolicited responses.
    pub unsolicited: bool,
    /// The pins can wake the system.
    pub wake: bool,
}

impl Dump {
    /// Returns the node with this number, if any.
    pub fn node(&self, id: u8) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Returns the audio function group, if any.
    pub fn audio_group(&self) -> Option<FunctionGroup> {
        self.groups.iter().copied().find(|group| group.kind == GroupKind::Audio)
    }
}
