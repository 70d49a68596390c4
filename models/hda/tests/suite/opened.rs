//! Real codecs, opened by hand along the shortest way that their dumps show: what should be heard is, with each single thing
//! left undone it isn't, and nothing else ever is.

use std::collections::{BTreeMap, VecDeque};

use snd_hda_model::codec::WidgetKind;
use snd_hda_model::dump::Node;
use snd_hda_model::{Bench, Dump, Heard, Model, Profile};

use crate::bench::Hand;
use crate::dumps::all;

/// The stream: tag 5, channel 0.
const STREAM: u32 = 0x70650;

/// Nodes from `from` against the way of the sound to the nearest that `is_end`, with the connection taken out of each.
fn way(dump: &Dump, from: &Node, is_end: impl Fn(&Node) -> bool) -> Option<Vec<(u8, usize)>> {
    let mut before: BTreeMap<u8, (u8, usize)> = BTreeMap::new();
    let mut queue = VecDeque::from([from.id]);
    while let Some(id) = queue.pop_front() {
        let node = dump.node(id)?;
        if id != from.id && is_end(node) {
            let mut way = vec![(id, 0)];
            let mut at = id;
            while let Some(&(next, index)) = before.get(&at) {
                way.push((next, index));
                at = next;
            }
            way.reverse();
            return Some(way);
        }
        let passes = id == from.id || matches!(node.kind, WidgetKind::Mixer | WidgetKind::Selector);
        for (index, &source) in node.connections.iter().enumerate().filter(|(index, _)| passes && *index < 16)
        {
            if dump.node(source).is_some() && source != from.id && !before.contains_key(&source) {
                before.insert(source, (id, index));
                queue.push_back(source);
            }
        }
    }
    None
}

/// What is to be done, and the gain that comes of it.
#[derive(Default)]
struct Opening {
    verbs: Vec<(u8, u32)>,
    /// 0, but for amplifiers whose 0 dB is past their last step.
    gain_quarter_db: i32,
}

/// Sets an amplifier to the step nearest to 0 dB, if there is anything to set.
fn open(dump: &Dump, node: &Node, output: bool, index: usize, opening: &mut Opening) {
    let has = node.wcaps >> if output { 2 } else { 1 } & 1 != 0;
    let own = node.wcaps >> 3 & 1 != 0;
    let caps = match (output, own) {
        (false, true) => node.amp_in,
        (false, false) => dump.amp_in,
        (true, true) => node.amp_out,
        (true, false) => dump.amp_out,
    };
    let Some(caps) = caps.filter(|_| has) else { return };
    let step = caps.offset.min(caps.steps);
    opening.gain_quarter_db -= i32::from(caps.offset - step) * (i32::from(caps.step_size) + 1);
    if !caps.mute && caps.steps == 0 {
        return;
    }
    let side = if output { 0xb000 } else { 0x7000 | (index as u32) << 8 };
    opening.verbs.push((node.id, 0x30000 | side | u32::from(step)));
}

/// Everything that must be set for sound to take a way, given from its end against the way of the sound. The converter is at
/// one end, the pin at the other.
fn opening(dump: &Dump, way: &[(u8, usize)], pin_control: u32) -> Opening {
    let group = dump.audio_group().expect("an audio group").node;
    let mut opening = Opening::default();
    if dump.power_states.is_none_or(|states| states >> 3 & 1 != 0) {
        opening.verbs.push((group, 0x70500));
    }
    let last = way.len() - 1;
    for (at, &(id, index)) in way.iter().enumerate() {
        let node = dump.node(id).expect("a node of the way");
        let is_fed_by = |power: &&Node| {
            power.id == id || power.kind == WidgetKind::Power && power.connections.contains(&id)
        };
        let powers = dump.nodes.iter().filter(is_fed_by).filter(|node| node.wcaps >> 10 & 1 != 0);
        opening.verbs.extend(powers.map(|power| (power.id, 0x70500)));
        let (is_end, is_start) = (at == 0, at == last);
        let is_pin = node.kind == WidgetKind::Pin;
        let plays = is_pin && is_end;
        if is_pin {
            opening.verbs.push((id, 0x70700 | pin_control));
        }
        if plays && node.pincap.is_some_and(|pincap| pincap >> 16 & 1 != 0) {
            opening.verbs.push((id, 0x70c02));
        }
        if !is_start && node.kind != WidgetKind::Mixer && index != 0 {
            opening.verbs.push((id, 0x70100 | index as u32));
        }
        let only_records = is_pin && node.pincap.is_some_and(|pincap| pincap >> 4 & 1 == 0);
        if node.kind != WidgetKind::Input && (!is_pin || plays || only_records) {
            open(dump, node, true, 0, &mut opening);
        }
        if node.kind != WidgetKind::Output && !plays {
            open(dump, node, false, if is_pin { 0 } else { index }, &mut opening);
        }
        if matches!(node.kind, WidgetKind::Output | WidgetKind::Input) {
            opening.verbs.push((id, STREAM));
            if node.wcaps >> 9 & 1 != 0 {
                opening.verbs.push((id, 0x70d01));
            }
        }
    }
    opening.verbs.sort();
    opening.verbs.dedup();
    opening
}

/// Sends all verbs but one, after a function group reset.
fn tell(hand: &mut Hand<'_>, group: u8, verbs: &[(u8, u32)], left_out: Option<usize>) {
    hand.immediate(u32::from(group) << 20 | 0x7ff00);
    for (at, &(node, verb)) in verbs.iter().enumerate() {
        if Some(at) != left_out {
            hand.immediate(u32::from(node) << 20 | verb);
        }
    }
}

/// With all verbs `look` sees what is expected and nothing else; with one left out it doesn't see it.
fn holds<T: PartialEq + std::fmt::Debug>(
    name: &str,
    dump: &Dump,
    verbs: &[(u8, u32)],
    expected: &T,
    look: impl Fn(&Model) -> Vec<T>,
) {
    let group = dump.audio_group().expect("an audio group").node;
    let model = Bench::new(Profile::hardware()).codec(0, dump.codec()).access_budget(u64::MAX).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, group, verbs, None);
    assert_eq!(look(&model), std::slice::from_ref(expected), "{name}: {verbs:x?}");
    model.assert_clean();
    for left_out in 0..verbs.len() {
        tell(&mut hand, group, verbs, Some(left_out));
        assert!(
            !look(&model).contains(expected),
            "{name}: {:x?} isn't needed of {verbs:x?}",
            verbs[left_out]
        );
    }
}

#[test]
fn every_pin_that_a_converter_reaches_can_be_heard() {
    let (mut pins, mut out_of_reach) = (0, 0);
    for (name, dump) in all() {
        let plays = |node: &&Node| {
            node.kind == WidgetKind::Pin && node.pincap.is_some_and(|pincap| pincap >> 4 & 1 != 0)
        };
        for pin in dump.nodes.iter().filter(plays) {
            let Some(way) = way(&dump, pin, |node| node.kind == WidgetKind::Output) else {
                out_of_reach += 1;
                continue;
            };
            let opening = opening(&dump, &way, 0x40);
            let gain_quarter_db = opening.gain_quarter_db;
            let expected = Heard {
                pin: pin.id,
                converter: way[way.len() - 1].0,
                tag: 5,
                channel: 0,
                gain_quarter_db,
                left_quarter_db: Some(gain_quarter_db),
                right_quarter_db: Some(gain_quarter_db),
                vref: 0,
            };
            holds(&name, &dump, &opening.verbs, &expected, |model| model.audible(0));
            pins += 1;
        }
    }
    println!("{pins} pins, {out_of_reach} out of reach");
    assert!(pins > 2500, "{pins}");
}

#[test]
fn every_pin_that_reaches_a_converter_can_be_recorded() {
    let mut converters = 0;
    for (name, dump) in all() {
        for converter in dump.nodes.iter().filter(|node| node.kind == WidgetKind::Input) {
            let records = |node: &Node| {
                node.kind == WidgetKind::Pin && node.pincap.is_some_and(|pincap| pincap >> 5 & 1 != 0)
            };
            let Some(way) = way(&dump, converter, records) else { continue };
            let opening = opening(&dump, &way, 0x20);
            let gain_quarter_db = opening.gain_quarter_db;
            let expected = Heard {
                converter: converter.id,
                pin: way[way.len() - 1].0,
                tag: 5,
                channel: 0,
                gain_quarter_db,
                left_quarter_db: Some(gain_quarter_db),
                right_quarter_db: Some(gain_quarter_db),
                vref: 0,
            };
            holds(&name, &dump, &opening.verbs, &expected, |model| model.recorded(0));
            converters += 1;
        }
    }
    println!("{converters} converters");
    assert!(converters > 800, "{converters}");
}
