//! The plug-in with a card in memory: PCM type `snddom_fake` (the one card 0, with a stream `fake` each way), for tests with ALSA's own library and programs.
//!
//! Its time is its own and jumps to each alarm, so that programs run as fast as they can and every run is the same. The
//! environment says the rest:
//!
//! - `SNDDOM_FAKE_LINK`: file to which what has gone through the link is appended when a playback stream is closed;
//! - `SNDDOM_FAKE_REFUSE`: OPEN is refused with this errno;
//! - `SNDDOM_FAKE_GONE_AT`: after so many frames the back end is gone;
//! - `SNDDOM_FAKE_MAPS`: file for what is mapped, as the kernel says it, once the stream runs;
//! - `SNDDOM_FAKE_STALL`: after so many frames the program sleeps for two seconds, once.
//!
//! What is captured is a ramp: frame `n` has the number `n` in the bytes of each sample, wrapping.

use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use asound_module_pcm_snddom::card::{Direction, DmaFile, Failure, Limits, Look, Setup, Stream, Trigger};
use asound_module_pcm_snddom::settings::{Settings, Which};
use asound_module_pcm_snddom::{AppFrames, DmaArea, plugin_entry};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::Interval;

plugin_entry!(connect, _snd_pcm_snddom_fake_open, __snd_pcm_snddom_fake_open_dlsym_pcm_001);

/// Frames that the controller's FIFO holds.
const LEAD_FRAMES: u64 = 40;
/// The converter's delay.
const CODEC_FRAMES: u32 = 7;
/// What a look takes.
const LOOK_NS: u64 = 1_000;

fn connect(settings: &Settings, direction: Direction) -> Result<Box<dyn Stream>, Failure> {
    let no = |what: String| Err(Failure::new(Errno::NODEV, format!("no fake {what}")));
    if settings.card != 0 {
        return no(format!("card {}", settings.card));
    }
    let which = if direction.is_playback() { &settings.playback_stream } else { &settings.capture_stream };
    match which {
        Which::Index(0) => {}
        Which::UniqueId(name) if name == "fake" => {}
        Which::Index(index) => return no(format!("stream {index}")),
        Which::UniqueId(name) => return no(format!("stream {name}")),
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    Ok(Box::new(Fake {
        direction,
        limits: Limits {
            formats: FormatSet::of(&[SampleFormat::S16Le, SampleFormat::S32Le]),
            rates_hz: vec![44_100, 48_000],
            rate_hz: Interval::ANY,
            channels: Interval { min: 1, max: 2 },
            buffer_bytes: Interval { min: 256, max: 65_536 },
            period_bytes: Interval { min: 64, max: 32_768 },
        },
        // Readable for ever: an alarm goes off as soon as somebody waits for it.
        alarm: eventfd(1, EventfdFlags::CLOEXEC)?,
        alarm_ns: None,
        open: None,
        refuse: number("SNDDOM_FAKE_REFUSE").map(|errno| Errno::from_raw_os_error(errno as i32)),
        gone_at: number("SNDDOM_FAKE_GONE_AT"),
        stall_at: number("SNDDOM_FAKE_STALL"),
        maps: std::env::var_os("SNDDOM_FAKE_MAPS").map(PathBuf::from),
    }))
}

struct Fake {
    direction: Direction,
    limits: Limits,
    alarm: OwnedFd,
    /// How far time jumps at the next look.
    alarm_ns: Option<u64>,
    open: Option<Open>,
    refuse: Option<Errno>,
    gone_at: Option<u64>,
    stall_at: Option<u64>,
    /// Where to say what is mapped.
    maps: Option<PathBuf>,
}

struct Open {
    setup: Setup,
    file: OwnedFd,
    /// The controller's own view of the buffer.
    area: DmaArea,
    running: bool,
    /// Since the start, pauses left out.
    time_ns: u64,
    /// Frames through the link since the start.
    link_frames: u64,
    /// Frames fetched, or captured and stored, since the start.
    dma_frames: u64,
    fifo: VecDeque<u8>,
    link: Vec<u8>,
}

impl Open {
    /// Lets time pass: the controller works frame by frame.
    fn pass(&mut self, direction: Direction, ns: u64) {
        self.time_ns += ns;
        let due = (u128::from(self.time_ns) * u128::from(self.setup.rate_hz) / 1_000_000_000) as u64;
        let frame_bytes = self.setup.frame_bytes as usize;
        let offset = |frame: u64| (frame % u64::from(self.setup.buffer_frames)) as usize * frame_bytes;
        if direction.is_playback() {
            while self.dma_frames < due + LEAD_FRAMES {
                let mut frame = vec![0; frame_bytes];
                self.area.get(offset(self.dma_frames), AppFrames::of(&mut frame));
                self.fifo.extend(frame);
                self.dma_frames += 1;
            }
            let gone = (due - self.link_frames) as usize * frame_bytes;
            self.link.extend(self.fifo.drain(..gone));
        } else {
            while self.dma_frames + LEAD_FRAMES < due {
                let sample_bytes = frame_bytes / usize::from(self.setup.channels);
                let number = self.dma_frames.to_le_bytes();
                let mut frame: Vec<u8> = number[..sample_bytes].repeat(self.setup.channels.into());
                self.area.put(offset(self.dma_frames), AppFrames::of(&mut frame));
                self.dma_frames += 1;
            }
        }
        self.link_frames = due;
    }
}

impl Stream for Fake {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn open(&mut self, setup: &Setup) -> Result<(), Failure> {
        if let Some(errno) = self.refuse {
            return Err(Failure::new(errno, "the fake card refuses to open, as it was told"));
        }
        let file = memfd_create("buffer", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, setup.buffer_bytes() as u64)?;
        let area = DmaArea::map(DmaFile { file: file.as_fd(), offset_bytes: 0 }, setup.buffer_bytes())?;
        self.open = Some(Open {
            setup: *setup,
            file,
            area,
            running: false,
            time_ns: 0,
            link_frames: 0,
            dma_frames: 0,
            fifo: VecDeque::new(),
            link: Vec::new(),
        });
        Ok(())
    }

    fn memory(&self) -> Option<DmaFile<'_>> {
        self.open.as_ref().map(|open| DmaFile { file: open.file.as_fd(), offset_bytes: 0 })
    }

    fn close(&mut self) -> Result<(), Failure> {
        if let (Some(open), Ok(path)) = (self.open.take(), std::env::var("SNDDOM_FAKE_LINK")) {
            let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
            let written = file.and_then(|mut file| file.write_all(&open.link));
            written.map_err(|error| Failure::new(Errno::IO, format!("{path}: {error}")))?;
        }
        Ok(())
    }

    fn trigger(&mut self, trigger: Trigger) -> Result<(), Failure> {
        let not_open = || Failure::new(Errno::BADF, "the fake card isn't open");
        let open = self.open.as_mut().ok_or_else(not_open)?;
        open.running = matches!(trigger, Trigger::Start | Trigger::Resume);
        if trigger == Trigger::Start {
            (open.time_ns, open.link_frames, open.dma_frames) = (0, 0, 0);
            open.fifo.clear();
            open.pass(self.direction, LOOK_NS);
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Look, Failure> {
        let Some(open) = &mut self.open else { return Ok(Look::default()) };
        if open.running {
            let mut ns = LOOK_NS + self.alarm_ns.take().unwrap_or(0);
            if self.stall_at.is_some_and(|frame| open.link_frames >= frame) {
                self.stall_at = None;
                ns = 2_000_000_000;
            }
            open.pass(self.direction, ns);
            if let Some(path) = self.maps.take() {
                let maps = std::fs::read("/proc/self/maps").map_err(|_| Errno::IO)?;
                std::fs::write(path, maps).map_err(|_| Errno::IO)?;
            }
        }
        if self.gone_at.is_some_and(|frame| open.link_frames >= frame) {
            return Err(Failure::new(Errno::NODEV, "the fake card is gone, as it was told"));
        }
        Ok(Look {
            link_frames: open.link_frames,
            certain_frames: if self.direction.is_playback() { open.link_frames } else { open.dma_frames },
            codec_delay_frames: CODEC_FRAMES,
            ns_per_frame_q32: (1_000_000_000_u64 << 32) / u64::from(open.setup.rate_hz),
            news_after_ns: 0,
        })
    }

    fn wake_file(&self) -> BorrowedFd<'_> {
        self.alarm.as_fd()
    }

    fn wake_after(&mut self, after_ns: Option<u64>) -> Result<(), Failure> {
        self.alarm_ns = after_ns;
        Ok(())
    }
}
