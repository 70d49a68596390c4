//! One `vsnd` device: a guest's virtual sound card with its xenbus state and its streams.
//!
//! [`Device::poll`] never waits for a guest. It returns the time of the next call; an event on one of the device's channels is a
//! reason to call it earlier.

mod closing;
mod idle;
mod requests;

use heapless::Vec;
use hyper::{BackOff, Clock, DomainId, GrantRef, Hypervisor, Nanos};
use sndif::control_page::SlotState;
use sndif::nodes::TransportNodes;
use sndif::request::Request;
use sndif::state::XenbusState;

use crate::card::{Card, Port, PortIndex, Trim};
use crate::control_page::{ControlPage, Taken, next_refresh};
use crate::resources::Resources;
use crate::rights::Policy;
pub use crate::ring_pair::ConnectError;
use crate::ring_pair::{BrokenRing, Line};
use crate::stream::{Stream, StreamConfig};
use crate::turn_work::{Budget, TurnWork};
pub use idle::IDLE_NS;

/// Streams in one device: more than any codec has converters for.
pub const MAX_STREAMS: usize = 16;

/// Requests answered for one device in one poll: a whole ring. The rest waits for the next poll, so that no guest delays others.
const REQUESTS_PER_POLL: usize = 32;

/// The wait between rounds of tries to close stuck streams. Each try waits for RUN, and so delays other streams.
const STUCK_RETRY: BackOff = BackOff::new(Nanos(100_000_000), Nanos(10_000_000_000));

/// Interval between checks that the front end of a running stream still holds its event channel. A killed program sends no STOP,
/// so DMA would repeat its buffer.
const ABANDONED_CHECK_NS: u64 = 1_000_000_000;

/// Why a device could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpError {
    /// More streams than [`MAX_STREAMS`].
    #[error("more than {MAX_STREAMS} streams")]
    TooManyStreams,
    /// A stream is bound to a port that the card doesn't have.
    #[error("the card has no port {}", .0.0)]
    NoSuchPort(PortIndex),
}

/// A request that was taken from the ring, and is answered in a later poll.
#[derive(Clone, Copy)]
struct Held {
    request: Request,
    /// It has found its port taken, and idle streams have had to give way.
    has_waited: bool,
    /// An OPEN that has waited for the card's moment.
    open: Option<OpenWait>,
}

/// An OPEN that waits until the card can do it without a wait.
#[derive(Clone, Copy)]
struct OpenWait {
    /// The moment.
    due: Nanos,
    /// Since when it waits.
    since: Nanos,
}

struct Slot<H: Hypervisor, C: Card<H::Buffer>> {
    stream: Stream<H, C>,
    line: Option<Line<H::Page>>,
    /// The last request, for the control page.
    taken: Taken,
    /// Refused OPENs that were logged.
    refusals_logged: u8,
    /// The request to answer before those on the ring.
    held: Option<Held>,
    /// Since when the stream is open and doesn't run.
    idle_since: Option<Nanos>,
    /// Times that the stream gave way and that was logged.
    ways_logged: u8,
    /// Time of the next check that the front end still holds its channel.
    check_at: Nanos,
}

/// A guest's virtual sound card.
pub struct Device<H: Hypervisor, C: Card<H::Buffer>> {
    guest: DomainId,
    state: XenbusState,
    policy: Policy,
    trim: Trim,
    /// What it may hold, as far as the guest's other devices leave it that.
    allowed: Resources,
    slots: Vec<Slot<H, C>, MAX_STREAMS>,
    /// `None` if the front end has not granted one.
    control_page: Option<ControlPage<H::Page>>,
    /// Number of the last connection.
    generation: u64,
    /// The tries to close stuck streams.
    retries: BackOff,
    /// The first stream that hasn't been tried in the round of tries under way. 0: none is.
    untried: usize,
    /// The first stream of the next poll: the one after the stream that last used up the budget.
    first: usize,
    /// The port that an OPEN found taken, whose answer follows.
    awaited: Option<PortIndex>,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// A device for `guest` with these streams, which waits for its front end (InitWait).
    pub fn new(
        guest: DomainId,
        policy: Policy,
        ports: &[Port],
        streams: &[StreamConfig],
    ) -> Result<Self, SetUpError> {
        let mut slots = Vec::new();
        for config in streams {
            let port = ports.get(usize::from(config.port.0)).ok_or(SetUpError::NoSuchPort(config.port))?;
            let slot = Slot {
                stream: Stream::new(guest, config, *port),
                line: None,
                taken: Taken::default(),
                refusals_logged: 0,
                held: None,
                idle_since: None,
                ways_logged: 0,
                check_at: Nanos(0),
            };
            slots.push(slot).map_err(|_| SetUpError::TooManyStreams)?;
        }
        Ok(Self {
            guest,
            state: XenbusState::InitWait,
            policy,
            trim: Trim::default(),
            allowed: Resources::UNLIMITED,
            slots,
            control_page: None,
            generation: 0,
            retries: STUCK_RETRY,
            untried: 0,
            first: 0,
            awaited: None,
        })
    }

    /// The state to publish in xenstore.
    pub fn state(&self) -> XenbusState {
        self.state
    }

    /// Changes the guest's rights. An open stream that is no longer allowed is closed. One that has followed a plug to a port that
    /// isn't allowed returns to its own.
    pub fn set_policy(&mut self, hypervisor: &mut H, card: &mut C, policy: Policy) {
        self.policy = policy;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.stream.is_permitted(&policy) {
                slot.stream.set_reach(card, &policy);
                continue;
            }
            if slot.stream.close(hypervisor, card).is_err() {
                log_stuck(self.guest);
            }
            publish(&mut self.control_page, index, slot);
        }
    }

    /// Sets the administrator's gain of all streams, those that are opened later included.
    pub fn set_trim(&mut self, card: &mut C, trim: Trim) {
        if core::mem::replace(&mut self.trim, trim) != trim {
            self.slots.iter_mut().for_each(|slot| slot.stream.set_trim(card, trim));
        }
    }

    /// Sets what the device may hold from now on. It keeps what it holds.
    pub fn set_allowed(&mut self, allowed: Resources) {
        self.allowed = allowed;
    }

    /// What the device holds.
    pub fn holdings(&self) -> Resources {
        let streams = self.slots.iter().map(|slot| slot.stream.holdings());
        streams.fold(self.connection_holdings(), Resources::plus)
    }

    /// What its connection holds, without its streams' buffers.
    fn connection_holdings(&self) -> Resources {
        let connected = self.slots.iter().filter(|slot| slot.line.is_some()).count();
        connection_resources(connected, self.control_page.is_some())
    }

    /// The front end is Initialised: maps its rings and its control page, and becomes Connected. A control page that cannot be mapped
    /// is an error, because the front end waits for it.
    ///
    /// The connection's number in the control page is `now`, so that it grows over restarts of this domain.
    pub fn connect(
        &mut self,
        hypervisor: &mut H,
        nodes: &[TransportNodes],
        control_page: Option<GrantRef>,
        now: Nanos,
    ) -> Result<(), ConnectError> {
        if self.state != XenbusState::InitWait {
            return Err(ConnectError::WrongState(self.state));
        }
        if nodes.len() != self.slots.len() {
            return Err(ConnectError::StreamCount);
        }
        let needed = connection_resources(nodes.len(), control_page.is_some());
        if let Some(resource) = self.holdings().plus(needed).beyond(&self.allowed) {
            return Err(ConnectError::OverLimit(resource));
        }
        for (slot, nodes) in self.slots.iter_mut().zip(nodes) {
            match Line::connect(hypervisor, self.guest, nodes) {
                Ok(line) => {
                    slot.line = Some(line);
                    slot.taken = Taken::default();
                }
                Err(error) => {
                    self.disconnect_lines(hypervisor);
                    return Err(error);
                }
            }
        }
        self.generation = self.generation.saturating_add(1).max(now.0);
        if let Some(grant) = control_page {
            match ControlPage::map(hypervisor, self.guest, grant, self.slots.len(), self.generation) {
                Ok(page) => self.control_page = Some(page),
                Err(error) => {
                    self.disconnect_lines(hypervisor);
                    return Err(ConnectError::Map(error));
                }
            }
        }
        for slot in &mut self.slots {
            slot.stream.set_control_page(self.control_page.is_some());
        }
        self.state = XenbusState::Connected;
        Ok(())
    }

    /// A Closed device waits for a front end again (xenstore's `online` is still 1). Returns whether it waits.
    pub fn reopen(&mut self) -> bool {
        if self.state == XenbusState::Closed {
            self.state = XenbusState::InitWait;
        }
        self.state == XenbusState::InitWait
    }

    fn disconnect_lines(&mut self, hypervisor: &mut H) {
        if let Some(page) = self.control_page.take() {
            page.unmap(hypervisor, self.slots.len());
        }
        for slot in &mut self.slots {
            slot.held = None;
            if let Some(line) = slot.line.take() {
                line.disconnect(hypervisor);
            }
        }
    }

    /// Stream `index` in the order of set-up.
    pub fn stream(&self, index: usize) -> Option<&Stream<H, C>> {
        self.slots.get(index).map(|slot| &slot.stream)
    }

    /// Answers requests, reads the positions of running streams, posts them and writes them into the control page. Returns the
    /// latest time of the next call; `None`: after the next event. Work and time are bounded.
    ///
    /// The clock is read at the start, and for each request if there is a control page.
    pub fn poll(&mut self, hypervisor: &mut H, card: &mut C, clock: &dyn Clock) -> Option<Nanos> {
        self.poll_within(hypervisor, card, clock, &mut TurnWork::new())
    }

    /// As [`poll`](Self::poll), in a turn that serves other devices, too. A request that finds no room in it is answered in a
    /// later turn, which is due at once.
    pub fn poll_within(
        &mut self,
        hypervisor: &mut H,
        card: &mut C,
        clock: &dyn Clock,
        turn: &mut TurnWork,
    ) -> Option<Nanos> {
        let now = clock.now();
        let mut next = self.go_on_closing(hypervisor, card, now, turn);
        let mut broken = false;
        let mut budget = Budget { requests: REQUESTS_PER_POLL, turn };
        let first = self.first.min(self.slots.len());
        for index in (first..self.slots.len()).chain(0..first) {
            if budget.requests == 0 {
                next = earliest(next, now);
            } else {
                let was_used_up = budget.turn.is_used_up();
                match self.serve(index, hypervisor, card, (clock, now), &mut budget) {
                    Ok(()) if budget.requests == 0 => {
                        next = earliest(next, now);
                        // A request that only waits for another device's keeps its place.
                        if !was_used_up {
                            self.first = index.saturating_add(1);
                        }
                    }
                    Ok(()) => {}
                    Err(BrokenRing) => broken = true,
                }
            }
            self.look(index, hypervisor, card, now);
            if let Some(slot) = self.slots.get_mut(index) {
                slot.note_idle(now);
                if let Some(wait) = slot.held.and_then(|held| held.open) {
                    next = earliest(next, wait.due);
                }
            }
            if let Some(due) = self.next_look(index, now) {
                next = earliest(next, due);
            }
        }
        self.first = self.first.checked_rem(self.slots.len()).unwrap_or(0);
        if broken {
            log::error!(
                "domain {}: a request ring's index is impossible; closing its sound device",
                self.guest.0
            );
            self.begin_close(hypervisor);
            return (self.state == XenbusState::Closing).then_some(now);
        }
        next
    }

    /// Reads the position of stream `index` if it runs, and posts it if that is due. Closes the stream if the front end has
    /// left.
    fn look(&mut self, index: usize, hypervisor: &mut H, card: &mut C, now: Nanos) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Slot { stream, line: Some(line), check_at, .. } = slot else { return };
        if stream.state() != SlotState::Running {
            return;
        }
        if now >= *check_at {
            *check_at = Nanos(now.0.saturating_add(ABANDONED_CHECK_NS));
            if hypervisor.is_abandoned(line.ring_channel) {
                log::info!(
                    "domain {}: port {} was left running; it is closed",
                    self.guest.0,
                    stream.port().0
                );
                if stream.close(hypervisor, card).is_err() {
                    log_stuck(self.guest);
                }
                publish(&mut self.control_page, index, slot);
                return;
            }
        }
        if stream.look(card, now).is_some()
            && let Some((events, run_bytes)) = stream.events()
            && let Some(bytes) = events.due(run_bytes)
        {
            line.post(hypervisor, Some(events), bytes);
        }
        publish(&mut self.control_page, index, slot);
    }

    /// Time of the next look at stream `index`.
    fn next_look(&mut self, index: usize, now: Nanos) -> Option<Nanos> {
        let stream = &mut self.slots.get_mut(index)?.stream;
        if stream.is_stuck() {
            return Some(self.retry_due(now));
        }
        let look = stream.next_look()?;
        Some(match &self.control_page {
            None => look,
            Some(_) if stream.only_reads_page() => next_refresh(now),
            Some(_) => look.min(next_refresh(now)),
        })
    }
}

/// What a connection of so many streams holds: for each of them a ring and an event page with a channel each.
fn connection_resources(streams: usize, has_control_page: bool) -> Resources {
    // At most MAX_STREAMS.
    let each = (streams as u32).saturating_mul(2);
    Resources { open_streams: 0, channels: each, pages: each.saturating_add(has_control_page.into()) }
}

/// Writes a stream's slot into the control page.
fn publish<H: Hypervisor, C: Card<H::Buffer>>(
    control_page: &mut Option<ControlPage<H::Page>>,
    index: usize,
    slot: &Slot<H, C>,
) {
    if let Some(page) = control_page {
        page.write(index, slot.stream.control_slot(), slot.taken);
    }
}

fn earliest(one: Option<Nanos>, other: Nanos) -> Option<Nanos> {
    Some(one.map_or(other, |one| one.min(other)))
}

fn log_stuck(guest: DomainId) {
    log::error!(
        "domain {}: a stream's RUN reads 1 after it was cleared; its pages stay mapped until it reads 0",
        guest.0
    );
}
