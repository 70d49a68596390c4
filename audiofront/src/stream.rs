//! One stream of a sound card, driven by its front end.

mod endpoints;
mod requests;
mod shared;
mod volume;

use heapless::Vec;
use sndif::Direction;
use sndif::event_page::{EVENT_ENTRIES, Event, EventFaults, EventReader};
use sndif::hw_params::HwParams;
use sndif::nodes::TransportNodes;
use sndif::op::Trigger;
use sndif::request::{OpenParams, Request, RequestBody};
use sndif::response::{Response, ResponseBody, Status};
use sndif::ring::RingBroken;

use crate::buffer::{MAX_BUFFER_BYTES, PageList};
use crate::capture::Capture;
use crate::config::StreamConfig;
use crate::error::{ConnectError, OpenError, RequestError};
use crate::event::{Fault, FrontEvent};
use crate::playback::Playback;
use crate::state::StreamState;
use crate::transport::{EventPort, GrantAccess, Transport};

use endpoints::Endpoints;
use requests::Requests;
pub use shared::MAX_VOLUME_CHANNELS;
use shared::{Layout, Shared};

/// One stream of a sound card, seen from the guest.
#[derive(Debug)]
pub struct StreamFront<T: Transport> {
    transport: T,
    direction: Direction,
    nodes: TransportNodes,
    requests: Requests<T::Page>,
    events: EventReader<T::Page>,
    /// A response held back until earlier positions are reported.
    held: Option<Response>,
    state: StreamState,
    shared: Option<Shared<T::Page>>,
    /// The list of pages while no buffer uses it.
    spare: Option<PageList<T::Page>>,
    position_bytes: u64,
    /// The result of the last GET_VOLUME.
    volumes: Vec<i32, MAX_VOLUME_CHANNELS>,
    /// Whether playback pages are granted for writing, which GET_VOLUME's answer needs.
    volume_can_be_told: bool,
    /// Start of the present run.
    run_start_bytes: u64,
    /// Whether STOP is under way.
    stopping: bool,
    /// Whether STOP is answered and no START is sent since.
    stopped: bool,
    fault_count: u32,
    still_mapped_pages: u32,
}

impl<T: Transport> StreamFront<T> {
    /// Creates and publishes the ring, the event page and their channels. A failure leaves nothing
    /// behind.
    pub fn connect(mut transport: T, direction: Direction) -> Result<Self, ConnectError> {
        let Endpoints { ring, event_page, nodes } = Endpoints::open(&mut transport)?;
        Ok(Self {
            transport,
            direction,
            nodes,
            requests: Requests::init(ring),
            events: EventReader::init(event_page),
            held: None,
            state: StreamState::Closed,
            shared: None,
            spare: Some(PageList::new()),
            position_bytes: 0,
            volumes: Vec::new(),
            volume_can_be_told: false,
            run_start_bytes: 0,
            stopping: false,
            stopped: false,
            fault_count: 0,
            still_mapped_pages: 0,
        })
    }

    /// Ends all grants and closes the channels. The back end must have closed the device before.
    /// Pages that it still maps stay granted permanently.
    pub fn disconnect(mut self) -> T {
        self.release_buffer();
        let endpoints = Endpoints {
            ring: self.requests.into_page(),
            event_page: self.events.into_page(),
            nodes: self.nodes,
        };
        endpoints.close(&mut self.transport);
        self.transport
    }

    /// The published nodes.
    pub fn nodes(&self) -> &TransportNodes {
        &self.nodes
    }

    /// The transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Playback or capture.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The stream's state on the wire.
    pub fn state(&self) -> StreamState {
        self.state
    }

    /// Samples in a frame from [`open`](Self::open) until CLOSE is answered, else 0.
    pub fn channels(&self) -> u8 {
        self.shared.as_ref().map_or(0, Shared::channels)
    }

    /// Requests without an answer.
    pub fn pending_requests(&self) -> usize {
        self.requests.pending_count()
    }

    /// The last position, in bytes since OPEN.
    pub fn position_bytes(&self) -> u64 {
        self.position_bytes
    }

    /// Start of the present or last run, in bytes since OPEN. The control page counts from here.
    pub fn run_start_bytes(&self) -> u64 {
        self.run_start_bytes
    }

    /// Takes a position in bytes since OPEN from a source other than events, such as the control
    /// page. Ignores positions before the last one. Returns whether it was taken.
    pub fn advance_to(&mut self, bytes: u64) -> bool {
        bytes >= self.position_bytes
            && matches!(self.judge_position(bytes), Some(FrontEvent::Position { .. }))
    }

    /// [`Fault`]s so far.
    pub fn fault_count(&self) -> u32 {
        self.fault_count
    }

    /// Faults on the event page so far. They are only counted, because they have no consequences.
    pub fn event_faults(&self) -> EventFaults {
        self.events.faults()
    }

    /// Pages lost because the back end still mapped them after CLOSE.
    pub fn still_mapped_pages(&self) -> u32 {
        self.still_mapped_pages
    }

    /// The samples of a playback stream, from [`open`](Self::open) until CLOSE is answered.
    pub fn playback(&mut self) -> Option<&mut Playback<T::Page>> {
        self.shared.as_mut()?.playback()
    }

    /// The samples of a capture stream, from [`open`](Self::open) until CLOSE is answered.
    pub fn capture(&mut self) -> Option<&mut Capture<T::Page>> {
        self.shared.as_mut()?.capture()
    }

    /// Writes samples into the shared pages; see [`Playback::fill`]. Takes none while STOP is under
    /// way.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        if self.stopping {
            return 0;
        }
        self.playback().map_or(0, |playback| playback.fill(bytes))
    }

    /// Takes samples out of the shared pages; see [`Capture::take`].
    pub fn take(&mut self, bytes: &mut [u8]) -> usize {
        self.capture().map_or(0, |capture| capture.take(bytes))
    }

    /// Asks which of these configurations the back end supports. As all requests do, it returns the
    /// number of its answer.
    pub fn query(&mut self, params: &HwParams) -> Result<u16, RequestError> {
        self.send(RequestBody::HwParamQuery(*params))
    }

    /// Grants a buffer, lists it in a page directory, and asks the back end to open the stream with
    /// it.
    pub fn open(&mut self, config: &StreamConfig) -> Result<u16, OpenError> {
        if self.state != StreamState::Closed {
            return Err(OpenError::Request(RequestError::WrongState(self.state)));
        }
        let (Some(frame_bytes), Some(silence)) = (config.frame_bytes(), config.format.silence()) else {
            return Err(OpenError::BadFrame);
        };
        let StreamConfig { rate_hz, format, channels, buffer_bytes, period_bytes } = *config;
        if !(1..=MAX_BUFFER_BYTES).contains(&buffer_bytes) || !buffer_bytes.is_multiple_of(frame_bytes) {
            return Err(OpenError::BadBufferSize);
        }
        let access = match self.direction {
            Direction::Playback if !self.volume_can_be_told => GrantAccess::ReadOnly,
            Direction::Playback | Direction::Capture => GrantAccess::ReadWrite,
        };
        let layout = Layout { buffer_bytes, frame_bytes, channels, silence };
        let pages = self.spare.take().ok_or(OpenError::NoPages)?;
        let shared = match Shared::grant(&mut self.transport, pages, &layout, self.direction, access) {
            Ok(shared) => shared,
            Err(pages) => {
                self.spare = Some(pages);
                return Err(OpenError::NoPages);
            }
        };
        let directory = shared.directory_grant();
        self.shared = Some(shared);
        let request = self.send(RequestBody::Open(OpenParams {
            rate_hz,
            format,
            channels,
            buffer_bytes,
            directory,
            period_bytes,
        }));
        match request {
            Ok(id) => {
                self.state = StreamState::Opening;
                self.position_bytes = 0;
                self.run_start_bytes = 0;
                self.stopping = false;
                self.stopped = false;
                Ok(id)
            }
            Err(error) => {
                self.release_buffer();
                Err(OpenError::Request(error))
            }
        }
    }

    /// Starts the stream at the start of its buffer.
    pub fn start(&mut self) -> Result<u16, RequestError> {
        let id = self.trigger(Trigger::Start)?;
        self.begins();
        Ok(id)
    }

    /// Starts this stream and others of its card together: bit `k` of `streams` is the `k`-th
    /// stream in xenstore. All must be open and stopped; on an error none starts. Call
    /// [`joins_start`](Self::joins_start) on each of the others.
    ///
    /// Back ends without [`FEATURE_LINKED_START`](sndif::nodes::FEATURE_LINKED_START) answer that
    /// they don't support it. The answer tells whether the streams share [the same link
    /// frame](sndif::op::LinkedStart).
    pub fn linked_start(&mut self, streams: u32) -> Result<u16, RequestError> {
        let id = self.send_open(RequestBody::LinkedStart(streams))?;
        self.begins();
        Ok(id)
    }

    /// Records that another stream's [`linked_start`](Self::linked_start), already sent, includes
    /// this one.
    pub fn joins_start(&mut self) {
        self.begins();
    }

    /// A run begins.
    fn begins(&mut self) {
        if self.stopped {
            self.stopped = false;
            let start = self.next_run_bytes();
            self.run_start_bytes = start;
            if let Some(capture) = self.capture() {
                capture.restart(start);
            }
        }
    }

    /// Pauses the stream.
    pub fn pause(&mut self) -> Result<u16, RequestError> {
        self.trigger(Trigger::Pause)
    }

    /// Resumes after a pause.
    pub fn resume(&mut self) -> Result<u16, RequestError> {
        self.trigger(Trigger::Resume)
    }

    /// Stops the stream. Its answer drops samples not played yet. Captured samples can be taken
    /// until the next [`start`](Self::start).
    pub fn stop(&mut self) -> Result<u16, RequestError> {
        let id = self.trigger(Trigger::Stop)?;
        self.stopping = true;
        Ok(id)
    }

    /// Closes the stream in any state. Its answer frees the buffer.
    pub fn close(&mut self) -> Result<u16, RequestError> {
        let id = self.send_open(RequestBody::Close)?;
        self.state = StreamState::Closing;
        Ok(id)
    }

    /// Tells the back end how far samples have been written (WRITE) or taken (READ) since the last
    /// hint. Sends up to two requests, because the piece may wrap at the end of the buffer. Returns
    /// how many.
    ///
    /// # Errors
    /// [`RequestError::RingFull`] loses nothing: the next hint covers the rest.
    pub fn hint(&mut self) -> Result<u32, RequestError> {
        let mut sent = 0u32;
        for _ in 0..2 {
            let Some((range, body)) = self.shared.as_ref().and_then(Shared::next_hint) else { break };
            self.send_open(body)?;
            sent = sent.saturating_add(1);
            if let Some(shared) = &mut self.shared {
                shared.buffer_mut().hinted(range);
            }
        }
        Ok(sent)
    }

    /// Returns the back end's next event. `None`: nothing is left, and the back end will notify of
    /// the next one, so it is safe to sleep.
    ///
    /// Each call does a bounded amount of work, regardless of the back end.
    pub fn poll(&mut self) -> Option<FrontEvent> {
        if self.state == StreamState::Broken {
            return None;
        }
        if let Some(event) = self.poll_position() {
            return Some(event);
        }
        if self.held.is_none() {
            match self.requests.take() {
                Ok(response) => self.held = Some(response?),
                Err(RingBroken) => {
                    self.state = StreamState::Broken;
                    return Some(self.fault(Fault::RingBroken));
                }
            }
            // The back end posts positions before the answer that they belong to. They may arrive
            // between the check of the event page and that of the ring.
            if let Some(event) = self.poll_position() {
                return Some(event);
            }
        }
        let response = self.held.take()?;
        Some(self.settle(&response))
    }

    /// Reads at most as many events as the page holds.
    fn poll_position(&mut self) -> Option<FrontEvent> {
        for _ in 0..EVENT_ENTRIES {
            let Event::CurPos { bytes, .. } = self.events.take()? else { continue };
            if let Some(event) = self.judge_position(bytes) {
                return Some(event);
            }
        }
        None
    }

    /// `None` for an irrelevant position: the stream isn't open, or is between two runs.
    fn judge_position(&mut self, bytes: u64) -> Option<FrontEvent> {
        if self.stopped {
            return None;
        }
        let shared = self.shared.as_mut()?;
        if bytes < self.position_bytes {
            let from_bytes = self.position_bytes;
            return Some(self.fault(Fault::PositionWentBack { from_bytes, to_bytes: bytes }));
        }
        self.position_bytes = bytes;
        if self.stopping {
            return None;
        }
        shared.advance(bytes);
        Some(FrontEvent::Position { bytes })
    }

    /// Finds the request for a response and applies its result.
    fn settle(&mut self, response: &Response) -> FrontEvent {
        let request = match self.requests.settle(response) {
            Ok(request) => request,
            Err(fault) => return self.fault(fault),
        };
        let Request { id, body } = request;
        let operation = request.operation();
        let status = response.status;
        let (mut hw_params, mut started) = (None, None);
        match (&body, &response.body) {
            (RequestBody::Open(_), _) => self.opened(status),
            (RequestBody::Close, _) => self.closed(status),
            (RequestBody::Trigger(Trigger::Stop), _) => self.stopped(status),
            (RequestBody::HwParamQuery(asked), ResponseBody::HwParams(answer)) => {
                if !asked.contains(answer) {
                    self.fault_count = self.fault_count.saturating_add(1);
                }
                hw_params = Some(asked.intersect(answer));
            }
            (RequestBody::LinkedStart(_), ResponseBody::Started(how)) => started = Some(*how),
            (
                body @ (RequestBody::SetVolume(_)
                | RequestBody::GetVolume(_)
                | RequestBody::Mute(_)
                | RequestBody::Unmute(_)),
                _,
            ) => self.adjusted(id, body, status),
            _ => {}
        }
        FrontEvent::Answered { id, operation, status, hw_params, started }
    }

    fn opened(&mut self, status: Status) {
        // If CLOSE has been sent meanwhile, its answer decides.
        if self.state != StreamState::Opening {
            return;
        }
        if status.is_ok() {
            self.state = StreamState::Open;
        } else {
            self.release_buffer();
            self.state = StreamState::Closed;
        }
    }

    fn closed(&mut self, status: Status) {
        if status.is_ok() {
            self.release_buffer();
            self.state = StreamState::Closed;
        } else {
            // The back end's controller may still use the pages.
            self.state = StreamState::Open;
        }
    }

    fn stopped(&mut self, status: Status) {
        self.stopping = false;
        if !status.is_ok() {
            return;
        }
        self.stopped = true;
        // An honest back end has already answered a volume request sent before STOP.
        if let Some(shared) = &mut self.shared {
            shared.forget_lent();
        }
        let start = self.next_run_bytes();
        self.position_bytes = start;
        if let Some(playback) = self.playback() {
            playback.restart(start);
        }
    }

    /// Start of the next run: the first multiple of the buffer's size from here on.
    fn next_run_bytes(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.buffer().round_up(self.position_bytes))
    }

    fn trigger(&mut self, trigger: Trigger) -> Result<u16, RequestError> {
        self.send_open(RequestBody::Trigger(trigger))
    }

    /// Sends a request that needs an open stream. The back end serves requests in order, so it may
    /// follow OPEN before the answer.
    fn send_open(&mut self, body: RequestBody) -> Result<u16, RequestError> {
        match self.state {
            StreamState::Opening | StreamState::Open => self.send(body),
            state => Err(RequestError::WrongState(state)),
        }
    }

    fn send(&mut self, body: RequestBody) -> Result<u16, RequestError> {
        if self.state == StreamState::Broken {
            return Err(RequestError::WrongState(self.state));
        }
        let (id, wants_event) = self.requests.push(body)?;
        if wants_event {
            self.transport.notify(EventPort(self.nodes.event_channel));
        }
        Ok(id)
    }

    fn release_buffer(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        let (pages, lost) = shared.revoke(&mut self.transport);
        self.spare = Some(pages);
        self.still_mapped_pages = self.still_mapped_pages.saturating_add(lost);
    }

    fn fault(&mut self, fault: Fault) -> FrontEvent {
        self.fault_count = self.fault_count.saturating_add(1);
        FrontEvent::Fault(fault)
    }
}
