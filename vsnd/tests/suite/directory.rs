//! A guest's description of its card: good, bad and absurd.

use sndif::Direction::{Capture, Playback};
use sndif::format::{FormatSet, SampleFormat};

use crate::support::*;

/// A guest's card with one playback stream, but for what `change` does to its directory.
fn with(change: impl FnOnce(&mut Rig, &str)) -> Rig {
    let mut rig = Rig::with(codecs(2));
    let path = front_path(3, 0);
    change(&mut rig, &path);
    rig
}

/// Attaches what was prepared in the guest's directory; returns the one warning that it leads to.
fn refused(mut rig: Rig) -> String {
    // Another guest plays meanwhile.
    let mut other = rig.guest_with(4, &[(0, 0, Playback, "output-1")]);
    let recording = noise(4_000, 5);
    let player = rig.play(other.remove(0), &recording);
    rig.attach_back(3, 0);
    rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
    rig.until("the other's end", |rig| rig.player(player).is_over());
    assert_heard(&rig.model, 1, 0, &recording);
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    // Whatever it says now: it was read once.
    rig.set_front_state(3, 0, "3");
    rig.set_front_state(3, 0, "1");
    rig.advance(MS);
    assert_eq!(rig.back_state(3, 0), Some("6"));
    assert!(logs::take_warnings().is_empty());
    rig.detach(3, 0);
    rig.until_removed(3);
    warnings.into_iter().next().expect("a warning")
}

/// A good card's nodes, with changes: `Some` writes a node, `None` removes one.
fn refused_with(changes: &[(&str, Option<&str>)]) -> String {
    refused(with(|rig, path| {
        for (node, value) in [
            ("state", "1"),
            ("sample-rates", "48000"),
            ("sample-formats", "s16_le"),
            ("buffer-size", "65536"),
            ("0/name", "dev"),
            ("0/0/type", "p"),
            ("0/0/unique-id", "one"),
        ] {
            rig.stored.set(&format!("{path}/{node}"), value);
        }
        for (node, value) in changes {
            let node = format!("{path}/{node}");
            match value {
                Some(value) => rig.stored.set(&node, value),
                None => rig.stored.remove(&node),
            }
        }
    }))
}

#[test]
fn an_invalid_value_closes_the_device_with_one_log_line_that_names_the_path() {
    let long = "x".repeat(65);
    let many_rates = (1..=33).map(|rate| rate.to_string()).collect::<Vec<_>>().join(",");
    let huge = "8".repeat(4_000);
    for (node, value, says) in [
        ("sample-rates", "48000,fast", "\"fast\" is no rate"),
        ("sample-rates", "48000,0", "\"0\" is no rate"),
        ("sample-rates", "48000,4294967296", "\"4294967296\" is no rate"),
        ("sample-rates", "-48000", "\"-48000\" is no rate"),
        ("sample-rates", " , ,", "the list is empty"),
        ("sample-rates", "", "the list is empty"),
        ("sample-rates", &many_rates, "the list has more than 32 rates"),
        ("sample-rates", &huge, "\"8888888888888888888888888888888888888888\"... is no rate"),
        ("sample-formats", "s16_le,s17_le", "\"s17_le\" is no format"),
        ("sample-formats", "S16_LE", "\"S16_LE\" is no format"),
        ("sample-formats", "", "the list is empty"),
        ("buffer-size", "0", "\"0\" is no number in the valid range"),
        ("buffer-size", "67108865", "\"67108865\" is no number"),
        ("buffer-size", "99999999999999999999", "\"99999999999999999999\" is no number"),
        ("buffer-size", "64k", "\"64k\" is no number"),
        ("channels-min", "0", "\"0\" is no number"),
        ("channels-max", "4097", "\"4097\" is no number"),
        ("channels-max", "two\u{7}\r\n", r#""two\u{7}\r\n" is no number"#),
        ("0/sample-rates", "x", "\"x\" is no rate"),
        ("0/0/sample-formats", "x", "\"x\" is no format"),
        ("0/0/type", "P", "\"P\" is neither p nor c"),
        ("0/0/type", "", "\"\" is neither p nor c"),
        ("0/0/unique-id", "", "\"\": it has to have 1 to 64 bytes"),
        ("0/0/unique-id", &long, "it has to have 1 to 64 bytes"),
        ("0/0/unique-id", "output-2", "the card has no output-2"),
        ("0/0/unique-id", "output-65535", "the card has no output-65535"),
        ("0/0/unique-id", "input-0", "the stream's type doesn't go with input-0"),
        ("0/0/unique-id", "line-in 2", "the stream's type doesn't go with input-1"),
    ] {
        let line = refused_with(&[(node, Some(value))]);
        let path = format!("{}/{node}: ", front_path(3, 0));
        assert!(line.starts_with(&path) && line.contains(says), "{node} = {value}: {line}");
        assert!(line.len() < 200 && !line.contains(char::is_control), "{line}");
    }
}

#[test]
fn a_missing_node_closes_the_device_too() {
    let front = front_path(3, 0);
    for (gone, says) in [
        ("0/0/type", format!("{front}/0/0/type: missing")),
        ("0/0/unique-id", format!("{front}/0/0/unique-id: missing")),
        ("0/0", format!("{front}/0: no stream")),
        ("0", format!("{front}/buffer-size: no stream")),
    ] {
        let line = refused_with(&[(gone, None)]);
        assert!(line.starts_with(&says), "{gone}: {line}");
    }
    // All of it: not even a directory to read.
    let line = refused(Rig::with(codecs(2)));
    assert!(line.starts_with(&format!("{front}: missing")), "{line}");
}

#[test]
fn streams_that_contradict_each_other_close_the_device() {
    let front = front_path(3, 0);
    let line = refused_with(&[("0/1/type", Some("c")), ("0/1/unique-id", Some("one"))]);
    assert!(
        line.starts_with(&format!("{front}/0/1/unique-id: \"one\" is the unique-id of another")),
        "{line}"
    );
    let line = refused_with(&[("1/0/type", Some("c")), ("1/0/unique-id", Some("output-0"))]);
    assert!(line.contains("the stream's type doesn't go with output-0"), "{line}");
    let line = refused_with(&[("channels-max", Some("2")), ("0/channels-min", Some("3"))]);
    assert!(line.contains("channels-min is above channels-max"), "{line}");
}

#[test]
fn more_than_is_served_closes_the_device() {
    let front = front_path(3, 0);
    let line = refused_with(&[("8/0/type", Some("p"))]);
    assert!(line.starts_with(&format!("{front}: more than 8 PCM devices")), "{line}");
    let line = refused_with(&[("60000/0/type", Some("p"))]);
    assert!(line.starts_with(&format!("{front}: more than 8 PCM devices")), "{line}");
    let line = refused_with(&[("0/16/type", Some("p"))]);
    assert!(line.starts_with(&format!("{front}/0: more than 16 streams")), "{line}");
    // Nine and eight are seventeen.
    let names: Vec<_> = (0..9)
        .flat_map(|stream| {
            [0, 1]
                .map(|pcm| (format!("{pcm}/{stream}/type"), format!("{pcm}/{stream}/unique-id"), pcm, stream))
        })
        .filter(|(_, _, pcm, stream)| (*pcm, *stream) != (1, 8))
        .collect();
    let ids: Vec<_> = names.iter().map(|(_, _, pcm, stream)| format!("id{pcm}{stream}")).collect();
    let changes: Vec<_> = names
        .iter()
        .zip(&ids)
        .flat_map(|((kind, id, ..), value)| [(kind.as_str(), Some("p")), (id.as_str(), Some(value.as_str()))])
        .collect();
    let line = refused_with(&changes);
    assert!(line.contains("more than 16 streams"), "{line}");
}

#[test]
fn a_directory_of_thousands_of_names_closes_the_device() {
    let line = refused(with(|rig, path| {
        for number in 0..2_000 {
            rig.stored.set(&format!("{path}/junk{number}"), "");
        }
    }));
    assert!(line.starts_with(&format!("{}: more names than fit", front_path(3, 0))), "{line}");
}

#[test]
fn a_value_that_is_no_text_closes_the_device() {
    for node in ["sample-rates", "0/0/type", "0/0/unique-id"] {
        let line = refused(with(|rig, path| {
            rig.stored.set(&format!("{path}/0/0/type"), "p");
            rig.stored.set(&format!("{path}/0/0/unique-id"), "x");
            rig.stored.set_raw(&format!("{path}/{node}"), b"\xff\xfe\x00\x01");
        }));
        assert!(line.starts_with(&format!("{}/{node}: no text", front_path(3, 0))), "{line}");
    }
}

#[test]
fn a_back_end_directory_that_names_another_s_front_end_is_refused() {
    for named in
        ["/local/domain/4/device/vsnd/0", "/local/domain/3/device/vsnd/1", "device/vsnd/0", "", "/", "../.."]
    {
        let mut rig = Rig::new();
        rig.attach(4, 0, &DUPLEX);
        let back = back_path(3, 0);
        for (node, value) in [("frontend", named), ("online", "1"), ("state", "1")] {
            rig.stored.set(&format!("{back}/{node}"), value);
        }
        rig.wake();
        rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("backend/vsnd/3/0/frontend: "), "{warnings:?}");
        assert_eq!(rig.back_state(4, 0), Some("2"), "the other one is served");
    }
}

#[test]
fn a_stream_offers_what_hardware_and_directory_both_have() {
    let mut rig = with(|rig, path| {
        for (node, value) in [
            ("sample-rates", "8000, 44100,48000,12345"),
            ("sample-formats", "s16_le,float_le,f32_le,s32_le"),
            ("buffer-size", "16384"),
            ("0/sample-rates", "44100"),
            ("0/0/type", "p"),
            ("0/0/unique-id", "output-1"),
            ("0/1/type", "p"),
            ("0/1/unique-id", "other"),
            ("0/1/sample-rates", "96000,8000"),
            ("0/1/sample-formats", "s16_le"),
            ("0/1/buffer-size", "8388608"),
            ("1/0/type", "c"),
            ("1/0/unique-id", "input-0"),
        ] {
            rig.stored.set(&format!("{path}/{node}"), value);
        }
    });
    rig.stored.set(&format!("{}/state", front_path(3, 0)), "1");
    let streams = [(0, 0, Playback, ""), (0, 1, Playback, ""), (1, 0, Capture, "")];
    rig.attach_back(3, 0);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    let mut fronts = rig.front_up(3, 0, &streams);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    let offers: Vec<_> =
        fronts.iter_mut().map(|front| offered(&mut rig, front).expect("something")).collect();
    let both = FormatSet::of(&[SampleFormat::S16Le, SampleFormat::S32Le]);
    let summary: Vec<_> = offers
        .iter()
        .map(|offer| {
            (offer.formats, offer.rates.min, offer.rates.max, offer.channels.max, offer.buffer_frames.max)
        })
        .collect();
    assert_eq!(
        summary,
        [
            (both, 44_100, 44_100, 2, 4_096),
            (FormatSet::of(&[SampleFormat::S16Le]), 96_000, 96_000, 2, 1 << 18),
            (both, 44_100, 48_000, 2, 4_096),
        ]
    );
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn a_stream_that_offers_nothing_is_warned_of_and_disturbs_no_other() {
    let mut rig = with(|rig, path| {
        for (node, value) in [
            ("state", "1"),
            ("0/0/type", "p"),
            ("0/0/unique-id", "a"),
            ("0/0/sample-formats", "mpeg"),
            ("0/1/type", "p"),
            ("0/1/unique-id", "b"),
        ] {
            rig.stored.set(&format!("{path}/{node}"), value);
        }
    });
    rig.attach_back(3, 0);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("/local/domain/3/device/vsnd/0/0/0: "), "{warnings:?}");
    let mut fronts = rig.front_up(3, 0, &[(0, 0, Playback, ""), (0, 1, Playback, "")]);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    assert_eq!(offered(&mut rig, &mut fronts[0]), None);
    rig.play_to_the_end(fronts.remove(1), &noise(2_000, 2));
}

#[test]
fn streams_are_numbered_as_linux_numbers_them() {
    // From 0 to the first that is missing: what comes behind a gap isn't there.
    let mut rig = with(|rig, path| {
        for (node, value) in [
            ("state", "1"),
            ("0/0/type", "p"),
            ("0/0/unique-id", "a"),
            ("0/2/type", "nonsense"),
            ("2/0/type", "nonsense"),
            ("00/0/type", "nonsense"),
            ("0/01/type", "nonsense"),
        ] {
            rig.stored.set(&format!("{path}/{node}"), value);
        }
    });
    rig.attach_back(3, 0);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    assert_eq!(rig.front_up(3, 0, &[(0, 0, Playback, "")]).len(), 1);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
}

#[test]
fn a_card_of_sixteen_streams_is_served() {
    let names: Vec<String> = (0..16).map(|stream| format!("s{stream}")).collect();
    let streams: Vec<StreamAt> =
        (0..16u16).map(|n| (n / 8, n % 8, Playback, &*names[usize::from(n)].clone().leak())).collect();
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/limits/streams", "16");
    rig.stored.set("snddom/guest/3/limits/channels", "32");
    let mut fronts = rig.guest_with(3, &streams);
    assert_eq!(fronts.len(), 16);
    rig.play_to_the_end(fronts.remove(15), &noise(2_000, 2));
}
