//! A stream of the guest's own card, driven by the user-space front end.
//!
//! With a control page, the back end sends nothing while a stream runs: the plug-in reads positions
//! from the page and uses a timer as alarm. Back ends without a control page send an event each
//! period, as they do to Linux's own driver.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::MutexGuard;

use audiofront::{MAX_BUFFER_BYTES, StreamConfig, ignored};
use audiofront_linux::{Card, DmaArea, PositionReader};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};
use sndif::control_page::SlotState;
use sndif::hw_params::{HwParams, Interval};

use crate::card::{Direction, DmaFile, Failure, Limits, Look, Setup, Stream, Trigger};
use crate::connection::SharedCard;
use crate::limits::in_bytes;
use crate::look::{Now, look_at};
use crate::settings::{Settings, Which};

/// Rates of common sound hardware. The query's answer is a range, not a list.
const RATES_HZ: [u32; 13] = [
    8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000, 176_400, 192_000, 384_000,
];

/// Interval, while a stream runs, between checks that the back end is present and echoes that map
/// its clock. All other position reads need no system call.
const LOOK_AFTER_NS: u64 = 500_000_000;

/// Finds the stream, and connects this process to the card if needed.
///
/// # Errors
/// The card or stream doesn't exist or is unavailable. The words name the remedy.
pub fn connect(settings: &Settings, direction: Direction) -> Result<Box<dyn Stream>, Failure> {
    let which = match direction {
        Direction::Playback => &settings.playback_stream,
        Direction::Capture => &settings.capture_stream,
    };
    let shared = SharedCard::connect(settings.card)?;
    let mut card = shared.card()?;
    let number = match which {
        Which::UniqueId(unique_id) => card.find(direction, Some(unique_id))?,
        Which::Index(index) => {
            let streams = card.info().streams.iter().enumerate();
            let of_its_kind: Vec<usize> =
                streams.filter(|(_, info)| info.direction == direction).map(|(number, _)| number).collect();
            *of_its_kind.get(*index as usize).ok_or_else(|| {
                let message = format!(
                    "card {} has {} {direction} streams, and {direction}_stream {index} counts from 0",
                    settings.card,
                    of_its_kind.len()
                );
                Failure::new(Errno::NODEV, message)
            })?
        }
    };
    let limits = limits(&mut card, number)?;
    let reader = card.position(number);
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let events = if reader.is_some() { None } else { Some(events(&card, &timer)?) };
    drop(card);
    Ok(Box::new(GuestStream {
        shared,
        number,
        direction,
        limits,
        reader,
        timer,
        events,
        open: None,
        last: Look::default(),
    }))
}

/// A file that is readable when the timer expires or the back end sends something.
fn events(card: &Card, timer: &OwnedFd) -> Result<OwnedFd, Failure> {
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let [channels, xenstore] = card.files();
    for file in [timer.as_fd(), channels, xenstore] {
        epoll::add(&events, file, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(events)
}

/// Queries the stream's limits from the back end.
fn limits(card: &mut Card, number: usize) -> Result<Limits, Failure> {
    let can = card.query(number, &HwParams::ANY)?.ok_or_else(|| {
        let message = format!(
            "stream {number} of the card can't be opened with anything: see the driver domain's console"
        );
        Failure::new(Errno::NODEV, message)
    })?;
    let info = card.info().streams.get(number).cloned();
    let mut rates_hz = Vec::new();
    for rate in RATES_HZ.into_iter().filter(|rate| can.rates.contains(*rate)) {
        let one = HwParams { rates: Interval::exactly(rate), ..can };
        if can.rates == one.rates || card.query(number, &one)?.is_some() {
            rates_hz.push(rate);
        }
    }
    let buffer_bytes_max = info.and_then(|info| info.buffer_bytes_max).unwrap_or(MAX_BUFFER_BYTES);
    Ok(in_bytes(&can, rates_hz, buffer_bytes_max.min(MAX_BUFFER_BYTES)))
}

/// One stream of the card.
struct GuestStream {
    shared: SharedCard,
    number: usize,
    direction: Direction,
    limits: Limits,
    /// Reads the control page, if the back end keeps one.
    reader: Option<PositionReader>,
    timer: OwnedFd,
    /// Without a control page: the timer and the back end's events.
    events: Option<OwnedFd>,
    open: Option<Open>,
    /// The last known position.
    last: Look,
}

struct Open {
    setup: Setup,
    memory: DmaArea,
    /// Guest's time of the last connection check.
    looked_after_ns: u64,
    /// The control page's generation of the last run.
    last_run: u32,
    /// Whether the page has shown the present run.
    shows_this_run: bool,
    /// Capture: the largest number of frames off the link but not in memory, in this run's
    /// published positions.
    lead_max_frames: u64,
}

impl GuestStream {
    fn card(&self) -> Result<MutexGuard<'_, Card>, Failure> {
        self.shared.card()
    }

    fn open_stream(&mut self) -> Result<&mut Open, Failure> {
        self.open.as_mut().ok_or_else(|| Failure::new(Errno::BADF, "the stream isn't open"))
    }

    /// The position from the control page.
    fn by_page(&mut self, reader: &PositionReader) -> Result<Look, Failure> {
        let now_ns = reader.clock().now_ns();
        if let Some(open) = &mut self.open
            && now_ns.saturating_sub(open.looked_after_ns) > LOOK_AFTER_NS
        {
            open.looked_after_ns = now_ns;
            self.card()?.poll()?;
        }
        // The back end writes a slot in less than a microsecond. Torn slots are rare and never
        // repeat.
        let (Ok(slot), Ok(now)) = (reader.slot(), reader.now()) else { return Ok(self.last) };
        if slot.state == SlotState::Failed {
            return Err(Failure::new(
                Errno::IO,
                "the controller has failed while the stream ran: see the driver domain's console",
            ));
        }
        if let Some(open) = &mut self.open {
            // The page may still show the previous run. The generation may also grow later, when
            // the back end corrects the hardware's counting. That is harmless: the count still
            // starts at START, and the pointer never goes back.
            open.shows_this_run |= slot.generation != open.last_run;
            if !open.shows_this_run {
                return Ok(Look::default());
            }
        }
        let lead_max_frames = match &mut self.open {
            Some(open) => {
                open.lead_max_frames = open.lead_max_frames.max(slot.dma_lead_frames.into());
                open.lead_max_frames
            }
            None => 0,
        };
        let now =
            now.map(|now| Now { frames: now.at.frames, error_ns: now.at.error_ns, system_ns: now.system_ns });
        Ok(look_at(&slot, now, self.direction, lead_max_frames))
    }

    /// The position from the back end's last event.
    fn by_events(&self) -> Result<Look, Failure> {
        let Some(open) = &self.open else { return Ok(Look::default()) };
        let mut card = self.card()?;
        card.poll()?;
        let front = card.front(self.number);
        let run_bytes = front.position_bytes().saturating_sub(front.run_start_bytes());
        let frames = run_bytes / u64::from(open.setup.frame_bytes);
        Ok(Look { link_frames: frames, certain_frames: frames, ..Look::default() })
    }
}

impl Stream for GuestStream {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn open(&mut self, setup: &Setup) -> Result<(), Failure> {
        // The back end limits how often events come.
        let least = self.limits.period_bytes.min;
        let whole_frames = least.div_ceil(setup.frame_bytes).saturating_mul(setup.frame_bytes);
        let period_bytes = setup.period_frames.saturating_mul(setup.frame_bytes).max(whole_frames);
        let config = StreamConfig {
            rate_hz: setup.rate_hz,
            format: setup.format,
            channels: setup.channels,
            buffer_bytes: setup.buffer_frames.saturating_mul(setup.frame_bytes),
            period_bytes: if self.reader.is_some() { 0 } else { period_bytes },
        };
        let mut card = self.card()?;
        let memory = card.open(self.number, &config)?;
        if let Some(playback) = card.front(self.number).playback() {
            playback.write_in_place();
        }
        drop(card);
        self.last = Look::default();
        self.open = Some(Open {
            setup: *setup,
            memory,
            looked_after_ns: 0,
            last_run: 0,
            shows_this_run: false,
            lead_max_frames: 0,
        });
        Ok(())
    }

    fn memory(&self) -> Option<DmaFile<'_>> {
        let (file, offset_bytes) = self.open.as_ref()?.memory.file()?;
        Some(DmaFile { file, offset_bytes })
    }

    fn close(&mut self) -> Result<(), Failure> {
        if self.open.take().is_some() {
            self.card()?.close_stream(self.number)?;
        }
        Ok(())
    }

    fn trigger(&mut self, trigger: Trigger) -> Result<(), Failure> {
        self.open_stream()?;
        if trigger == Trigger::Start {
            self.last = Look::default();
            let last_run =
                self.reader.as_ref().and_then(|reader| reader.slot().ok()).map_or(0, |slot| slot.generation);
            let open = self.open_stream()?;
            (open.last_run, open.shows_this_run, open.lead_max_frames) = (last_run, false, 0);
        }
        let number = self.number;
        let mut card = self.card()?;
        match trigger {
            Trigger::Start => card.start(number)?,
            Trigger::Stop => card.stop(number)?,
            Trigger::Pause => card.pause(number)?,
            Trigger::Resume => card.resume(number)?,
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Look, Failure> {
        self.last = match self.reader.clone() {
            Some(reader) => self.by_page(&reader)?,
            None => self.by_events()?,
        };
        Ok(self.last)
    }

    fn wake_file(&self) -> BorrowedFd<'_> {
        self.events.as_ref().unwrap_or(&self.timer).as_fd()
    }

    fn wake_after(&mut self, after_ns: Option<u64>) -> Result<(), Failure> {
        if self.events.is_some() {
            // Stale events would wake the program needlessly.
            self.card()?.poll()?;
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // All zeros would disarm the timer.
        let after = after_ns.map_or(zero, |ns| {
            let ns = ns.max(1);
            let seconds = i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX);
            Timespec { tv_sec: seconds, tv_nsec: (ns % 1_000_000_000).cast_signed() }
        });
        let alarm = Itimerspec { it_interval: zero, it_value: after };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &alarm)?;
        Ok(())
    }
}

impl Drop for GuestStream {
    fn drop(&mut self) {
        ignored(self.close(), "a drop has no caller to report to, and the connection closes the card anyway");
    }
}
