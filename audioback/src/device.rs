//! One `vsnd` device: a guest's virtual sound card, its xenbus state, its streams, and the answers on their rings.
//!
//! Nothing here waits. [`Device::poll`] does what is due and says when it wants to be called again; in between, an
//! event on one of the device's channels is a reason to call it earlier.

use heapless::Vec;
use sndif::event_page::{EventWriter, Full};
use sndif::nodes::TransportNodes;
use sndif::op::Trigger;
use sndif::page::SharedPage;
use sndif::request::{Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::ring::{BackRing, NothingToAnswer};
use sndif::state::XenbusState;

use crate::card::{Card, CardError, Port};
use crate::clock::Nanos;
use crate::hypervisor::{BindError, DomainId, EventChannel, Hypervisor, MapError, RemotePort};
use crate::policy::Policy;
use crate::stream::{HintError, OpenError, Stream, StreamConfig, StreamStats, TriggerError};

/// Streams in one device: more than any codec has converters for.
pub const MAX_STREAMS: usize = 16;

/// Requests answered for one device in one call: a whole ring. A guest that keeps asking waits its turn; so does one after
/// each request that makes the card wait for the hardware, whichever of its streams that was for.
const REQUESTS_PER_POLL: usize = 32;

/// Refused OPENs of one stream that are logged at level info, however often its front end connects.
const REFUSALS_LOGGED: u8 = 16;

/// How long until a stream whose RUN sticks is tried again: each try waits for RUN, and so keeps others waiting.
const STUCK_RETRY_NS: u64 = 100_000_000;

/// Why a device could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetUpError {
    /// More streams than [`MAX_STREAMS`].
    TooManyStreams,
    /// A stream is bound to a port that the card doesn't have.
    NoSuchPort(StreamConfig),
}

/// Why a device could not be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not waiting for a front end.
    WrongState(XenbusState),
    /// The front end published another number of streams than the device has.
    StreamCount,
    /// A ring or an event page could not be mapped.
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

/// Both ends of the talk with the front end, for one stream.
struct Line<P> {
    ring: BackRing<P>,
    ring_channel: EventChannel,
    event_writer: EventWriter<P>,
    event_channel: EventChannel,
}

impl<P: SharedPage> Line<P> {
    /// Maps and binds what the front end has published; all of it or, on an error, nothing. `nodes` is its word.
    fn connect<H: Hypervisor<Page = P>>(
        hypervisor: &mut H,
        guest: DomainId,
        nodes: &TransportNodes,
    ) -> Result<Self, ConnectError> {
        let ring = hypervisor.map_page(guest, nodes.ring_ref).map_err(ConnectError::Map)?;
        let event_page = match hypervisor.map_page(guest, nodes.evt_ring_ref) {
            Ok(page) => page,
            Err(error) => {
                hypervisor.unmap_page(ring);
                return Err(ConnectError::Map(error));
            }
        };
        let channels =
            hypervisor.bind(guest, RemotePort(nodes.event_channel)).and_then(|ring_channel| match hypervisor
                .bind_silent(guest, RemotePort(nodes.evt_event_channel))
            {
                Ok(event_channel) => Ok((ring_channel, event_channel)),
                Err(error) => {
                    hypervisor.unbind(ring_channel);
                    Err(error)
                }
            });
        match channels {
            Ok((ring_channel, event_channel)) => Ok(Self {
                ring: BackRing::attach(ring),
                ring_channel,
                event_writer: EventWriter::attach(event_page),
                event_channel,
            }),
            Err(error) => {
                hypervisor.unmap_page(ring);
                hypervisor.unmap_page(event_page);
                Err(ConnectError::Bind(error))
            }
        }
    }

    fn disconnect<H: Hypervisor<Page = P>>(self, hypervisor: &mut H) {
        hypervisor.unbind(self.ring_channel);
        hypervisor.unbind(self.event_channel);
        hypervisor.unmap_page(self.ring.into_page());
        hypervisor.unmap_page(self.event_writer.into_page());
    }
}

struct Slot<H: Hypervisor, C: Card<H::Buffer>> {
    stream: Stream<H, C>,
    line: Option<Line<H::Page>>,
    /// OPENs that were refused and logged: a guest could fill the log.
    refusals_logged: u8,
}

/// A guest's virtual sound card.
pub struct Device<H: Hypervisor, C: Card<H::Buffer>> {
    guest: DomainId,
    state: XenbusState,
    policy: Policy,
    slots: Vec<Slot<H, C>, MAX_STREAMS>,
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
            let port = ports.get(usize::from(config.port.0)).ok_or(SetUpError::NoSuchPort(*config))?;
            let slot = Slot { stream: Stream::new(guest, config, *port), line: None, refusals_logged: 0 };
            slots.push(slot).map_err(|_| SetUpError::TooManyStreams)?;
        }
        Ok(Self { guest, state: XenbusState::InitWait, policy, slots, retry_at: Nanos(0), turn: 0 })
    }

    /// The state to publish in xenstore.
    pub fn state(&self) -> XenbusState {
        self.state
    }

    /// Changes what the guest may do; an open stream that is no longer allowed is closed.
    pub fn set_policy(&mut self, hypervisor: &mut H, card: &mut C, policy: Policy) {
        self.policy = policy;
        for slot in &mut self.slots {
            let permitted = policy.permits(slot.stream.direction(), slot.stream.port());
            if !permitted && slot.stream.close(hypervisor, card).is_err() {
                log_stuck(self.guest);
            }
        }
    }

    /// The front end is Initialised: maps its rings and becomes Connected.
    pub fn connect(&mut self, hypervisor: &mut H, nodes: &[TransportNodes]) -> Result<(), ConnectError> {
        if self.state != XenbusState::InitWait {
            return Err(ConnectError::WrongState(self.state));
        }
        if nodes.len() != self.slots.len() {
            return Err(ConnectError::StreamCount);
        }
        for (slot, nodes) in self.slots.iter_mut().zip(nodes) {
            match Line::connect(hypervisor, self.guest, nodes) {
                Ok(line) => slot.line = Some(line),
                Err(error) => {
                    self.disconnect_lines(hypervisor);
                    return Err(error);
                }
            }
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

    /// Does all that is due at `now`: answers requests, looks at running streams, posts their positions. Returns when
    /// it is to be called again at the latest; `None`: not before an event. Work and time are bounded.
    pub fn poll(&mut self, hypervisor: &mut H, card: &mut C, now: Nanos) -> Option<Nanos> {
        self.retry_stuck(hypervisor, card, now);
        let mut next: Option<Nanos> = None;
        let mut broken = false;
        let mut budget = REQUESTS_PER_POLL;
        // Whose turn it is first, then the others.
        let mut turn = self.turn.min(self.slots.len());
        let (later, first) = self.slots.split_at_mut(turn);
        for slot in first.iter_mut().chain(later) {
            let Slot { stream, line, refusals_logged } = slot;
            turn = turn.saturating_add(1);
            if let Some(line) = line.as_mut() {
                if budget == 0 {
                    next = earliest(next, now);
                } else {
                    match serve(line, stream, refusals_logged, hypervisor, card, &self.policy, &mut budget) {
                        Ok(()) if budget == 0 => {
                            next = earliest(next, now);
                            self.turn = turn;
                        }
                        Ok(()) => {}
                        Err(BrokenRing) => broken = true,
                    }
                }
                look(line, stream, hypervisor, card);
            }
            if stream.is_stuck() {
                next = earliest(next, Nanos(now.0.saturating_add(STUCK_RETRY_NS)));
            } else if let Some(wait) = stream.next_look() {
                next = earliest(next, Nanos(now.0.saturating_add(wait.0)));
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

/// Answers what is on the ring, as far as `budget` goes: it counts requests, and one that keeps the hardware busy uses it up.
/// Where it is used up there may be more.
fn serve<H: Hypervisor, C: Card<H::Buffer>>(
    line: &mut Line<H::Page>,
    stream: &mut Stream<H, C>,
    refusals_logged: &mut u8,
    hypervisor: &mut H,
    card: &mut C,
    policy: &Policy,
    budget: &mut usize,
) -> Result<(), BrokenRing> {
    while let Some(left) = budget.checked_sub(1) {
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
        let response = match Request::parse(&entry) {
            Ok(request) => {
                if keeps_waiting(&request.body) {
                    *budget = 0;
                }
                answer(&request, line, stream, refusals_logged, hypervisor, card, policy)
            }
            Err(bad) => bad.answer(),
        };
        // Each pass takes one request and answers it, so there always is one to answer.
        line.ring.answer(&response.emit()).map_err(|NothingToAnswer| BrokenRing)?;
        if line.ring.publish() {
            hypervisor.notify(line.ring_channel);
        }
    }
    Ok(())
}

/// Whether the card waits for the hardware to do this: up to some 20 ms, when it goes wrong. A ring full of these, in one
/// go, would take all other streams' positions away for that long.
fn keeps_waiting(body: &RequestBody) -> bool {
    matches!(body, RequestBody::Open(_) | RequestBody::Close | RequestBody::Trigger(_))
}

/// Does what a request asks. Where the front end must hear a position first, it is posted before the answer.
fn answer<H: Hypervisor, C: Card<H::Buffer>>(
    request: &Request,
    line: &mut Line<H::Page>,
    stream: &mut Stream<H, C>,
    refusals_logged: &mut u8,
    hypervisor: &mut H,
    card: &mut C,
    policy: &Policy,
) -> Response {
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
                    post(line, stream, hypervisor, bytes);
                }
                Status::OK
            }
            Err(HintError::BadRange) => Status::EINVAL,
            Err(HintError::RunFailed) => Status::EIO,
        },
        RequestBody::Trigger(trigger) => {
            let done = match trigger {
                Trigger::Start => {
                    if let Some(bytes) = stream.events().and_then(|(events, _)| events.begin()) {
                        post(line, stream, hypervisor, bytes);
                    }
                    stream.start(card)
                }
                Trigger::Pause => stream.pause(card),
                Trigger::Resume => stream.resume(card),
                Trigger::Stop => stream.stop(card).map(|told| {
                    if let Some(bytes) = told {
                        post(line, stream, hypervisor, bytes);
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
        // The path's own amplifiers are not driven from here yet.
        RequestBody::LinkedStart(_)
        | RequestBody::SetVolume(_)
        | RequestBody::GetVolume(_)
        | RequestBody::Mute(_)
        | RequestBody::Unmute(_) => Status::EOPNOTSUPP,
    };
    request.answer(status)
}

/// Looks at a running stream and posts its position when the front end is due it.
fn look<H: Hypervisor, C: Card<H::Buffer>>(
    line: &mut Line<H::Page>,
    stream: &mut Stream<H, C>,
    hypervisor: &mut H,
    card: &mut C,
) {
    if stream.look(card).is_some()
        && let Some((events, run_bytes)) = stream.events()
        && let Some(bytes) = events.due(run_bytes)
    {
        post(line, stream, hypervisor, bytes);
    }
}

/// Posts a position. While the event page is full nothing is sent and no id is taken: the pacer remembers, so that the
/// newest position goes at the first look that finds room.
fn post<H: Hypervisor, C: Card<H::Buffer>>(
    line: &mut Line<H::Page>,
    stream: &mut Stream<H, C>,
    hypervisor: &mut H,
    bytes: u64,
) {
    let posted = line.event_writer.post(bytes);
    if let Some((events, _)) = stream.events() {
        match posted {
            Ok(_) => events.posted(bytes),
            Err(Full) => events.found_no_room(bytes),
        }
    }
    if posted == Ok(true) {
        hypervisor.notify(line.event_channel);
    }
}

fn open_status(error: &OpenError) -> Status {
    match error {
        OpenError::Denied(_) => Status::EACCES,
        OpenError::Bad(_) | OpenError::Directory(_) | OpenError::Map(MapError::NotGranted(_)) => {
            Status::EINVAL
        }
        OpenError::Map(MapError::AlreadyMapped(_)) => Status::EBUSY,
        OpenError::Map(MapError::NoRoom) => Status::ENOMEM,
        OpenError::Card(error) => card_status(*error),
        OpenError::StillRunning => Status::EIO,
    }
}

fn trigger_status(error: &TriggerError) -> Status {
    match error {
        TriggerError::NotOpen | TriggerError::WrongState => Status::EINVAL,
        TriggerError::Card(error) => card_status(*error),
    }
}

fn card_status(error: CardError) -> Status {
    match error {
        CardError::NoSuchPort => Status::ENODEV,
        CardError::Busy => Status::EBUSY,
        CardError::Unsupported | CardError::BadBuffer | CardError::WrongState => Status::EINVAL,
        CardError::Hardware => Status::EIO,
    }
}
