//! From text to [`Dump`], line by line.

mod detail;
mod header;

use std::collections::BTreeSet;

use super::Dump;
use super::error::DumpError;
use super::node::{Node, Pcm};
use super::requirements::{Line, missing};
use super::scan::{Reason, Scan, narrow};
use crate::codec::WidgetKind;
use header::Header;

/// Function group's node where Linux doesn't say.
const USUAL_AUDIO_GROUP: u8 = 1;

/// The lines of a text with a place in it.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    /// The number, from 1, of the line that was taken last.
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let line = self.peek()?;
        self.number += 1;
        Some(line)
    }

    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.number).copied()
    }

    /// The next line, if it is indented.
    fn next_detail(&mut self) -> Result<Scan<'a>, Reason> {
        let detail = self.peek().filter(|line| line.starts_with(' '));
        let detail = detail.ok_or("the text is cut short after this line")?;
        self.number += 1;
        Ok(Scan::new(detail.trim()))
    }
}

/// A text that is being read.
struct Parser<'a> {
    lines: Lines<'a>,
    dump: Dump,
    header: Header,
    nodes: Vec<(Node, BTreeSet<Line>, usize)>,
}

pub(super) fn parse(text: &str) -> Result<Dump, DumpError> {
    let lines = Lines { lines: text.lines().collect(), number: 0 };
    let mut parser = Parser { lines, dump: Dump::default(), header: Header::default(), nodes: Vec::new() };
    let fail = |line, reason| Err(DumpError { line, reason });
    while let Some(line) = parser.lines.next() {
        if let Err(reason) = parser.line(line) {
            return fail(parser.lines.number, reason);
        }
    }
    let end = parser.lines.number.max(1);
    if let Err(reason) = parser.header.is_whole(&parser.dump, parser.nodes.is_empty()) {
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
                *last_line = self.lines.number;
                Ok(())
            }
            None if is_detail => self.header.detail(&mut self.dump, scan),
            _ if scan.try_take("Node ") => self.node(scan),
            None => self.header.line(&mut self.dump, scan, &mut self.lines),
            Some(_) => Err(format!("{text:?} can't stand among the nodes")),
        }
    }

    /// `Node 0x14 [Pin Complex] wcaps 0x40018f: Stereo Amp-In Amp-Out`
    fn node(&mut self, mut scan: Scan<'_>) -> Result<(), Reason> {
        let id: u8 = narrow(scan.hex()?, "a node number")?;
        scan.take(" [")?;
        let label = scan.until("] wcaps ")?;
        let wcaps = scan.hex()?;
        scan.take(":")?;
        let kind = WidgetKind::from_code(wcaps >> 20 & 15)
            .ok_or_else(|| format!("{wcaps:#x} has a reserved widget type"))?;
        let name = kind_name(kind);
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
        self.nodes.push((Node::new(id, wcaps, kind), BTreeSet::new(), self.lines.number));
        Ok(())
    }
}

/// What Linux calls widgets.
fn kind_name(kind: WidgetKind) -> &'static str {
    match kind {
        WidgetKind::Output => "Audio Output",
        WidgetKind::Input => "Audio Input",
        WidgetKind::Mixer => "Audio Mixer",
        WidgetKind::Selector => "Audio Selector",
        WidgetKind::Pin => "Pin Complex",
        WidgetKind::Power => "Power Widget",
        WidgetKind::VolumeKnob => "Volume Knob Widget",
        WidgetKind::Beep => "Beep Generator Widget",
        WidgetKind::Vendor => "Vendor Defined Widget",
    }
}

/// The words after the capabilities must be borne out by them. Older versions of Linux don't have them all.
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

/// The three lines after `PCM:`, or what older versions have in one: `rates 0x07f, bits 0x0e, types 0x1`. `None`: N/A.
fn pcm(mut scan: Scan<'_>, lines: &mut Lines<'_>) -> Result<Option<Pcm>, Reason> {
    scan.skip_spaces();
    if scan.try_take("N/A") {
        scan.end()?;
        return Ok(None);
    }
    if scan.try_take("rates ") {
        let rates = scan.hex()?;
        scan.take(", bits ")?;
        let bits = scan.hex()?;
        scan.take(", types ")?;
        let formats = scan.hex()?;
        scan.end()?;
        let pcm = Pcm { rates: narrow(rates, "rates")?, bits: narrow(bits, "bits")?, formats };
        return Ok(Some(pcm));
    }
    scan.end()?;
    if lines.peek().is_some_and(|line| line.trim() == "N/A") {
        lines.next();
        return Ok(None);
    }
    let mut line = |name: &str| -> Result<u32, Reason> {
        let mut scan = lines.next_detail()?;
        scan.take(name)?;
        scan.take(" [")?;
        let value = scan.hex()?;
        scan.take("]:")?;
        Ok(value)
    };
    let rates = narrow(line("rates")?, "rates")?;
    let bits = narrow(line("bits")?, "bits")?;
    Ok(Some(Pcm { rates, bits, formats: line("formats")? }))
}

/// `D0 D1 D2 D3 D3cold CLKSTOP EPSS`: parameter 0x0f (7.3.4.12).
fn power_states(words: &str) -> Result<u32, Reason> {
    let names = [
        ("D0", 0),
        ("D1", 1),
        ("D2", 2),
        ("D3", 3),
        ("D3cold", 4),
        ("S3D3cold", 29),
        ("CLKSTOP", 30),
        ("EPSS", 31),
    ];
    words.split_whitespace().try_fold(0, |states, word| {
        let bit = names.iter().find(|(name, _)| *name == word);
        bit.map(|(_, bit)| states | 1 << bit).ok_or_else(|| format!("{word:?} isn't a power state"))
    })
}

/// `setting=D0, actual=D0, Clock-stop-OK`, or `0x0` from older versions.
fn power(mut scan: Scan<'_>) -> Result<super::Power, Reason> {
    if scan.rest().starts_with("0x") {
        let word = scan.hex()?;
        scan.end()?;
        return Ok(super::Power { setting: (word & 15) as u8, actual: (word >> 4 & 15) as u8 });
    }
    let state = |scan: &mut Scan<'_>| -> Result<u8, Reason> {
        let rest = scan.rest();
        let word = &rest[..rest.find(',').unwrap_or(rest.len())];
        let states = ["D0", "D1", "D2", "D3", "D3cold"];
        let state = (0..).zip(states).find(|(_, name)| *name == word.trim());
        scan.take(word)?;
        state.map(|(state, _)| state).ok_or_else(|| format!("{word:?} isn't a power state"))
    };
    scan.take("setting=")?;
    let setting = state(&mut scan)?;
    scan.take(", actual=")?;
    let actual = state(&mut scan)?;
    let rest = scan.rest();
    if rest.is_empty() || rest.starts_with(", ") {
        Ok(super::Power { setting, actual })
    } else {
        Err(format!("{rest:?} is too much"))
    }
}

/// `ofs=0x00, nsteps=0x03, stepsize=0x27, mute=0`; `None`: N/A.
fn amp_caps(mut scan: Scan<'_>) -> Result<Option<super::AmpCaps>, Reason> {
    if scan.try_take("N/A") {
        scan.end()?;
        return Ok(None);
    }
    let part = |scan: &mut Scan<'_>, key| -> Result<u8, Reason> {
        let value = scan.hex_of(key)?;
        scan.take(", ")?;
        if value <= 0x7f { Ok(value as u8) } else { Err(format!("{key} is {value:#x}, over 0x7f")) }
    };
    let offset = part(&mut scan, "ofs")?;
    let steps = part(&mut scan, "nsteps")?;
    let step_size = part(&mut scan, "stepsize")?;
    let mute = scan.flag_of("mute")?;
    scan.end()?;
    Ok(Some(super::AmpCaps { offset, steps, step_size, mute }))
}
