//! The command line: what to play, what to record, how to log.
//!
//! Words are separated by blanks, each `key=value`; an unknown word is an error, as is one given twice that may be
//! given once.

use core::fmt::{self, Write};
use core::str;

use audiofront::MAX_BUFFER_BYTES;
use heapless::Vec;
use log::LevelFilter;
use sndif::format::SampleFormat;

/// Octets of a command line that are read.
pub const MAX_COMMAND_LINE_BYTES: usize = 1024;
/// `play=` words, and `record=` words, that a command line may have.
pub const MAX_STREAMS: usize = 8;
/// Most channels of a stream (HDA specification 1.0a, 3.3.41 "SDnFMT", CHAN).
pub const MAX_CHANNELS: u8 = 16;

/// Everything the command line can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Streams to be played at once.
    pub play: Vec<Play, MAX_STREAMS>,
    /// Streams to be recorded at once.
    pub record: Vec<Record, MAX_STREAMS>,
    /// Frames between two period edges, 1 or more. Default 480: 10 ms at 48 kHz.
    pub period_frames: u32,
    /// Octets in each stream's buffer, 1 to [`MAX_BUFFER_BYTES`]. Default 65536.
    pub buffer_bytes: u32,
    /// How much is logged. Default info.
    pub log_level: LevelFilter,
    /// `pci=assign`: size and place the controllers' BARs, even though firmware has done so.
    pub pci_assign: bool,
    /// Break something on purpose, to test what comes after.
    pub fault: Option<Fault>,
}

impl Default for CommandLine {
    fn default() -> Self {
        Self {
            play: Vec::new(),
            record: Vec::new(),
            period_frames: 480,
            buffer_bytes: 65536,
            log_level: LevelFilter::Info,
            pci_assign: false,
            fault: None,
        }
    }
}

/// `play=<output>,<rate_hz>,<format>,<channels>,<module_offset>,<bytes>`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// Which of the card's outputs, from 0.
    pub output: u8,
    /// Frames a second.
    pub rate_hz: u32,
    /// Format of a sample.
    pub format: SampleFormat,
    /// Samples in a frame.
    pub channels: u8,
    /// Where in the boot module the samples start, in octets.
    pub module_offset: usize,
    /// How many octets to play.
    pub bytes: usize,
}

/// `record=<input>,<rate_hz>,<format>,<channels>,<frames>`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which of the card's inputs, from 0.
    pub input: u8,
    /// Frames a second.
    pub rate_hz: u32,
    /// Format of a sample.
    pub format: SampleFormat,
    /// Samples in a frame.
    pub channels: u8,
    /// How many frames to record.
    pub frames: u64,
}

/// A fault to be made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Read an address that isn't mapped.
    PageFault,
    /// Write through a null pointer.
    Null,
    /// Recurse until the guard page.
    StackOverflow,
    /// Divide by zero, by the processor's own instruction.
    Divide,
    /// Execute an undefined instruction.
    InvalidOpcode,
    /// Write to the image's code.
    WriteText,
    /// Execute the image's data.
    ExecData,
    /// A Rust panic.
    Panic,
    /// Allocate after the heap has been sealed.
    Alloc,
    /// A panic whose message can't be written without a page fault.
    Nested,
    /// Turn the controller's memory decoding off, so that it stops answering.
    HangController,
}

const FAULTS: [(&str, Fault); 11] = [
    ("page-fault", Fault::PageFault),
    ("null", Fault::Null),
    ("stack-overflow", Fault::StackOverflow),
    ("divide", Fault::Divide),
    ("invalid-opcode", Fault::InvalidOpcode),
    ("write-text", Fault::WriteText),
    ("exec-data", Fault::ExecData),
    ("panic", Fault::Panic),
    ("alloc", Fault::Alloc),
    ("nested", Fault::Nested),
    ("hang-controller", Fault::HangController),
];

/// A word that can't be used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLineError<'a> {
    /// The word, as far as it can be shown.
    pub word: &'a str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Octets that aren't UTF-8, or control characters.
    NotText,
    /// There is no such word.
    Unknown,
    /// It may be given once only.
    GivenTwice,
    /// More than [`MAX_STREAMS`] of them.
    TooMany,
    /// Not as many fields, separated by commas, as named here.
    FieldCount(u8),
    /// The named field isn't a decimal number in these bounds.
    Number {
        /// The field's name.
        field: &'static str,
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// The format is neither `s16_le` nor `s32_le`.
    Format,
    /// Not one of the values that this word can have.
    Value,
}

impl fmt::Display for CommandLineError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("command line, word \"")?;
        for c in self.word.chars() {
            f.write_char(if c.is_control() { '?' } else { c })?;
        }
        f.write_str("\": ")?;
        match self.problem {
            Problem::NotText => f.write_str("not printable text"),
            Problem::Unknown => f.write_str("no such word"),
            Problem::GivenTwice => f.write_str("given twice"),
            Problem::TooMany => write!(f, "more than {MAX_STREAMS} of them"),
            Problem::FieldCount(count) => write!(f, "needs {count} fields separated by commas"),
            Problem::Number { field, min, max } => write!(f, "{field} must be a number from {min} to {max}"),
            Problem::Format => f.write_str("format must be s16_le or s32_le"),
            Problem::Value => f.write_str("no such value"),
        }
    }
}

/// Parses a command line.
pub fn parse(bytes: &[u8]) -> Result<CommandLine, CommandLineError<'_>> {
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(CommandLineError { word: "", problem: Problem::NotText });
    };
    let mut result = CommandLine::default();
    let mut seen = Seen::default();
    for word in text.split_ascii_whitespace() {
        parse_word(word, &mut result, &mut seen).map_err(|problem| CommandLineError { word, problem })?;
    }
    Ok(result)
}

/// Which of the words that may come once have come.
#[derive(Default)]
struct Seen {
    period_frames: bool,
    buffer_bytes: bool,
    log: bool,
    pci: bool,
    fault: bool,
}

fn once(seen: &mut bool) -> Result<(), Problem> {
    if core::mem::replace(seen, true) { Err(Problem::GivenTwice) } else { Ok(()) }
}

fn parse_word(word: &str, result: &mut CommandLine, seen: &mut Seen) -> Result<(), Problem> {
    if word.contains(|c: char| c.is_control()) {
        return Err(Problem::NotText);
    }
    let (key, value) = word.split_once('=').ok_or(Problem::Unknown)?;
    match key {
        "play" => result.play.push(parse_play(value)?).map_err(|_| Problem::TooMany),
        "record" => result.record.push(parse_record(value)?).map_err(|_| Problem::TooMany),
        "period_frames" => {
            once(&mut seen.period_frames)?;
            result.period_frames = number(value, "period_frames", 1, u64::from(MAX_BUFFER_BYTES))? as u32;
            Ok(())
        }
        "buffer_bytes" => {
            once(&mut seen.buffer_bytes)?;
            result.buffer_bytes = number(value, "buffer_bytes", 1, u64::from(MAX_BUFFER_BYTES))? as u32;
            Ok(())
        }
        "log" => {
            once(&mut seen.log)?;
            result.log_level = value.parse().map_err(|_| Problem::Value)?;
            Ok(())
        }
        "pci" => {
            once(&mut seen.pci)?;
            result.pci_assign = value == "assign";
            if result.pci_assign { Ok(()) } else { Err(Problem::Value) }
        }
        "fault" => {
            once(&mut seen.fault)?;
            let fault = FAULTS.iter().find(|(name, _)| *name == value).ok_or(Problem::Value)?;
            result.fault = Some(fault.1);
            Ok(())
        }
        _ => Err(Problem::Unknown),
    }
}

/// Splits into exactly `N` fields.
fn fields<const N: usize>(value: &str) -> Result<[&str; N], Problem> {
    let problem = Problem::FieldCount(N as u8);
    let mut rest = value.split(',');
    let mut fields = [""; N];
    for field in &mut fields {
        *field = rest.next().ok_or(problem)?;
    }
    if rest.next().is_some() { Err(problem) } else { Ok(fields) }
}

/// A decimal number without a sign.
fn number(text: &str, field: &'static str, min: u64, max: u64) -> Result<u64, Problem> {
    let digits_only = text.bytes().all(|octet| octet.is_ascii_digit());
    let value = if digits_only { text.parse::<u64>().ok() } else { None };
    value.filter(|value| (min..=max).contains(value)).ok_or(Problem::Number { field, min, max })
}

fn format(text: &str) -> Result<SampleFormat, Problem> {
    match text {
        "s16_le" => Ok(SampleFormat::S16Le),
        "s32_le" => Ok(SampleFormat::S32Le),
        _ => Err(Problem::Format),
    }
}

fn rate(text: &str) -> Result<u32, Problem> {
    Ok(number(text, "rate_hz", 1, 1_000_000)? as u32)
}

fn channels(text: &str) -> Result<u8, Problem> {
    Ok(number(text, "channels", 1, u64::from(MAX_CHANNELS))? as u8)
}

fn parse_play(value: &str) -> Result<Play, Problem> {
    let [output, rate_hz, sample_format, channel_count, module_offset, bytes] = fields(value)?;
    Ok(Play {
        output: number(output, "output", 0, 255)? as u8,
        rate_hz: rate(rate_hz)?,
        format: format(sample_format)?,
        channels: channels(channel_count)?,
        module_offset: number(module_offset, "module_offset", 0, u64::from(u32::MAX))? as usize,
        bytes: number(bytes, "bytes", 1, u64::from(u32::MAX))? as usize,
    })
}

fn parse_record(value: &str) -> Result<Record, Problem> {
    let [input, rate_hz, sample_format, channel_count, frames] = fields(value)?;
    Ok(Record {
        input: number(input, "input", 0, 255)? as u8,
        rate_hz: rate(rate_hz)?,
        format: format(sample_format)?,
        channels: channels(channel_count)?,
        frames: number(frames, "frames", 1, u64::from(u32::MAX))?,
    })
}
