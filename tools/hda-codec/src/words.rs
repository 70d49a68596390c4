//! A node in few words.

use snd_hda_model::codec::WidgetKind;
use snd_hda_model::dump::{AmpCaps, Node, Pcm};

use super::Specimen;

/// Rates in the order of their bits in parameter 0x0a, in thousands of hertz (7.3.4.7).
const RATES_KHZ: [&str; 12] =
    ["8", "11.025", "16", "22.05", "32", "44.1", "48", "88.2", "96", "176.4", "192", "384"];
/// Sizes of samples in the order of their bits.
const SAMPLE_BITS: [u8; 5] = [8, 16, 20, 24, 32];
/// Default devices (7.3.3.31, table 109).
const DEVICES: [&str; 16] = [
    "line out",
    "speaker",
    "headphone",
    "CD",
    "SPDIF out",
    "digital out",
    "modem line",
    "modem handset",
    "line in",
    "aux",
    "microphone",
    "telephone",
    "SPDIF in",
    "digital in",
    "reserved",
    "other",
];
/// Connectivity of a pin, by bits 31:30 of its defaults.
const CONNECTIVITY: [&str; 4] = ["jack", "not connected", "built in", "jack and built in"];

/// The kind of widget.
pub(super) fn kind(node: &Node) -> &'static str {
    match node.kind {
        WidgetKind::Output => "output converter",
        WidgetKind::Input => "input converter",
        WidgetKind::Mixer => "mixer",
        WidgetKind::Selector => "selector",
        WidgetKind::Pin => "pin",
        WidgetKind::Power => "power",
        WidgetKind::VolumeKnob => "volume knob",
        WidgetKind::Beep => "beep",
        WidgetKind::Vendor => "vendor defined",
    }
}

/// A pin that something is connected to, by its defaults.
pub(super) fn is_connected(node: &Node) -> bool {
    node.kind == WidgetKind::Pin && node.pin_default.unwrap_or(0) >> 30 != 1
}

/// Whether sound passes through connections of this widget. A power widget's list names those that it feeds.
pub(super) fn carries_sound(node: &Node) -> bool {
    !matches!(node.kind, WidgetKind::Power | WidgetKind::Vendor | WidgetKind::VolumeKnob)
}

/// A widget's properties: a pin's defaults, a converter's channels and formats.
pub(super) fn nature(specimen: &Specimen, node: &Node) -> String {
    let digital = if node.wcaps >> 9 & 1 != 0 { "digital, " } else { "" };
    match node.kind {
        WidgetKind::Pin => pin(node),
        WidgetKind::Output | WidgetKind::Input => {
            let channels = (node.wcaps >> 13 & 7) << 1 | node.wcaps & 1;
            let pcm = node.pcm.or(specimen.dump.pcm).map(formats).unwrap_or_default();
            format!("{digital}{} ch{pcm}", channels + 1)
        }
        _ => String::new(),
    }
}

/// `, 44.1-192 kHz, 16-24 bit`
fn formats(pcm: Pcm) -> String {
    let rates: Vec<&str> =
        (0..).zip(RATES_KHZ).filter(|(bit, _)| pcm.rates >> bit & 1 != 0).map(|(_, r)| r).collect();
    let bits: Vec<String> = (0..)
        .zip(SAMPLE_BITS)
        .filter(|(bit, _)| pcm.bits >> bit & 1 != 0)
        .map(|(_, b)| b.to_string())
        .collect();
    let bits: Vec<&str> = bits.iter().map(String::as_str).collect();
    format!("{}{}", span(&rates, "kHz"), span(&bits, "bit"))
}

fn span(values: &[&str], unit: &str) -> String {
    match values {
        [] => String::new(),
        [only] => format!(", {only} {unit}"),
        [first, .., last] => format!(", {first}-{last} {unit}"),
    }
}

fn pin(node: &Node) -> String {
    let default = node.pin_default.unwrap_or(0);
    let capable = node.pincap.unwrap_or(0);
    let at = (default >> 30) as usize;
    let mut words = vec![CONNECTIVITY.get(at).copied().unwrap_or_default()];
    if is_connected(node) {
        words.insert(0, DEVICES.get((default >> 20 & 15) as usize).copied().unwrap_or_default());
    }
    // Pin capabilities (7.3.4.9).
    for (bit, word) in [(4, "out"), (5, "in"), (3, "HP drive"), (16, "EAPD")] {
        if capable >> bit & 1 != 0 {
            words.push(word);
        }
    }
    words.join(", ")
}

/// Its amplifiers: `in 0 to 30 dB, out -64 to 0 dB, mute`.
pub(super) fn amplifiers(specimen: &Specimen, node: &Node) -> String {
    let one = |bit: u32, own: Option<AmpCaps>, group: Option<AmpCaps>, name: &str| {
        let has = node.wcaps >> bit & 1 != 0;
        has.then(|| own.or(group)).flatten().map(|caps| format!("{name} {}", range(caps)))
    };
    let input = one(1, node.amp_in, specimen.dump.amp_in, "in");
    let output = one(2, node.amp_out, specimen.dump.amp_out, "out");
    input.into_iter().chain(output).collect::<Vec<String>>().join(", ")
}

/// `-64 to 0 dB, mute`
fn range(caps: AmpCaps) -> String {
    let quarters = |step: u8| (i32::from(step) - i32::from(caps.offset)) * (i32::from(caps.step_size) + 1);
    let decibels = |step| f64::from(quarters(step)) / 4.0;
    match (caps.steps, caps.mute) {
        (0, true) => "mute".to_owned(),
        (0, false) => "fixed".to_owned(),
        (steps, true) => format!("{} to {} dB, mute", decibels(0), decibels(steps)),
        (steps, false) => format!("{} to {} dB", decibels(0), decibels(steps)),
    }
}
