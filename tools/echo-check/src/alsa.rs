//! The same streams through ALSA, with offsets from ALSA's pointers, for comparison.
//!
//! A program learns from `snd_pcm_status` how far each stream is (`delay`), and when (`htstamp`).
//! The offset is the difference of the two positions, projected to one time. Its accuracy is that
//! of the driver's pointer: if that moves in steps, so does the offset.

use alsa::pcm::{Access, Format, HwParams, PCM, TstampType};
use alsa::{Direction, ValueOr};
use anyhow::{Context, Result, ensure};

use crate::{DuplexRun, Frame, OffsetReading, RATE_HZ, Spread, Take};

/// The requested period: 10 ms, as calls use.
const PERIOD_FRAMES: i64 = RATE_HZ as i64 / 100;

/// The requested buffer. The test needs no larger one.
const BUFFER_FRAMES: i64 = 16_384;

/// Extra recording beyond the played frames: 100 ms, for streams that start apart.
const MORE_FRAMES: usize = RATE_HZ as usize / 10;

/// Playback and capture of an ALSA device.
pub struct AlsaDuplex {
    device: String,
    playback: PCM,
    capture: PCM,
    source: String,
}

impl AlsaDuplex {
    /// Opens both streams of a device: 16 bit stereo at 48 kHz.
    ///
    /// # Errors
    /// A stream is missing, is busy, or doesn't support the format.
    pub fn open(device: &str) -> Result<AlsaDuplex> {
        let open = |direction, what| {
            let pcm = PCM::new(device, direction, false).with_context(|| {
                format!(
                    "{device}: its {what} stream can't be opened; aplay -l and arecord -l list the devices"
                )
            })?;
            set_up(&pcm)
                .with_context(|| format!("{device}: its {what} stream does no 16 bit stereo at 48 kHz"))?;
            Ok::<_, anyhow::Error>(pcm)
        };
        Ok(AlsaDuplex {
            device: device.to_owned(),
            playback: open(Direction::Playback, "playback")?,
            capture: open(Direction::Capture, "capture")?,
            source: format!("ALSA pointers of {device}"),
        })
    }

    fn stream(&self, play: &[Frame]) -> Result<Take> {
        let (output, input) = (self.playback.io_i16()?, self.capture.io_i16()?);
        let mut left = play;
        let mut written = 0;
        self.write(&output, &mut left, &mut written)?;
        // Playback first: its start is silence, so capture misses nothing.
        self.playback.start().context("playback does not start")?;
        self.capture.start().context("capture does not start")?;
        let mut captured: Vec<Frame> = Vec::with_capacity(play.len() + MORE_FRAMES);
        let mut track = Vec::new();
        let mut period = [0_i16; 2 * PERIOD_FRAMES as usize];
        while captured.len() < play.len() + MORE_FRAMES {
            let frames = input.readi(&mut period).context("the capture stream failed")?;
            captured.extend(period.as_chunks::<2>().0.iter().take(frames));
            self.write(&output, &mut left, &mut written)?;
            let offset_frames = self.offset(captured.len(), written)?;
            track.push(OffsetReading { at_frame: captured.len() as u64, offset_frames });
        }
        let told = Spread::of(track.iter().map(|reading| reading.offset_frames));
        let told = told.context("ALSA published no offset")?;
        Ok(Take {
            captured,
            published_offset_frames: told.mean,
            offset_error_frames: f64::INFINITY,
            track,
            linked_start: false,
            monitor: None,
        })
    }

    /// Writes as many frames as fit, with silence after the end.
    fn write(&self, output: &alsa::pcm::IO<'_, i16>, left: &mut &[Frame], written: &mut usize) -> Result<()> {
        let fits = usize::try_from(self.playback.avail_update().context("playback underran")?)?;
        let (now, later) = left.split_at(fits.min(left.len()));
        *left = later;
        let silence = std::iter::repeat_n([0, 0], fits - now.len());
        let samples: Vec<i16> = now.iter().copied().chain(silence).flatten().collect();
        if !samples.is_empty() {
            let frames = output.writei(&samples).context("playback underran")?;
            ensure!(frames == fits, "{} took {frames} of {fits} frames", self.device);
            *written += frames;
        }
        Ok(())
    }

    /// The offset by the current status of both streams.
    fn offset(&self, captured: usize, written: usize) -> Result<f64> {
        let (playback, capture) = (self.playback.status()?, self.capture.status()?);
        let playing = written as f64 - playback.get_delay() as f64;
        let recording = captured as f64 + capture.get_delay() as f64;
        let seconds = |status: &alsa::pcm::Status| {
            let stamp = status.get_htstamp();
            stamp.tv_sec as f64 + stamp.tv_nsec as f64 / 1e9
        };
        let apart = seconds(&capture) - seconds(&playback);
        Ok(recording - playing - apart * f64::from(RATE_HZ))
    }
}

fn set_up(pcm: &PCM) -> alsa::Result<()> {
    let hardware = HwParams::any(pcm)?;
    hardware.set_access(Access::RWInterleaved)?;
    hardware.set_format(Format::S16LE)?;
    hardware.set_channels(2)?;
    hardware.set_rate_resample(false)?;
    hardware.set_rate(RATE_HZ, ValueOr::Nearest)?;
    hardware.set_period_size_near(PERIOD_FRAMES, ValueOr::Nearest)?;
    hardware.set_buffer_size_near(BUFFER_FRAMES)?;
    pcm.hw_params(&hardware)?;
    let software = pcm.sw_params_current()?;
    // Only an explicit call starts the stream.
    software.set_start_threshold(software.get_boundary()?)?;
    software.set_tstamp_mode(true)?;
    software.set_tstamp_type(TstampType::Monotonic)?;
    pcm.sw_params(&software)
}

impl DuplexRun for AlsaDuplex {
    fn run(&mut self, play: &[Frame]) -> Result<Take> {
        for pcm in [&self.playback, &self.capture] {
            pcm.prepare().with_context(|| format!("{}: can't be prepared", self.device))?;
        }
        let take = self.stream(play).with_context(|| self.device.clone());
        for pcm in [&self.playback, &self.capture] {
            if let (Err(error), Ok(_)) = (pcm.drop(), &take) {
                eprintln!("echo-check: {}: can't be stopped: {error}", self.device);
            }
        }
        take
    }

    fn source(&self) -> &str {
        &self.source
    }
}
