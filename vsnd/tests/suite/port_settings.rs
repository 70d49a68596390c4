//! The settings of ports: how streams use them, and the rates at which they mix.

use audioback::card::{CardSettings, MAX_PORT_SETUPS, PortMode, PortSetup};
use sndif::Direction::{Capture, Playback};
use sndif::format::{FormatSet, SampleFormat};
use sndif::nodes::VolumeRange;

use crate::support::*;

/// Two codecs' ports: output-0, output-1, input-0, input-1.
const OUTPUT_0: usize = 0;
const OUTPUT_1: usize = 1;
const INPUT_1: usize = 3;

const FIRST_OUTPUT: [StreamAt; 1] = [(0, 0, Playback, "output-0")];
const SECOND_OUTPUT: [StreamAt; 1] = [(0, 0, Playback, "output-1")];
const SECOND_INPUT: [StreamAt; 1] = [(0, 0, Capture, "input-1")];

/// Settings with these ports, and defaults for all else.
fn with_ports(setups: &[(usize, PortMode, Option<u32>)]) -> CardSettings {
    let mut settings = CardSettings::default();
    for &(port, mode, rate_hz) in setups {
        settings.ports[port] = PortSetup { mode, rate_hz, ..PortSetup::default() };
    }
    settings
}

fn set(rig: &mut Rig, node: &str, value: &str) {
    rig.stored.set(&format!("snddom/port/{node}"), value);
    rig.wake();
}

/// Changes a node without an event, as if its event were another one's.
fn set_quietly(rig: &mut Rig, node: &str, value: Option<&str>) {
    let path = format!("/local/domain/{}/snddom/port/{node}", DRIVER.0);
    match value {
        Some(value) => rig.stored.nodes.insert(path, value.into()),
        None => rig.stored.nodes.remove(&path),
    };
}

/// Lets a guest's one stream have all formats that its port has.
fn attach_any_format(rig: &mut Rig, guest: u16, stream: &[StreamAt; 1]) {
    rig.attach_nodes(guest, 0, stream);
    rig.stored.remove(&format!("{}/sample-formats", front_path(guest, 0)));
    rig.wake();
}

/// Brings up the driver of an attached guest, and returns its stream's front end.
fn connect(rig: &mut Rig, guest: u16, stream: &[StreamAt; 1]) -> Front {
    rig.until("InitWait", |rig| rig.back_state(guest, 0) == Some("2"));
    let front = rig.front_up(guest, 0, stream).remove(0);
    rig.until("Connected", |rig| rig.back_state(guest, 0) == Some("4"));
    rig.set_front_state(guest, 0, "4");
    front
}

fn formats(rig: &mut Rig, front: &mut Front) -> FormatSet {
    offered(rig, front).expect("an offer").formats
}

/// Whether a stream offers what only a port that isn't direct has.
fn is_mixed(rig: &mut Rig, front: &mut Front) -> bool {
    let formats = formats(rig, front);
    assert!(formats.contains(SampleFormat::S16Le));
    formats.contains(SampleFormat::F32Le)
}

/// Lets the guest's driver leave, and come again.
fn reconnect(rig: &mut Rig, guest: u16, stream: &[StreamAt; 1], front: Front) -> Front {
    rig.set_front_state(guest, 0, "5");
    rig.until("InitWait", |rig| rig.back_state(guest, 0) == Some("2"));
    front.disconnect();
    rig.set_front_state(guest, 0, "6");
    rig.set_front_state(guest, 0, "1");
    connect(rig, guest, stream)
}

#[test]
fn settings_from_before_the_start_are_in_a_device_s_first_offer() {
    let mut rig = Rig::unstarted(codecs(2));
    rig.stored.set("snddom/port/output-1/mode", "shared");
    rig.stored.set("snddom/port/output-1/rate", "96000");
    rig.stored.set("snddom/port/input-1/mode", "direct");
    for (guest, stream) in [(3, &SECOND_OUTPUT), (4, &SECOND_INPUT), (6, &FIRST_OUTPUT)] {
        attach_any_format(&mut rig, guest, stream);
    }
    // The guests' descriptions are read before the settings.
    rig.stored.refuses_paths = vec!["snddom".into()];
    rig.advance(100 * MS);
    assert_eq!(rig.applied(), []);
    assert_eq!(rig.back_state(3, 0), Some("1"), "no device is set up before settings are known");
    logs::take_warnings();
    rig.stored.refuses_paths.clear();
    let mut second_output = connect(&mut rig, 3, &SECOND_OUTPUT);
    let mut second_input = connect(&mut rig, 4, &SECOND_INPUT);
    let mut first_output = connect(&mut rig, 6, &FIRST_OUTPUT);
    let expected =
        with_ports(&[(OUTPUT_1, PortMode::Shared, Some(96_000)), (INPUT_1, PortMode::Direct, None)]);
    assert_eq!(rig.applied().last(), Some(&expected));
    assert!(is_mixed(&mut rig, &mut second_output));
    assert!(!is_mixed(&mut rig, &mut second_input));
    assert!(is_mixed(&mut rig, &mut first_output), "auto is the default");
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
}

#[test]
fn a_change_is_applied_at_once_and_a_running_stream_goes_on() {
    let mut rig = Rig::with(codecs(2));
    let front = rig.guest_with(3, &SECOND_OUTPUT).remove(0);
    let recording = noise(20_000, 1);
    let player = rig.play(front, &recording);
    rig.advance(50 * MS);
    assert_eq!(rig.applied(), []);
    for (value, mode) in
        [("shared", PortMode::Shared), ("auto", PortMode::Auto), ("direct", PortMode::Direct)]
    {
        set(&mut rig, "output-1/mode", value);
        assert_eq!(rig.applied(), [with_ports(&[(OUTPUT_1, mode, None)])]);
    }
    for rate_hz in [44_100, 48_000, 88_200, 96_000, 176_400, 192_000] {
        set(&mut rig, "output-1/rate", &rate_hz.to_string());
        assert_eq!(rig.applied(), [with_ports(&[(OUTPUT_1, PortMode::Direct, Some(rate_hz))])]);
    }
    set(&mut rig, "output-1/rate", "192000");
    assert_eq!(rig.applied(), [], "it is the same");
    rig.until("the end", |rig| rig.player(player).is_over());
    assert_eq!(rig.player(player).error, None);
    assert_heard(&rig.model, 1, 0, &recording);
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
    rig.assert_rules_were_kept();
}

#[test]
fn a_connected_device_keeps_its_offer_until_it_is_connected_again() {
    let mut rig = Rig::with(codecs(2));
    attach_any_format(&mut rig, 3, &SECOND_OUTPUT);
    let mut front = connect(&mut rig, 3, &SECOND_OUTPUT);
    let direct = formats(&mut rig, &mut front);
    assert!(!is_mixed(&mut rig, &mut front));
    set(&mut rig, "output-1/mode", "shared");
    assert_eq!(formats(&mut rig, &mut front), direct);
    // A device that comes now has the new offer.
    attach_any_format(&mut rig, 4, &SECOND_OUTPUT);
    let mut other = connect(&mut rig, 4, &SECOND_OUTPUT);
    assert!(is_mixed(&mut rig, &mut other));
    let mut front = reconnect(&mut rig, 3, &SECOND_OUTPUT, front);
    assert!(is_mixed(&mut rig, &mut front));
    set(&mut rig, "output-1/mode", "direct");
    let mut front = reconnect(&mut rig, 3, &SECOND_OUTPUT, front);
    assert_eq!(formats(&mut rig, &mut front), direct);
    rig.play_to_the_end(front, &noise(2_000, 7));
    rig.assert_rules_were_kept();
}

#[test]
fn an_offer_stays_within_the_guest_s_own_settings() {
    let mut rig = Rig::unstarted(codecs(2));
    rig.stored.set("snddom/port/output-1/mode", "shared");
    rig.start();
    let mut front = rig.guest_with(3, &SECOND_OUTPUT).remove(0);
    let s16_only: FormatSet = [SampleFormat::S16Le].into_iter().collect();
    assert_eq!(formats(&mut rig, &mut front), s16_only);
}

#[test]
fn an_invalid_value_is_logged_with_its_path_and_changes_nothing() {
    let mut rig = Rig::with(codecs(2));
    set(&mut rig, "output-1/mode", "shared");
    set(&mut rig, "output-1/rate", "96000");
    rig.applied();
    let long = "9".repeat(3_900);
    let modes = ["", "Shared", "shared ", "direct,shared", "0", &long];
    let rates = ["", "0", "48", "48000 ", "-48000", "48000.0", "0xbb80", "384000", "4294967296", "x", &long];
    let all = modes.map(|mode| ("mode", mode)).into_iter().chain(rates.map(|rate| ("rate", rate)));
    for (node, value) in all {
        set(&mut rig, &format!("output-1/{node}"), value);
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{node} = {value:?}: {warnings:?}");
        assert!(warnings[0].starts_with(&format!("snddom/port/output-1/{node}: ")), "{warnings:?}");
        assert!(warnings[0].len() < 200, "{warnings:?}");
        assert_eq!(rig.applied(), []);
    }
    for node in ["mode", "rate"] {
        rig.stored.set_raw(&format!("snddom/port/output-1/{node}"), b"\xff");
        rig.wake();
        assert_eq!((logs::take_warnings().len(), rig.applied()), (1, vec![]));
    }
    // The next good value counts.
    set(&mut rig, "output-1/mode", "auto");
    assert_eq!(rig.applied(), [with_ports(&[(OUTPUT_1, PortMode::Auto, Some(96_000))])]);
}

#[test]
fn a_rate_of_the_port_s_own_is_valid_whatever_its_mode() {
    // The port states 32 kHz, and 22.05 kHz only while it isn't direct. A setting must not depend on that.
    let mut rig = Rig::with(output_with_32_khz());
    for mode in ["direct", "shared", "auto"] {
        set(&mut rig, "output-0/mode", mode);
        rig.applied();
        set(&mut rig, "output-0/rate", "32000");
        assert_eq!(rig.applied().last().map(|set| set.ports[OUTPUT_0].rate_hz), Some(Some(32_000)), "{mode}");
        set(&mut rig, "output-0/rate", "22050");
        assert_eq!((logs::take_warnings().len(), rig.applied()), (1, vec![]), "{mode}");
        set(&mut rig, "output-0/rate", "24000");
        assert_eq!((logs::take_warnings().len(), rig.applied()), (1, vec![]), "{mode}");
        rig.stored.remove("snddom/port/output-0/rate");
        rig.wake();
        assert_eq!(rig.applied().last().map(|set| set.ports[OUTPUT_0].rate_hz), Some(None), "{mode}");
    }
}

#[test]
fn what_is_removed_has_its_default_and_the_rest_stays() {
    let both = [(OUTPUT_0, PortMode::Direct, Some(44_100)), (OUTPUT_1, PortMode::Shared, Some(96_000))];
    let none: &[(usize, PortMode, Option<u32>)] = &[];
    for (removed, rest) in [
        ("snddom/port/output-0/mode", &[(OUTPUT_0, PortMode::Auto, Some(44_100)), both[1]][..]),
        ("snddom/port/output-0/rate", &[(OUTPUT_0, PortMode::Direct, None), both[1]]),
        ("snddom/port/output-0", &both[1..]),
        ("snddom/port/output-1", &both[..1]),
        ("snddom/port", none),
        ("snddom", none),
    ] {
        let mut rig = Rig::with(codecs(2));
        for (node, value) in [
            ("output-0/mode", "direct"),
            ("output-0/rate", "44100"),
            ("output-1/mode", "shared"),
            ("output-1/rate", "96000"),
        ] {
            set(&mut rig, node, value);
        }
        assert_eq!(rig.applied().last(), Some(&with_ports(&both)));
        rig.stored.remove(removed);
        rig.wake();
        assert_eq!(rig.applied().last(), Some(&with_ports(rest)), "{removed}");
        assert_eq!(logs::take_warnings(), Vec::<String>::new());
    }
}

#[test]
fn a_directory_that_is_written_as_a_whole_is_read_again() {
    for written in ["snddom/port/output-1", "snddom/port", "snddom"] {
        let mut rig = Rig::with(codecs(2));
        set(&mut rig, "output-0/mode", "auto");
        rig.applied();
        set_quietly(&mut rig, "output-1/mode", Some("shared"));
        set_quietly(&mut rig, "output-1/rate", Some("96000"));
        rig.stored.set(written, "");
        rig.wake();
        let expected = [(OUTPUT_0, PortMode::Auto, None), (OUTPUT_1, PortMode::Shared, Some(96_000))];
        let applied = rig.applied();
        assert_eq!(applied.last(), Some(&with_ports(&expected)), "{written}");
        let is_kept = |set: &CardSettings| set.ports[OUTPUT_0].mode == PortMode::Auto;
        assert!(applied.iter().all(is_kept), "{written}: no default meanwhile: {applied:?}");
        // What is gone has its default.
        set_quietly(&mut rig, "output-1/mode", None);
        set_quietly(&mut rig, "output-1/rate", None);
        set_quietly(&mut rig, "output-1", None);
        rig.stored.set(written, "");
        rig.wake();
        assert_eq!(rig.applied().last(), Some(&with_ports(&expected[..1])), "{written}");
    }
}

#[test]
fn a_port_without_settings_is_logged_once_and_ignored() {
    let mut rig = Rig::unstarted(codecs(2));
    rig.stored.set("snddom/port/output-2/mode", "shared");
    rig.stored.set("snddom/port/output-2/rate", "48000");
    rig.start();
    for port in ["output-2", "output-2", "input-65535", "output-00", "rear-line-out", "output-2"] {
        set(&mut rig, &format!("{port}/mode"), "shared");
        set(&mut rig, &format!("{port}/rate"), "x");
        rig.stored.set("snddom", "");
        rig.wake();
    }
    let warnings = logs::take_warnings();
    for port in ["output-2", "input-65535", "output-00", "rear-line-out"] {
        let naming = warnings.iter().filter(|line| line.contains(&format!("\"{port}\""))).count();
        assert_eq!(naming, 1, "{port}: {warnings:?}");
    }
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert_eq!(rig.applied(), []);
    // A node without a meaning is none of a port's settings.
    set(&mut rig, "output-1/colour", "red");
    assert_eq!((logs::take_warnings().len(), rig.applied()), (0, vec![]));
}

#[test]
fn names_of_any_number_and_length_neither_flood_the_log_nor_hide_a_setting() {
    let mut rig = Rig::unstarted(codecs(2));
    rig.stored.keeps_requests = false;
    rig.stored.set(&format!("snddom/port/{}/mode", "output-1".repeat(200)), "shared");
    rig.stored.set("snddom/port/output-1/mode", "shared");
    // More than a listing holds.
    for index in 0..500 {
        rig.stored.set(&format!("snddom/port/a-name-{index}/mode"), "shared");
    }
    rig.advance(100 * MS);
    assert_eq!(rig.applied().last(), Some(&with_ports(&[(OUTPUT_1, PortMode::Shared, None)])));
    for index in 0..500 {
        set(&mut rig, &format!("a-name-{index}/mode"), "auto");
    }
    let warnings = logs::take_warnings();
    assert!(!warnings.is_empty() && warnings.len() < 20, "{warnings:?}");
    assert!(warnings.iter().all(|line| line.len() < 200), "{warnings:?}");
    set(&mut rig, "output-1/mode", "auto");
    assert_eq!(rig.applied(), [with_ports(&[(OUTPUT_1, PortMode::Auto, None)])]);
    let mut front = rig.guest_with(3, &FIRST_OUTPUT).remove(0);
    assert!(offered(&mut rig, &mut front).is_some());
}

#[test]
fn a_node_that_may_not_be_read_keeps_its_value_with_a_warning() {
    for hidden in ["snddom/port/output-1/mode", "snddom/port"] {
        let mut rig = Rig::with(codecs(2));
        set(&mut rig, "output-1/mode", "shared");
        rig.applied();
        rig.stored.hidden.push(format!("/local/domain/{}/{hidden}", DRIVER.0));
        rig.stored.remove(hidden);
        rig.wake();
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(&format!("{hidden}: ")), "{warnings:?}");
        assert_eq!(rig.applied(), []);
    }
}

#[test]
fn a_start_without_settings_of_ports_reads_none_of_them() {
    let mut rig = Rig::with(codecs(4));
    rig.advance(100 * MS);
    let is_of_a_port = |payload: &[u8]| payload.starts_with(b"snddom/port/");
    assert!(!rig.stored.requests.iter().any(|seen| is_of_a_port(&seen.payload)), "{:?}", rig.stored.requests);
    assert_eq!(rig.applied(), []);
}

#[test]
fn a_card_that_loses_a_port_keeps_its_names_and_offers() {
    let mut rig = Rig::with(codecs(2));
    rig.card.loses_port.set(true);
    set(&mut rig, "output-1/mode", "shared");
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    // input-1 is gone, and output-1 shared. A description still finds both.
    rig.attach(3, 0, &[(0, 0, Playback, "output-1"), (0, 1, Capture, "input-1")]);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
}

#[test]
fn a_volume_range_is_that_of_the_connection_s_offer() {
    // Its port has no amplifier.
    let mut rig = Rig::with(output_with_32_khz());
    let range = |rig: &Rig| {
        let path = format!("{}/0/0/volume-range", back_path(3, 0));
        rig.stored.value(&path).map(|value| VolumeRange::from_node(value).expect("a range"))
    };
    let mut front = rig.guest_with(3, &FIRST_OUTPUT).remove(0);
    assert_eq!(range(&rig), None);
    set(&mut rig, "output-0/mode", "shared");
    assert_eq!(range(&rig), None, "it is connected");
    front = reconnect(&mut rig, 3, &FIRST_OUTPUT, front);
    let mixed = VolumeRange { min_mdb: -100_000, max_mdb: 0, step_mdb: 1, can_mute: true };
    assert_eq!(range(&rig), Some(mixed));
    set(&mut rig, "output-0/mode", "direct");
    assert_eq!(range(&rig), Some(mixed), "it is connected");
    for _ in 0..2 {
        front = reconnect(&mut rig, 3, &FIRST_OUTPUT, front);
        assert_eq!(range(&rig), Some(VolumeRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute: false }));
    }
}

#[test]
fn all_ports_that_have_settings_have_them_at_once_and_those_behind_have_none() {
    let mut rig = Rig::unstarted(outputs(MAX_PORT_SETUPS));
    let mut expected = CardSettings::default();
    for port in 0..MAX_PORT_SETUPS + 2 {
        rig.stored.set(&format!("snddom/port/output-{port}/mode"), "shared");
        rig.stored.set(&format!("snddom/port/output-{port}/rate"), "96000");
    }
    expected.ports.fill(PortSetup { mode: PortMode::Shared, rate_hz: Some(96_000), ..PortSetup::default() });
    rig.start();
    assert_eq!(rig.applied().last(), Some(&expected));
    // The card has those behind: a right may name them.
    let last = format!("output-{}", MAX_PORT_SETUPS + 1);
    rig.stored.set("snddom/may-play", &last);
    rig.wake();
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for port in MAX_PORT_SETUPS..MAX_PORT_SETUPS + 2 {
        assert!(warnings.iter().any(|line| line.contains(&format!("\"output-{port}\""))), "{warnings:?}");
    }
}
