//! `audiofront record`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sndif::Direction;
use sndif::format::SampleFormat;

use crate::choice::Choice;
use crate::signals::{Interrupted, Signals};
use crate::streams::{Shape, Watchdog, progress, show};

/// Record into a WAV file
#[derive(clap::Args)]
pub(crate) struct Record {
    /// The file to write; an existing file is replaced
    #[arg(value_name = "FILE.wav")]
    file: PathBuf,

    /// Length of the recording in seconds, at most a day; Ctrl-C ends it earlier and leaves a complete file
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    seconds: f64,

    /// Frame rate in Hz
    #[arg(long, value_name = "HZ", default_value_t = 48_000)]
    rate: u32,

    /// Number of channels
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    channels: u8,

    /// Bits of each sample: 16 or 32
    #[arg(long, value_name = "BITS", default_value = "16", value_parser = ["16", "32"])]
    bits: String,

    #[command(flatten)]
    choice: Choice,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if seconds > 0.0 && seconds <= 86_400.0 {
        Ok(seconds)
    } else {
        Err("it must be above 0 and at most 86400".to_owned())
    }
}

impl Record {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let (format, bits) = match self.bits.as_str() {
            "32" => (SampleFormat::S32Le, 32),
            _ => (SampleFormat::S16Le, 16),
        };
        let shape = Shape { rate_hz: self.rate, format, channels: self.channels };
        let frame_bytes = u64::from(shape.frame_bytes());
        // At most a day.
        let frames = (self.seconds * f64::from(self.rate)).round() as u64;
        let signals = Signals::watch()?;
        let (mut card, stream) = self.choice.connect(Direction::Capture)?;
        let config = shape.config(&mut card, stream, self.choice.buffer_frames)?;
        let spec = hound::WavSpec {
            channels: self.channels.into(),
            sample_rate: self.rate,
            bits_per_sample: bits,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer =
            hound::WavWriter::create(&self.file, spec).with_context(|| self.file.display().to_string())?;
        self.choice.open(&mut card, stream, &config)?;
        card.start(stream)?;

        let bar = progress(frames, shape.rate_hz);
        let mut watchdog = Watchdog::new();
        let mut bytes = vec![0; config.buffer_bytes as usize];
        let mut taken_frames = 0;
        let mut ended = Ok(());
        while taken_frames < frames && ended.is_ok() {
            watchdog.wait(&mut card, stream)?;
            let wanted = usize::try_from((frames - taken_frames) * frame_bytes).unwrap_or(usize::MAX);
            let room = wanted.min(bytes.len());
            let taken = card.front(stream).take(&mut bytes[..room]);
            taken_frames += taken as u64 / frame_bytes;
            card.hint(stream);
            write(&mut writer, format, &bytes[..taken]).with_context(|| self.file.display().to_string())?;
            show(&bar, taken_frames, frames, shape.rate_hz);
            ended = signals.check();
        }
        let lost = card.front(stream).capture().map_or(0, |capture| capture.overrun_bytes()) / frame_bytes;
        writer.finalize().with_context(|| self.file.display().to_string())?;
        card.stop(stream)?;
        card.close_stream(stream)?;
        card.close()?;
        bar.finish_and_clear();
        if let Err(error) = ended {
            if error.is::<Interrupted>() {
                eprintln!("audiofront: {taken_frames} frames are in {}", self.file.display());
            }
            return Err(error);
        }
        if lost > 0 {
            bail!("{lost} frames were not read in time: they are missing in the file");
        }
        Ok(ExitCode::SUCCESS)
    }
}

type Writer = hound::WavWriter<std::io::BufWriter<std::fs::File>>;

fn write(writer: &mut Writer, format: SampleFormat, bytes: &[u8]) -> hound::Result<()> {
    match format {
        SampleFormat::S32Le => {
            bytes.as_chunks().0.iter().try_for_each(|sample| writer.write_sample(i32::from_le_bytes(*sample)))
        }
        _ => {
            bytes.as_chunks().0.iter().try_for_each(|sample| writer.write_sample(i16::from_le_bytes(*sample)))
        }
    }
}
