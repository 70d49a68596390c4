//! What a dump says: the codec, its function groups, its nodes.

use super::node::{AmpCaps, Node, Pcm, Power};

/// What Linux printed about one codec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// The name that Linux gives it: "Realtek ALC262".
    pub name: String,
    /// Its address on the link, 0 to 14.
    pub address: u8,
    /// Vendor in the upper half, device in the lower.
    pub vendor_id: u32,
    /// The board's vendor and number.
    pub subsystem_id: u32,
    /// Revision and stepping.
    pub revision_id: u32,
    /// Function groups by node.
    pub groups: Vec<FunctionGroup>,
    /// Rates, sample sizes and formats that converters without their own inherit.
    pub pcm: Option<Pcm>,
    /// Input amplifier that widgets without their own inherit; `None` where Linux says N/A.
    pub amp_in: Option<AmpCaps>,
    /// Output amplifier that widgets without their own inherit; `None` where Linux says N/A.
    pub amp_out: Option<AmpCaps>,
    /// General-purpose pins.
    pub gpio: Gpio,
    /// The audio function group's power states (parameter 0x0f); `None` where Linux doesn't say them.
    pub power_states: Option<u32>,
    /// The audio function group's power state.
    pub power: Option<Power>,
    /// The audio function group's widgets, by node number, which rises.
    pub nodes: Vec<Node>,
}

/// A function group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionGroup {
    /// Its node.
    pub node: u8,
    /// What it is for.
    pub kind: GroupKind,
    /// It can send unsolicited responses; `false` also where Linux doesn't say.
    pub unsolicited: bool,
}

/// What a function group is for (7.3.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// Audio: type 1.
    Audio,
    /// Modem: type 2.
    Modem,
}

/// General-purpose pins (7.3.4.14): how many of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gpio {
    /// In either direction.
    pub both_ways: u8,
    /// Outputs only.
    pub outputs: u8,
    /// Inputs only.
    pub inputs: u8,
    /// They can send unsolicited responses.
    pub unsolicited: bool,
    /// They can wake the system.
    pub wake: bool,
}

impl Dump {
    /// The node with a number, if there is one.
    #[must_use]
    pub fn node(&self, id: u8) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The audio function group, if there is one.
    #[must_use]
    pub fn audio_group(&self) -> Option<FunctionGroup> {
        self.groups.iter().copied().find(|group| group.kind == GroupKind::Audio)
    }
}
