//! Verbs to the root and to function groups: specification 7.3.

use super::graph::{Answer, Graph};
use super::group::with_byte;
use crate::violations::Violations;

impl Graph {
    pub(super) fn command(&mut self, now_ns: u64, verb: u32, violations: &mut Violations) -> Answer {
        let node = (verb >> 20 & 0x7f) as u8;
        let mut format_set_on = None;
        // These codecs have no indirect node addressing.
        let response = if verb & 1 << 27 != 0 {
            0
        } else if node == 0 {
            self.root_verb(verb)
        } else if Some(node) == self.group_node {
            self.group_verb(verb)
        } else if let Some(group) = self.other_groups.get_mut(&node) {
            group.verb(verb)
        } else if let Some(widget) = self.widgets.get_mut(&node) {
            let response = widget.verb(now_ns, verb, node, &self.group.inherited(), violations);
            if verb >> 16 & 0xf == 2 {
                format_set_on = widget.converter.as_ref().map(|converter| (converter.tag, converter.output));
            }
            response
        } else {
            0
        };
        Answer { response: Some(response), format_set_on }
    }

    fn root_verb(&self, verb: u32) -> u32 {
        match (verb >> 8 & 0xfff, verb & 0xff) {
            (0xf00, 0x00) => self.vendor_id,
            (0xf00, 0x02) => self.revision_id,
            (0xf00, 0x04) => {
                let nodes = || self.other_groups.keys().copied().chain(self.group_node);
                node_range(nodes().min(), nodes().max())
            }
            _ => 0,
        }
    }

    fn group_verb(&mut self, verb: u32) -> u32 {
        let payload = verb & 0xff;
        match verb >> 8 & 0xfff {
            0xf00 => self.group_parameter(payload),
            0xf20 => self.subsystem_id,
            set @ 0x720..=0x723 => {
                self.subsystem_id = with_byte(self.subsystem_id, set - 0x720, payload);
                0
            }
            0x7ff => {
                self.reset();
                0
            }
            _ => self.group.verb(verb),
        }
    }

    fn group_parameter(&self, parameter: u32) -> u32 {
        match parameter {
            0x04 => {
                let mut nodes = self.widgets.keys().copied();
                node_range(nodes.next(), nodes.next_back().or(self.widgets.keys().next().copied()))
            }
            0x05 => self.group.function,
            0x08 => self.group.delays,
            0x0a => self.group.pcm,
            0x0b => self.group.stream_formats,
            0x0d => self.group.amp_in,
            0x0f => self.group.power_states,
            0x11 => self.group.gpio,
            0x12 => self.group.amp_out,
            _ => 0,
        }
    }
}

/// Parameter 0x04: first node and count.
fn node_range(first: Option<u8>, last: Option<u8>) -> u32 {
    first.zip(last).map_or(0, |(first, last)| u32::from(first) << 16 | (u32::from(last - first) + 1))
}
