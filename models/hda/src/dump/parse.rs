//! Parses text into a [`Dump`], line by line.

mod detail;
mod header;
mod lines;
mod values;

use std::collections::BTreeSet;

use super::contents::Dump;
use super::error::DumpError;
use super::node::Node;
use super::requirements::{Line, missing};
use super::scan::{Reason, Scan, narrow};
use crate::codec::WidgetKind;
use header::Header;
use lines::Lines;

/// The state of a parse.
struct Parser<'a> {
    lines: Lines<'a>,
    dump: Dump,
    header: Header,
    nodes: Vec<(Node, BTreeSet<Line>, usize)>,
}

impl Dump {
    /// Parses a dump.
    ///
    /// # Errors
    ///
    /// The text isn't a dump, is cut short in a node, or contradicts itself. The error has line
    /// and reason.
    pub fn parse(text: &str) -> Result<Self, DumpError> {
        let lines = Lines::of(text);
        let mut parser =
            Parser { lines, dump: Dump::default(), header: Header::default(), nodes: Vec::new() };
        let fail = |line, reason| Err(DumpError { line, reason });
        while let Some(line) = parser.lines.next() {
            if let Err(reason) = parser.line(line) {
                return fail(parser.lines.number(), reason);
            }
        }
        let end = parser.lines.number().max(1);
        if let Err(reason) = parser.header.is_whole(parser.nodes.is_empty()) {
            return fail(end, reason);
        }
        if let Some((line, reason)) = missing(&parser.nodes, parser.header.is_modern()) {
            return fail(line, reason);
        }
        parser.dump.nodes = parser.nodes.into_iter().map(|(node, ..)| node).collect();
        match parser.header.groups(&parser.dump) {
            Ok(groups) => parser.dump.groups = groups,
            Err(reason) => return fail(end, reason),
        }
        Ok(parser.dump)
    }
}

impl Parser<'_> {
    fn line(&mut self, line: &str) -> Result<(), Reason> {
        let text = line.trim();
        if text.is_empty() || text.starts_with("//") {
            return Ok(());
        }
        let mut scan = Scan::new(text);
        let is_detail = line.starts_with(' ');
        match self.nodes.last_mut() {
            Some((node, lines, last_line)) if is_detail => {
                detail::detail(node, lines, scan, &mut self.lines)?;
                *last_line = self.lines.number();
                Ok(())
            }
            None if is_detail => self.header.detail(&mut self.dump, scan),
            _ if scan.try_take("Node ") => self.node(scan),
            None => self.header.line(&mut self.dump, scan, &mut self.lines),
            Some(_) => Err(format!("{text:?} isn't a line of the nodes")),
        }
    }

    /// `Node 0x14 [Pin Complex] wcaps 0x40018f: Stereo Amp-In Amp-Out`
    fn node(&mut self, mut scan: Scan<'_>) -> Result<(), Reason> {
        let id: u8 = narrow(scan.hex()?, "a node number")?;
        scan.take(" [")?;
        let label = scan.until("] wcaps ")?;
        let wcaps = scan.hex()?;
        scan.take(":")?;
        let (kind, name) = KINDS
            .into_iter()
            .find(|(kind, _)| *kind as u32 == wcaps >> 20 & 15)
            .ok_or_else(|| format!("{wcaps:#x} has a reserved widget type"))?;
        if label != name {
            return Err(format!("{wcaps:#x} is {name:?}, and the line says {label:?}"));
        }
        if !(1..=127).contains(&id) {
            return Err(format!("{id:#04x} isn't a widget's node number"));
        }
        let last = self.nodes.last().map_or(0, |(node, ..)| node.id);
        if id <= last {
            return Err(format!("node {id:#04x} comes after node {last:#04x}"));
        }
        words_agree(wcaps, scan.rest())?;
        let node = Node { id, wcaps, kind, ..Node::default() };
        self.nodes.push((node, BTreeSet::new(), self.lines.number()));
        Ok(())
    }
}

/// Linux's names for the widget types.
const KINDS: [(WidgetKind, &str); 9] = [
    (WidgetKind::Output, "Audio Output"),
    (WidgetKind::Input, "Audio Input"),
    (WidgetKind::Mixer, "Audio Mixer"),
    (WidgetKind::Selector, "Audio Selector"),
    (WidgetKind::Pin, "Pin Complex"),
    (WidgetKind::Power, "Power Widget"),
    (WidgetKind::VolumeKnob, "Volume Knob Widget"),
    (WidgetKind::Beep, "Beep Generator Widget"),
    (WidgetKind::Vendor, "Vendor Defined Widget"),
];

/// Checks the words after the capabilities against them. Older versions of Linux print fewer
/// words.
fn words_agree(wcaps: u32, words: &str) -> Result<(), Reason> {
    let has = |bit: u32| wcaps >> bit & 1 != 0;
    let channels = (wcaps >> 13 & 7) << 1 | wcaps & 1;
    for word in words.split_whitespace() {
        let agrees = match word {
            "Mono" => channels == 0,
            "Stereo" => has(0),
            "Amp-In" => has(1),
            "Amp-Out" => has(2),
            "Stripe" => has(5),
            "Digital" => has(9),
            "R/L" => has(11),
            "CP" => has(12),
            word => match word.strip_suffix("-Channels") {
                Some(count) => count.parse() == Ok(channels + 1),
                None => return Err(format!("{word:?} isn't a capability of widgets")),
            },
        };
        if !agrees {
            return Err(format!("{wcaps:#x} isn't {word:?}"));
        }
    }
    Ok(())
}
