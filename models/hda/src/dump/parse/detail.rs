//! The lines of a node.

use std::collections::BTreeSet;

use super::super::node::{Node, Processing, VolumeKnob};
use super::super::requirements::Line;
use super::super::scan::{Reason, Scan, narrow};
use super::lines::Lines;
use super::values::{amp_caps, pcm, power, power_states};
use crate::codec::WidgetKind;

/// Keys of lines that may occur once, and the capability that a line requires of its node. A key
/// precedes its own prefixes.
const KEYS: [(&str, Line, u32); 24] = [
    ("Amp-In caps:", Line::AmpInCaps, 1 << 1),
    ("Amp-In vals:", Line::AmpInValues, 1 << 1),
    ("Amp-Out caps:", Line::AmpOutCaps, 1 << 2),
    ("Amp-Out vals:", Line::AmpOutValues, 1 << 2),
    ("Converter:", Line::Converter, 0),
    ("SDI-Select:", Line::SdiSelect, 0),
    ("Delay:", Line::Delay, 0),
    ("Digital category:", Line::DigitalCategory, 0),
    ("Digital:", Line::Digital, 0),
    ("PCM:", Line::Pcm, 0),
    ("Pincap ", Line::PinCapabilities, 0),
    ("Pin Default ", Line::PinDefault, 0),
    ("Conn =", Line::PinDefaultConnection, 0),
    ("DefAssociation =", Line::PinDefaultAssociation, 0),
    ("Pin-ctls:", Line::PinControl, 0),
    ("EAPD ", Line::Eapd, 0),
    ("Unsolicited:", Line::Unsolicited, 1 << 7),
    ("Power states:", Line::PowerStates, 1 << 10),
    ("Power:", Line::Power, 1 << 10),
    ("Processing caps:", Line::Processing, 1 << 6),
    ("Volume-Knob:", Line::VolumeKnob, 0),
    ("Devices:", Line::Devices, 0),
    ("Connection:", Line::Connections, 0),
    ("In-driver Connection:", Line::InDriverConnections, 0),
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
    let Some((key, line, capability)) = KEYS.into_iter().find(|(key, ..)| scan.try_take(key)) else {
        return unknown(scan.rest());
    };
    if !seen.insert(line) {
        return Err(format!("node {:#04x} has {key:?} twice", node.id));
    }
    if node.wcaps & capability != capability {
        return Err(format!("node {:#04x} has {key:?} without the capability", node.id));
    }
    scan.skip_spaces();
    known(node, line, scan, lines)
}

fn known(node: &mut Node, line: Line, mut scan: Scan<'_>, lines: &mut Lines<'_>) -> Result<(), Reason> {
    match line {
        Line::AmpInCaps => node.amp_in = amp_caps(&mut scan)?,
        Line::AmpOutCaps => node.amp_out = amp_caps(&mut scan)?,
        Line::AmpInValues => node.amp_in_settings = amp_settings(&mut scan, node.wcaps & 1 != 0)?,
        Line::AmpOutValues => {
            amp_settings(&mut scan, node.wcaps & 1 != 0)?;
        }
        Line::Converter => {
            scan.decimal_of("stream", 15)?;
            scan.take(", ")?;
            scan.decimal_of("channel", 15)?;
        }
        Line::SdiSelect => {
            scan.decimal()?;
        }
        Line::Delay => {
            let samples = scan.decimal()?;
            if samples != node.wcaps >> 16 & 15 {
                return Err(format!("a delay of {samples} isn't what {:#x} says", node.wcaps));
            }
            scan.take(" samples")?;
        }
        Line::DigitalCategory => {
            scan.hex()?;
        }
        Line::Pcm => node.pcm = pcm(&mut scan, lines)?,
        Line::PinCapabilities | Line::PinDefault if node.kind != WidgetKind::Pin => {
            return Err(format!("node {:#04x} isn't a pin", node.id));
        }
        Line::PinCapabilities => node.pincap = Some(scan.spelt_out_hex()?),
        Line::PinDefault => node.pin_default = Some(scan.spelt_out_hex()?),
        Line::PinControl => {
            narrow::<u8>(scan.spelt_out_hex()?, "pin control")?;
        }
        Line::Eapd => {
            narrow::<u8>(scan.spelt_out_hex()?, "EAPD")?;
        }
        Line::PinDefaultAssociation => {
            scan.hex()?;
            scan.take(", Sequence = ")?;
            scan.hex()?;
        }
        Line::PinDefaultConnection => {
            scan.until(", Color = ")?;
            scan.take_rest();
        }
        // The line only spells out bits.
        Line::Digital => {
            scan.take_rest();
        }
        Line::Unsolicited => {
            scan.take("tag=")?;
            narrow::<u8>(scan.bare_hex()?, "a tag")?;
            scan.take(", ")?;
            scan.flag_of("enabled")?;
        }
        Line::PowerStates => node.power_states = Some(power_states(&mut scan)?),
        Line::Power => power(&mut scan)?,
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
            scan.flag_of("direct")?;
            scan.take(", ")?;
            scan.decimal_of("val", 127)?;
            node.volume_knob = Some(VolumeKnob { delta, steps });
        }
        Line::Devices => node.device_entries = Some(narrow(scan.decimal()?, "a device count")?),
        Line::Connections => connections(node, &mut scan, lines)?,
        Line::InDriverConnections => {
            let count = connection_count(&mut scan)?;
            list(count, lines)?;
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
    node.controls.push(scan.until("\", index=")?.into());
    scan.decimal()?;
    scan.take(", ")?;
    scan.decimal_of("device", u32::MAX)?;
    scan.end()
}

/// `chs=3, dir=In, idx=0, ofs=0`
fn control_amp(node: &Node, mut scan: Scan<'_>) -> Result<(), Reason> {
    scan.decimal_of("chs", 255)?;
    scan.take(", dir=")?;
    if !scan.try_take("Out") {
        scan.take("In")?;
    }
    scan.take(", ")?;
    scan.decimal_of("idx", 255)?;
    scan.take(", ")?;
    scan.decimal_of("ofs", u32::MAX)?;
    if node.controls.is_empty() {
        return Err("there is no control before this line".into());
    }
    scan.end()
}

/// `name="ALC262 Analog", type="Audio", device=0`
fn device(node: &mut Node, mut scan: Scan<'_>) -> Result<(), Reason> {
    scan.take("name=\"")?;
    node.devices.push(scan.until("\", type=\"")?.into());
    scan.until("\", ")?;
    scan.decimal_of("device", u32::MAX)?;
    scan.end()
}

/// The number of settings: `[0x10 0x10] [0x80 0x80]`; `[0x10]` for mono widgets. The oldest versions
/// print `0x10 0x10`, or nothing.
fn amp_settings(scan: &mut Scan<'_>, stereo: bool) -> Result<usize, Reason> {
    let setting = |scan: &mut Scan<'_>| -> Result<(), Reason> {
        narrow::<u8>(scan.hex()?, "an amplifier's setting")?;
        if stereo {
            scan.take(" ")?;
            narrow::<u8>(scan.hex()?, "an amplifier's setting")?;
        }
        Ok(())
    };
    scan.skip_spaces();
    if scan.rest().starts_with("0x") {
        setting(scan)?;
        return Ok(1);
    }
    let mut settings = 0;
    while !scan.rest().is_empty() {
        scan.take("[")?;
        setting(scan)?;
        settings += 1;
        scan.take("]")?;
        scan.skip_spaces();
    }
    Ok(settings)
}

/// `Connection: 2`, with the list on the next line. A negative number is an error of Linux's.
fn connections(node: &mut Node, scan: &mut Scan<'_>, lines: &mut Lines<'_>) -> Result<(), Reason> {
    if scan.try_take("-") {
        scan.decimal()?;
        return Ok(());
    }
    let count = connection_count(scan)?;
    scan.end()?;
    node.connections = list(count, lines)?;
    // A mixer has one amplifier for each connection. Other widgets have that, or a single one.
    let settings = node.amp_in_settings;
    if settings > 1 && settings != count {
        return Err(format!("{settings} input amplifiers for {count} connections"));
    }
    Ok(())
}

fn connection_count(scan: &mut Scan<'_>) -> Result<usize, Reason> {
    let count = scan.decimal()?;
    if count <= 127 { Ok(count as usize) } else { Err(format!("{count} connections are more than 127")) }
}

/// `0x0c* 0x0d`: `count` nodes, of which one may be marked.
fn list(count: usize, lines: &mut Lines<'_>) -> Result<Vec<u8>, Reason> {
    let (mut nodes, mut is_marked) = (Vec::new(), false);
    if count == 0 {
        return Ok(nodes);
    }
    let text = lines.next_detail()?;
    for word in text.rest().split_whitespace() {
        let mut scan = Scan::new(word);
        let node = scan.hex()?;
        if scan.try_take("*") && std::mem::replace(&mut is_marked, true) {
            return Err("two connections are marked as selected".into());
        }
        scan.end()?;
        nodes.push(narrow(node, "a node number")?);
    }
    if nodes.len() == count {
        Ok(nodes)
    } else {
        Err(format!("{count} connections are announced, but {} listed", nodes.len()))
    }
}
