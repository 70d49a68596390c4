//! The command line of the image without Xen: playback, recording, and faults to inject.

use audiofront::MAX_BUFFER_BYTES;
use heapless::Vec;
use log::LevelFilter;
use sndif::format::SampleFormat;

use crate::boot::command_line::{self, CommandLineError, set_once};

/// Most `play=` words, and most `record=` words, on a command line.
pub const MAX_STREAMS: usize = 8;
/// Most channels of a stream (HDA specification 1.0a, 3.3.41 "SDnFMT", CHAN).
pub const MAX_CHANNELS: u8 = 16;

/// A parsed command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Streams to play at once.
    pub play: Vec<Play, MAX_STREAMS>,
    /// Streams to record at once.
    pub record: Vec<Record, MAX_STREAMS>,
    /// Frames between two period edges, at least 1. Default 480: 10 ms at 48 kHz.
    pub period_frames: u32,
    /// Bytes in each stream's buffer, 1 to [`MAX_BUFFER_BYTES`]. Default 65536.
    pub buffer_bytes: u32,
    /// Log level. Default info.
    pub log_level: LevelFilter,
    /// `pci=assign`: size and place the controllers' BARs even if firmware has placed them.
    pub pci_assign: bool,
    /// Fault to inject, to test the epitaph.
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
    /// Number of the card's output, from 0.
    pub output: u8,
    /// Frames a second.
    pub rate_hz: u32,
    /// Format of a sample.
    pub format: SampleFormat,
    /// Samples in a frame.
    pub channels: u8,
    /// Start of the samples in the boot module, in bytes.
    pub module_offset: usize,
    /// Bytes to play.
    pub bytes: usize,
}

/// `record=<input>,<rate_hz>,<format>,<channels>,<frames>`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Number of the card's input, from 0.
    pub input: u8,
    /// Frames a second.
    pub rate_hz: u32,
    /// Format of a sample.
    pub format: SampleFormat,
    /// Samples in a frame.
    pub channels: u8,
    /// Frames to record.
    pub frames: u64,
}

/// A fault to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Read an address that isn't mapped.
    PageFault,
    /// Write through a null pointer.
    Null,
    /// Recurse into the guard page.
    StackOverflow,
    /// Divide by zero with the processor's own instruction.
    Divide,
    /// Execute an undefined instruction.
    InvalidOpcode,
    /// Write to the image's code.
    WriteText,
    /// Execute the image's data.
    ExecData,
    /// A Rust panic.
    Panic,
    /// Allocate after the heap is sealed.
    Alloc,
    /// A panic whose message causes a page fault when written.
    Nested,
    /// Turn off the controller's memory decoding, so that it stops answering.
    HangController,
}

impl Fault {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "page-fault" => Self::PageFault,
            "null" => Self::Null,
            "stack-overflow" => Self::StackOverflow,
            "divide" => Self::Divide,
            "invalid-opcode" => Self::InvalidOpcode,
            "write-text" => Self::WriteText,
            "exec-data" => Self::ExecData,
            "panic" => Self::Panic,
            "alloc" => Self::Alloc,
            "nested" => Self::Nested,
            "hang-controller" => Self::HangController,
            _ => return None,
        })
    }
}

/// A problem with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A problem that words of any image can have.
    #[error(transparent)]
    Common(#[from] command_line::Problem),
    /// More than [`MAX_STREAMS`] such words.
    #[error("more than {MAX_STREAMS} of them")]
    TooMany,
    /// The word doesn't have this number of comma-separated fields.
    #[error("needs {0} fields separated by commas")]
    FieldCount(u8),
    /// The named field isn't a decimal number within these bounds.
    #[error("{field} must be a number from {min} to {max}")]
    Number {
        /// The field's name.
        field: &'static str,
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// The format is neither `s16_le` nor `s32_le`.
    #[error("format must be s16_le or s32_le")]
    Format,
}

/// Parses a command line.
pub fn parse(bytes: &[u8]) -> Result<CommandLine, CommandLineError<'_, Problem>> {
    let mut line = CommandLine::default();
    let (mut period_frames, mut buffer_bytes, mut pci_assign) = (None, None, None);
    line.log_level = command_line::parse(bytes, |key, value| {
        match key {
            "play" => line.play.push(parse_play(value)?).map_err(|_| Problem::TooMany)?,
            "record" => line.record.push(parse_record(value)?).map_err(|_| Problem::TooMany)?,
            "period_frames" => set_once(&mut period_frames, buffer_size(value, "period_frames")?)?,
            "buffer_bytes" => set_once(&mut buffer_bytes, buffer_size(value, "buffer_bytes")?)?,
            "pci" if value == "assign" => set_once(&mut pci_assign, true)?,
            "pci" => return Err(command_line::Problem::Value.into()),
            "fault" => {
                let fault = Fault::from_name(value).ok_or(command_line::Problem::Value)?;
                set_once(&mut line.fault, fault)?;
            }
            _ => return Err(command_line::Problem::Unknown.into()),
        }
        Ok(())
    })?;
    line.period_frames = period_frames.unwrap_or(line.period_frames);
    line.buffer_bytes = buffer_bytes.unwrap_or(line.buffer_bytes);
    line.pci_assign = pci_assign.unwrap_or(line.pci_assign);
    Ok(line)
}

/// A buffer size, from 1 to the largest.
fn buffer_size(value: &str, field: &'static str) -> Result<u32, Problem> {
    number(value, field, 1, MAX_BUFFER_BYTES.into())
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
fn number<T: TryFrom<u64>>(text: &str, field: &'static str, min: u64, max: u64) -> Result<T, Problem> {
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    let value = if digits_only { text.parse::<u64>().ok() } else { None };
    let value = value.filter(|value| (min..=max).contains(value)).and_then(|value| T::try_from(value).ok());
    value.ok_or(Problem::Number { field, min, max })
}

fn format(text: &str) -> Result<SampleFormat, Problem> {
    match text {
        "s16_le" => Ok(SampleFormat::S16Le),
        "s32_le" => Ok(SampleFormat::S32Le),
        _ => Err(Problem::Format),
    }
}

fn parse_play(value: &str) -> Result<Play, Problem> {
    let [output, rate_hz, sample_format, channel_count, module_offset, bytes] = fields(value)?;
    Ok(Play {
        output: number(output, "output", 0, 255)?,
        rate_hz: number(rate_hz, "rate_hz", 1, 1_000_000)?,
        format: format(sample_format)?,
        channels: number(channel_count, "channels", 1, MAX_CHANNELS.into())?,
        module_offset: number(module_offset, "module_offset", 0, u32::MAX.into())?,
        bytes: number(bytes, "bytes", 1, u32::MAX.into())?,
    })
}

fn parse_record(value: &str) -> Result<Record, Problem> {
    let [input, rate_hz, sample_format, channel_count, frames] = fields(value)?;
    Ok(Record {
        input: number(input, "input", 0, 255)?,
        rate_hz: number(rate_hz, "rate_hz", 1, 1_000_000)?,
        format: format(sample_format)?,
        channels: number(channel_count, "channels", 1, MAX_CHANNELS.into())?,
        frames: number(frames, "frames", 1, u32::MAX.into())?,
    })
}
