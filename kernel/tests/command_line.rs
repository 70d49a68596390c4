//! The command line, as typed and as thrown at the parser.

use log::LevelFilter;
use proptest::prelude::*;
use snddom_kernel::bare::command_line::{CommandLine, Fault, Play, Problem, Record, parse};
use snddom_kernel::boot::command_line::{self, Problem as Common};
use sndif::format::SampleFormat;

fn problem(line: &str) -> (String, Problem) {
    let error = parse(line.as_bytes()).expect_err("an error was expected");
    (error.word.to_owned(), error.problem)
}

#[test]
fn an_empty_line_gives_the_defaults() {
    let expected = CommandLine::default();
    assert_eq!(parse(b""), Ok(expected.clone()));
    assert_eq!(parse(b"  \t "), Ok(expected));
    assert_eq!(CommandLine::default().period_frames, 480);
    assert_eq!(CommandLine::default().buffer_bytes, 65536);
}

#[test]
fn every_word_is_understood() {
    let line =
        b"play=0,48000,s16_le,2,44,192000 play=1,96000,s32_le,8,192044,512 record=2,44100,s16_le,1,441 \
                 period_frames=240 buffer_bytes=32768 log=debug pci=assign fault=write-text";
    let parsed = parse(line).expect("a good line");
    let first = Play {
        output: 0,
        rate_hz: 48000,
        format: SampleFormat::S16Le,
        channels: 2,
        module_offset: 44,
        bytes: 192_000,
    };
    let second = Play {
        output: 1,
        rate_hz: 96000,
        format: SampleFormat::S32Le,
        channels: 8,
        module_offset: 192_044,
        bytes: 512,
    };
    let record = Record { input: 2, rate_hz: 44100, format: SampleFormat::S16Le, channels: 1, frames: 441 };
    assert_eq!(parsed.play.as_slice(), [first, second]);
    assert_eq!(parsed.record.as_slice(), [record]);
    assert_eq!((parsed.period_frames, parsed.buffer_bytes), (240, 32768));
    assert_eq!(parsed.log_level, LevelFilter::Debug);
    assert!(parsed.pci_assign);
    assert_eq!(parsed.fault, Some(Fault::WriteText));
}

#[test]
fn an_error_names_the_word_and_the_reason() {
    assert_eq!(problem("log=info foo=1"), ("foo=1".into(), Problem::Common(Common::Unknown)));
    assert_eq!(problem("play"), ("play".into(), Problem::Common(Common::Unknown)));
    assert_eq!(problem("log=loud"), ("log=loud".into(), Problem::Common(Common::Value)));
    assert_eq!(problem("pci=firmware"), ("pci=firmware".into(), Problem::Common(Common::Value)));
    assert_eq!(problem("fault=none"), ("fault=none".into(), Problem::Common(Common::Value)));
    assert_eq!(problem("period_frames=1 period_frames=1").1, Problem::Common(Common::GivenTwice));
    assert_eq!(problem("play=0,48000,s16_le,2,0").1, Problem::FieldCount(6));
    assert_eq!(problem("play=0,48000,s16_le,2,0,1,1").1, Problem::FieldCount(6));
    assert_eq!(problem("record=0,48000,s16_le,2").1, Problem::FieldCount(5));
    assert_eq!(problem("play=0,48000,u8,2,0,1").1, Problem::Format);
    let channels = Problem::Number { field: "channels", min: 1, max: 16 };
    assert_eq!(problem("play=0,48000,s16_le,0,0,1").1, channels);
    assert_eq!(problem("play=0,48000,s16_le,17,0,1").1, channels);
    for number in ["", "-1", "+1", "0x10", "1.5", "99999999999999999999", "0"] {
        let (_, problem) = problem(&format!("buffer_bytes={number}"));
        assert_eq!(problem, Problem::Number { field: "buffer_bytes", min: 1, max: 1 << 20 }, "{number:?}");
    }
    let text = parse(b"log=debug play=0,48000,u8,2,0,1").expect_err("a bad format").to_string();
    assert_eq!(text, "command line, word \"play=0,48000,u8,2,0,1\": format must be s16_le or s32_le");
}

#[test]
fn the_image_under_xen_knows_the_log_level_alone() {
    let parse = |line: &'static str| command_line::parse(line.as_bytes(), |_, _| Err(Common::Unknown));
    assert_eq!(parse(""), Ok(LevelFilter::Info));
    assert_eq!(parse("log=debug"), Ok(LevelFilter::Debug));
    assert_eq!(parse("log=debug log=info").expect_err("twice").problem, Common::GivenTwice);
    let text = parse("play=0,48000,s16_le,2,0,1").expect_err("a word of the other image").to_string();
    assert_eq!(text, "command line, word \"play=0,48000,s16_le,2,0,1\": no such word");
}

#[test]
fn a_ninth_stream_is_refused() {
    let eight = "play=0,48000,s16_le,2,0,4 ".repeat(8);
    assert_eq!(parse(eight.as_bytes()).expect("eight fit").play.len(), 8);
    let nine = "play=0,48000,s16_le,2,0,4 ".repeat(9);
    assert_eq!(problem(&nine).1, Problem::TooMany);
}

#[test]
fn what_is_no_text_is_refused() {
    assert_eq!(parse(b"log=\xff").expect_err("not UTF-8").problem, Problem::Common(Common::NotText));
    assert_eq!(problem("log=\u{1b}[2J").1, Problem::Common(Common::NotText));
    let text = parse(b"log=\x1b[2J").expect_err("a control character").to_string();
    assert_eq!(text, "command line, word \"log=?[2J\": not printable text");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1024)) {
        let _ = parse(&bytes).map_err(|error| error.to_string());
    }

    #[test]
    fn nothing_that_looks_like_words_makes_it_panic(line in "((play|record|log|pci|fault|period_frames|buffer_bytes)=[-0-9a-z_,]{0,40} ?){0,20}") {
        let _ = parse(line.as_bytes()).map_err(|error| error.to_string());
    }

    #[test]
    fn what_is_in_bounds_comes_back(
        output in 0u8.., rate_hz in 1u32..=1_000_000, channels in 1u8..=16, offset in 0u32.., bytes in 1u32..,
    ) {
        let line = format!("play={output},{rate_hz},s32_le,{channels},{offset},{bytes}");
        let parsed = parse(line.as_bytes()).expect("in bounds");
        prop_assert_eq!(parsed.play[0], Play {
            output, rate_hz, format: SampleFormat::S32Le, channels,
            module_offset: offset as usize, bytes: bytes as usize,
        });
    }
}
