//! `audiofront play`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sndif::Direction;
use sndif::format::SampleFormat;

use crate::choice::Choice;
use crate::signals::Signals;
use crate::streams::{Shape, Watchdog, progress, show};

/// Play a WAV file
#[derive(clap::Args)]
pub(crate) struct Play {
    /// The file: samples of 8, 16, 24 or 32 bit at a rate that the card supports. A mono file plays on both channels
    #[arg(value_name = "FILE.wav")]
    file: PathBuf,

    #[command(flatten)]
    choice: Choice,

    /// Overwrite the control page with nonsense while playing: a test of the back end
    #[arg(long, hide = true)]
    scribble: bool,
}

/// A file's samples in a shape that goes to a stream as it is.
struct Samples {
    shape: Shape,
    bytes: Vec<u8>,
}

impl Samples {
    fn load(path: &Path) -> Result<Self> {
        let mut reader = hound::WavReader::open(path).with_context(|| path.display().to_string())?;
        let spec = reader.spec();
        if spec.sample_format != hound::SampleFormat::Int {
            bail!(
                "{}: samples of floating point can't be played\n  what to do: convert it to 16 or 32 bit",
                path.display()
            );
        }
        let channels = u8::try_from(spec.channels).context("too many channels")?;
        let bits = spec.bits_per_sample;
        let (format, bytes) = match bits {
            8 | 16 => {
                let shift = 16 - bits;
                let samples = reader.samples::<i16>().map(|sample| Ok((sample? << shift).to_le_bytes()));
                (SampleFormat::S16Le, samples.collect::<Result<Vec<_>, hound::Error>>()?.concat())
            }
            24 | 32 => {
                let shift = 32 - bits;
                let samples = reader.samples::<i32>().map(|sample| Ok((sample? << shift).to_le_bytes()));
                (SampleFormat::S32Le, samples.collect::<Result<Vec<_>, hound::Error>>()?.concat())
            }
            other => bail!("{}: samples of {other} bit can't be played", path.display()),
        };
        if bytes.is_empty() {
            bail!("{}: there is nothing in it", path.display());
        }
        Ok(Self { shape: Shape { rate_hz: spec.sample_rate, format, channels }, bytes })
    }

    /// The same on `channels` channels, each of which has what the only one had.
    fn spread(self, channels: u8) -> Self {
        let sample_bytes = self.shape.frame_bytes() as usize;
        let bytes =
            self.bytes.chunks(sample_bytes).flat_map(|sample| sample.repeat(channels.into())).collect();
        Self { shape: Shape { channels, ..self.shape }, bytes }
    }
}

impl Play {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let mut samples = Samples::load(&self.file)?;
        let signals = Signals::watch()?;
        let (mut card, stream) = self.choice.connect(Direction::Playback)?;
        if samples.shape.channels == 1 && !samples.shape.is_possible(&mut card, stream)? {
            samples = samples.spread(2);
        }
        let shape = samples.shape;
        let config = shape.config(&mut card, stream, self.choice.buffer_frames)?;
        self.choice.open(&mut card, stream, &config)?;
        let frame_bytes = u64::from(shape.frame_bytes());
        let frames = samples.bytes.len() as u64 / frame_bytes;

        let mut next = card.front(stream).fill(&samples.bytes);
        card.hint(stream);
        card.start(stream)?;
        let bar = progress(frames, shape.rate_hz);
        let mut watchdog = Watchdog::new();
        let mut nonsense = 1u32;
        loop {
            signals.check()?;
            if let Some(page) = card.control_area().filter(|_| self.scribble) {
                for offset in (0..page.len()).step_by(4) {
                    nonsense = nonsense.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    page.write(offset, &nonsense.to_le_bytes());
                }
            }
            watchdog.wait(&mut card, stream)?;
            let filled = card.front(stream).fill(&samples.bytes[next..]);
            next += filled;
            if filled > 0 {
                card.hint(stream);
            }
            let front = card.front(stream);
            show(&bar, front.position_bytes() / frame_bytes, frames, shape.rate_hz);
            let Some(playback) = front.playback() else { bail!("the stream is closed") };
            if next == samples.bytes.len() {
                playback.end();
                if playback.is_drained() {
                    break;
                }
            }
        }
        let late =
            card.front(stream).playback().map_or(0, |playback| playback.underrun_bytes()) / frame_bytes;
        card.stop(stream)?;
        card.close_stream(stream)?;
        card.close()?;
        bar.finish_and_clear();
        if late > 0 {
            eprintln!("audiofront: {late} frames were not written in time: silence was played");
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}
