//! The graph of widgets in a codec, and its function groups.

use std::collections::BTreeMap;

use super::group::{Group, OtherGroup};
use super::widget::Widget;

/// The audio function group of a codec with its widgets, and its other function groups.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) vendor_id: u32,
    pub(crate) revision_id: u32,
    pub(crate) subsystem_id: u32,
    /// `None` for a codec without audio.
    pub(crate) group_node: Option<u8>,
    pub(crate) group: Group,
    /// Other function groups by node: modems.
    pub(crate) other_groups: BTreeMap<u8, OtherGroup>,
    pub(crate) widgets: BTreeMap<u8, Widget>,
}

/// The effect of a verb.
pub(crate) struct Answer {
    /// `None` if the codec doesn't answer.
    pub(crate) response: Option<u32>,
    /// The verb set a converter's format. QEMU stops the stream in that case.
    pub(crate) format_set_on: Option<(u8, bool)>,
}

impl Graph {
    pub(crate) fn reset(&mut self) {
        self.group.reset();
        for group in self.other_groups.values_mut() {
            group.power = 3;
        }
        let inherited = self.group.inherited();
        for widget in self.widgets.values_mut() {
            widget.reset(&inherited);
        }
    }

    pub(super) fn power_on(&mut self) {
        for widget in self.widgets.values_mut() {
            widget.configuration = widget.strapped_configuration;
        }
        self.reset();
    }

    pub(crate) fn widget(&mut self, node: u8) -> Option<&mut Widget> {
        self.widgets.get_mut(&node)
    }
}
