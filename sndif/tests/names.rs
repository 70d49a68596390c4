//! Formats, states and the grammar of xenstore's values.

use proptest::prelude::*;
use sndif::Direction;
use sndif::format::{FormatSet, SampleFormat};
use sndif::nodes::{self, VolumeRange};
use sndif::op::{Operation, Trigger};
use sndif::state::XenbusState;

/// Code, name, bytes a sample: sndif.h, "PCM FORMATS" and the `_STR` definitions.
const FORMATS: [(u8, &str, Option<u32>); 25] = [
    (0, "s8", Some(1)),
    (1, "u8", Some(1)),
    (2, "s16_le", Some(2)),
    (3, "s16_be", Some(2)),
    (4, "u16_le", Some(2)),
    (5, "u16_be", Some(2)),
    (6, "s24_le", Some(4)),
    (7, "s24_be", Some(4)),
    (8, "u24_le", Some(4)),
    (9, "u24_be", Some(4)),
    (10, "s32_le", Some(4)),
    (11, "s32_be", Some(4)),
    (12, "u32_le", Some(4)),
    (13, "u32_be", Some(4)),
    (14, "float_le", Some(4)),
    (15, "float_be", Some(4)),
    (16, "float64_le", Some(8)),
    (17, "float64_be", Some(8)),
    (18, "iec958_subframe_le", Some(4)),
    (19, "iec958_subframe_be", Some(4)),
    (20, "mu_law", Some(1)),
    (21, "a_law", Some(1)),
    (22, "ima_adpcm", None),
    (23, "mpeg", None),
    (24, "gsm", None),
];

#[test]
fn all_25_formats_have_the_headers_code_and_name() {
    for (code, name, bytes) in FORMATS {
        let format = SampleFormat::from_code(code).unwrap();
        assert_eq!(format.code(), code);
        assert_eq!(format.name(), name);
        assert_eq!(SampleFormat::from_name(name), Some(format));
        assert_eq!(format.bytes_per_sample(), bytes);
        assert_eq!(format.silence().is_some(), bytes.is_some());
        assert!(name.len() <= 24, "XENSND_SAMPLE_FORMAT_MAX_LEN");
    }
    assert!((25..=255).all(|code| SampleFormat::from_code(code).is_none()));
}

#[test]
fn xls_spelling_of_the_floating_formats_is_taken_too() {
    for (xl, header) in
        [("f32_le", "float_le"), ("f32_be", "float_be"), ("f64_le", "float64_le"), ("f64_be", "float64_be")]
    {
        assert_eq!(SampleFormat::from_name(xl), SampleFormat::from_name(header));
        assert!(SampleFormat::from_name(xl).is_some());
    }
    for wrong in ["", "S16_LE", "s16", "s16_le ", "float", "s24_3le"] {
        assert_eq!(SampleFormat::from_name(wrong), None, "{wrong:?}");
    }
}

#[test]
fn silence_is_the_middle_of_the_range() {
    assert_eq!(SampleFormat::S16Le.silence(), Some([0; 8]));
    assert_eq!(SampleFormat::F64Be.silence(), Some([0; 8]));
    let first = |format: SampleFormat, bytes: usize| format.silence().unwrap()[..bytes].to_vec();
    assert_eq!(first(SampleFormat::U8, 1), [0x80]);
    assert_eq!(first(SampleFormat::U16Le, 2), 0x8000u16.to_le_bytes());
    assert_eq!(first(SampleFormat::U16Be, 2), 0x8000u16.to_be_bytes());
    assert_eq!(first(SampleFormat::U24Le, 4), 0x0080_0000u32.to_le_bytes());
    assert_eq!(first(SampleFormat::U24Be, 4), 0x0080_0000u32.to_be_bytes());
    assert_eq!(first(SampleFormat::U32Le, 4), 0x8000_0000u32.to_le_bytes());
    assert_eq!(first(SampleFormat::U32Be, 4), 0x8000_0000u32.to_be_bytes());
    // G.711: a byte of 0 is the loudest negative value of mu-law, and a loud one of A-law.
    assert_eq!(first(SampleFormat::MuLaw, 1), [0xff]);
    assert_eq!(first(SampleFormat::ALaw, 1), [0xd5]);
    // The pattern repeats with the sample.
    for format in SampleFormat::all() {
        let (Some(silence), Some(bytes)) = (format.silence(), format.bytes_per_sample()) else { continue };
        let sample = &silence[..bytes as usize];
        assert!(silence.chunks(bytes as usize).all(|chunk| chunk == sample), "{format:?}");
    }
}

#[test]
fn sets_hold_what_was_put_in() {
    assert!(FormatSet::EMPTY.is_empty());
    assert_eq!(FormatSet::ALL.0, (1 << 25) - 1);
    assert_eq!(FormatSet::ALL.iter().count(), 25);
    let mut set = FormatSet::EMPTY;
    set.insert(SampleFormat::S32Le);
    set.insert(SampleFormat::S16Le);
    assert_eq!(set, FormatSet::of(&[SampleFormat::S16Le, SampleFormat::S32Le]));
    assert_eq!(set.0, 0x404);
    assert!(set.contains(SampleFormat::S16Le) && !set.contains(SampleFormat::S8));
    assert_eq!(set.iter().collect::<Vec<_>>(), [SampleFormat::S16Le, SampleFormat::S32Le]);
    assert_eq!(set.intersect(FormatSet::of(&[SampleFormat::S32Le])).0, 0x400);
    assert!(set.is_subset(FormatSet::ALL) && !FormatSet::ALL.is_subset(set));
    let no_format = FormatSet(1 << 63);
    assert!(no_format.is_empty() && no_format.iter().next().is_none() && no_format.is_subset(set));
}

#[test]
fn a_list_of_formats_leaves_out_what_nobody_knows() {
    let set = FormatSet::from_list("s16_le, s32_le,,dsd_u8,f32_le");
    let wanted = [SampleFormat::S16Le, SampleFormat::S32Le, SampleFormat::F32Le];
    assert_eq!(set, FormatSet::of(&wanted));
    assert!(FormatSet::from_list("").is_empty());
}

#[test]
fn numbers_are_digits_and_nothing_else() {
    assert_eq!(nodes::decimal("0"), Some(0));
    assert_eq!(nodes::decimal("4294967295"), Some(u32::MAX));
    for wrong in ["", "4294967296", "+1", "-1", " 1", "1 ", "0x10", "1e3", "\u{0661}"] {
        assert_eq!(nodes::decimal(wrong), None, "{wrong:?}");
    }
    assert_eq!(nodes::decimals("48000, 44100,x,,8000").collect::<Vec<_>>(), [48_000, 44_100, 8_000]);
}

#[test]
fn states_types_and_codes_have_the_headers_numbers() {
    for (code, state) in (1..).zip(XenbusState::ALL) {
        assert_eq!(state.code(), code);
        assert_eq!(XenbusState::from_code(code), Some(state));
        assert_eq!(XenbusState::from_node(state.node()), Some(state));
        assert_eq!(state.node(), code.to_string());
    }
    for wrong in ["0", "9", "", "04x", "260"] {
        assert_eq!(XenbusState::from_node(wrong), None, "{wrong:?}");
    }
    assert_eq!(XenbusState::Connected.code(), 4);
    assert_eq!(XenbusState::Closed.code(), 6);

    assert_eq!(Direction::from_node("p"), Some(Direction::Playback));
    assert_eq!(Direction::from_node("c"), Some(Direction::Capture));
    assert_eq!(Direction::from_node("pc"), None);
    assert_eq!([Direction::Playback.node(), Direction::Capture.node()], ["p", "c"]);
    assert!(Direction::Playback.is_playback() && !Direction::Capture.is_playback());

    assert_eq!(Operation::ALL.map(Operation::code), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x80]);
    assert_eq!(Trigger::ALL.map(Trigger::code), [0, 1, 2, 3]);
    assert_eq!((Operation::from_code(10), Trigger::from_code(4)), (None, None));
}

proptest! {
    #[test]
    fn any_text_in_a_node_is_read_without_harm(text in ".{0,64}") {
        let _ = FormatSet::from_list(&text);
        let _ = XenbusState::from_node(&text);
        let _ = SampleFormat::from_name(&text);
        prop_assert!(nodes::decimals(&text).count() <= text.len());
    }

    #[test]
    fn numbers_survive(number: u32) {
        prop_assert_eq!(nodes::decimal(&number.to_string()), Some(number));
    }
}

#[test]
fn a_volume_range_is_read_as_it_is_written() {
    for (text, range) in [
        ("-74000,0,1000,1", VolumeRange { min_mdb: -74_000, max_mdb: 0, step_mdb: 1_000, can_mute: true }),
        ("0,0,0,0", VolumeRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute: false }),
    ] {
        assert_eq!(range.to_string(), text);
        assert_eq!(VolumeRange::from_node(text), Some(range));
    }
    for bad in ["", "1", "1,2,3", "1,2,3,4,5", "a,0,1,1", "0,0,-1,1", "0,0,1,", "99999999999,0,1,1"] {
        assert_eq!(VolumeRange::from_node(bad), None, "{bad}");
    }
}
