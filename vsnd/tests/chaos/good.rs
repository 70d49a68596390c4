//! A guest that plays or records as it should, and notices each frame that it loses.

use audiofront::{ControlPage, FrontEvent, StreamConfig, StreamFront};
use hyper::DomainId;
use hypervisor_model::hda_pages::Pages;
use hypervisor_model::{DomainPage, FrontEnd, MemoryHypervisor};
use sndif::Direction::{self, Capture, Playback};
use sndif::control_page::Slot;
use sndif::format::SampleFormat;
use sndif::op::Operation;
use sndif::response::Status;
use xenstored_model::Stored;

use crate::guest_run::Run;
use crate::ignored;
use crate::toolstack::{DRIVER, back_path, front_path};

/// A good guest's card and stream.
pub struct Spec {
    pub domain: u16,
    pub direction: Direction,
    pub port: &'static str,
    pub format: SampleFormat,
    pub channels: u8,
    /// The side that is its own where others play, too.
    pub side: usize,
    /// The converter that it is heard at, or recorded from, if it is one: codec and node.
    pub converter: Option<(usize, u8)>,
}

/// The good guests: two share an output, one records, and one moves between a laptop's jacks.
pub const SPECS: [Spec; 4] = [
    Spec {
        domain: 11,
        direction: Playback,
        port: "output-2",
        format: SampleFormat::S32Le,
        channels: 4,
        side: 0,
        converter: Some((1, 2)),
    },
    Spec {
        domain: 12,
        direction: Playback,
        port: "output-2",
        format: SampleFormat::S32Le,
        channels: 4,
        side: 1,
        converter: Some((1, 2)),
    },
    Spec {
        domain: 13,
        direction: Capture,
        port: "input-2",
        format: SampleFormat::S32Le,
        channels: 4,
        side: 0,
        converter: Some((1, 4)),
    },
    Spec {
        domain: 14,
        direction: Playback,
        port: "output-0",
        format: SampleFormat::S16Le,
        channels: 2,
        side: 0,
        converter: None,
    },
];

impl Spec {
    fn frame_bytes(&self) -> u32 {
        self.format.bytes_per_sample().unwrap_or(1) * u32::from(self.channels)
    }
}

const RATE_HZ: u32 = 48_000;

/// After an error it waits so long before it opens again.
const RETRY_NS: u64 = 100_000_000;

/// A pause takes effect behind what was mixed ahead (docs/mixing.md). A buffer that is shorter is empty then, and the guest may
/// have written too little when it goes on.
const MIXED_AHEAD_MS: u16 = 75;

/// What a sample says: the run, and the frame of it.
pub fn sample(run: u8, frame: u64) -> i32 {
    i32::from(run % 120 + 1) << 24 | (frame & 0xff_ffff) as i32
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Away,
    Published,
    Connected,
    Leaving,
}

/// A stream's phase, as the application sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Idle,
    Opening,
    Starting,
    Running,
    Pausing,
    Paused,
    Resuming,
    Stopping,
    Closing,
}

/// A position that the guest was told.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub at_ns: u64,
    pub frames: u64,
}

/// An application's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub buffer_ms: u16,
    pub period_ms: u16,
}

type Front<'w> = StreamFront<FrontEnd<'w, Pages>>;

/// A good guest.
pub struct Good<'w> {
    pub spec: &'static Spec,
    /// The node of the back end's state.
    back_state: String,
    link: Link,
    front: Option<Front<'w>>,
    page: Option<ControlPage<DomainPage<'w, Pages>>>,
    pub wish: Option<Wish>,
    pub wants_pause: bool,
    wants_to_leave: bool,
    pub phase: Phase,
    pub run: Option<Run>,
    runs: u8,
    retry_ns: u64,
    /// Requests that were refused since the last look.
    pub refused: Vec<(Operation, Status)>,
    /// What the back end did that it may not.
    pub wrongs: Vec<String>,
    /// Positions since the last look.
    pub told: Vec<Told>,
    /// The frames of the last one.
    pub last_told: Option<u64>,
    /// Frames that it had to play as silence, or that were overwritten, as it noticed itself.
    pub own_xrun_bytes: u64,
    /// The last time at which it was content: it has what it wishes for.
    pub content_ns: u64,
    /// Samples that were recorded since the last look.
    pub recorded: Vec<i32>,
    scratch: Vec<u8>,
}

impl<'w> Good<'w> {
    pub fn new(spec: &'static Spec) -> Self {
        Self {
            spec,
            back_state: format!("/local/domain/{}/{}/state", DRIVER.0, back_path(spec.domain)),
            link: Link::Away,
            front: None,
            page: None,
            wish: None,
            wants_pause: false,
            wants_to_leave: false,
            phase: Phase::Idle,
            run: None,
            runs: 0,
            retry_ns: 0,
            refused: Vec::new(),
            wrongs: Vec::new(),
            told: Vec::new(),
            last_told: None,
            own_xrun_bytes: 0,
            content_ns: 0,
            recorded: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub fn leave(&mut self) {
        self.wants_to_leave = true;
    }

    /// Whether it plays or records now, and nothing else was asked for.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// The control page's slot.
    pub fn slot(&self) -> Option<Slot> {
        self.page.as_ref()?.slot(0).ok()
    }

    /// One turn of the guest.
    pub fn poll(&mut self, now_ns: u64, hypervisor: &'w MemoryHypervisor<Pages>, stored: &mut Stored<'_>) {
        self.attend_link(hypervisor, stored);
        self.hear(now_ns);
        if self.link == Link::Connected {
            self.act(now_ns);
        }
        let is_as_wished = match (self.wish, self.phase) {
            (Some(_), Phase::Paused) => self.wants_pause,
            (Some(_), Phase::Running) | (None, Phase::Idle) => true,
            _ => false,
        };
        if is_as_wished {
            self.content_ns = now_ns;
        }
    }

    fn attend_link(&mut self, hypervisor: &'w MemoryHypervisor<Pages>, stored: &mut Stored<'_>) {
        let domain = self.spec.domain;
        let back = stored.value(&self.back_state).and_then(|state| state.parse().ok());
        let mut tell = |state: &str| stored.set(&format!("{}/state", front_path(domain)), state);
        match (self.link, back.unwrap_or(0u8)) {
            (Link::Away, 2) => {
                let mut transport = hypervisor.front_end(DomainId(domain), DRIVER, 0);
                let page = ControlPage::connect(&mut transport).ok();
                let Ok(front) = StreamFront::connect(transport, self.spec.direction) else { return };
                let nodes = *front.nodes();
                let path = front_path(domain);
                if let Some(page) = &page {
                    stored.set(&format!("{path}/control-page-ref"), &page.grant().0.to_string());
                }
                for (node, value) in [
                    ("ring-ref", nodes.ring_ref.0),
                    ("event-channel", nodes.event_channel),
                    ("evt-ring-ref", nodes.evt_ring_ref.0),
                    ("evt-event-channel", nodes.evt_event_channel),
                ] {
                    stored.set(&format!("{path}/0/0/{node}"), &value.to_string());
                }
                stored.set(&format!("{path}/state"), "3");
                (self.front, self.page) = (Some(front), page);
                self.link = Link::Published;
            }
            (Link::Published, 4) => {
                tell("4");
                self.link = Link::Connected;
            }
            (Link::Published | Link::Connected, 5 | 6 | 0) => {
                self.wrongs.push(format!("its device was closed by the back end, state {back:?}"));
                tell("5");
                self.link = Link::Leaving;
            }
            (Link::Connected, _) if self.wants_to_leave => {
                self.wants_to_leave = false;
                if let Some(run) = &mut self.run {
                    run.is_ending = true;
                }
                tell("5");
                self.link = Link::Leaving;
            }
            (Link::Leaving, 6 | 0) => {
                self.disconnect();
                self.link = Link::Away;
                tell("6");
                tell("1");
            }
            _ => {}
        }
    }

    /// Its driver goes.
    pub fn disconnect(&mut self) {
        (self.phase, self.run) = (Phase::Idle, None);
        let Some(mut front) = self.front.take() else { return };
        while front.poll().is_some() {}
        let mut transport = front.disconnect();
        if let Some(page) = self.page.take()
            && page.disconnect(&mut transport).is_err()
        {
            self.wrongs.push("its control page is still mapped after the end".into());
        }
    }

    /// Takes the back end's events.
    fn hear(&mut self, now_ns: u64) {
        while let Some(event) = self.front.as_mut().and_then(StreamFront::poll) {
            match event {
                FrontEvent::Answered { operation, status, .. } => self.answered(operation, status, now_ns),
                FrontEvent::Position { bytes } => {
                    let start = self.front.as_ref().map_or(0, StreamFront::run_start_bytes);
                    let frames = bytes.saturating_sub(start) / u64::from(self.spec.frame_bytes());
                    self.told.push(Told { at_ns: now_ns, frames });
                    self.last_told = Some(frames);
                }
                FrontEvent::Fault(fault) => self.wrongs.push(format!("{fault:?}")),
            }
        }
    }

    fn answered(&mut self, operation: Operation, status: Status, now_ns: u64) {
        if !status.is_ok() {
            self.refused.push((operation, status));
            self.retry_ns = now_ns + RETRY_NS;
            if let Some(run) = &mut self.run {
                run.is_ending = true;
            }
            // A stream that is stuck is not closed by asking again at once.
            let is_open = !matches!(self.phase, Phase::Opening | Phase::Idle | Phase::Closing);
            self.phase = Phase::Idle;
            if is_open {
                self.close();
            }
            return;
        }
        self.phase = match (self.phase, operation) {
            (Phase::Opening, Operation::Open) if self.link == Link::Connected => {
                self.start();
                return;
            }
            (Phase::Starting, Operation::Trigger) => {
                if let Some(run) = &mut self.run {
                    run.started_ns = Some(now_ns);
                }
                Phase::Running
            }
            (Phase::Pausing, Operation::Trigger) => Phase::Paused,
            (Phase::Resuming, Operation::Trigger) => {
                if let Some(run) = &mut self.run {
                    (run.is_ending, run.has_gap, run.was_paused) = (false, true, true);
                    run.may_be_cut = true;
                    run.is_excused |= self.wish.is_some_and(|wish| wish.buffer_ms < MIXED_AHEAD_MS);
                    (run.started_ns, run.gap_ns) = (Some(now_ns), now_ns);
                }
                Phase::Running
            }
            (Phase::Stopping, Operation::Trigger) => {
                self.close();
                return;
            }
            (Phase::Closing, Operation::Close) => {
                self.run = None;
                Phase::Idle
            }
            (phase, _) => phase,
        };
    }

    fn close(&mut self) {
        let Some(front) = &mut self.front else { return };
        self.phase = if front.close().is_ok() { Phase::Closing } else { Phase::Idle };
    }

    fn start(&mut self) {
        self.runs = self.runs.wrapping_add(1);
        let period_ns = self.wish.map_or(0, |wish| u64::from(wish.period_ms) * 1_000_000);
        self.run = Some(Run::new(self.runs, period_ns));
        self.move_samples();
        let started = self.front.as_mut().is_some_and(|front| front.start().is_ok());
        self.phase = if started { Phase::Starting } else { Phase::Idle };
    }

    /// Does what brings it nearer to its wish.
    fn act(&mut self, now_ns: u64) {
        match self.phase {
            Phase::Idle if now_ns >= self.retry_ns => {
                let (Some(wish), Some(front)) = (self.wish, &mut self.front) else { return };
                let frame_bytes = self.spec.frame_bytes();
                let bytes = |ms: u16| RATE_HZ / 1_000 * u32::from(ms) * frame_bytes;
                let config = StreamConfig {
                    rate_hz: RATE_HZ,
                    format: self.spec.format,
                    channels: self.spec.channels,
                    buffer_bytes: bytes(wish.buffer_ms),
                    period_bytes: bytes(wish.period_ms),
                };
                if front.open(&config).is_ok() {
                    self.own_xrun_bytes = 0;
                    self.phase = Phase::Opening;
                }
            }
            Phase::Running | Phase::Paused if self.wish.is_none() => {
                self.note_ending();
                let stopped = self.front.as_mut().is_some_and(|front| front.stop().is_ok());
                if stopped {
                    self.phase = Phase::Stopping;
                }
            }
            Phase::Running if self.wants_pause => {
                self.note_ending();
                if let Some(run) = &mut self.run {
                    run.may_be_cut = true;
                }
                if self.front.as_mut().is_some_and(|front| front.pause().is_ok()) {
                    self.phase = Phase::Pausing;
                }
            }
            Phase::Paused
                if !self.wants_pause && self.front.as_mut().is_some_and(|front| front.resume().is_ok()) =>
            {
                self.phase = Phase::Resuming;
            }
            Phase::Running => self.move_samples(),
            _ => {}
        }
    }

    fn note_ending(&mut self) {
        if let Some(run) = &mut self.run {
            run.is_ending = true;
        }
    }

    /// Fills or empties the buffer, a period at a time.
    fn move_samples(&mut self) {
        let (Some(front), Some(run)) = (&mut self.front, &mut self.run) else { return };
        let frame_bytes = u64::from(self.spec.frame_bytes());
        let period_bytes = u64::from(RATE_HZ) * run.period_ns / 1_000_000_000 * frame_bytes;
        if let Some(playback) = front.playback() {
            self.own_xrun_bytes = playback.underrun_bytes();
            let room = playback.free_bytes();
            if room < period_bytes.max(1) {
                return;
            }
            self.scratch.clear();
            let sides = usize::from(self.spec.channels);
            for frame in run.written_frames..run.written_frames + room / frame_bytes {
                let value = sample(run.number, frame);
                for side in 0..sides {
                    let value = if side == self.spec.side { value } else { 0 };
                    match self.spec.format {
                        // Never 0.
                        SampleFormat::S16Le => {
                            let value = if value == 0 { 0 } else { 1 + (frame % 0x7fff) as i16 };
                            self.scratch.extend(value.to_le_bytes());
                        }
                        _ => self.scratch.extend(value.to_le_bytes()),
                    }
                }
            }
            run.written_frames += front.fill(&self.scratch) as u64 / frame_bytes;
        } else if let Some(capture) = front.capture() {
            self.own_xrun_bytes = capture.overrun_bytes();
            let available = capture.available_bytes();
            if available < period_bytes.max(1) {
                return;
            }
            self.scratch.resize(available as usize, 0);
            let taken = front.take(&mut self.scratch);
            let words = self.scratch[..taken].chunks_exact(4).map(|word| word.try_into().expect("4 bytes"));
            let side = words.skip(self.spec.side).step_by(self.spec.channels.into());
            self.recorded.extend(side.map(i32::from_le_bytes));
        }
        ignored(front.hint(), "the next hint tells the same");
    }
}
