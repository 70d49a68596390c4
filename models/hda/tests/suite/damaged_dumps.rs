//! Texts that aren't dumps, or not whole ones: refused with line and reason, and never a panic.

use proptest::prelude::*;
use proptest::sample::Index;
use snd_hda_model::{Bench, Dump, DumpError, Profile};

use crate::bench::Hand;
use crate::dumps::texts;

/// A small dump, whole.
const WHOLE: &str = "\
Codec: Tiny
Address: 0
AFG Function Id: 0x1 (unsol 1)
Vendor Id: 0x12345678
Subsystem Id: 0x1
Revision Id: 0x2
No Modem Function Group found
Default PCM:
    rates [0x40]: 48000
    bits [0x2]: 16
    formats [0x1]: PCM
Default Amp-In caps: N/A
Default Amp-Out caps: N/A
GPIO: io=0, o=0, i=0, unsolicited=0, wake=0
Node 0x02 [Audio Output] wcaps 0x11: Stereo
  Device: name=\"Tiny Analog\", type=\"Audio\", device=0
  Converter: stream=5, channel=0
  PCM:
    rates [0x560]: 44100 48000 96000 192000
    bits [0xe]: 16 20 24
    formats [0x1]: PCM
Node 0x03 [Audio Output] wcaps 0x11: Stereo
  Converter: stream=0, channel=0
  PCM:
    rates [0x560]: 44100 48000 96000 192000
    bits [0xe]: 16 20 24
    formats [0x1]: PCM
Node 0x04 [Pin Complex] wcaps 0x40018d: Stereo Amp-Out
  Control: name=\"Front Headphone Jack\", index=0, device=0
  Control: name=\"Headphone Playback Switch\", index=1, device=0
    ControlAmp: chs=3, dir=Out, idx=0, ofs=0
  Amp-Out caps: ofs=0x00, nsteps=0x00, stepsize=0x00, mute=1
  Amp-Out vals:  [0x80 0x00]
  Pincap 0x0000001c: OUT HP Detect
  Pin Default 0x0221401f: [Jack] HP Out at Ext Front
    Conn = 1/8, Color = Green
    DefAssociation = 0x1, Sequence = 0xf
  Pin-ctls: 0xc0: OUT HP
  Unsolicited: tag=1a, enabled=1
  Connection: 2
     0x02 0x03*
";

#[test]
fn a_whole_one_says_what_is_in_it() {
    let dump = Dump::parse(WHOLE).unwrap();
    let pin = dump.node(4).unwrap();
    assert_eq!(pin.connections, [2, 3]);
    assert_eq!((pin.pincap, pin.pin_default), (Some(0x1c), Some(0x0221_401f)));
    assert_eq!(pin.controls, ["Front Headphone Jack", "Headphone Playback Switch"]);
    let converter = dump.node(2).unwrap();
    assert_eq!(converter.devices, ["Tiny Analog"]);
    assert_eq!(converter.pcm.unwrap().word(), 0xe_0560);
}

/// A codec's answers to verbs with node in bits 27:20.
fn answers<const N: usize>(dump: &Dump, verbs: [u32; N]) -> [u32; N] {
    let model = Bench::new(Profile::hardware()).codec(0, dump.codec()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    verbs.map(|verb| hand.immediate(verb))
}

#[test]
fn a_list_that_names_a_node_over_127_is_in_long_form() {
    let dump = Dump::parse(&WHOLE.replace("0x02 0x03*", "0x02 0xc3*")).unwrap();
    assert_eq!(answers(&dump, [0x4f_000e, 0x4f_0200]), [0x82, 0x00c3_0002]);
}

#[test]
fn what_linux_made_of_a_list_is_told_apart() {
    let text = WHOLE.replace("0x02 0x03*\n", "0x02 0x03*\n  In-driver Connection: 3\n     0x03 0x02 0x04\n");
    let dump = Dump::parse(&text).unwrap();
    let pin = dump.node(4).unwrap();
    assert_eq!(pin.connections, [2, 3]);
    assert_eq!(answers(&dump, [0x4f_000e]), [2], "the codec's own");
}

#[test]
fn a_modem_alone_is_a_codec() {
    let modem = WHOLE
        .lines()
        .take(6)
        .collect::<Vec<_>>()
        .join("\n")
        .replace("AFG Function Id: 0x1", "MFG Function Id: 0x2");
    assert!(Dump::parse(&modem).is_err(), "no function group at all");
    let dump = Dump::parse(&format!("{modem}\nModem Function Group: 0x2\n")).unwrap();
    assert_eq!(dump.audio_group(), None);
    assert_eq!(answers(&dump, [0x0f_0004, 0x2f_0005, 0x2f_0004, 0x1f_0005]), [0x0002_0001, 0x102, 0, 0]);
}

#[test]
fn an_unreadable_list_is_empty() {
    let text = WHOLE.replace("  Connection: 2\n     0x02 0x03*\n", "  Connection: -22\n");
    let pin = Dump::parse(&text).unwrap().nodes.remove(2);
    assert!(pin.connections.is_empty());
}

/// The error of the small dump with `from` replaced, which must be in it.
fn error_with(from: &str, to: &str) -> DumpError {
    assert!(WHOLE.contains(from), "{from:?}");
    Dump::parse(&WHOLE.replacen(from, to, 1)).expect_err(to)
}

#[test]
fn contradictions_are_refused_with_their_line() {
    for (from, to, line) in [
        ("Codec: Tiny", "Tiny", 1),
        ("Address: 0", "Address: 15", 2),
        ("Vendor Id: 0x12345678", "Vendor Id: 0x123456789", 4),
        ("Vendor Id: 0x12345678", "Vendor Id: 12345678", 4),
        ("bits [0x2]: 16", "bits 16", 10),
        ("io=0, o=0", "io=0", 14),
        ("Node 0x02 [Audio Output] wcaps 0x11", "Node 0x02 [Audio Output] wcaps 0x1x", 15),
        ("Node 0x02 [Audio Output] wcaps 0x11", "Node 0x02 [Audio Input] wcaps 0x11", 15),
        ("Node 0x02 [Audio Output] wcaps 0x11: Stereo", "Node 0x02 [Audio Output] wcaps 0x10: Stereo", 15),
        ("Node 0x02 [Audio Output] wcaps 0x11", "Node 0x02 [Audio Output] wcaps 0x800011", 15),
        ("Node 0x02", "Node 0x82", 15),
        ("Node 0x03", "Node 0x02", 22),
        ("Node 0x04", "Node 0x03", 28),
        ("stream=5", "stream=16", 17),
        ("formats [0x1]: PCM\nNode 0x03", "Node 0x03", 21),
        ("steps=0x00", "steps=0x80", 32),
        ("[0x80 0x00]", "[0x80 0x00] [0x80", 33),
        ("[0x80 0x00]", "[0x80]", 33),
        ("  Pincap 0x0000001c: OUT HP Detect\n", "", 40),
        ("  Pin-ctls: 0xc0: OUT HP\n", "", 40),
        ("Pin-ctls: 0xc0", "Pin-ctls: 0x1c0", 38),
        ("tag=1a", "tag=1g", 39),
        ("Connection: 2", "Connection: 3", 41),
        ("Connection: 2", "Connection: 1", 41),
        ("Connection: 2", "Connection: 0", 41),
        ("Connection: 2", "Connection: 200", 40),
        ("0x02 0x03*", "0x02* 0x03*", 41),
        ("0x02 0x03*", "0x02 0x103", 41),
        ("  Connection: 2\n     0x02 0x03*\n", "", 39),
        ("     0x02 0x03*\n", "", 40),
        ("  Unsolicited", "Unsolicited", 39),
        ("  Unsolicited", "  Pin-ctls: 0x40: OUT\n  Unsolicited", 39),
        ("  Unsolicited", "  <!DOCTYPE html>\n  Unsolicited", 39),
        ("  Converter: stream=5", "  Pincap 0x00000010: OUT\n  Converter: stream=5", 17),
        ("  Converter: stream=5", "  Power: setting=D0, actual=D0\n  Converter: stream=5", 17),
    ] {
        let error = error_with(from, to);
        assert_eq!(error.line, line, "{to:?}: {error}");
        assert!(error.to_string().starts_with(&format!("line {line}: ")), "{error}");
    }
}

#[test]
fn what_later_versions_of_linux_might_say_of_a_node_passes() {
    for more in [
        "  New Thing: 0x1, other=2\n",
        "     *Dev 00: PD = 0, ELDV = 0, IA = 0, Connections [ 0x02 0x03* ]\n",
    ] {
        let text = WHOLE.replace("  Unsolicited", &format!("{more}  Unsolicited"));
        assert_eq!(Dump::parse(&text), Dump::parse(WHOLE), "{more:?}");
    }
    assert!(Dump::parse(&format!("New Thing: 1\n{WHOLE}")).is_err());
    assert!(Dump::parse(&format!("{WHOLE}New Thing: 1\n")).is_err());
}

#[test]
fn other_texts_are_refused() {
    for text in
        ["", "\n\n", "hello", "\u{1F600}", "Codec: Tiny", "Codec: A\nCodec: B\n", "[package]\nname = \"x\"\n"]
    {
        let error = Dump::parse(text).expect_err(text);
        assert!(error.line >= 1 && !error.reason.is_empty());
    }
}

/// Lines after which a node may end as well: nobody can tell that they are missing.
const OPTIONAL: [&str; 7] = [
    "Processing Coefficient",
    "Coefficient Index",
    "In-driver",
    "IEC Coding",
    "Control:",
    "Device:",
    "Power: 0x",
];

#[test]
fn a_text_cut_short_in_a_node_is_refused() {
    let (mut refused, mut passed) = (0, 0);
    for (name, text) in texts() {
        let lines: Vec<&str> = text.lines().collect();
        for at in (0..lines.len()).step_by(50) {
            let cut = lines[..at].join("\n");
            match Dump::parse(&cut) {
                Err(error) => {
                    let before = lines[..at].iter().any(|line| line.starts_with("Node"));
                    assert!(error.line <= at.max(1) && !error.reason.is_empty(), "{name}: {error}");
                    assert!(
                        lines[at].starts_with(' ') || !before,
                        "{name}, cut before line {}: {error}",
                        at + 1
                    );
                    refused += 1;
                }
                Ok(_) if lines[at].starts_with(' ') => {
                    let line = lines[at].trim();
                    let optional = OPTIONAL.iter().any(|start| line.starts_with(start));
                    assert!(optional, "{name} passes when cut before line {}: {line:?}", at + 1);
                    passed += 1;
                }
                Ok(_) => {}
            }
        }
    }
    assert!(refused > 2000 && passed < 10, "{refused} refused, {passed} passed");
}

#[test]
fn wrong_counts_of_connections_are_refused() {
    let mut tried = 0;
    for (name, text) in texts() {
        let lines: Vec<&str> = text.lines().collect();
        let counts = (0..lines.len()).filter(|&at| lines[at].trim().starts_with("Connection: "));
        for at in counts.step_by(7) {
            let count: i64 = lines[at].trim()["Connection: ".len()..].parse().unwrap();
            let changed = format!("  Connection: {}", count + 1);
            let mut damaged = lines.clone();
            damaged[at] = &changed;
            let error = Dump::parse(&damaged.join("\n")).expect_err(&name);
            assert!((at + 1..=at + 2).contains(&error.line), "{name}, line {}: {error}", at + 1);
            tried += 1;
        }
    }
    assert!(tried > 900, "{tried}");
}

/// Reads it, and if that works brings it to life: neither may panic.
fn survives(bytes: &[u8]) {
    if let Ok(dump) = Dump::parse(&String::from_utf8_lossy(bytes)) {
        let model = Bench::new(Profile::hardware()).codec(0, dump.codec()).build();
        assert_eq!(model.audible(0), []);
        assert_eq!(model.recorded(0), []);
        assert_eq!(model.looped_back(0), []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_bytes_never_panic(
        file in any::<Index>(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let texts = cached();
        let mut bytes = texts[file.index(texts.len())].clone();
        for (at, value, how) in damage {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = value,
                1 => bytes[at] = b"0123456789abcdefx \n:=[]"[usize::from(value) % 23],
                2 => drop(bytes.drain(at..bytes.len().min(at + usize::from(value)))),
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(value);
            }
        }
        survives(&bytes);
    }

    #[test]
    fn random_lines_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }
}

fn cached() -> &'static [Vec<u8>] {
    static TEXTS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    TEXTS.get_or_init(|| texts().into_iter().map(|(_, text)| text.into_bytes()).collect())
}
