//! One stream of a device, from OPEN to CLOSE.
//!
//! The buffer's way: the guest's page directory is read once, its pages are mapped for the controller, and the mapping
//! moves into the card's stream. It comes out again only when the controller has stopped; only then is it unmapped.

mod volume;

use sndif::control_page::{Slot, SlotState};
use sndif::hw_params::HwParams;
use sndif::page_directory::{DirectoryError, DirectoryWalk};
use sndif::request::{OpenParams, Range};

use crate::card::{
    Card, CardError, Direction, OpenFailure, Port, PortIndex, StillRunning, StreamParams, StreamPosition,
    VolumeRange,
};
use crate::control_page;
use crate::events::EventPacer;
use crate::hw_params::{BadOpen, Limits, OpenPlan};
use crate::policy::Policy;
use hyper::{DmaAccess, DomainId, GrantList, Hypervisor, MAX_BUFFER_PAGES, MapError, MappedBuffer, Nanos};

pub use volume::VolumeError;

/// What a stream of a device is bound to, set when the device is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// The card's output or input that this stream plays to or records from.
    pub port: PortIndex,
    /// What the front end may have of the port's abilities. What the port hasn't it won't have; the direction is the port's.
    pub abilities: Port,
}

/// What a stream has been through since its device was set up. For people and for tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Times an OPEN succeeded.
    pub opens: u32,
    /// Frames through the link, all runs together.
    pub frames: u64,
    /// FIFO errors, all runs together: the controller ran short of samples, or of room.
    pub fifo_errors: u64,
    /// Times the stream ran past what the front end said it had written, or had not yet read.
    pub xruns: u32,
}

/// What a stream is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    /// It has no buffer.
    #[default]
    Closed,
    /// It has a buffer and doesn't run.
    Open,
    /// It runs.
    Running,
    /// It runs no more, and can go on.
    Paused,
    /// Its run has failed.
    Failed,
    /// It is closed, but the hardware did not stop: the buffer is still mapped.
    Stuck,
}

/// Why an OPEN failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The guest may not open streams in this direction.
    Denied(Direction),
    /// The guest asked for what can't be had.
    Bad(BadOpen),
    /// The guest's page directory is malformed.
    Directory(DirectoryError),
    /// A page of the directory or of the buffer could not be mapped.
    Map(MapError),
    /// The card refused or failed.
    Card(CardError),
    /// An earlier buffer of this stream is still under DMA: the hardware did not stop.
    StillRunning,
}

/// Why a TRIGGER failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TriggerError {
    /// No buffer is open.
    NotOpen,
    /// Started while running, resumed while not paused.
    WrongState,
    /// The card refused or failed.
    Card(CardError),
}

/// Why a READ or WRITE failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HintError {
    /// It named octets that lie outside the buffer, or no buffer is open.
    BadRange,
    /// The run has failed, and its position won't move any more: an application that waited for it would wait for long.
    RunFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Stopped,
    Running,
    Paused,
    /// The card reported an error that ended the run; a STOP or CLOSE clears it.
    Failed,
}

struct OpenStream<S> {
    card_stream: S,
    plan: OpenPlan,
    run: Run,
    events: EventPacer,
    /// Last position of this run. What was at the link last is kept over STOP, until the next START.
    position: StreamPosition,
    /// How far the application has written or read in this run, octets since START, as its hints say.
    appl_bytes: u64,
    /// The run is past `appl_bytes` already: counted once.
    in_xrun: bool,
    /// Octets of this run that were played without having been written, or overwritten without having been read.
    xrun_bytes: u64,
    /// Where in the run the last of them lies.
    xrun_end_bytes: u64,
}

#[allow(clippy::large_enum_variant, reason = "a stream stays where it is: there is no heap")]
enum Phase<S> {
    Closed,
    Open(OpenStream<S>),
    /// Closed by the front end, but RUN sticks: the buffer stays mapped until it doesn't.
    Stuck(S),
}

/// One stream. `H` maps the guest's pages, `C` plays them.
pub struct Stream<H: Hypervisor, C: Card<H::Buffer>> {
    guest: DomainId,
    port: PortIndex,
    direction: Direction,
    limits: Limits,
    volume: Option<VolumeRange>,
    phase: Phase<C::Stream>,
    stats: StreamStats,
    /// There is a control page to tell in what is at the link.
    has_control_page: bool,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Stream<H, C> {
    /// A closed stream on `port`, whose abilities are `abilities`.
    pub fn new(guest: DomainId, config: &StreamConfig, abilities: Port) -> Self {
        Self {
            guest,
            port: config.port,
            direction: abilities.direction,
            limits: Limits::new(abilities.narrowed_to(&config.abilities), config.abilities.buffer_bytes_max),
            volume: abilities.volume,
            phase: Phase::Closed,
            stats: StreamStats::default(),
            has_control_page: false,
        }
    }

    /// Narrows what the front end considers to what this stream can be opened with.
    pub fn query(&self, card: &C, asked: &HwParams) -> HwParams {
        self.limits.narrow(asked, |params| card.supports(self.port, params))
    }

    /// Playback or capture.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The card's output or input that it is bound to.
    pub fn port(&self) -> PortIndex {
        self.port
    }

    /// What it is doing.
    pub fn activity(&self) -> Activity {
        match &self.phase {
            Phase::Closed => Activity::Closed,
            Phase::Stuck(_) => Activity::Stuck,
            Phase::Open(open) => match open.run {
                Run::Stopped => Activity::Open,
                Run::Running => Activity::Running,
                Run::Paused => Activity::Paused,
                Run::Failed => Activity::Failed,
            },
        }
    }

    /// What it was opened with, while it is open.
    pub fn params(&self) -> Option<StreamParams> {
        match &self.phase {
            Phase::Open(open) => Some(open.plan.params),
            Phase::Closed | Phase::Stuck(_) => None,
        }
    }

    /// Counts since the device was set up.
    pub fn stats(&self) -> StreamStats {
        let mut stats = self.stats;
        if let Phase::Open(open) = &self.phase {
            open.add_run_to(&mut stats);
        }
        stats
    }

    /// Says whether there is a control page to tell in what is at the link: for streams that are opened from now on.
    pub fn set_control_page(&mut self, has_control_page: bool) {
        self.has_control_page = has_control_page;
    }

    /// Opens: maps the directory's pages and puts them into the card's descriptor list. An OPEN of an open stream
    /// closes it first (Linux frees its pages without CLOSE when hardware parameters change).
    pub fn open(
        &mut self,
        hypervisor: &mut H,
        card: &mut C,
        policy: &Policy,
        asked: &OpenParams,
    ) -> Result<(), OpenError> {
        // Each try to stop it waits for RUN: when it is tried again isn't the front end's to say.
        if self.is_stuck() {
            return Err(OpenError::StillRunning);
        }
        self.close(hypervisor, card).map_err(|_| OpenError::StillRunning)?;
        if !policy.permits(self.direction, self.port) {
            return Err(OpenError::Denied(self.direction));
        }
        let plan =
            self.limits.judge(asked, |params| card.supports(self.port, params)).map_err(OpenError::Bad)?;
        // Before 256 pages are mapped for nothing.
        if !card.is_free(self.port) {
            return Err(OpenError::Card(CardError::Busy));
        }
        let grants = read_directory(hypervisor, self.guest, asked)?;
        let access = match self.direction {
            Direction::Playback => DmaAccess::Read,
            Direction::Capture => DmaAccess::Write,
        };
        let buffer =
            hypervisor.map_buffer(self.guest, &grants, plan.buffer_bytes, access).map_err(OpenError::Map)?;
        match card.open(self.port, &plan.params, buffer) {
            Ok(mut card_stream) => {
                card.set_link_wanted(&mut card_stream, self.has_control_page);
                self.stats.opens = self.stats.opens.wrapping_add(1);
                self.phase = Phase::Open(OpenStream::new(card_stream, plan));
                Ok(())
            }
            Err(OpenFailure::Refused { error, buffer }) => {
                hypervisor.unmap_buffer(buffer);
                Err(OpenError::Card(error))
            }
            Err(OpenFailure::Stuck { error, stream }) => {
                self.phase = Phase::Stuck(stream);
                Err(OpenError::Card(error))
            }
        }
    }

    /// Closes: stops DMA, waits for it to be over, unmaps. Closing a closed stream is fine.
    pub fn close(&mut self, hypervisor: &mut H, card: &mut C) -> Result<(), StillRunning<()>> {
        let card_stream = match core::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Closed => return Ok(()),
            Phase::Stuck(card_stream) => card_stream,
            Phase::Open(mut open) => {
                if open.run != Run::Stopped {
                    // A failure to stop shows in `close` just below, where the buffer is held back.
                    if let Ok(last) = card.stop(&mut open.card_stream) {
                        open.position = last;
                    }
                }
                open.add_run_to(&mut self.stats);
                open.card_stream
            }
        };
        match card.close(card_stream) {
            Ok(buffer) => {
                let pages = buffer.page_addresses().len();
                hypervisor.unmap_buffer(buffer);
                log::debug!(
                    "domain {}, port {}: RUN reads 0; {pages} pages unmapped",
                    self.guest.0,
                    self.port.0
                );
                Ok(())
            }
            Err(StillRunning(card_stream)) => {
                self.phase = Phase::Stuck(card_stream);
                Err(StillRunning(()))
            }
        }
    }

    /// Whether a buffer is held because the hardware did not stop.
    pub fn is_stuck(&self) -> bool {
        matches!(self.phase, Phase::Stuck(_))
    }

    fn opened(&mut self) -> Result<&mut OpenStream<C::Stream>, TriggerError> {
        match &mut self.phase {
            Phase::Open(open) => Ok(open),
            Phase::Closed | Phase::Stuck(_) => Err(TriggerError::NotOpen),
        }
    }

    /// Starts at the buffer's first frame.
    pub fn start(&mut self, card: &mut C) -> Result<(), TriggerError> {
        let open = self.opened()?;
        if open.run != Run::Stopped {
            return Err(TriggerError::WrongState);
        }
        card.start(&mut open.card_stream).map_err(TriggerError::Card)?;
        self.started();
        Ok(())
    }

    /// The card's stream, if it is open and doesn't run: to be started together with others. Once it has been,
    /// [`started`](Self::started) is to be called.
    pub fn to_be_started(&mut self) -> Option<&mut C::Stream> {
        match &mut self.phase {
            Phase::Open(open) if open.run == Run::Stopped => Some(&mut open.card_stream),
            _ => None,
        }
    }

    /// The card has started it.
    pub fn started(&mut self) {
        if let Phase::Open(open) = &mut self.phase {
            open.run = Run::Running;
            // Of an earlier run.
            open.position.link = None;
            open.xrun_bytes = 0;
            open.xrun_end_bytes = 0;
        }
    }

    /// Pauses: the position stays.
    pub fn pause(&mut self, card: &mut C) -> Result<(), TriggerError> {
        let open = self.opened()?;
        if open.run != Run::Running {
            return Err(TriggerError::WrongState);
        }
        card.pause(&mut open.card_stream).map_err(TriggerError::Card)?;
        open.run = Run::Paused;
        // It has gone on since the last look.
        if let Ok(StreamPosition { link: Some(link), .. }) = card.position(&mut open.card_stream) {
            open.position.link = Some(link);
        }
        Ok(())
    }

    /// Goes on after a pause.
    pub fn resume(&mut self, card: &mut C) -> Result<(), TriggerError> {
        let open = self.opened()?;
        if open.run != Run::Paused {
            return Err(TriggerError::WrongState);
        }
        card.resume(&mut open.card_stream).map_err(TriggerError::Card)?;
        open.run = Run::Running;
        Ok(())
    }

    /// Stops; the next START begins at the buffer's first frame. Returns the count to post before the answer.
    /// Stopping a stopped stream is fine: ALSA does it on its way out.
    pub fn stop(&mut self, card: &mut C) -> Result<Option<u64>, TriggerError> {
        let stats = &mut self.stats;
        let Phase::Open(open) = &mut self.phase else { return Err(TriggerError::NotOpen) };
        if open.run == Run::Stopped {
            return Ok(None);
        }
        let last = card.stop(&mut open.card_stream).map_err(TriggerError::Card)?;
        open.moved(self.direction, last);
        let told = open.events.stop(open.position.bytes);
        open.add_run_to(stats);
        open.position = StreamPosition { link: open.position.link, ..StreamPosition::default() };
        open.appl_bytes = 0;
        open.in_xrun = false;
        open.run = Run::Stopped;
        Ok(told)
    }

    /// Takes a WRITE or READ as what it is here: a hint how far the application has got.
    pub fn hint(&mut self, range: &Range) -> Result<(), HintError> {
        let Phase::Open(open) = &mut self.phase else { return Err(HintError::BadRange) };
        if open.run == Run::Failed {
            return Err(HintError::RunFailed);
        }
        let buffer_bytes = open.plan.buffer_bytes;
        let end = range.offset_bytes.checked_add(range.length_bytes).ok_or(HintError::BadRange)?;
        if end > buffer_bytes || range.offset_bytes >= buffer_bytes {
            return Err(HintError::BadRange);
        }
        // From where the application was in the buffer to where it says it is now, forwards.
        let buffer = u64::from(buffer_bytes);
        // What was recorded longer ago than a buffer isn't there any more.
        let appl_bytes = match self.direction {
            Direction::Playback => open.appl_bytes,
            Direction::Capture => open.appl_bytes.max(open.position.bytes.saturating_sub(buffer)),
        };
        let at = appl_bytes.checked_rem(buffer).unwrap_or(0);
        let gap = u64::from(range.offset_bytes)
            .saturating_add(buffer)
            .saturating_sub(at)
            .checked_rem(buffer)
            .unwrap_or(0);
        let ahead_max = open.position.bytes.saturating_add(buffer);
        open.appl_bytes =
            appl_bytes.saturating_add(gap).saturating_add(range.length_bytes.into()).min(ahead_max);
        if open.appl_bytes >= open.position.bytes {
            open.in_xrun = false;
        }
        Ok(())
    }

    /// Looks where a running stream is. `None` if it doesn't run, or if this look found that the run has failed.
    pub fn look(&mut self, card: &mut C) -> Option<StreamPosition> {
        let Phase::Open(open) = &mut self.phase else { return None };
        if open.run != Run::Running {
            return None;
        }
        match card.position(&mut open.card_stream) {
            Ok(position) if position.descriptor_errors == 0 => {
                open.moved(self.direction, position);
                // Playback only: how far a recording application has read, it need not say.
                let past = self.direction == Direction::Playback && position.bytes > open.appl_bytes;
                if past && !open.in_xrun {
                    open.in_xrun = true;
                    self.stats.xruns = self.stats.xruns.wrapping_add(1);
                }
                Some(position)
            }
            failed => {
                log::error!(
                    "stream of domain {} on port {}: the run failed at {} bytes: {failed:?}",
                    self.guest.0,
                    self.port.0,
                    open.position.bytes
                );
                if card.pause(&mut open.card_stream).is_err() {
                    log::error!("port {}: and it could not be halted", self.port.0);
                }
                open.run = Run::Failed;
                None
            }
        }
    }

    /// The pacer of the open stream and the last position of its run.
    pub fn events(&mut self) -> Option<(&mut EventPacer, u64)> {
        match &mut self.phase {
            Phase::Open(open) => Some((&mut open.events, open.position.bytes)),
            Phase::Closed | Phase::Stuck(_) => None,
        }
    }

    /// Whether nobody waits for events and the card tells what is at the link, for which it need not be looked at.
    pub fn only_reads_page(&self) -> bool {
        match &self.phase {
            Phase::Open(open) => open.plan.period_bytes == 0 && open.position.link.is_some(),
            Phase::Closed | Phase::Stuck(_) => false,
        }
    }

    /// What the control page is to say of it, but for the last request.
    pub fn control_slot(&self) -> Slot {
        let Phase::Open(open) = &self.phase else { return Slot::default() };
        let state = match open.run {
            Run::Stopped => SlotState::Open,
            Run::Running => SlotState::Running,
            Run::Paused => SlotState::Paused,
            Run::Failed => SlotState::Failed,
        };
        let frames = |bytes: u64| bytes.checked_div(open.plan.frame_bytes.into()).unwrap_or(0);
        Slot {
            xrun_frames: frames(open.xrun_bytes),
            appl_frames: frames(open.appl_bytes),
            ..control_page::slot(state, open.position.link.as_ref())
        }
    }

    /// How long the next look can wait, if the stream runs.
    pub fn next_look(&mut self) -> Option<Nanos> {
        match &mut self.phase {
            Phase::Open(open) if open.run == Run::Running => Some(open.events.next_look(open.position.bytes)),
            _ => None,
        }
    }
}

impl<S> OpenStream<S> {
    fn new(card_stream: S, plan: OpenPlan) -> Self {
        Self {
            card_stream,
            plan,
            run: Run::Stopped,
            events: EventPacer::new(
                plan.params.rate_hz,
                plan.frame_bytes,
                plan.buffer_bytes,
                plan.period_bytes,
            ),
            position: StreamPosition::default(),
            appl_bytes: 0,
            in_xrun: false,
            xrun_bytes: 0,
            xrun_end_bytes: 0,
        }
    }

    /// The run has got here.
    fn moved(&mut self, direction: Direction, position: StreamPosition) {
        self.position = StreamPosition { link: position.link.or(self.position.link), ..position };
        // Playback: what was played. Capture: what is overwritten, if the front end says at all what it reads.
        let gone = match direction {
            Direction::Playback => position.bytes,
            Direction::Capture if self.appl_bytes == 0 => 0,
            Direction::Capture => position.bytes.saturating_sub(self.plan.buffer_bytes.into()),
        };
        let lost = gone.saturating_sub(self.appl_bytes.max(self.xrun_end_bytes));
        self.xrun_bytes = self.xrun_bytes.saturating_add(lost);
        self.xrun_end_bytes = self.xrun_end_bytes.max(gone);
    }

    fn add_run_to(&self, stats: &mut StreamStats) {
        let frames = self.position.bytes.checked_div(self.plan.frame_bytes.into()).unwrap_or(0);
        stats.frames = stats.frames.saturating_add(frames);
        stats.fifo_errors = stats.fifo_errors.saturating_add(self.position.fifo_errors.into());
    }
}

/// Reads the guest's page directory, one page at a time, each word once. The walk is bounded by the buffer's size.
fn read_directory<H: Hypervisor>(
    hypervisor: &mut H,
    guest: DomainId,
    asked: &OpenParams,
) -> Result<GrantList, OpenError> {
    let mut grants = GrantList::new();
    let mut walk = DirectoryWalk::new(asked.directory, asked.buffer_bytes, MAX_BUFFER_PAGES as u32)
        .map_err(OpenError::Directory)?;
    while let Some(grant) = walk.next() {
        let page = hypervisor.map_page(guest, grant).map_err(OpenError::Map)?;
        let taken = walk.take(&page, |grant| {
            // The walk hands out at most MAX_BUFFER_PAGES, which is what the list holds.
            let _ = grants.push(grant);
        });
        hypervisor.unmap_page(page);
        taken.map_err(OpenError::Directory)?;
    }
    Ok(grants)
}
