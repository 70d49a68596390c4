//! A stream of the guest's own card, by the user-space front end.
//!
//! All streams of a card that a process opens share one connection: a card has one front end, and a program that plays and
//! records opens two PCMs. The last one to close ends it.
//!
//! With a control page nothing comes from the back end while a stream runs: the position is read from the page, the alarm
//! is a timer. Without one (another back end than this project's) it sends an event each period, as it does to Linux's own
//! driver.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use audiofront::{MAX_BUFFER_BYTES, StreamConfig};
use audiofront_linux::{Card, DmaArea, Error, PositionReader};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};
use sndif::control_page::{Lock, Slot, SlotState};
use sndif::format::FormatSet;
use sndif::hw_params::{HwParams, Interval};

use crate::card::{Direction, DmaFile, Failure, Limits, Look, Setup, Stream, Trigger};
use crate::settings::{Settings, Which};

/// Rates that sound hardware has. The query's answer is a range, not a list.
const RATES_HZ: [u32; 13] = [
    8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000, 176_400, 192_000, 384_000,
];

/// How often the connection is looked after while a stream runs: whether the back end is still there, and how its clock
/// goes. All other looks cost no system call.
const LOOK_AFTER_NS: u64 = 500_000_000;

/// The cards that this process is connected to.
static CARDS: Mutex<BTreeMap<u32, Weak<Connection>>> = Mutex::new(BTreeMap::new());

/// A card that this process is connected to.
struct Connection {
    card: Mutex<Card>,
    /// A process that closes the card when this one ends without having done so: else the back end would play the buffer round
    /// and round. It waits for the end of this pipe. `None`: the tool isn't installed.
    _guard: Option<ChildStdin>,
}

impl Connection {
    fn new(index: u32) -> Result<Self, Failure> {
        let card = Mutex::new(Card::connect(index)?);
        let guard = Command::new("audiofront")
            .args(["guard", "--detach", &index.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let guard = guard.ok().and_then(|mut guard| {
            let pipe = guard.stdin.take();
            // It ends at once. A program that has its children waited for by the kernel leaves nothing to wait for.
            let _ = guard.wait();
            pipe
        });
        Ok(Self { card, _guard: guard })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Errno::from_raw_os_error(error.kind().errno()), error.to_string())
    }
}

/// Connects to the card, if this process isn't yet, and finds the stream.
///
/// # Errors
/// When there is no such card or stream, or it isn't to be had: the words say what to do.
pub fn connect(settings: &Settings, direction: Direction) -> Result<Box<dyn Stream>, Failure> {
    let which = match direction {
        Direction::Playback => &settings.playback_stream,
        Direction::Capture => &settings.capture_stream,
    };
    let mut cards = lock(&CARDS);
    let shared = match cards.get(&settings.card).and_then(Weak::upgrade) {
        Some(shared) => shared,
        None => {
            let shared = Arc::new(Connection::new(settings.card)?);
            cards.insert(settings.card, Arc::downgrade(&shared));
            shared
        }
    };
    let mut card = lock(&shared.card);
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
        shared: Some(shared),
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

/// What becomes readable with the timer, and with what comes from the back end.
fn events(card: &Card, timer: &OwnedFd) -> Result<OwnedFd, Failure> {
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let [channels, xenstore] = card.files();
    for file in [timer.as_fd(), channels, xenstore] {
        epoll::add(&events, file, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(events)
}

/// Asks the back end what it can do.
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
    Ok(in_octets(&can, rates_hz, buffer_bytes_max.min(MAX_BUFFER_BYTES)))
}

/// The query's answer, which counts frames, as ALSA's constraints, which count octets: the frames' size is still open.
fn in_octets(can: &HwParams, rates_hz: Vec<u32>, buffer_bytes_max: u32) -> Limits {
    let (mut sample_min, mut sample_max) = (u32::MAX, 1);
    for bytes in can.formats.iter().filter_map(|format| format.bytes_per_sample()) {
        sample_min = sample_min.min(bytes);
        sample_max = sample_max.max(bytes);
    }
    let frame_min = sample_min.saturating_mul(can.channels.min.max(1));
    let frame_max = sample_max.saturating_mul(can.channels.max);
    let buffer_max = can.buffer_frames.max.saturating_mul(frame_min).min(buffer_bytes_max);
    Limits {
        formats: FormatSet(can.formats.0),
        rates_hz,
        rate_hz: can.rates,
        channels: can.channels,
        buffer_bytes: Interval { min: can.buffer_frames.min.saturating_mul(frame_max), max: buffer_max },
        period_bytes: Interval { min: can.period_frames.min.saturating_mul(frame_min), max: buffer_max / 2 },
    }
}

/// One stream of the card.
struct GuestStream {
    /// Only gone while it is dropped.
    shared: Option<Arc<Connection>>,
    number: usize,
    direction: Direction,
    limits: Limits,
    /// Reads the control page, if there is one.
    reader: Option<PositionReader>,
    timer: OwnedFd,
    /// Without a control page: the timer and what comes from the back end.
    events: Option<OwnedFd>,
    open: Option<Open>,
    /// The last position that was to be had.
    last: Look,
}

struct Open {
    setup: Setup,
    memory: DmaArea,
    /// When the connection was last looked after, by this guest's clock.
    looked_after_ns: u64,
    /// The page's number of the last run.
    last_run: u32,
    /// The page has been seen to show the run that was started last.
    shows_this_run: bool,
    /// Capture: the most frames off the link that weren't in memory at a look of the back end's, in this run.
    lead_max_frames: u64,
}

impl GuestStream {
    fn card(&self) -> Result<MutexGuard<'_, Card>, Failure> {
        let shared = self.shared.as_ref().ok_or(Errno::NODEV)?;
        Ok(lock(&shared.card))
    }

    fn open_stream(&mut self) -> Result<&mut Open, Failure> {
        self.open.as_mut().ok_or_else(|| Failure::new(Errno::BADF, "the stream isn't open"))
    }

    /// The position by the control page.
    fn by_page(&mut self, reader: &PositionReader) -> Result<Look, Failure> {
        let now_ns = reader.clock().now_ns();
        if let Some(open) = &mut self.open
            && now_ns.saturating_sub(open.looked_after_ns) > LOOK_AFTER_NS
        {
            open.looked_after_ns = now_ns;
            self.card()?.poll()?;
        }
        // The back end writes a slot in less than a microsecond: a torn one is met once in a while, and never twice.
        let (Ok(slot), Ok(now)) = (reader.slot(), reader.now()) else { return Ok(self.last) };
        if slot.state == SlotState::Failed {
            return Err(Failure::new(
                Errno::IO,
                "the controller has failed while the stream ran: see the driver domain's console",
            ));
        }
        if let Some(open) = &mut self.open {
            // What stands there may be the last run's still. That the number grows later, when the back end learns that the
            // hardware counts otherwise than it seemed, makes no difference here: it counts from the start all the same, and
            // the pointer doesn't go back.
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
        let now = now.map(|now| (now.frames, now.error_ns));
        Ok(look_at(&slot, now, self.direction, lead_max_frames))
    }

    /// The position by the back end's events: what had passed at the last one.
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

/// What a slot says of now. `now`: its position carried on by the clock, and how far off that may be, in nanoseconds.
fn look_at(slot: &Slot, now: Option<(u64, u64)>, direction: Direction, lead_max_frames: u64) -> Look {
    if slot.lock.is_none() {
        return Look::default();
    }
    let capture = direction == Direction::Capture;
    let lead = |frames: u64| if capture { frames } else { 0 };
    // What a counter of the hardware's has shown to have passed, or to be in memory.
    let counted = slot.link_frames.saturating_sub(lead(slot.dma_lead_frames.into()));
    let (link_frames, error_ns) = now.unwrap_or((slot.link_frames, slot.error_ns.into()));
    // Only a counter that keeps to the link's clock moves on in between as that does.
    let certain_frames = if slot.lock == Some(Lock::Locked) {
        let published = counted.saturating_sub(frames_in(slot.error_ns.into(), slot));
        let elapsed = link_frames.saturating_sub(frames_in(error_ns, slot));
        published.max(elapsed.saturating_sub(lead(lead_max_frames)))
    } else {
        counted
    };
    Look {
        link_frames,
        certain_frames,
        codec_delay_frames: slot.codec_delay_frames,
        ns_per_frame_q32: slot.ns_per_frame_q32,
    }
}

/// Frames that a span takes up, the one that it ends in included.
fn frames_in(span_ns: u64, slot: &Slot) -> u64 {
    let frames = (u128::from(span_ns) << 32).checked_div(slot.ns_per_frame_q32.into()).unwrap_or(0);
    u64::try_from(frames.saturating_add(1)).unwrap_or(u64::MAX)
}

impl Stream for GuestStream {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn open(&mut self, setup: &Setup) -> Result<(), Failure> {
        // Events no more often than the back end gives them.
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
            // What lies there would wake for nothing.
            self.card()?.poll()?;
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // All zero would disarm it.
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
        // There is nobody to tell.
        let _ = self.close();
        // Whoever connects meanwhile waits until the last one has let go: the card is taken as long as it closes.
        let _cards = lock(&CARDS);
        self.shared = None;
    }
}

#[cfg(test)]
mod tests {
    use sndif::format::{FormatSet, SampleFormat};
    use sndif::hw_params::{HwParams, Interval};

    use sndif::control_page::{Lock, Slot, SlotState};

    use super::{in_octets, look_at};
    use crate::card::{Direction, Look};
    use crate::limits::Constraints;

    fn slot(lock: Lock) -> Slot {
        Slot {
            state: SlotState::Running,
            link_frames: 4_800,
            ns_per_frame_q32: (1_000_000_000 << 32) / 48_000,
            error_ns: 20_000,
            dma_lead_frames: 16,
            codec_delay_frames: 7,
            lock: Some(lock),
            ..Slot::default()
        }
    }

    #[test]
    fn by_the_links_clock_a_position_moves_on_between_looks() {
        // 5 ms later, within 50 us.
        let now = Some((5_040, 50_000));
        let look = look_at(&slot(Lock::Locked), now, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames, look.codec_delay_frames), (5_040, 5_040 - 3, 7));
        // Of what comes in, the most that wasn't in memory once may not be again.
        let look = look_at(&slot(Lock::Locked), now, Direction::Capture, 40);
        assert_eq!((look.link_frames, look.certain_frames), (5_040, 5_040 - 3 - 40));
    }

    #[test]
    fn a_counter_that_moves_in_steps_is_certain_of_what_it_has_shown() {
        let now = Some((5_040, 100_000_000));
        let look = look_at(&slot(Lock::Coarse), now, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames), (5_040, 4_800));
        let look = look_at(&slot(Lock::Coarse), now, Direction::Capture, 40);
        assert_eq!(look.certain_frames, 4_800 - 16);
    }

    #[test]
    fn what_was_published_is_enough_while_the_clock_is_not_known() {
        let look = look_at(&slot(Lock::Locked), None, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames), (4_800, 4_800 - 1));
        let none = Slot { lock: None, ..slot(Lock::Locked) };
        assert_eq!(look_at(&none, None, Direction::Playback, 16), Look::default());
    }

    fn can() -> HwParams {
        // What a stereo to 7.1 port with 16 and 32 bit answers, for 64 KiB.
        HwParams {
            formats: FormatSet::of(&[SampleFormat::S16Le, SampleFormat::S32Le]),
            rates: Interval { min: 44_100, max: 192_000 },
            channels: Interval { min: 2, max: 8 },
            buffer_frames: Interval { min: 4, max: 16_384 },
            period_frames: Interval { min: 64, max: 16_384 },
        }
    }

    #[test]
    fn frames_are_told_in_octets_that_fit_every_frame() {
        let limits = in_octets(&can(), vec![48_000], 1 << 20);
        assert_eq!(limits.buffer_bytes, Interval { min: 4 * 32, max: 65_536 });
        assert_eq!(limits.period_bytes, Interval { min: 64 * 4, max: 32_768 });
        assert!(Constraints::of(&limits).is_some());
    }

    #[test]
    fn the_domains_file_may_say_less_than_the_port_can() {
        let limits = in_octets(&can(), vec![48_000], 8_192);
        assert_eq!(limits.buffer_bytes.max, 8_192);
        assert_eq!(limits.period_bytes.max, 4_096);
    }

    #[test]
    fn what_a_back_end_may_answer_does_no_harm() {
        for odd in [u32::MAX, 0] {
            let any = Interval { min: odd, max: u32::MAX };
            let limits = in_octets(
                &HwParams {
                    formats: FormatSet(u64::MAX),
                    rates: any,
                    channels: any,
                    buffer_frames: any,
                    period_frames: any,
                },
                Vec::new(),
                1 << 20,
            );
            assert!(limits.buffer_bytes.max <= 1 << 20);
        }
        let nothing = HwParams { formats: FormatSet::EMPTY, ..can() };
        assert_eq!(Constraints::of(&in_octets(&nothing, Vec::new(), 1 << 20)), None);
    }
}
