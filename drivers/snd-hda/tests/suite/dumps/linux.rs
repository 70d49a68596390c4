//! What Linux made of the same codecs: its names, and the converters that it bound to PCM devices.

use std::collections::BTreeMap;

use super::*;
use snd_hda::Direction;
use snd_hda_model::codec::WidgetKind;
use snd_hda_model::dump::Node;

/// The names that Linux gave to what is at a pin: of its jack, or else of controls on it. A jack that takes a headset's plug
/// can have two.
fn linux_names(pin: &Node) -> Vec<&str> {
    let endings = [
        " Phantom Jack",
        " Jack",
        " Boost Volume",
        " Boost Capture Volume",
        " Boost",
        " Playback Switch",
        " Playback Volume",
    ];
    // A control may be named after the stream or the channels, and not after what is at the pin.
    let generic =
        ["PCM", "Master", "Master Front", "Front", "Surround", "Center", "LFE", "Side", "Dock", "Beep"];
    let names = pin
        .controls
        .iter()
        .filter_map(|control| endings.iter().find_map(|ending| control.strip_suffix(ending)));
    let mut names: Vec<&str> = names.filter(|name| !generic.contains(name)).collect();
    names.dedup();
    names
}

/// The words of a name, in one spelling. Numbers only tell equal names apart.
fn words(name: &str) -> Vec<String> {
    let name = name.split(",pcm=").next().unwrap_or(name);
    let name = name.replace("Line-Out", "Line Out").replace("Mic ", "Microphone ").replace("IEC958", "SPDIF");
    let name = if name.ends_with("Mic") { name.replace("Mic", "Microphone") } else { name };
    name.split(' ').filter(|word| word.parse::<u8>().is_err()).map(str::to_owned).collect()
}

/// Whether two names mean the same: they have the same words, but for the place of a jack where one leaves it out, and the
/// direction of a plug that has one only.
fn agree(ours: &str, linux: &str) -> bool {
    let optional = |word: &String| matches!(word.as_str(), "Rear" | "Front" | "Internal" | "In" | "Out");
    let (ours, linux) = (words(ours), words(linux));
    let missing = |from: &[String], of: &[String]| -> Vec<String> {
        of.iter().filter(|word| !from.contains(word)).cloned().collect()
    };
    let (added, left_out) = (missing(&linux, &ours), missing(&ours, &linux));
    // What Linux says of the place is said here too; and a plug's place isn't another one.
    added.iter().all(optional) && left_out.is_empty()
        // An S/PDIF output of a display's codec is a display.
        || ours == ["HDMI/DP"] && linux == ["SPDIF"]
}

#[test]
fn names_are_those_that_linux_gives() {
    let (mut agreed, mut others) = (0, Vec::new());
    for specimen in collection() {
        let (_, controller) = specimen.bring_up();
        for (_, route) in routes_of(&controller) {
            let pin = specimen.dump.node(route.pin().get()).expect("a node");
            let linux = linux_names(pin);
            if linux.is_empty() {
                continue;
            }
            let ours = route.name().to_string();
            if linux.iter().any(|linux| agree(&ours, linux)) {
                agreed += 1;
            } else {
                others.push(format!("{} pin {:#x}: {ours}; Linux: {linux:?}", specimen.file, pin.id));
            }
        }
    }
    let all = agreed + others.len();
    println!("{agreed} of {all} names agree; the others:\n{}", others.join("\n"));
    assert!(all > 1_000, "{all} names");
    assert!(agreed * 100 >= all * 95, "{agreed} of {all}");
}

#[test]
fn converters_are_those_that_linux_bound_or_the_reason_is_known() {
    let mut agreed = 0;
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for specimen in collection() {
        let (_, controller) = specimen.bring_up();
        let routes: Vec<&Route> = routes_of(&controller).map(|(_, route)| route).collect();
        for node in specimen.dump.nodes.iter().filter(|node| !node.devices.is_empty()) {
            if routes.iter().any(|route| route.converter().get() == node.id) {
                agreed += 1;
                continue;
            }
            let reason = difference(specimen, node, &routes);
            reasons.entry(reason).or_default().push(format!("{} node {:#x}", specimen.file, node.id));
        }
    }
    let others: usize = reasons.values().map(Vec::len).sum();
    println!("{agreed} of {} converters agree", agreed + others);
    for (reason, files) in &reasons {
        println!("{reason}:\n  {}", files.join("\n  "));
    }
    assert!(agreed > 650, "{agreed}");
    assert_eq!(reasons.get("unexplained"), None);
}

/// Why no route leads to a converter that Linux had bound.
fn difference(specimen: &Specimen, node: &Node, routes: &[&Route]) -> &'static str {
    let dump = &specimen.dump;
    let direction = match node.kind {
        WidgetKind::Output => Direction::Output,
        WidgetKind::Input => Direction::Input,
        _ => return "Linux bound a node that is no converter",
    };
    let ends = ends(dump, node.id, direction);
    let codes = if direction == Direction::Output { &OUTPUTS[..] } else { &INPUTS[..] };
    let is_connected = |pin: &&Node| {
        let default = pin.pin_default.unwrap_or(0);
        default >> 30 != 1 && codes.contains(&(default >> 20 & 0xf))
    };
    let pins: Vec<&Node> = ends.iter().filter_map(|id| dump.node(*id)).collect();
    let connected: Vec<&&Node> = pins.iter().filter(|pin| is_connected(pin)).collect();
    if connected.is_empty() {
        return "nothing that it could serve is connected, by the pins' defaults";
    }
    // Linux has replaced defaults of boards that it knows.
    let was_changed = pins.iter().any(|pin| !is_connected(pin) && !linux_names(pin).is_empty());
    if was_changed {
        return "Linux has other defaults for this board: a pin without a connection has a control";
    }
    let served = |pin: &&&Node| {
        routes.iter().any(|route| route.pin().get() == pin.id && route.direction() == direction)
    };
    if connected.iter().all(served) {
        return "each pin that it serves has a route by another converter";
    }
    "unexplained"
}

/// Pins that sound gets to from a converter, or from, through mixers and selectors.
fn ends(dump: &Dump, converter: u8, direction: Direction) -> Vec<u8> {
    let neighbours = |of: u8| -> Vec<u8> {
        match direction {
            Direction::Input => dump.node(of).map(|node| node.connections.clone()).unwrap_or_default(),
            Direction::Output => {
                dump.nodes.iter().filter(|node| node.connections.contains(&of)).map(|node| node.id).collect()
            }
        }
    };
    let (mut seen, mut pins) = (vec![converter], Vec::new());
    let mut next = 0;
    while let Some(of) = seen.get(next).copied() {
        next += 1;
        for id in neighbours(of) {
            let Some(node) = dump.node(id) else { continue };
            match node.kind {
                WidgetKind::Pin if !pins.contains(&id) => pins.push(id),
                WidgetKind::Mixer | WidgetKind::Selector if !seen.contains(&id) => seen.push(id),
                _ => {}
            }
        }
    }
    pins
}
