//! One stream of a device, from OPEN to CLOSE.
//!
//! OPEN reads the guest's page directory once, maps its pages for the controller and moves the mapping into the card's stream.
//! The card gives it back when the controller has stopped. Only then are the pages unmapped.

mod directory;
mod error;
mod run;
mod volume;

use hyper::{DmaAccess, DomainId, Hypervisor, MappedBuffer, Nanos};
use sndif::control_page::{Slot, SlotState};
use sndif::hw_params::HwParams;
use sndif::page_directory::pages_for;
use sndif::request::{OpenParams, Range};

use crate::card::{
    Card, Direction, OpenFailure, Port, PortIndex, StillRunning, StreamParams, StreamPosition, Trim,
    VolumeRange,
};
use crate::hw_params::Limits;
use crate::period_edges::{EventPacer, LOOK_INTERVAL_NS_MIN};
use crate::resources::Resources;
use crate::rights::{Policy, Right};

pub use error::{OpenError, StreamError};
use run::OpenStream;
pub use run::StreamStats;

/// The port and the limits of a stream, fixed when the device is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// The card's output or input.
    pub port: PortIndex,
    /// The abilities that the front end may use, if the port has them. The direction is the port's.
    pub abilities: Port,
}

#[allow(clippy::large_enum_variant, reason = "a stream stays in place: there is no heap")]
enum Phase<S> {
    Closed,
    Open(OpenStream<S>),
    /// Closed, but RUN reads 1. The buffer stays mapped until it reads 0.
    Stuck(S),
}

/// One stream. `H` maps the guest's pages, `C` plays them.
pub struct Stream<H: Hypervisor, C: Card<H::Buffer>> {
    guest: DomainId,
    port: PortIndex,
    direction: Direction,
    right: Right,
    limits: Limits,
    volume: Option<VolumeRange>,
    phase: Phase<C::Stream>,
    stats: StreamStats,
    has_control_page: bool,
    /// The administrator's gain, for each time that it is opened.
    trim: Trim,
    /// Pages of the buffer, as long as it is mapped.
    buffer_pages: u32,
    /// The stream was closed for another guest that waited for its port, and its owner hasn't closed or opened it since.
    gave_way: bool,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Stream<H, C> {
    /// A closed stream. `abilities` are those of the port in `config`.
    pub fn new(guest: DomainId, config: &StreamConfig, abilities: Port) -> Self {
        Self {
            guest,
            port: config.port,
            direction: abilities.direction,
            right: Right::of(&abilities),
            limits: Limits::new(abilities.narrowed_to(&config.abilities)),
            volume: abilities.volume,
            phase: Phase::Closed,
            stats: StreamStats::default(),
            has_control_page: false,
            trim: Trim::default(),
            buffer_pages: 0,
            gave_way: false,
        }
    }

    /// Narrows the parameters of a query to those that OPEN accepts.
    pub fn query(&self, card: &C, asked: &HwParams) -> HwParams {
        self.limits.narrow(asked, |params| card.supports(self.port, params))
    }

    /// Whether these rights permit the stream.
    pub fn is_permitted(&self, policy: &Policy) -> bool {
        policy.permits(self.right, self.port)
    }

    /// Its guest.
    pub(crate) fn guest(&self) -> DomainId {
        self.guest
    }

    /// The card's output or input.
    pub fn port(&self) -> PortIndex {
        self.port
    }

    /// The state in the control page. A stuck stream is closed there.
    pub fn state(&self) -> SlotState {
        self.open_stream().map_or(SlotState::Closed, |open| open.state)
    }

    /// Whether the hardware has not stopped, so that the stream still holds its buffer.
    pub fn is_stuck(&self) -> bool {
        matches!(self.phase, Phase::Stuck(_))
    }

    /// What it holds while it is open or stuck.
    pub fn holdings(&self) -> Resources {
        match self.phase {
            Phase::Closed => Resources::default(),
            Phase::Open(_) | Phase::Stuck(_) => {
                Resources { open_streams: 1, channels: 0, pages: self.buffer_pages }
            }
        }
    }

    /// The parameters of the OPEN, while it is open.
    pub fn params(&self) -> Option<StreamParams> {
        self.open_stream().map(|open| open.plan.params)
    }

    /// Counts since the device was set up.
    pub fn stats(&self) -> StreamStats {
        let mut stats = self.stats;
        if let Some(open) = self.open_stream() {
            open.add_run_to(&mut stats);
        }
        stats
    }

    /// Whether a control page shows the link positions of the streams that are opened from now on.
    pub fn set_control_page(&mut self, has_control_page: bool) {
        self.has_control_page = has_control_page;
    }

    /// Sets the administrator's gain, which stays over closes and opens.
    pub fn set_trim(&mut self, card: &mut C, trim: Trim) {
        self.trim = trim;
        if let Some(open) = self.open_stream_mut() {
            card.set_trim(&mut open.card_stream, trim);
        }
    }

    /// Tells the card the ports that these rights permit.
    pub fn set_reach(&mut self, card: &mut C, policy: &Policy) {
        let ports = policy.ports(self.right);
        if let Some(open) = self.open_stream_mut() {
            card.set_reach(&mut open.card_stream, ports);
        }
    }

    fn open_stream(&self) -> Option<&OpenStream<C::Stream>> {
        match &self.phase {
            Phase::Open(open) => Some(open),
            Phase::Closed | Phase::Stuck(_) => None,
        }
    }

    fn open_stream_mut(&mut self) -> Option<&mut OpenStream<C::Stream>> {
        match &mut self.phase {
            Phase::Open(open) => Some(open),
            Phase::Closed | Phase::Stuck(_) => None,
        }
    }

    /// The reason why nothing can be done with a stream that isn't open.
    fn if_not_open(&self, otherwise: StreamError) -> StreamError {
        if self.gave_way { StreamError::GaveWay } else { otherwise }
    }

    /// The open stream, if it is in `state`.
    fn in_state(&mut self, state: SlotState) -> Result<&mut OpenStream<C::Stream>, StreamError> {
        let otherwise = self.if_not_open(StreamError::WrongState);
        let open = self.open_stream_mut().ok_or(otherwise)?;
        if open.state == state { Ok(open) } else { Err(StreamError::WrongState) }
    }

    /// Opens: maps the directory's pages and hands them to the card. An open stream is closed before, because Linux
    /// frees the pages without CLOSE when hardware parameters change.
    ///
    /// `room` is what the guest may hold besides its other streams.
    pub fn open(
        &mut self,
        hypervisor: &mut H,
        card: &mut C,
        (policy, room): (&Policy, &Resources),
        asked: &OpenParams,
    ) -> Result<(), OpenError> {
        // A close waits for RUN, so the front end must not be able to ask for one again and again.
        if self.is_stuck() {
            return Err(OpenError::StillRunning);
        }
        self.close(hypervisor, card).map_err(|_| OpenError::StillRunning)?;
        if !self.is_permitted(policy) {
            return Err(OpenError::Denied(self.right));
        }
        let plan =
            self.limits.judge(asked, |params| card.supports(self.port, params)).map_err(OpenError::Bad)?;
        let pages = pages_for(plan.buffer_bytes);
        if let Some(resource) = (Resources { open_streams: 1, channels: 0, pages }).beyond(room) {
            return Err(OpenError::OverLimit(resource));
        }
        // Saves the mapping of up to 256 pages.
        if !card.is_free(self.port) {
            return Err(OpenError::PortTaken);
        }
        let grants = directory::read(hypervisor, self.guest, asked)?;
        let access = match self.direction {
            Direction::Playback => DmaAccess::Read,
            Direction::Capture => DmaAccess::Write,
        };
        let buffer =
            hypervisor.map_buffer(self.guest, &grants, plan.buffer_bytes, access).map_err(OpenError::Map)?;
        self.buffer_pages = pages;
        match card.open(self.port, &plan.params, buffer) {
            Ok(mut card_stream) => {
                card.set_link_wanted(&mut card_stream, self.has_control_page);
                card.set_period(&mut card_stream, plan.period_frames());
                card.set_trim(&mut card_stream, self.trim);
                card.set_reach(&mut card_stream, policy.ports(self.right));
                self.stats.opens = self.stats.opens.wrapping_add(1);
                self.phase = Phase::Open(OpenStream::new(card_stream, plan, self.direction));
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

    /// Closes: stops DMA, waits until RUN reads 0, unmaps. A closed stream stays as it is.
    pub fn close(&mut self, hypervisor: &mut H, card: &mut C) -> Result<(), StillRunning<()>> {
        self.gave_way = false;
        let card_stream = match core::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Closed => return Ok(()),
            Phase::Stuck(card_stream) => card_stream,
            Phase::Open(mut open) => {
                if open.state != SlotState::Open {
                    // If the stop fails then so does the close below, which keeps the buffer.
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

    /// Closes for another guest that waits for the port.
    pub fn give_way(&mut self, hypervisor: &mut H, card: &mut C) -> Result<(), StillRunning<()>> {
        let closed = self.close(hypervisor, card);
        self.gave_way = true;
        closed
    }

    /// Starts at the buffer's first frame.
    pub fn start(&mut self, card: &mut C) -> Result<(), StreamError> {
        let open = self.in_state(SlotState::Open)?;
        card.start(&mut open.card_stream).map_err(StreamError::Card)?;
        open.begin_run();
        Ok(())
    }

    /// The card's stream if [`start`](Self::start) would start it, for a start together with others.
    /// [`note_started`](Self::note_started) follows.
    pub fn startable(&mut self) -> Result<&mut C::Stream, StreamError> {
        self.in_state(SlotState::Open).map(|open| &mut open.card_stream)
    }

    /// Notes that the card has started the [`startable`](Self::startable) stream.
    pub fn note_started(&mut self) {
        if let Some(open) = self.open_stream_mut() {
            open.begin_run();
        }
    }

    /// Pauses. The position stays.
    pub fn pause(&mut self, card: &mut C) -> Result<(), StreamError> {
        let open = self.in_state(SlotState::Running)?;
        card.pause(&mut open.card_stream).map_err(StreamError::Card)?;
        open.state = SlotState::Paused;
        // The stream has moved since the last look.
        if let Ok(StreamPosition { link: Some(link), .. }) = card.position(&mut open.card_stream) {
            open.position.link = Some(link);
        }
        Ok(())
    }

    /// Resumes after a pause.
    pub fn resume(&mut self, card: &mut C) -> Result<(), StreamError> {
        let open = self.in_state(SlotState::Paused)?;
        card.resume(&mut open.card_stream).map_err(StreamError::Card)?;
        open.state = SlotState::Running;
        Ok(())
    }

    /// Stops; the next START begins at the buffer's first frame. Returns the count to post before the answer.
    /// A stopped stream stays as it is: ALSA stops streams twice.
    pub fn stop(&mut self, card: &mut C) -> Result<Option<u64>, StreamError> {
        // Linux stops a stream whose start has failed.
        if self.gave_way {
            return Ok(None);
        }
        let Phase::Open(open) = &mut self.phase else { return Err(StreamError::WrongState) };
        if open.state == SlotState::Open {
            return Ok(None);
        }
        let last = card.stop(&mut open.card_stream).map_err(StreamError::Card)?;
        Ok(open.end_run(last, &mut self.stats))
    }

    /// Takes the range of a WRITE or READ as a hint for the application's pointer.
    pub fn hint(&mut self, card: &mut C, range: &Range) -> Result<(), StreamError> {
        let otherwise = self.if_not_open(StreamError::BadRange);
        let open = self.open_stream_mut().ok_or(otherwise)?;
        let before_bytes = open.appl_bytes();
        let appl_bytes = open.hint(range)?;
        if open.direction.is_playback() {
            let late_bytes = card.note_written(&mut open.card_stream, appl_bytes);
            open.note_late(before_bytes, late_bytes);
        }
        Ok(())
    }

    /// Reads the position of a running stream, unless that was done less than [`LOOK_INTERVAL_NS_MIN`] before `now`: then it is
    /// the last one. `None`: it does not run, or its run has failed now.
    pub fn look(&mut self, card: &mut C, now: Nanos) -> Option<StreamPosition> {
        let open = self.in_state(SlotState::Running).ok()?;
        let since = now.0.checked_sub(open.looked_at.0).filter(|_| open.looked_at != Nanos(0));
        if since.is_some_and(|since_ns| since_ns < LOOK_INTERVAL_NS_MIN) {
            return Some(open.position);
        }
        self.look_now(card, now)
    }

    /// As [`look`](Self::look), however long ago the last one was.
    pub fn look_now(&mut self, card: &mut C, now: Nanos) -> Option<StreamPosition> {
        let Phase::Open(open) = &mut self.phase else { return None };
        if open.state != SlotState::Running {
            return None;
        }
        open.looked_at = now;
        match card.position(&mut open.card_stream) {
            Ok(position) if position.descriptor_errors == 0 => {
                open.move_to(position);
                if open.begins_xrun() {
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
                if let Err(error) = card.pause(&mut open.card_stream) {
                    log::error!("port {}: the failed run could not be halted: {error:?}", self.port.0);
                }
                open.state = SlotState::Failed;
                None
            }
        }
    }

    /// The event pacer of the open stream, and the last position of its run in bytes.
    pub fn events(&mut self) -> Option<(&mut EventPacer, u64)> {
        self.open_stream_mut().map(|open| (&mut open.events, open.position.bytes))
    }

    /// Whether the front end reads positions from the control page only. Such a stream needs no look for events.
    pub fn only_reads_page(&self) -> bool {
        self.open_stream().is_some_and(|open| open.plan.period_bytes == 0 && open.position.link.is_some())
    }

    /// The slot of the control page, without the last request.
    pub fn control_slot(&self) -> Slot {
        self.open_stream().map_or_else(Slot::default, OpenStream::control_slot)
    }

    /// Time of the next look at a running stream.
    pub fn next_look(&mut self) -> Option<Nanos> {
        let open = self.in_state(SlotState::Running).ok()?;
        let span = open.events.next_look(open.position.bytes);
        Some(Nanos(open.looked_at.0.saturating_add(span.0)))
    }
}
