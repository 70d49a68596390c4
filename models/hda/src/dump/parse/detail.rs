//! The lines of a node.

use std::collections::BTreeSet;

use super::super::node::{
    AmpValue, Control, ControlAmp, ConverterState, Device, Node, Processing, VolumeKnob,
};
use super::super::requirements::Line;
use super::super::scan::{Reason, Scan, narrow};
use super::lines::Lines;
use super::values::{amp_caps, pcm, power, power_states};
use crate::codec::WidgetKind;

/// Keys of lines that may occur once. A key precedes its own prefixes.
const KEYS: [(&str, Line); 24] = [
    ("Amp-In caps:", Line::AmpInCaps),
    ("Amp-In vals:", Line::AmpInValues),
    ("Amp-Out caps:", Line::AmpOutCaps),
    ("Amp-Out vals:", Line::AmpOutValues),
    ("Converter:", Line::Converter),
    ("SDI-Select:", Line::SdiSelect),
    ("Delay:", Line::Delay),
    ("Digital category:", Line::DigitalCategory),
    ("Digital:", Line::Digital),
    ("PCM:", Line::Pcm),
    ("Pincap ", Line::PinCapabilities),
    ("Pin Default ", Line::PinDefault),
    ("Conn =", Line::PinDefaultConnection),
    ("DefAssociation =", Line::PinDefaultAssociation),
    ("Pin-ctls:", Line::PinControl),
    ("EAPD ", Line::Eapd),
    ("Unsolicited:", Line::Unsolicited),
    ("Power states:", Line::PowerStates),
    ("Power:", Line::Power),
    ("Processing caps:", Line::Processing),
    ("Volume-Knob:", Line::VolumeKnob),
    ("Devices:", Line::Devices),
    ("Connection:", Line::Connections),
    ("In-driver Connection:", Line::InDriverConnections),
];

/// Reads an indented line into `node`, and records it in `seen`.
pub(super) fn detail(
    node: &mut Node,
    seen: &mut BTreeSet<Line>,
    mut scan: Scan<'_>,
    lines: &mut Lines<'_>,
) -> Result<(), Reason> {
    if scan.try_take("ControlAmp: ") {
        return control_amp(node, scan);
    }
    if scan.try_take("Control: ") {
        return control(node, scan);
    }
    if scan.try_take("Device: ") {
        return device(node, scan);
    }
    let Some((key, line)) = KEYS.into_iter().find(|(key, _)| scan.try_take(key)) else {
        return unknown(scan.rest());
    };
    if !seen.insert(line) {
        return Err(format!("node {:#04x} has {key:?} twice", node.id));
    }
    if let Some(capability) = capability_for(line)
        && node.wcaps & capability == 0
    {
        return Err(format!("node {:#04x} has {key:?} without the capability", node.id));
    }
    scan.skip_spaces();
    known(node, line, scan, lines)
}

/// The capability that a line requires of its node.
fn capability_for(line: Line) -> Option<u32> {
    match line {
        Line::AmpInCaps | Line::AmpInValues => Some(1 << 1),
        Line::AmpOutCaps | Line::AmpOutValues => Some(1 << 2),
        Line::Processing => Some(1 << 6),
        Line::Unsolicited => Some(1 << 7),
        Line::Power | Line::PowerStates => Some(1 << 10),
        _ => None,
    }
}

fn known(node: &mut Node, line: Line, mut scan: Scan<'_>, lines: &mut Lines<'_>) -> Result<(), Reason> {
    let is_pin = node.kind == WidgetKind::Pin;
    match line {
        Line::AmpInCaps => {
            node.amp_in = amp_caps(scan)?;
            return Ok(());
        }
        Line::AmpOutCaps => {
            node.amp_out = amp_caps(scan)?;
            return Ok(());
        }
        Line::AmpInValues => {
            node.amp_in_values = amp_values(scan, node.wcaps & 1 != 0)?;
            return Ok(());
        }
        Line::AmpOutValues => {
            node.amp_out_values = amp_values(scan, node.wcaps & 1 != 0)?;
            return Ok(());
        }
        Line::Converter => {
            let stream = scan.decimal_of("stream", 15)? as u8;
            scan.take(", ")?;
            let channel = scan.decimal_of("channel", 15)? as u8;
            node.converter = Some(ConverterState { stream, channel });
        }
        Line::SdiSelect => {
            scan.decimal()?;
        }
        Line::Delay => {
            let samples = scan.decimal()?;
            if samples != node.wcaps >> 16 & 15 {
                return Err(format!("a delay of {samples} isn't what {:#x} says", node.wcaps));
            }
            node.delay_samples = samples as u8;
            scan.take(" samples")?;
        }
        Line::DigitalCategory => {
            scan.hex()?;
        }
        Line::Pcm => {
            node.pcm = pcm(scan, lines)?;
            return Ok(());
        }
        Line::PinCapabilities | Line::PinDefault if !is_pin => {
            return Err(format!("node {:#04x} isn't a pin", node.id));
        }
        Line::PinCapabilities => {
            node.pincap = Some(scan.hex()?);
            return scan.take(":");
        }
        Line::PinDefault => {
            node.pin_default = Some(scan.hex()?);
            return scan.take(":");
        }
        Line::PinControl => {
            node.pin_control = Some(narrow(scan.hex()?, "pin control")?);
            return scan.take(":");
        }
        Line::Eapd => {
            node.eapd = Some(narrow(scan.hex()?, "EAPD")?);
            return scan.take(":");
        }
        Line::PinDefaultAssociation => {
            scan.hex()?;
            scan.take(", Sequence = ")?;
            scan.hex()?;
        }
        Line::PinDefaultConnection => {
            scan.until(", Color = ")?;
            return Ok(());
        }
        // The line only spells out bits.
        Line::Digital => return Ok(()),
        Line::Unsolicited => {
            scan.take("tag=")?;
            let tag = scan.bare_hex()?;
            scan.take(", ")?;
            let enabled = scan.flag_of("enabled")?;
            node.unsolicited = Some((narrow(tag, "a tag")?, enabled));
        }
        Line::PowerStates => {
            node.power_states = Some(power_states(scan.rest())?);
            return Ok(());
        }
        Line::Power => {
            node.power = Some(power(scan)?);
            return Ok(());
        }
        Line::Processing => {
            let benign = scan.flag_of("benign")?;
            scan.take(", ")?;
            let coefficients = scan.decimal_of("ncoeff", 255)? as u8;
            node.processing = Some(Processing { benign, coefficients });
        }
        Line::VolumeKnob => {
            let delta = scan.flag_of("delta")?;
            scan.take(", ")?;
            let steps = scan.decimal_of("steps", 127)? as u8;
            scan.take(", ")?;
            let direct = scan.flag_of("direct")?;
            scan.take(", ")?;
            let value = scan.decimal_of("val", 127)? as u8;
            node.volume_knob = Some(VolumeKnob { delta, steps, direct, value });
        }
        Line::Devices => node.device_entries = Some(narrow(scan.decimal()?, "a device count")?),
        Line::Connections => return connections(node, scan, lines),
        Line::InDriverConnections => {
            let count = connection_count(&mut scan)?;
            node.in_driver_connections = Some(list(count, lines)?.0);
        }
    }
    scan.end()
}

/// Accepts only lines that later versions might add: `Words: ...`, or entries of a device list.
fn unknown(text: &str) -> Result<(), Reason> {
    let key = text.split(':').next().unwrap_or("");
    let first = key.strip_prefix('*').unwrap_or(key).chars().next();
    let is_key = key.len() < text.len()
        && first.is_some_and(|c| c.is_ascii_uppercase())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || " -_/*.".contains(c));
    let continues = text.starts_with("Misc =") || text.starts_with("Vref caps");
    if is_key || continues { Ok(()) } else { Err(format!("{text:?} isn't a line of a node")) }
}

/// `name="Capture Volume", index=0, device=0`
fn control(node: &mut Node, mut scan: Scan<'_>) -> Result<(), Reason> {
    scan.take("name=\"")?;
    let name = scan.until("\", index=")?.into();
    let index = scan.decimal()?;
    scan.take(", ")?;
    let device = scan.decimal_of("device", u32::MAX)?;
    node.controls.push(Control { name, index, device, amp: None });
    scan.end()
}

/// `chs=3, dir=In, idx=0, ofs=0`
fn control_amp(node: &mut Node, mut scan: Scan<'_>) -> Result<(), Reason> {
    let channels = scan.decimal_of("chs", 255)? as u8;
    scan.take(", dir=")?;
    let output = scan.try_take("Out");
    if !output {
        scan.take("In")?;
    }
    scan.take(", ")?;
    let index = scan.decimal_of("idx", 255)? as u8;
    scan.take(", ")?;
    let offset = scan.decimal_of("ofs", u32::MAX)?;
    let control = node.controls.last_mut().ok_or("there is no control before this line")?;
    control.amp = Some(ControlAmp { channels, output, index, offset });
    scan.end()
}

/// `name="ALC262 Analog", type="Audio", device=0`
fn device(node: &mut Node, mut scan: Scan<'_>) -> Result<(), Reason> {
    scan.take("name=\"")?;
    let name = scan.until("\", type=\"")?.into();
    let kind = scan.until("\", ")?.into();
    let device = scan.decimal_of("device", u32::MAX)?;
    node.devices.push(Device { name, kind, device });
    scan.end()
}

/// `[0x10 0x10] [0x80 0x80]`; `[0x10]` for mono widgets. The oldest versions print `0x10 0x10`, or
/// nothing.
fn amp_values(mut scan: Scan<'_>, stereo: bool) -> Result<Vec<AmpValue>, Reason> {
    let value = |scan: &mut Scan<'_>| -> Result<AmpValue, Reason> {
        let left = narrow(scan.hex()?, "an amplifier's setting")?;
        let right = if stereo {
            scan.take(" ")?;
            Some(narrow(scan.hex()?, "an amplifier's setting")?)
        } else {
            None
        };
        Ok(AmpValue { left, right })
    };
    let mut values = Vec::new();
    scan.skip_spaces();
    if scan.rest().starts_with("0x") {
        values.push(value(&mut scan)?);
        scan.end()?;
        return Ok(values);
    }
    while !scan.rest().is_empty() {
        scan.take("[")?;
        values.push(value(&mut scan)?);
        scan.take("]")?;
        scan.skip_spaces();
    }
    Ok(values)
}

/// `Connection: 2`, with the list on the next line.
fn connections(node: &mut Node, mut scan: Scan<'_>, lines: &mut Lines<'_>) -> Result<(), Reason> {
    if scan.try_take("-") {
        scan.decimal()?;
        node.connections_unreadable = true;
        return scan.end();
    }
    let count = connection_count(&mut scan)?;
    scan.end()?;
    (node.connections, node.selected) = list(count, lines)?;
    // A mixer has one amplifier for each connection. Other widgets have that, or a single one.
    let values = node.amp_in_values.len();
    if values > 1 && values != count {
        return Err(format!("{values} input amplifiers for {count} connections"));
    }
    Ok(())
}

fn connection_count(scan: &mut Scan<'_>) -> Result<usize, Reason> {
    let count = scan.decimal()?;
    if count <= 127 { Ok(count as usize) } else { Err(format!("{count} connections are more than 127")) }
}

/// `0x0c* 0x0d`: `count` nodes, of which one may be marked.
fn list(count: usize, lines: &mut Lines<'_>) -> Result<(Vec<u8>, Option<usize>), Reason> {
    let (mut nodes, mut selected) = (Vec::new(), None);
    if count == 0 {
        return Ok((nodes, selected));
    }
    let text = lines.next_detail()?;
    for word in text.rest().split_whitespace() {
        let mut scan = Scan::new(word);
        let node = scan.hex()?;
        if scan.try_take("*") && selected.replace(nodes.len()).is_some() {
            return Err("two connections are marked as selected".into());
        }
        scan.end()?;
        nodes.push(narrow(node, "a node number")?);
    }
    if nodes.len() == count {
        Ok((nodes, selected))
    } else {
        Err(format!("{count} connections are announced, but {} listed", nodes.len()))
    }
}
