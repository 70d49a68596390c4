//! The lines before the first node.

use std::collections::BTreeSet;

use super::super::contents::{Dump, FunctionGroup, Gpio, GroupKind};
use super::super::scan::{Reason, Scan, narrow};
use super::lines::Lines;
use super::values::{amp_caps, pcm, power, power_states};

/// The audio function group's node, for dumps that don't print it.
const USUAL_AUDIO_GROUP: u8 = 1;

/// Header data that the parser needs beyond the dump itself.
#[derive(Default)]
pub(super) struct Header {
    seen: BTreeSet<&'static str>,
    audio_node: Option<u8>,
    modem_node: Option<u8>,
    audio_unsolicited: bool,
    modem_unsolicited: bool,
    /// The function group's power state was printed.
    has_power: bool,
    /// The section of the next indented lines.
    section: Section,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Section {
    #[default]
    None,
    GroupState,
    Gpio,
}

/// The keys of header lines. A key precedes its own prefixes.
const KEYS: [&str; 18] = [
    "Codec:",
    "Address:",
    "AFG Function Id:",
    "MFG Function Id:",
    "Function Id:",
    "Vendor Id:",
    "Subsystem Id:",
    "Revision Id:",
    "No Modem Function Group found",
    "Modem Function Group:",
    "Default PCM:",
    "Default Amp-In caps:",
    "Default Amp-Out caps:",
    "State of AFG node",
    "GPIO:",
    "Power-Map:",
    "Analog Loopback:",
    "Invalid AFG subtree",
];

impl Header {
    /// Reads a line without indentation.
    pub(super) fn line(
        &mut self,
        dump: &mut Dump,
        mut scan: Scan<'_>,
        lines: &mut Lines<'_>,
    ) -> Result<(), Reason> {
        let known = KEYS.into_iter().find(|key| scan.try_take(key));
        let key = known.ok_or_else(|| format!("{:?} isn't a line of a codec's dump", scan.rest()))?;
        if self.seen.is_empty() && key != "Codec:" {
            return Err("a codec's dump begins with \"Codec:\"".into());
        }
        if !self.seen.insert(key) {
            return Err(format!("{key:?} occurs twice"));
        }
        self.section = Section::None;
        scan.skip_spaces();
        match key {
            "Codec:" => dump.name = scan.take_rest().into(),
            "Address:" => {
                let address = scan.decimal()?;
                if address > 14 {
                    return Err(format!("address {address} is over 14"));
                }
                dump.address = address as u8;
            }
            "AFG Function Id:" => self.audio_unsolicited = function(&mut scan, 1)?,
            "MFG Function Id:" => self.modem_unsolicited = function(&mut scan, 2)?,
            // Older versions print only the last function group's.
            "Function Id:" => {
                let function = scan.hex()?;
                if !(1..=2).contains(&(function & 0x7f)) {
                    return Err(format!("{function:#x} is neither audio nor modem"));
                }
            }
            "Vendor Id:" => dump.vendor_id = scan.hex()?,
            "Subsystem Id:" => dump.subsystem_id = scan.hex()?,
            "Revision Id:" => dump.revision_id = scan.hex()?,
            "Modem Function Group:" => self.modem_node = Some(narrow(scan.hex()?, "a node number")?),
            "Default PCM:" => dump.pcm = pcm(&mut scan, lines)?,
            "Default Amp-In caps:" => dump.amp_in = amp_caps(&mut scan)?,
            "Default Amp-Out caps:" => dump.amp_out = amp_caps(&mut scan)?,
            "State of AFG node" => {
                self.audio_node = Some(narrow(scan.hex()?, "a node number")?);
                scan.take(":")?;
                self.section = Section::GroupState;
            }
            "GPIO:" => {
                dump.gpio = gpio(&mut scan)?;
                self.section = Section::Gpio;
            }
            "Power-Map:" | "Analog Loopback:" => {
                scan.hex()?;
            }
            _ => {}
        }
        scan.end()
    }

    /// Reads an indented line.
    pub(super) fn detail(&mut self, dump: &mut Dump, mut scan: Scan<'_>) -> Result<(), Reason> {
        match self.section {
            Section::GroupState if scan.try_take("Power states:") => {
                dump.power_states = Some(power_states(&mut scan)?);
            }
            Section::GroupState if scan.try_take("Power: ") => {
                power(&mut scan)?;
                self.has_power = true;
            }
            Section::Gpio if scan.try_take("IO[") => return gpio_line(scan),
            _ => return Err(format!("{:?} belongs to no section", scan.rest())),
        }
        scan.end()
    }

    /// Newer versions of Linux print general-purpose pins, and more about nodes.
    pub(super) fn is_modern(&self) -> bool {
        self.seen.contains("GPIO:")
    }

    /// Checks at the end that the header is complete.
    pub(super) fn is_whole(&self, no_nodes: bool) -> Result<(), Reason> {
        let always = ["Codec:", "Address:", "Vendor Id:", "Subsystem Id:", "Revision Id:"];
        // The header of a codec with only a modem ends here.
        let only_modem = self.modem_node.is_some() && !self.seen.contains("Default PCM:");
        let of_audio = ["Default PCM:", "Default Amp-In caps:", "Default Amp-Out caps:"];
        let of_audio = if only_modem { &[] } else { &of_audio[..] };
        for key in always.iter().chain(of_audio) {
            if !self.seen.contains(key) {
                return Err(format!("the text ends without {key:?}"));
            }
        }
        if self.seen.contains("State of AFG node") && !self.has_power {
            return Err("the function group's power state is missing".into());
        }
        if no_nodes && !only_modem {
            return Err("the text ends before the first node".into());
        }
        Ok(())
    }

    /// The function groups, once all nodes are known.
    pub(super) fn groups(&self, dump: &Dump) -> Result<Vec<FunctionGroup>, Reason> {
        let audio = (!dump.nodes.is_empty()).then(|| FunctionGroup {
            node: self.audio_node.unwrap_or(USUAL_AUDIO_GROUP),
            kind: GroupKind::Audio,
            unsolicited: self.audio_unsolicited,
        });
        let modem = self.modem_node.map(|node| FunctionGroup {
            node,
            kind: GroupKind::Modem,
            unsolicited: self.modem_unsolicited,
        });
        let mut groups: Vec<FunctionGroup> = audio.into_iter().chain(modem).collect();
        groups.sort_by_key(|group| group.node);
        for (index, group) in groups.iter().enumerate() {
            let is_taken = dump.node(group.node).is_some()
                || groups[..index].iter().any(|other| other.node == group.node);
            if is_taken || !(1..=127).contains(&group.node) {
                return Err(format!("a function group can't be node {:#04x}", group.node));
            }
        }
        Ok(groups)
    }
}

/// `0x1 (unsol 1)`, of the expected type.
fn function(scan: &mut Scan<'_>, expected: u32) -> Result<bool, Reason> {
    let function = scan.hex()?;
    if function & 0x7f != expected {
        return Err(format!("function type {function:#x} isn't {expected:#x}"));
    }
    scan.take(" (unsol ")?;
    let unsolicited = scan.decimal()? != 0;
    scan.take(")")?;
    Ok(unsolicited)
}

/// `io=4, o=0, i=0, unsolicited=1, wake=0`
fn gpio(scan: &mut Scan<'_>) -> Result<Gpio, Reason> {
    let mut count = |key| -> Result<u8, Reason> {
        let count = scan.decimal_of(key, 255)?;
        scan.take(", ")?;
        Ok(count as u8)
    };
    let (both_ways, outputs, inputs) = (count("io")?, count("o")?, count("i")?);
    let unsolicited = scan.flag_of("unsolicited")?;
    scan.take(", ")?;
    let wake = scan.flag_of("wake")?;
    Ok(Gpio { both_ways, outputs, inputs, unsolicited, wake })
}

/// `0]: enable=0, dir=0, wake=0, sticky=0, data=0, unsol=0`. Older versions omit `unsol`.
fn gpio_line(mut scan: Scan<'_>) -> Result<(), Reason> {
    scan.decimal()?;
    scan.take("]: ")?;
    for key in ["enable", "dir", "wake", "sticky"] {
        scan.flag_of(key)?;
        scan.take(", ")?;
    }
    scan.flag_of("data")?;
    if scan.try_take(", ") {
        scan.flag_of("unsol")?;
    }
    Ok(())
}
