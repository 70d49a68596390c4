//! Turns a dump into a codec for the model.

use std::collections::BTreeMap;

use super::contents::{Dump, GroupKind};
use super::node::{AmpCaps, Node};
use crate::codec::{
    Codec, ConnectionList, GainAtReset, Graph, Group, OtherGroup, Widget, WidgetKind, capability,
};

/// D0 to D3, for nodes with power states that the dump doesn't list.
const USUAL_POWER_STATES: u32 = 0xf;

/// Parameter 0x05 bit 8: unsolicited responses.
const UNSOLICITED: u32 = 1 << 8;

impl Dump {
    /// Builds a codec that answers verbs as the dumped one did.
    ///
    /// Its state is that after a reset, not the state in the dump. The state exposes drivers that
    /// skip a setting:
    ///
    /// - Pins and EAPD are off.
    /// - Every node with power states is in D3.
    /// - Amplifiers are muted if they can mute, and stand at the step farthest from 0 dB.
    /// - Converters have no tags, and every node selects its first connection.
    /// - All jacks are empty.
    ///
    /// Connection lists are in short form ([`Codec::with_connection_form`]). Values that a dump
    /// lacks are 0: coefficients, delays of the function group, and data from an HDMI pin's
    /// display.
    pub fn codec(&self) -> Codec {
        let function = |kind, unsolicited| {
            let number = if kind == GroupKind::Audio { 1 } else { 2 };
            number | if unsolicited { UNSOLICITED } else { 0 }
        };
        let pcm = self.pcm.unwrap_or_default();
        let power_states = self.power_states.unwrap_or(USUAL_POWER_STATES);
        let audio = self.audio_group();
        let group = Group {
            function: audio.map_or(0, |group| function(group.kind, group.unsolicited)),
            pcm: pcm.word(),
            stream_formats: pcm.formats,
            amp_in: word(self.amp_in),
            amp_out: word(self.amp_out),
            power_states,
            default_power: if power_states >> 3 & 1 == 0 { 0 } else { 3 },
            gpio: self.gpio_word(),
            ..Group::usual()
        };
        let others = self.groups.iter().filter(|group| group.kind == GroupKind::Modem);
        let other_groups: BTreeMap<u8, OtherGroup> = others
            .map(|other| {
                let function = function(other.kind, other.unsolicited);
                (other.node, OtherGroup { function, power: 3 })
            })
            .collect();
        Codec::from_graph(Graph {
            vendor_id: self.vendor_id,
            revision_id: self.revision_id,
            subsystem_id: self.subsystem_id,
            group_node: audio.map(|group| group.node),
            group,
            other_groups,
            widgets: self.nodes.iter().map(|node| (node.id, widget(node))).collect(),
        })
    }

    /// Parameter 0x11.
    fn gpio_word(&self) -> u32 {
        let gpio = &self.gpio;
        u32::from(gpio.wake) << 31
            | u32::from(gpio.unsolicited) << 30
            | u32::from(gpio.inputs) << 16
            | u32::from(gpio.outputs) << 8
            | u32::from(gpio.both_ways)
    }
}

fn word(amplifier: Option<AmpCaps>) -> u32 {
    amplifier.map_or(0, AmpCaps::word)
}

fn widget(node: &Node) -> Widget {
    let mut widget = Widget::new(node.kind);
    widget.capabilities = node.wcaps & !(0xf << 20);
    let has_power = widget.has(capability::POWER);
    if let Some(pcm) = node.pcm {
        widget.pcm = pcm.word();
        widget.stream_formats = pcm.formats;
    }
    widget.amp_in = word(node.amp_in);
    widget.amp_out = word(node.amp_out);
    widget.pin_capabilities = node.pincap.unwrap_or(0);
    widget.strapped_configuration = node.pin_default.unwrap_or(0);
    widget.connections = ConnectionList::of(&node.connections);
    widget.power_states = node.power_states.unwrap_or(if has_power { USUAL_POWER_STATES } else { 0 });
    widget.processing_capabilities = node
        .processing
        .map_or(0, |processing| u32::from(processing.coefficients) << 8 | u32::from(processing.benign));
    widget.volume_knob_capabilities =
        node.volume_knob.map_or(0, |knob| u32::from(knob.delta) << 7 | u32::from(knob.steps));
    widget.device_list = node.device_entries.unwrap_or(0).into();
    // Linux prints one value for a converter if it knows that one amplifier serves all
    // connections.
    widget.one_input_amplifier = match node.kind {
        WidgetKind::Mixer | WidgetKind::Selector => false,
        WidgetKind::Input => node.connections.len() > 1 && node.amp_in_settings == 1,
        _ => true,
    };
    widget.gain_at_reset = GainAtReset::Farthest;
    widget.present = false;
    if let Some(converter) = &mut widget.converter {
        converter.node = node.id;
        converter.channels = ((node.wcaps >> 13 & 7) << 1 | node.wcaps & 1) as usize + 1;
    }
    widget
}
