//! Codecs made from dumps: all that lie in `../shared/codecs` beside the project, and damaged ones.

use std::path::Path;

use snd_hda_model::codec::ConnectionForm;
use snd_hda_model::dump::{AmpCaps, GroupKind, Node};
use snd_hda_model::{Bench, Dump, Model, Profile};

use snd_hda::registers::Registers;

use crate::bench::Hand;

/// Name and text of every dump.
pub(crate) fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/codecs");
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("the codecs' dumps should lie in {}: {error}", folder.display()));
    let mut texts: Vec<(String, String)> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (
                name,
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        })
        .collect();
    texts.sort();
    assert_eq!(texts.len(), 542, "dumps in {}", folder.display());
    texts
}

pub(crate) fn all() -> impl Iterator<Item = (String, Dump)> {
    texts().into_iter().map(|(name, text)| {
        let dump = Dump::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, dump)
    })
}

#[test]
fn every_dump_parses() {
    let (mut nodes, mut controls, mut devices) = (0, 0, 0);
    for (name, dump) in all() {
        assert!(!dump.name.is_empty() && dump.vendor_id != 0, "{name}");
        assert_eq!(dump.groups.iter().filter(|group| group.kind == GroupKind::Audio).count(), 1, "{name}");
        nodes += dump.nodes.len();
        controls += dump.nodes.iter().map(|node| node.controls.len()).sum::<usize>();
        devices += dump.nodes.iter().map(|node| node.devices.len()).sum::<usize>();
    }
    // As many as lines begin with these words.
    assert_eq!((nodes, controls, devices), (13190, 6359, 731));
}

/// Asks a codec by immediate commands, which are fast.
struct Walk<'a> {
    hand: Hand<'a>,
}

impl<'a> Walk<'a> {
    fn new(model: &'a Model) -> Self {
        let mut hand = Hand::new(model);
        hand.bring_up();
        Self { hand }
    }

    fn ask(&mut self, node: u8, verb: u32) -> u32 {
        self.hand.immediate(u32::from(node) << 20 | verb)
    }

    fn parameter(&mut self, node: u8, parameter: u32) -> u32 {
        self.ask(node, 0xf0000 | parameter)
    }

    /// First node and one past the last.
    fn children(&mut self, node: u8) -> std::ops::Range<u8> {
        let word = self.parameter(node, 0x04);
        let first = (word >> 16) as u8;
        first..first + word as u8
    }

    /// A connection list, read as the specification says (7.3.3.3), and whether it was in long form and had ranges.
    fn connections(&mut self, node: u8) -> (Vec<u8>, bool, bool) {
        let length = self.parameter(node, 0x0e);
        let (long, entries) = (length & 0x80 != 0, length & 0x7f);
        let (at_once, bits) = if long { (2, 16) } else { (4, 8) };
        let mut nodes: Vec<u8> = Vec::new();
        let mut has_ranges = false;
        for index in 0..entries {
            let place = index % at_once;
            let word = self.ask(node, 0xf0200 | (index - place)) >> (place * bits);
            let entry = word & ((1 << bits) - 1);
            let (is_range, to) = (entry >> (bits - 1) != 0, entry & ((1 << (bits - 1)) - 1));
            has_ranges |= is_range;
            let from = if is_range { u32::from(*nodes.last().expect("a range's begin")) + 1 } else { to };
            nodes.extend((from..=to).map(|node| node as u8));
        }
        (nodes, long, has_ranges)
    }
}

fn word(amplifier: Option<AmpCaps>) -> u32 {
    amplifier.map_or(0, |amplifier| {
        let AmpCaps { offset, steps, step_size, mute } = amplifier;
        u32::from(offset) | u32::from(steps) << 8 | u32::from(step_size) << 16 | u32::from(mute) << 31
    })
}

fn answers_as_its_dump(name: &str, dump: &Dump, form: ConnectionForm) {
    let codec = dump.codec().with_connection_form(form);
    let model = Bench::new(Profile::hardware()).codec(0, codec).access_budget(u64::MAX).build();
    let mut walk = Walk::new(&model);
    assert_eq!(walk.parameter(0, 0x00), dump.vendor_id, "{name}");
    assert_eq!(walk.parameter(0, 0x02), dump.revision_id, "{name}");
    let groups: Vec<u8> = walk.children(0).filter(|&node| walk.parameter(node, 0x05) != 0).collect();
    let stated: Vec<u8> = dump.groups.iter().map(|group| group.node).collect();
    assert_eq!(groups, stated, "{name}");
    for group in &dump.groups {
        let function = walk.parameter(group.node, 0x05);
        let kind = if group.kind == GroupKind::Audio { 1 } else { 2 };
        assert_eq!(function, kind | u32::from(group.unsolicited) << 8, "{name}");
        if group.kind == GroupKind::Modem {
            assert!(walk.children(group.node).is_empty(), "{name}");
        }
    }
    let audio = dump.audio_group().expect("an audio group").node;
    assert_eq!(walk.ask(audio, 0xf2000), dump.subsystem_id, "{name}");
    let pcm = dump.pcm.unwrap_or_default();
    assert_eq!(walk.parameter(audio, 0x0a), u32::from(pcm.bits) << 16 | u32::from(pcm.rates), "{name}");
    assert_eq!(walk.parameter(audio, 0x0b), pcm.formats, "{name}");
    assert_eq!(walk.parameter(audio, 0x0d), word(dump.amp_in), "{name}");
    assert_eq!(walk.parameter(audio, 0x12), word(dump.amp_out), "{name}");
    let children: Vec<u8> = walk.children(audio).collect();
    let stated: Vec<u8> = dump.nodes.iter().map(|node| node.id).collect();
    assert_eq!(children, stated, "{name}");
    for node in &dump.nodes {
        let (connections, long, has_ranges) = walk.connections(node.id);
        assert_eq!(connections, node.connections, "{name}: node {:#x}", node.id);
        let follow = node.connections.windows(2).any(|pair| pair[0] + 1 == pair[1]);
        let (wants_long, wants_ranges) = match form {
            ConnectionForm::Short => (false, false),
            ConnectionForm::Long => (true, false),
            ConnectionForm::ShortRanges => (false, true),
            ConnectionForm::LongRanges => (true, true),
        };
        assert_eq!((long, has_ranges), (wants_long, wants_ranges && follow), "{name}: node {:#x}", node.id);
        answers_as_its_node(name, node, &mut walk);
    }
    model.assert_clean();
}

fn answers_as_its_node(name: &str, node: &Node, walk: &mut Walk<'_>) {
    let id = node.id;
    let pcm = node.pcm.unwrap_or_default();
    let processing = node
        .processing
        .map_or(0, |processing| u32::from(processing.benign) | u32::from(processing.coefficients) << 8);
    let knob = node.volume_knob.map_or(0, |knob| u32::from(knob.steps) | u32::from(knob.delta) << 7);
    for (parameter, stated) in [
        (0x09, node.wcaps),
        (0x0a, u32::from(pcm.bits) << 16 | u32::from(pcm.rates)),
        (0x0b, pcm.formats),
        (0x0c, node.pincap.unwrap_or(0)),
        (0x0d, word(node.amp_in)),
        (0x10, processing),
        (0x12, word(node.amp_out)),
        (0x13, knob),
    ] {
        assert_eq!(walk.parameter(id, parameter), stated, "{name}: node {id:#x}, parameter {parameter:#x}");
    }
    if let Some(states) = node.power_states {
        assert_eq!(walk.parameter(id, 0x0f), states, "{name}: node {id:#x}");
    }
    assert_eq!(walk.ask(id, 0xf1c00), node.pin_default.unwrap_or(0), "{name}: node {id:#x}");
    // After a reset: no stream, no selection, pins, EAPD and digital converters off, nothing plugged in, in D3, muted.
    for get in [0xf0100, 0xf0600, 0xf0700, 0xf0800, 0xf0900, 0xf0c00, 0xf0d00] {
        assert_eq!(walk.ask(id, get), 0, "{name}: node {id:#x}, verb {get:#x}");
    }
    let has_power = node.wcaps >> 10 & 1 != 0;
    assert_eq!(walk.ask(id, 0xf0500), if has_power { 0x33 } else { 0 }, "{name}: node {id:#x}");
    let mutes = node.wcaps >> 3 & 1 != 0 && node.amp_out.is_some_and(|amplifier| amplifier.mute);
    if node.wcaps >> 2 & 1 != 0 && mutes {
        assert_eq!(walk.ask(id, 0xba000) & 0x80, 0x80, "{name}: node {id:#x}");
    }
}

#[test]
fn every_codec_answers_as_its_dump_says() {
    for (name, dump) in all() {
        answers_as_its_dump(&name, &dump, ConnectionForm::Short);
    }
}

#[test]
fn lists_in_long_form_say_the_same() {
    for (name, dump) in all() {
        answers_as_its_dump(&name, &dump, ConnectionForm::Long);
    }
}

#[test]
fn lists_with_ranges_say_the_same() {
    for (name, dump) in all() {
        answers_as_its_dump(&name, &dump, ConnectionForm::ShortRanges);
        answers_as_its_dump(&name, &dump, ConnectionForm::LongRanges);
    }
}

/// The dump that begins so, in a controller that lets unsolicited responses through.
fn model_of(start: &str) -> (Dump, Model) {
    let (_, dump) =
        all().find(|(name, _)| name.starts_with(start)).unwrap_or_else(|| panic!("no dump {start}"));
    let model = Bench::new(Profile::hardware()).codec(0, dump.codec()).build();
    (dump, model)
}

#[test]
fn a_plug_is_seen_and_told_with_the_tag_of_its_pin() {
    let (_, model) = model_of("alc262-hp-z200");
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.regs.write_u32(0x08, 1 << 8 | 1);
    let presence = |hand: &mut Hand<'_>, node| hand.verb(0, node, 0xf0900);
    assert_eq!(presence(&mut hand, 0x1b), Some(0));
    model.plug(0, 0x1b, true);
    assert_eq!(presence(&mut hand, 0x1b), Some(1 << 31));
    assert_eq!(presence(&mut hand, 0x15), Some(0), "the other jack");
    model.advance_ns(1_000_000);
    assert_eq!(hand.take_response(), None, "nobody asked for it");
    hand.verb(0, 0x1b, 0x70880 | 0x2a);
    hand.verb(0, 0x15, 0x70880 | 0x15);
    for (node, present, tag) in [(0x1b, false, 0x2a), (0x15, true, 0x15), (0x1b, true, 0x2a)] {
        model.plug(0, node, present);
        model.advance_ns(1_000_000);
        assert_eq!(hand.take_response(), Some((tag << 26, 1 << 4)));
        assert_eq!(presence(&mut hand, node.into()), Some(u32::from(present) << 31));
    }
}

#[test]
fn a_display_says_that_it_is_there() {
    let (dump, model) = model_of("alc660vd-asus-g1.0-1");
    assert_eq!(dump.node(3).and_then(|pin| pin.pincap), Some(0x94));
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.regs.write_u32(0x08, 1 << 8 | 1);
    hand.verb(0, 3, 0x70881);
    for present in [true, false] {
        model.plug(0, 3, present);
        model.advance_ns(1_000_000);
        assert_eq!(hand.take_response(), Some((1 << 26 | u32::from(present), 1 << 4)));
    }
    // Channel count, info frame, mapping: kept. The display says nothing of itself.
    for (set, get, value) in
        [(0x72d07, 0xf2d00, 7), (0x73204, 0xf3200, 0), (0x732c0, 0xf3200, 0xc0), (0x73473, 0xf3403, 0x73)]
    {
        hand.verb(0, 3, set);
        assert_eq!(hand.verb(0, 3, get), Some(value), "{set:#x}");
    }
    assert_eq!(hand.verb(0, 3, 0xf2e08), Some(0), "no ELD");
    assert_eq!(hand.verb(0, 3, 0xf2f00), Some(0));
}

#[test]
fn settings_are_kept_where_there_is_something_to_set() {
    let (_, model) = model_of("alc262-hp-z200");
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    for (node, set, get, value, why) in [
        (0x20, 0x50007, 0xd0000, 7, "coefficient index"),
        (0x20, 0x41234, 0xc0000, 0x1234, "coefficient"),
        (0x20, 0x50008, 0xc0000, 0, "another coefficient"),
        (0x20, 0x50007, 0xc0000, 0x1234, "the first again"),
        (0x02, 0x41234, 0xc0000, 0, "no processing there"),
        (0x06, 0x70d81, 0xf0d00, 0x81, "digital converter"),
        (0x06, 0x70e02, 0xf0d00, 0x281, "category"),
        (0x06, 0x73e80, 0xf0d00, 0x80_0281, "keep alive"),
        (0x02, 0x70d01, 0xf0d00, 0, "an analogue converter"),
        (0x07, 0x70403, 0xf0400, 3, "SDI"),
        (0x21, 0x70f15, 0xf0f00, 0x15, "volume knob"),
        (0x15, 0x70c02, 0xf0c00, 0, "EAPD that it hasn't"),
        (0x1b, 0x70883, 0xf0800, 0x83, "unsolicited responses"),
        (0x12, 0x70883, 0xf0800, 0, "which it can't send"),
        (0x01, 0x71503, 0xf1500, 3, "GPIO"),
        (0x01, 0x71a04, 0xf1a00, 4, "GPIO, sticky"),
        (0x15, 0x7a505, 0xfa500, 0, "no verb at all"),
    ] {
        hand.verb(0, node, set);
        assert_eq!(hand.verb(0, node, get), Some(value), "{why}");
    }
    assert_eq!(hand.verb(0, 1, 0xf0011), Some(1 << 30 | 4), "GPIO count");
}

#[test]
fn power_follows_the_function_group_and_the_states_there_are() {
    // D0, D3 and EPSS; the function group D0 to D3.
    let (dump, model) = model_of("92hd87b2-4--hp-pavilion-g7-notebook-pc-ccert-201209-11633.3");
    let pin = dump.nodes.iter().find(|node| node.power_states == Some(1 << 31 | 0b1001)).expect("D0 and D3");
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let id = pin.id.into();
    assert_eq!(hand.verb(0, id, 0xf0500), Some(0x33));
    hand.verb(0, id, 0x70500);
    assert_eq!(hand.verb(0, id, 0xf0500), Some(0x30), "set to D0, and still in D3 with its function group");
    hand.verb(0, 1, 0x70500);
    assert_eq!(hand.verb(0, id, 0xf0500), Some(0));
    hand.verb(0, id, 0x70501);
    assert_eq!(hand.verb(0, id, 0xf0500), Some(0), "it has no D1");
}
