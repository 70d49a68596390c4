//! Whose sound reaches a pin, or a capture converter, through the analogue side of a codec.

use super::Graph;
use super::widget::{Gain, WidgetKind, capability};

/// Sound that arrives somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// The node that it comes from: an output converter or an input pin.
    pub from: u8,
    /// The gain of all amplifiers on the way, in quarters of a decibel.
    pub gain_quarter_db: i32,
}

/// Widgets in a row that sound goes through at most: real codecs have five or so.
const LONGEST_ROUTE: usize = 10;

impl Graph {
    /// What is heard at `node` (an output pin) or recorded by it (an input converter): everything that is powered,
    /// selected, enabled and unmuted all the way, on both sides.
    pub(crate) fn arrivals(&self, node: u8) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        if self.group.power == 0 {
            self.follow(node, 0, LONGEST_ROUTE, true, &mut arrivals);
        }
        arrivals.sort();
        arrivals
    }

    fn follow(&self, node: u8, gain: i32, hops: usize, first: bool, arrivals: &mut Vec<Arrival>) {
        let Some(widget) = self.widgets.get(&node) else { return };
        let Some(left) = hops.checked_sub(1) else { return };
        if widget.power != 0 {
            return;
        }
        let overrides = widget.has(capability::AMP_OVERRIDE);
        let amp_in = if overrides { widget.amp_in } else { self.group.amp_in };
        let amp_out = if overrides { widget.amp_out } else { self.group.amp_out };
        // An input pin's amplifier is an input amplifier; an output pin's and any other widget's are on their side.
        let mut gain = gain;
        let is_input_pin = widget.kind == WidgetKind::Pin && !first;
        if is_input_pin {
            if widget.pin_control & 0x20 == 0 {
                return;
            }
            if widget.has(capability::AMP_IN) {
                let Some(step) = quarter_db(widget.gain_in[0], amp_in) else { return };
                gain += step;
            }
            arrivals.push(Arrival { from: node, gain_quarter_db: gain });
            return;
        }
        if widget.kind == WidgetKind::Pin {
            let has_eapd = widget.pin_capabilities & 1 << 16 != 0;
            if widget.pin_control & 0x40 == 0 || (has_eapd && widget.eapd & 2 == 0) {
                return;
            }
        }
        if widget.has(capability::AMP_OUT) && widget.kind != WidgetKind::Input {
            let Some(step) = quarter_db(widget.gain_out, amp_out) else { return };
            gain += step;
        }
        if widget.kind == WidgetKind::Output {
            arrivals.push(Arrival { from: node, gain_quarter_db: gain });
            return;
        }
        for (index, source) in (0..).zip(widget.sources()) {
            let takes_all = widget.kind == WidgetKind::Mixer;
            if !takes_all && index != usize::from(widget.selected) {
                continue;
            }
            let mut gain = gain;
            if widget.has(capability::AMP_IN) {
                // A mixer has an input amplifier for each connection; others that select have one as well.
                let Some(setting) = widget.gain_in.get(index) else { continue };
                let Some(step) = quarter_db(*setting, amp_in) else { continue };
                gain += step;
            }
            self.follow(source, gain, left, false, arrivals);
        }
    }
}

/// The gain of an amplifier's setting; `None` when a side is muted. Sides that differ count as the lower one.
fn quarter_db(gain: Gain, amplifier: u32) -> Option<i32> {
    if (gain.left | gain.right) & 0x80 != 0 && amplifier & 1 << 31 != 0 {
        return None;
    }
    let step = i32::from((gain.left & 0x7f).min(gain.right & 0x7f));
    let zero = (amplifier & 0x7f) as i32;
    let size = (amplifier >> 16 & 0x7f) as i32 + 1;
    Some((step - zero) * size)
}
