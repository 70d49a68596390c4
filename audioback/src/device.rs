//! One `vsnd` device: a guest's virtual sound card, its xenbus state, its streams, and the answers on their rings.
//!
//! Nothing here waits. [`Device::poll`] does what is due and says when it wants to be called again; in between, an
//! event on one of the device's channels is a reason to call it earlier.

use core::fmt;

use heapless::Vec;
use hyper::{BindError, Clock, DomainId, GrantRef, Hypervisor, MapError, Nanos};
use sndif::nodes::TransportNodes;
use sndif::op::{Operation, Trigger};
use sndif::request::{Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::ring::NothingToAnswer;
use sndif::state::XenbusState;

use crate::card::{Card, Port, PortIndex};
use crate::control_page::{ControlPage, Taken, next_refresh};
use crate::line::Line;
use crate::policy::Policy;
use crate::status::{card_status, hint_status, open_status, trigger_status, volume_status};
use crate::stream::{Activity, Stream, StreamConfig, StreamStats, VolumeError};

/// Streams in one device: more than any codec has converters for.
pub const MAX_STREAMS: usize = 16;

/// Requests answered for one device in one call: a whole ring. A guest that keeps asking waits its turn; so does one after
/// each request that makes the card wait for the hardware, whichever of its streams that was for.
const REQUESTS_PER_POLL: usize = 32;

/// Refused OPENs of one stream that are logged at level info, however often its front end connects.
const REFUSALS_LOGGED: u8 = 16;

/// How long until a stream whose RUN sticks is tried again: each try waits for RUN, and so keeps others waiting.
const STUCK_RETRY_NS: u64 = 100_000_000;

/// How often it is looked whether whoever started a stream still has its end of the ring's channel: a program that is killed can't
/// say STOP, and DMA would play its buffer round and round.
const ABANDONED_NS: u64 = 1_000_000_000;

/// Why a device could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetUpError {
    /// More streams than [`MAX_STREAMS`].
    TooManyStreams,
    /// A stream is bound to a port that the card doesn't have.
    NoSuchPort(PortIndex),
}

impl fmt::Display for SetUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyStreams => write!(f, "more than {MAX_STREAMS} streams"),
            Self::NoSuchPort(port) => write!(f, "the card has no port {}", port.0),
        }
    }
}

/// Why a device could not be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not waiting for a front end.
    WrongState(XenbusState),
    /// The front end published another number of streams than the device has.
    StreamCount,
    /// A ring, an event page or the control page could not be mapped.
    Map(MapError),
    /// An event channel could not be bound.
    Bind(BindError),
}

impl ConnectError {
    /// Whether it is this side that lacks something, so that a later try may do. The front end isn't to blame.
    pub const fn is_shortage(&self) -> bool {
        matches!(self, Self::Map(MapError::NoRoom) | Self::Bind(BindError::NoRoom))
    }
}

struct Slot<H: Hypervisor, C: Card<H::Buffer>> {
    stream: Stream<H, C>,
    line: Option<Line<H::Page>>,
    /// The last request that was taken, where there is a control page to tell it in.
    taken: Taken,
    /// OPENs that were refused and logged: a guest could fill the log.
    refusals_logged: u8,
    /// When it is next looked whether the front end has left.
    ask_at: Nanos,
}

/// A guest's virtual sound card.
pub struct Device<H: Hypervisor, C: Card<H::Buffer>> {
    guest: DomainId,
    state: XenbusState,
    policy: Policy,
    slots: Vec<Slot<H, C>, MAX_STREAMS>,
    /// Where the front end has granted one.
    control_page: Option<ControlPage<H::Page>>,
    /// The last connection's number.
    generation: u64,
    /// When streams whose RUN sticks may be tried again.
    retry_at: Nanos,
    /// The stream whose requests are looked at first: the one after that which had its fill last.
    turn: usize,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// Sets a device up for `guest`, one stream for each of `streams`, and waits for its front end (InitWait).
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
                ask_at: Nanos(0),
            };
            slots.push(slot).map_err(|_| SetUpError::TooManyStreams)?;
        }
        Ok(Self {
            guest,
            state: XenbusState::InitWait,
            policy,
            slots,
            control_page: None,
            generation: 0,
            retry_at: Nanos(0),
            turn: 0,
        })
    }

    /// The state to publish in xenstore.
    pub fn state(&self) -> XenbusState {
        self.state
    }

    /// Changes what the guest may do; an open stream that is no longer allowed is closed.
    pub fn set_policy(&mut self, hypervisor: &mut H, card: &mut C, policy: Policy) {
        self.policy = policy;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if policy.permits(slot.stream.direction(), slot.stream.port()) {
                continue;
            }
            if slot.stream.close(hypervisor, card).is_err() {
                log_stuck(self.guest);
            }
            tell(&mut self.control_page, index, slot);
        }
    }

    /// The front end is Initialised: maps its rings, and its control page if it has granted one, and becomes Connected. A
    /// control page that can't be mapped is as bad as a ring: a front end that published it would wait for what never comes.
    ///
    /// `now` is the connection's number in the control page. So it grows over this domain's own restarts, too.
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

    /// The front end is Closing, Closed or gone, or this side wants no more of it: stops and unmaps everything.
    /// The state is Closed afterwards, or Closing while a stream's RUN sticks (then [`poll`](Self::poll) goes on trying).
    pub fn close(&mut self, hypervisor: &mut H, card: &mut C) {
        self.state = XenbusState::Closing;
        let mut stuck = false;
        for slot in &mut self.slots {
            stuck |= slot.stream.close(hypervisor, card).is_err();
        }
        self.disconnect_lines(hypervisor);
        if stuck {
            log_stuck(self.guest);
        } else {
            self.state = XenbusState::Closed;
        }
    }

    /// Tries streams again that were closed while their RUN stuck.
    fn retry_stuck(&mut self, hypervisor: &mut H, card: &mut C, now: Nanos) {
        if !self.slots.iter().any(|slot| slot.stream.is_stuck()) {
            // A right that was withdrawn may have closed the last one.
            if self.state == XenbusState::Closing {
                self.state = XenbusState::Closed;
            }
            return;
        }
        if now < self.retry_at {
            return;
        }
        self.retry_at = Nanos(now.0.saturating_add(STUCK_RETRY_NS));
        let mut stuck = false;
        for slot in self.slots.iter_mut().filter(|slot| slot.stream.is_stuck()) {
            stuck |= slot.stream.close(hypervisor, card).is_err();
        }
        if !stuck && self.state == XenbusState::Closing {
            self.state = XenbusState::Closed;
        }
    }

    /// Closed, and the device is to be used again (xenstore's `online` is still 1): waits for a front end once more.
    /// Returns whether it does.
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
        for line in self.slots.iter_mut().filter_map(|slot| slot.line.take()) {
            line.disconnect(hypervisor);
        }
    }

    /// Stream `index`, in the order of set-up, to be looked at.
    pub fn stream(&self, index: usize) -> Option<&Stream<H, C>> {
        self.slots.get(index).map(|slot| &slot.stream)
    }

    /// Counts of stream `index`, in the order of set-up.
    pub fn stats(&self, index: usize) -> Option<StreamStats> {
        self.slots.get(index).map(|slot| slot.stream.stats())
    }

    /// Does all that is due: answers requests, looks at running streams, posts their positions and writes them into the control
    /// page. Returns when it is to be called again at the latest; `None`: not before an event. Work and time are bounded.
    ///
    /// The clock is read at the start and, where there is a control page, for each request: the front end maps its own clock
    /// to this one by when that was taken, and an earlier or later time would be a wrong map.
    pub fn poll(&mut self, hypervisor: &mut H, card: &mut C, clock: &dyn Clock) -> Option<Nanos> {
        let now = clock.now();
        self.retry_stuck(hypervisor, card, now);
        let mut next: Option<Nanos> = None;
        let mut broken = false;
        let mut budget = REQUESTS_PER_POLL;
        // Whose turn it is first, then the others.
        let first = self.turn.min(self.slots.len());
        for index in (first..self.slots.len()).chain(0..first) {
            if budget == 0 {
                next = earliest(next, now);
            } else {
                match self.serve(index, hypervisor, card, clock, &mut budget) {
                    Ok(()) if budget == 0 => {
                        next = earliest(next, now);
                        self.turn = index.saturating_add(1);
                    }
                    Ok(()) => {}
                    Err(BrokenRing) => broken = true,
                }
            }
            self.look(index, hypervisor, card, now);
            if let Some(due) = self.next_look(index, now) {
                next = earliest(next, due);
            }
        }
        self.turn = self.turn.checked_rem(self.slots.len()).unwrap_or(0);
        if broken {
            log::error!(
                "domain {}: a request ring's index is impossible; closing its sound device",
                self.guest.0
            );
            self.close(hypervisor, card);
            return (self.state == XenbusState::Closing)
                .then_some(Nanos(now.0.saturating_add(STUCK_RETRY_NS)));
        }
        next
    }

    /// Answers what is on the ring of stream `index`, as far as `budget` goes: it counts requests, and one that keeps the
    /// hardware busy uses it up. Where it is used up there may be more.
    fn serve(
        &mut self,
        index: usize,
        hypervisor: &mut H,
        card: &mut C,
        clock: &dyn Clock,
        budget: &mut usize,
    ) -> Result<(), BrokenRing> {
        while let Some(left) = budget.checked_sub(1) {
            let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
            let Some(line) = &mut slot.line else { return Ok(()) };
            let entry = match line.ring.take() {
                Ok(Some(entry)) => entry,
                Ok(None) => {
                    // Nothing left: ask to be told of more, and look once again, for it may have come in between.
                    if !line.ring.arm() {
                        return Ok(());
                    }
                    // A front end that always has one more just then has its turn cut short, too.
                    *budget = left;
                    continue;
                }
                Err(_) => return Err(BrokenRing),
            };
            *budget = left;
            // Between taking it and answering it: the front end's own times of sending it and hearing of it lie around this.
            let taken = self.control_page.as_ref().map(|_| clock.now());
            let response = match Request::parse(&entry) {
                Ok(request) => {
                    if keeps_waiting(&request.body) {
                        *budget = 0;
                    }
                    match request.body {
                        RequestBody::LinkedStart(streams) => {
                            self.start_together(&request, streams, hypervisor, card)
                        }
                        _ => answer(&request, slot, hypervisor, card, &self.policy),
                    }
                }
                Err(bad) => bad.answer(),
            };
            let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
            if let Some(time) = taken {
                slot.taken = Taken { id: response.id, time };
                if response.operation == Operation::Trigger.code() {
                    // What runs now is at the link already, and the front end that has the answer may want to know where.
                    slot.stream.look(card);
                }
                tell(&mut self.control_page, index, slot);
            }
            let Some(line) = &mut slot.line else { return Ok(()) };
            // Each pass takes one request and answers it, so there always is one to answer.
            line.ring.answer(&response.emit()).map_err(|NothingToAnswer| BrokenRing)?;
            if line.ring.publish() {
                hypervisor.notify(line.ring_channel);
            }
        }
        Ok(())
    }

    /// Starts the streams whose bits are set, all of them or none.
    fn start_together(
        &mut self,
        request: &Request,
        streams: u32,
        hypervisor: &mut H,
        card: &mut C,
    ) -> Response {
        let is_meant = |index: usize| streams.checked_shr(index as u32).is_some_and(|bits| bits & 1 != 0);
        if streams == 0 || streams.checked_shr(self.slots.len() as u32).is_some_and(|more| more != 0) {
            return request.answer(Status::EINVAL);
        }
        for (_, slot) in self.slots.iter().enumerate().filter(|(index, _)| is_meant(*index)) {
            if !self.policy.permits(slot.stream.direction(), slot.stream.port()) {
                return request.answer(Status::EACCES);
            }
            if slot.stream.activity() != Activity::Open {
                return request.answer(Status::EINVAL);
            }
        }
        let started = {
            let mut meant = Vec::<_, MAX_STREAMS>::new();
            for (_, slot) in self.slots.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
                begin_run(slot, hypervisor);
                // There are no more slots than that.
                let _ = slot.stream.to_be_started().map(|card_stream| meant.push(card_stream));
            }
            card.start_together(&mut meant)
        };
        let how = match started {
            Ok(how) => how,
            Err(error) => return request.answer(card_status(error)),
        };
        for (index, slot) in self.slots.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
            slot.stream.started();
            if self.control_page.is_some() {
                slot.stream.look(card);
            }
            tell(&mut self.control_page, index, slot);
        }
        request.answer_started(how)
    }

    /// Looks at stream `index`, if it runs and its front end is connected, and posts its position when that is due. One whose front
    /// end has left is closed.
    fn look(&mut self, index: usize, hypervisor: &mut H, card: &mut C, now: Nanos) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Slot { stream, line: Some(line), ask_at, .. } = slot else { return };
        if stream.activity() != Activity::Running {
            return;
        }
        if now >= *ask_at {
            *ask_at = Nanos(now.0.saturating_add(ABANDONED_NS));
            if hypervisor.is_abandoned(line.ring_channel) {
                log::info!(
                    "domain {}: port {} was left running; it is closed",
                    self.guest.0,
                    stream.port().0
                );
                // If RUN sticks it is tried again.
                let _ = stream.close(hypervisor, card);
                tell(&mut self.control_page, index, slot);
                return;
            }
        }
        if stream.look(card).is_some()
            && let Some((events, run_bytes)) = stream.events()
            && let Some(bytes) = events.due(run_bytes)
        {
            line.post(hypervisor, Some(events), bytes);
        }
        tell(&mut self.control_page, index, slot);
    }

    /// When stream `index` is to be looked at again.
    fn next_look(&mut self, index: usize, now: Nanos) -> Option<Nanos> {
        let stream = &mut self.slots.get_mut(index)?.stream;
        if stream.is_stuck() {
            return Some(Nanos(now.0.saturating_add(STUCK_RETRY_NS)));
        }
        let look = Nanos(now.0.saturating_add(stream.next_look()?.0));
        Some(match &self.control_page {
            None => look,
            // Nobody waits for an event, and the card keeps count without being looked at.
            Some(_) if stream.only_reads_page() => next_refresh(now),
            Some(_) => look.min(next_refresh(now)),
        })
    }
}

/// Writes a stream's slot, if there is a control page.
fn tell<H: Hypervisor, C: Card<H::Buffer>>(
    control_page: &mut Option<ControlPage<H::Page>>,
    index: usize,
    slot: &Slot<H, C>,
) {
    if let Some(page) = control_page {
        page.write(index, slot.stream.control_slot(), slot.taken);
    }
}

/// The ring's producer index is more than a ring ahead: nothing on it can be believed.
struct BrokenRing;

fn earliest(one: Option<Nanos>, other: Nanos) -> Option<Nanos> {
    Some(one.map_or(other, |one| one.min(other)))
}

fn log_stuck(guest: DomainId) {
    log::error!(
        "domain {}: a stream's RUN reads 1 after it was cleared; its pages stay mapped until it reads 0",
        guest.0
    );
}

/// Whether the card waits for the hardware to do this: up to some 20 ms, when it goes wrong; or the hypervisor maps something
/// for it alone. A ring full of these, in one go, would take all other streams' positions away for that long.
fn keeps_waiting(body: &RequestBody) -> bool {
    matches!(
        body,
        RequestBody::Open(_)
            | RequestBody::Close
            | RequestBody::Trigger(_)
            | RequestBody::LinkedStart(_)
            | RequestBody::SetVolume(_)
            | RequestBody::GetVolume(_)
            | RequestBody::Mute(_)
            | RequestBody::Unmute(_)
    )
}

/// The status for what has become of a volume request.
fn adjusted(result: Result<(), VolumeError>) -> Status {
    result.map_or_else(|error| volume_status(&error), |()| Status::OK)
}

/// Lets the front end know where the run begins that is about to start, if it doesn't.
fn begin_run<H: Hypervisor, C: Card<H::Buffer>>(slot: &mut Slot<H, C>, hypervisor: &mut H) {
    let Some((events, _)) = slot.stream.events() else { return };
    if let Some(bytes) = events.begin()
        && let Some(line) = &mut slot.line
    {
        line.post(hypervisor, Some(events), bytes);
    }
}

/// Does what a request asks. Where the front end must hear a position first, it is posted before the answer.
fn answer<H: Hypervisor, C: Card<H::Buffer>>(
    request: &Request,
    slot: &mut Slot<H, C>,
    hypervisor: &mut H,
    card: &mut C,
    policy: &Policy,
) -> Response {
    if request.body == RequestBody::Trigger(Trigger::Start) {
        begin_run(slot, hypervisor);
    }
    let Slot { stream, line, refusals_logged, .. } = slot;
    let mut post = |stream: &mut Stream<H, C>, bytes| {
        if let Some(line) = line {
            line.post(hypervisor, stream.events().map(|(events, _)| events), bytes);
        }
    };
    let status = match &request.body {
        RequestBody::Open(asked) => match stream.open(hypervisor, card, policy, asked) {
            Ok(()) => Status::OK,
            Err(error) => {
                if *refusals_logged < REFUSALS_LOGGED {
                    *refusals_logged = refusals_logged.saturating_add(1);
                    log::info!("OPEN on port {} refused: {error:?}", stream.port().0);
                }
                open_status(&error)
            }
        },
        // When it is tried again isn't the front end's to say.
        RequestBody::Close if stream.is_stuck() => Status::EIO,
        RequestBody::Close => match stream.close(hypervisor, card) {
            Ok(()) => Status::OK,
            Err(_) => Status::EIO,
        },
        RequestBody::Read(range) | RequestBody::Write(range) => match stream.hint(range) {
            Ok(()) => {
                // A look also moves the pacer's position, from which the fresh count is taken.
                if stream.look(card).is_some()
                    && let Some((events, run_bytes)) = stream.events()
                    && let Some(bytes) = events.fresh(run_bytes)
                {
                    post(stream, bytes);
                }
                Status::OK
            }
            Err(error) => hint_status(&error),
        },
        RequestBody::Trigger(trigger) => {
            let done = match trigger {
                Trigger::Start => stream.start(card),
                Trigger::Pause => stream.pause(card),
                Trigger::Resume => stream.resume(card),
                Trigger::Stop => stream.stop(card).map(|told| {
                    if let Some(bytes) = told {
                        post(stream, bytes);
                    }
                }),
            };
            done.map_or_else(|error| trigger_status(&error), |()| Status::OK)
        }
        RequestBody::HwParamQuery(asked) => {
            let left = stream.query(card, asked);
            if !left.is_empty() {
                return request.answer_hw_params(left);
            }
            Status::EINVAL
        }
        RequestBody::SetVolume(range) => adjusted(stream.set_volume(hypervisor, card, range)),
        RequestBody::GetVolume(range) => adjusted(stream.get_volume(hypervisor, card, range)),
        RequestBody::Mute(range) => adjusted(stream.set_mute(hypervisor, card, range, true)),
        RequestBody::Unmute(range) => adjusted(stream.set_mute(hypervisor, card, range, false)),
        // It concerns more than this stream: see `Device::start_together`.
        RequestBody::LinkedStart(_) => Status::EOPNOTSUPP,
    };
    request.answer(status)
}
