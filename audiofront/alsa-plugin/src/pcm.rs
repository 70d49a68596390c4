//! A PCM's pointers: frames played, room to write, time to wake, xruns.
//!
//! Frames are counted since `prepare`, as ALSA counts them; frame `n` lies at offset `n` modulo the
//! buffer.
//!
//! ```text
//! playback:   hw, link                appl               hw + buffer
//!   at the converter |---- queued ------|-- may be written --|
//! capture:    appl            hw               link
//!   taken      |-- to be read --|-- DMA's lead --| at the converter
//! ```

use std::time::Instant;

use audiofront::ignored;
use rustix::io::Errno;

use crate::card::{Direction, DmaFile, Failure, Look, Setup, Stream, Trigger};
use crate::ffi::memory::{AppFrames, DmaArea};

/// The state of a PCM in ALSA (`snd_pcm_state_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcmState {
    /// Not set up, or stopped.
    Idle,
    /// Ready to start.
    Prepared,
    /// Running.
    Running,
    /// Playing the remaining samples, then stopping.
    Draining,
    /// Paused.
    Paused,
    /// The application was late.
    Xrun,
    /// The card is gone.
    Gone,
}

/// ALSA's view of the PCM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// ALSA's state of the PCM.
    pub state: PcmState,
    /// The application's pointer: frames written or taken since `prepare`.
    pub appl_frames: u64,
}

/// Why the pointer has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The application was late. The stream is stopped.
    Xrun,
    /// The stream has ended by itself.
    Gone(Failure),
}

/// The answer to `poll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Not ready; the alarm is set.
    NotYet,
    /// The application can write or read.
    Ready,
    /// The state reports the xrun.
    Xrun,
    /// The state reports that the card is gone.
    Gone,
    /// This state has nothing to wait for.
    Stopped,
}

/// One PCM: a stream, its buffer, its pointers.
pub struct Pcm {
    stream: Box<dyn Stream>,
    direction: Direction,
    open: Option<Open>,
}

struct Open {
    setup: Setup,
    playback: bool,
    area: DmaArea,
    /// Whether the stream is started and not stopped.
    started: bool,
    /// The last pointer returned to ALSA. It never goes back.
    hw_frames: u64,
    /// The last position read.
    look: Look,
    /// The time of that.
    looked: Instant,
    /// The frame whose pointer triggers the alarm.
    alarm_frame: Option<u64>,
    /// Whether silence follows the last sample.
    silenced: bool,
    avail_min_frames: u64,
    stop_threshold_frames: u64,
}

impl Pcm {
    /// Creates a PCM over a closed stream.
    pub fn new(stream: Box<dyn Stream>, direction: Direction) -> Self {
        Self { stream, direction, open: None }
    }

    /// Playback or capture.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The buffer's memory and its length in bytes, while the stream is open.
    pub fn memory(&self) -> Option<(DmaFile<'_>, usize)> {
        let open = self.open.as_ref()?;
        Some((self.stream.memory()?, open.area.length_bytes()))
    }

    /// Opens the stream. Closes it first if it is open.
    pub fn open(&mut self, setup: Setup) -> Result<(), Failure> {
        self.close()?;
        self.stream.open(&setup)?;
        let memory = self.stream.memory().ok_or(Errno::NOMEM);
        let area = match memory.and_then(|memory| DmaArea::map(memory, setup.buffer_bytes())) {
            Ok(area) => area,
            Err(errno) => {
                self.stream.close()?;
                return Err(Failure::new(errno, "the buffer can't be mapped into the program's memory"));
            }
        };
        self.open = Some(Open {
            setup,
            playback: self.direction.is_playback(),
            area,
            started: false,
            hw_frames: 0,
            look: Look::default(),
            looked: Instant::now(),
            alarm_frame: None,
            silenced: false,
            avail_min_frames: setup.period_frames.into(),
            stop_threshold_frames: setup.buffer_frames.into(),
        });
        Ok(())
    }

    /// Closes the stream if it is open.
    pub fn close(&mut self) -> Result<(), Failure> {
        // Unmap first: the stream can't end the grants while the pages are mapped.
        if self.open.take().is_some() {
            self.stream.close()?;
        }
        Ok(())
    }

    /// Sets the frames that wake the application, and the frames that count as an xrun.
    pub fn thresholds(&mut self, avail_min_frames: u64, stop_threshold_frames: u64) {
        if let Some(open) = &mut self.open {
            open.avail_min_frames = avail_min_frames.max(1);
            open.stop_threshold_frames = stop_threshold_frames;
            open.alarm_frame = None;
        }
    }

    /// Prepares to start at the buffer's start, with silence in it.
    pub fn prepare(&mut self) -> Result<(), Failure> {
        self.stop()?;
        if let Some(open) = &mut self.open {
            open.hw_frames = 0;
            open.look = Look::default();
            open.silenced = false;
            open.alarm_frame = None;
            if open.playback {
                open.silence(0, open.setup.buffer_frames.into());
            }
        }
        self.stream.wake_after(None)
    }

    /// Starts the stream.
    pub fn start(&mut self, appl_frames: u64) -> Result<(), Failure> {
        self.stream.trigger(Trigger::Start)?;
        if let Some(open) = &mut self.open {
            open.started = true;
        }
        self.rearm(appl_frames)
    }

    /// Stops the stream if it is started.
    pub fn stop(&mut self) -> Result<(), Failure> {
        match &mut self.open {
            Some(open) if open.started => {
                open.started = false;
                self.stream.trigger(Trigger::Stop)
            }
            _ => Ok(()),
        }
    }

    /// Pauses or resumes the stream.
    pub fn pause(&mut self, pause: bool, appl_frames: u64) -> Result<(), Failure> {
        self.stream.trigger(if pause { Trigger::Pause } else { Trigger::Resume })?;
        if let Some(open) = &mut self.open {
            // The alarm may be off, and the next position is published with the request.
            (open.alarm_frame, open.look.news_after_ns) = (None, 0);
        }
        if pause { Ok(()) } else { self.rearm(appl_frames) }
    }

    /// ALSA's hardware pointer, in frames since `prepare`.
    ///
    /// Playback: frames before it have passed the link and may be overwritten. While the PCM
    /// drains, they have left the converter, so nothing is cut off. Frames that DMA has fetched
    /// beyond the link don't count, because their number is unknown.
    ///
    /// Capture: frames before it are in memory.
    pub fn pointer(&mut self, application: Application) -> Result<u64, Ended> {
        let Some(open) = &mut self.open else { return Ok(0) };
        if !open.started || application.state == PcmState::Gone {
            return Ok(open.hw_frames);
        }
        let look = self.stream.look().map_err(Ended::Gone)?;
        (open.look, open.looked) = (look, Instant::now());
        let draining = open.playback && application.state == PcmState::Draining;
        let codec_delay = if draining { u64::from(look.codec_delay_frames) } else { 0 };
        let hw_frames = look.certain_frames.saturating_sub(codec_delay);
        open.hw_frames = open.hw_frames.max(hw_frames);
        if draining && !open.silenced {
            open.silenced = true;
            let queued = application.appl_frames.saturating_sub(open.hw_frames);
            let free = u64::from(open.setup.buffer_frames).saturating_sub(queued);
            open.silence(application.appl_frames, free);
        }
        if !draining && open.avail(application.appl_frames) >= open.stop_threshold_frames {
            ignored(
                self.stop(),
                "the application is late either way, and `prepare` reports a stream that doesn't stop",
            );
            return Err(Ended::Xrun);
        }
        Ok(open.hw_frames)
    }

    /// Frames that can be written or read, by ALSA's last pointer.
    pub fn avail_frames(&self, appl_frames: u64) -> u64 {
        self.open.as_ref().map_or(0, |open| open.avail(appl_frames))
    }

    /// ALSA's delay in frames. Playback: until a frame written now leaves the converter. Capture:
    /// since a frame read now entered the converter. Negative if the link has passed the
    /// application.
    pub fn delay(&mut self, application: Application) -> Result<i64, Ended> {
        self.pointer(application)?;
        let Some(open) = &self.open else { return Ok(0) };
        let signed = |frames: u64| i64::try_from(frames).unwrap_or(i64::MAX);
        let appl = signed(application.appl_frames);
        if !open.started {
            let hw = signed(open.hw_frames);
            return Ok(if open.playback { appl - hw } else { hw - appl });
        }
        let link = signed(open.look.link_frames);
        let codec = i64::from(open.look.codec_delay_frames);
        let ahead = if open.playback { appl.saturating_sub(link) } else { link.saturating_sub(appl) };
        Ok(ahead.saturating_add(codec))
    }

    /// Copies `count` frames from the application's pointer on, which it has written or is about to
    /// take.
    pub fn transfer(&mut self, appl_frames: u64, frames: AppFrames<'_>) {
        let Some(open) = &self.open else { return };
        let offset = open.offset_bytes(appl_frames);
        if open.playback {
            open.area.put(offset, frames);
        } else {
            open.area.get(offset, frames);
        }
    }

    /// Sets the alarm after the application's pointer moved, if the application has to wait.
    pub fn rearm(&mut self, appl_frames: u64) -> Result<(), Failure> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if !open.started {
            return Ok(());
        }
        let target = open.target_frame(appl_frames);
        if open.alarm_frame == Some(target) {
            return Ok(());
        }
        open.alarm_frame = Some(target);
        let after_ns = open.ns_until(target).max(open.news_after_ns());
        self.stream.wake_after(Some(after_ns))
    }

    /// The answer to `poll`. Sets the alarm if it is `NotYet`.
    pub fn readiness(&mut self, application: Application) -> Result<Readiness, Failure> {
        match application.state {
            PcmState::Running | PcmState::Draining => {}
            PcmState::Prepared | PcmState::Paused => {
                let avail = self.avail_frames(application.appl_frames);
                let enough = self.open.as_ref().is_some_and(|open| avail >= open.avail_min_frames);
                if !enough {
                    self.stream.wake_after(None)?;
                }
                return Ok(if enough { Readiness::Ready } else { Readiness::NotYet });
            }
            PcmState::Idle => return Ok(Readiness::Stopped),
            PcmState::Xrun => return Ok(Readiness::Xrun),
            PcmState::Gone => return Ok(Readiness::Gone),
        }
        match self.pointer(application) {
            Ok(_) => {}
            Err(Ended::Xrun) => return Ok(Readiness::Xrun),
            Err(Ended::Gone(_)) => return Ok(Readiness::Gone),
        }
        let Some(open) = &mut self.open else { return Ok(Readiness::Stopped) };
        let draining = open.playback && application.state == PcmState::Draining;
        let target =
            if draining { application.appl_frames } else { open.target_frame(application.appl_frames) };
        if open.hw_frames >= target {
            return Ok(Readiness::Ready);
        }
        let after_ns = if draining {
            let played = open.look.certain_frames.saturating_sub(open.look.codec_delay_frames.into());
            open.ns_for(target.saturating_sub(played))
        } else {
            open.ns_until(target)
        };
        open.alarm_frame = Some(target);
        let after_ns = after_ns.max(open.news_after_ns());
        self.stream.wake_after(Some(after_ns))?;
        Ok(Readiness::NotYet)
    }
}

impl Drop for Pcm {
    fn drop(&mut self) {
        ignored(self.close(), "a drop has no caller to report to");
    }
}

impl Open {
    /// Frames that can be written or read.
    fn avail(&self, appl_frames: u64) -> u64 {
        if self.playback {
            // The application may be ahead of a free-running pointer, or the pointer ahead of it.
            self.hw_frames.saturating_add(self.setup.buffer_frames.into()).saturating_sub(appl_frames)
        } else {
            self.hw_frames.saturating_sub(appl_frames)
        }
    }

    /// The hardware pointer that reaches `avail_min`.
    fn target_frame(&self, appl_frames: u64) -> u64 {
        let target = appl_frames.saturating_add(self.avail_min_frames);
        if self.playback { target.saturating_sub(self.setup.buffer_frames.into()) } else { target }
    }

    /// Least time in nanoseconds from the last position until the pointer reaches this frame.
    fn ns_until(&self, target_frame: u64) -> u64 {
        self.ns_for(target_frame.saturating_sub(self.hw_frames))
    }

    /// Nanoseconds from now until a look may find more certain frames.
    fn news_after_ns(&self) -> u64 {
        let passed_ns = u64::try_from(self.looked.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.look.news_after_ns.saturating_sub(passed_ns)
    }

    /// Nanoseconds that the link needs for these frames, rounded up: an early alarm would be
    /// useless.
    fn ns_for(&self, frames: u64) -> u64 {
        if frames == 0 {
            return 0;
        }
        let frame_q32 = match self.look.ns_per_frame_q32 {
            0 => (1_000_000_000_u64 << 32) / u64::from(self.setup.rate_hz.max(1)),
            measured => measured,
        };
        let frames = u128::from(frames) + 1;
        u64::try_from((frames * u128::from(frame_q32)) >> 32).unwrap_or(u64::MAX)
    }

    fn offset_bytes(&self, frame: u64) -> usize {
        // The remainder is less than the buffer's length.
        (frame % u64::from(self.setup.buffer_frames)) as usize * self.setup.frame_bytes as usize
    }

    /// Silences frames from `first_frame` on, at most a buffer.
    fn silence(&self, first_frame: u64, frames: u64) {
        let Some(pattern) = self.setup.format.silence() else { return };
        let frames = frames.min(self.setup.buffer_frames.into()) as usize;
        let length_bytes = frames * self.setup.frame_bytes as usize;
        self.area.repeat(self.offset_bytes(first_frame), length_bytes, pattern);
    }
}

#[cfg(test)]
#[path = "pcm_tests.rs"]
mod tests;
