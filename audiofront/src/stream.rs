//! One stream: its rings, its requests, its buffer.

mod volume;

use core::num::Wrapping;

use heapless::Vec;
use hyper::{GrantRef, SharedPage};
use sndif::Direction;
use sndif::event_page::{EVENT_ENTRIES, Event, EventFaults, EventReader};
use sndif::format::SampleFormat;
use sndif::hw_params::HwParams;
use sndif::nodes::TransportNodes;
use sndif::op::Trigger;
use sndif::page_directory::{REFS_PER_PAGE, write_directory};
use sndif::request::{OpenParams, Range, Request, RequestBody};
use sndif::response::{Response, ResponseBody, Status};
use sndif::ring::{FrontRing, RING_ENTRIES, RingBroken, RingFull};

use crate::buffer::{Buffer, MAX_BUFFER_BYTES, MAX_BUFFER_PAGES, PageList};
use crate::capture::Capture;
use crate::error::{ConnectError, OpenError, RequestError};
use crate::event::{Fault, FrontEvent};
use crate::playback::Playback;
use crate::transport::{EventPort, GrantAccess, GrantedPage, Transport};

use volume::Lent;
pub use volume::MAX_VOLUME_CHANNELS;

// One directory page lists the largest buffer.
const _: () = assert!(MAX_BUFFER_PAGES <= REFS_PER_PAGE as usize);

/// What a stream is to be opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Frames a second.
    pub rate_hz: u32,
    /// Format of one sample.
    pub format: SampleFormat,
    /// Samples in a frame, at least 1.
    pub channels: u8,
    /// Size of the buffer: whole frames, at least 1 frame, at most [`MAX_BUFFER_BYTES`].
    pub buffer_bytes: u32,
    /// Octets between two positions; 0 for no positions at all.
    pub period_bytes: u32,
}

/// Where a stream is between CLOSE and OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// Not open: it has no buffer.
    Closed,
    /// OPEN was sent; the buffer is there and may be filled.
    Opening,
    /// Open.
    Open,
    /// CLOSE was sent; the buffer is the back end's until the answer.
    Closing,
    /// The back end's ring indices make no sense: nothing goes in or out any more. Disconnect.
    Broken,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    id: u16,
    body: RequestBody,
}

#[derive(Debug)]
enum Samples<P> {
    Playback(Playback<P>),
    Capture(Capture<P>),
}

/// A stream's buffer and the directory that lists it.
#[derive(Debug)]
struct Shared<P> {
    samples: Samples<P>,
    directory: GrantedPage<P>,
    channels: u8,
}

impl<P: SharedPage> Shared<P> {
    fn buffer(&self) -> &Buffer<P> {
        match &self.samples {
            Samples::Playback(playback) => playback.buffer(),
            Samples::Capture(capture) => capture.buffer(),
        }
    }
}

/// One stream of a sound card, seen from the guest.
#[derive(Debug)]
pub struct StreamFront<T: Transport> {
    transport: T,
    direction: Direction,
    nodes: TransportNodes,
    ring: FrontRing<T::Page>,
    events: EventReader<T::Page>,
    next_id: Wrapping<u16>,
    pending: Vec<Pending, { RING_ENTRIES as usize }>,
    /// A response that waits until the positions posted before it have been told.
    held: Option<Response>,
    state: StreamState,
    shared: Option<Shared<T::Page>>,
    /// The list of pages, while no buffer has it.
    spare: Option<PageList<T::Page>>,
    position_bytes: u64,
    /// What a volume request has of the buffer.
    lent: Option<Lent>,
    /// What GET_VOLUME has found last.
    volumes: Vec<i32, MAX_VOLUME_CHANNELS>,
    /// Playback pages are granted for writing, for its answers.
    volume_can_be_told: bool,
    /// Where the present run started.
    run_start_bytes: u64,
    /// STOP is under way.
    stopping: bool,
    /// STOP has been answered, and START not been sent since.
    stopped: bool,
    fault_count: u32,
    still_mapped_pages: u32,
}

impl<T: Transport> StreamFront<T> {
    /// Makes ring, event page and their channels, and publishes them. A failure leaves nothing behind.
    pub fn connect(mut transport: T, direction: Direction) -> Result<Self, ConnectError> {
        let pages = [(); 2].map(|()| transport.grant_page(GrantAccess::ReadWrite));
        let ports = [(); 2].map(|()| transport.open_channel());
        let (ring, event_page, ring_port, event_port) = match (pages, ports) {
            ([Some(ring), Some(event_page)], [Some(ring_port), Some(event_port)]) => {
                (ring, event_page, ring_port, event_port)
            }
            (pages, ports) => {
                let out_of_pages = pages.iter().any(Option::is_none);
                pages.into_iter().flatten().for_each(|page| {
                    // Nobody has heard of it, so nobody has it mapped.
                    let _ = transport.revoke_page(page);
                });
                ports.into_iter().flatten().for_each(|port| transport.close_channel(port));
                return Err(if out_of_pages { ConnectError::NoPage } else { ConnectError::NoChannel });
            }
        };
        let nodes = TransportNodes {
            ring_ref: ring.grant,
            event_channel: ring_port.0,
            evt_ring_ref: event_page.grant,
            evt_event_channel: event_port.0,
        };
        let mut front = Self {
            transport,
            direction,
            nodes,
            ring: FrontRing::init(ring.page),
            events: EventReader::init(event_page.page),
            next_id: Wrapping(0),
            pending: Vec::new(),
            held: None,
            state: StreamState::Closed,
            shared: None,
            spare: Some(PageList::new()),
            position_bytes: 0,
            lent: None,
            volumes: Vec::new(),
            volume_can_be_told: false,
            run_start_bytes: 0,
            stopping: false,
            stopped: false,
            fault_count: 0,
            still_mapped_pages: 0,
        };
        if front.transport.publish(&nodes).is_err() {
            front.disconnect();
            return Err(ConnectError::NotPublished);
        }
        Ok(front)
    }

    /// Ends all grants and closes the channels. The back end must have closed the device before: what it still has
    /// mapped stays granted for good.
    pub fn disconnect(mut self) -> T {
        self.release_buffer();
        let pages = [
            (self.ring.into_page(), self.nodes.ring_ref),
            (self.events.into_page(), self.nodes.evt_ring_ref),
        ];
        for (page, grant) in pages {
            let _still_mapped = self.transport.revoke_page(GrantedPage { page, grant });
        }
        self.transport.close_channel(EventPort(self.nodes.event_channel));
        self.transport.close_channel(EventPort(self.nodes.evt_event_channel));
        self.transport
    }

    /// What was published.
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

    /// Where the stream is between CLOSE and OPEN.
    pub fn state(&self) -> StreamState {
        self.state
    }

    /// Samples in a frame, from [`open`](Self::open) until CLOSE is answered; else 0.
    pub fn channels(&self) -> u8 {
        self.shared.as_ref().map_or(0, |shared| shared.channels)
    }

    /// Requests that have no answer yet.
    pub fn pending_requests(&self) -> usize {
        self.pending.len()
    }

    /// The last position told, in octets since OPEN.
    pub fn position_bytes(&self) -> u64 {
        self.position_bytes
    }

    /// Where the present run started, or the last one: octets since OPEN. The control page counts from here.
    pub fn run_start_bytes(&self) -> u64 {
        self.run_start_bytes
    }

    /// Takes a position that was come by otherwise than by an event, such as from the control page: octets since OPEN. It
    /// never goes back: an older one is left out. Returns whether it was taken.
    pub fn advance_to(&mut self, bytes: u64) -> bool {
        bytes >= self.position_bytes
            && matches!(self.judge_position(bytes), Some(FrontEvent::Position { .. }))
    }

    /// [`Fault`]s so far.
    pub fn fault_count(&self) -> u32 {
        self.fault_count
    }

    /// What was wrong on the event page so far: counted only, for nothing hangs on it.
    pub fn event_faults(&self) -> EventFaults {
        self.events.faults()
    }

    /// Pages that the back end had still mapped after CLOSE; they are lost.
    pub fn still_mapped_pages(&self) -> u32 {
        self.still_mapped_pages
    }

    /// The samples to be played: there from [`open`](Self::open) until CLOSE is answered, on a playback stream.
    pub fn playback(&mut self) -> Option<&mut Playback<T::Page>> {
        match self.shared.as_mut() {
            Some(Shared { samples: Samples::Playback(playback), .. }) => Some(playback),
            _ => None,
        }
    }

    /// The samples captured: there from [`open`](Self::open) until CLOSE is answered, on a capture stream.
    pub fn capture(&mut self) -> Option<&mut Capture<T::Page>> {
        match self.shared.as_mut() {
            Some(Shared { samples: Samples::Capture(capture), .. }) => Some(capture),
            _ => None,
        }
    }

    /// Writes samples into the shared pages; see [`Playback::fill`]. Takes none while STOP is under way.
    pub fn fill(&mut self, octets: &[u8]) -> usize {
        if self.stopping {
            return 0;
        }
        self.playback().map_or(0, |playback| playback.fill(octets))
    }

    /// Takes samples out of the shared pages; see [`Capture::take`].
    pub fn take(&mut self, octets: &mut [u8]) -> usize {
        self.capture().map_or(0, |capture| capture.take(octets))
    }

    /// Asks which of these configurations the back end can do. Returns the number that its answer will have, as all
    /// requests do.
    pub fn query(&mut self, params: &HwParams) -> Result<u16, RequestError> {
        self.send(RequestBody::HwParamQuery(*params))
    }

    /// Grants a buffer, lists it in a page directory, and asks the back end to open the stream with it.
    pub fn open(&mut self, config: &StreamConfig) -> Result<u16, OpenError> {
        if self.state != StreamState::Closed {
            return Err(OpenError::Request(RequestError::WrongState(self.state)));
        }
        let bytes_per_sample = config.format.bytes_per_sample();
        let frame_bytes = bytes_per_sample.and_then(|bytes| bytes.checked_mul(config.channels.into()));
        let (Some(frame_bytes @ 1..), Some(silence)) = (frame_bytes, config.format.silence()) else {
            return Err(OpenError::BadFrame);
        };
        let buffer_bytes = config.buffer_bytes;
        if !(1..=MAX_BUFFER_BYTES).contains(&buffer_bytes) || !buffer_bytes.is_multiple_of(frame_bytes) {
            return Err(OpenError::BadBufferSize);
        }

        let directory =
            self.share(buffer_bytes, frame_bytes, silence, config.channels).ok_or(OpenError::NoPages)?;
        let request = self.send(RequestBody::Open(OpenParams {
            rate_hz: config.rate_hz,
            format: config.format,
            channels: config.channels,
            buffer_bytes,
            directory,
            period_bytes: config.period_bytes,
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

    /// Starts this stream and others of its card together: bit `k` of `streams` is the `k`-th in xenstore. All of them have to
    /// be open and not to run; on an error none will. [`joins_start`](Self::joins_start) is to be called on each of the others.
    ///
    /// It is for back ends that have [`FEATURE_LINKED_START`](sndif::nodes::FEATURE_LINKED_START); others answer that they don't
    /// support it. The answer says whether it was [the same link frame](sndif::op::StartedTogether).
    pub fn linked_start(&mut self, streams: u32) -> Result<u16, RequestError> {
        let id = self.send_open(RequestBody::LinkedStart(streams))?;
        self.begins();
        Ok(id)
    }

    /// Another stream's [`linked_start`](Self::linked_start) that was sent names this one.
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

    /// Halts the stream where it is.
    pub fn pause(&mut self) -> Result<u16, RequestError> {
        self.trigger(Trigger::Pause)
    }

    /// Goes on after a pause.
    pub fn resume(&mut self) -> Result<u16, RequestError> {
        self.trigger(Trigger::Resume)
    }

    /// Stops the stream. Samples not yet played are dropped when the answer comes; samples captured until now can be
    /// taken until the next [`start`](Self::start).
    pub fn stop(&mut self) -> Result<u16, RequestError> {
        let id = self.trigger(Trigger::Stop)?;
        self.stopping = true;
        Ok(id)
    }

    /// Closes the stream, in whatever state it is. The buffer goes when the answer comes.
    pub fn close(&mut self) -> Result<u16, RequestError> {
        let id = self.send_open(RequestBody::Close)?;
        self.state = StreamState::Closing;
        Ok(id)
    }

    /// Tells the back end how far the samples have been written (WRITE) or taken (READ) since the last hint. Sends up to
    /// two requests, for the piece may go round the end of the buffer; returns how many.
    ///
    /// # Errors
    /// [`RequestError::RingFull`] is no loss: the next hint covers what this one couldn't.
    pub fn hint(&mut self) -> Result<u32, RequestError> {
        let mut sent = 0u32;
        for _ in 0..2 {
            let Some((range, body)) = self.next_hint() else { break };
            self.send_open(body)?;
            sent = sent.saturating_add(1);
            match self.shared.as_mut().map(|shared| &mut shared.samples) {
                Some(Samples::Playback(playback)) => playback.hinted(range),
                Some(Samples::Capture(capture)) => capture.hinted(range),
                None => {}
            }
        }
        Ok(sent)
    }

    /// Tells what came of the back end, one thing at a time; `None` when there is no more, and then the back end is
    /// asked to notify of the next thing: it is safe to sleep.
    ///
    /// Each call does a bounded amount of work, whatever the back end writes.
    pub fn poll(&mut self) -> Option<FrontEvent> {
        if self.state == StreamState::Broken {
            return None;
        }
        if let Some(event) = self.poll_position() {
            return Some(event);
        }
        if self.held.is_none() {
            match self.take_response() {
                Ok(Some(response)) => self.held = Some(response),
                Ok(None) => return None,
                Err(fault) => return Some(self.fault(fault)),
            }
            // The back end posts positions before the answer that they belong to, and they may have come between
            // our look at the event page and our look at the ring.
            if let Some(event) = self.poll_position() {
                return Some(event);
            }
        }
        let response = self.held.take()?;
        Some(self.settle(&response))
    }

    /// Looks at no more events than the page holds.
    fn poll_position(&mut self) -> Option<FrontEvent> {
        for _ in 0..EVENT_ENTRIES {
            let Event::CurPos { bytes, .. } = self.events.take()? else { continue };
            if let Some(event) = self.judge_position(bytes) {
                return Some(event);
            }
        }
        None
    }

    /// `None` if the position is of no interest: the stream isn't open, or between two runs.
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
        match &mut shared.samples {
            Samples::Playback(playback) => playback.advance(bytes),
            Samples::Capture(capture) => capture.advance(bytes),
        }
        Some(FrontEvent::Position { bytes })
    }

    fn take_response(&mut self) -> Result<Option<Response>, Fault> {
        // An honest back end needs two rounds at most. One that moves its index to and fro only loses its wake-up.
        for _ in 0..RING_ENTRIES {
            match self.ring.take() {
                Ok(Some(entry)) => return Ok(Some(Response::parse(&entry))),
                Ok(None) if self.ring.arm() => {}
                Ok(None) => return Ok(None),
                Err(RingBroken) => {
                    self.state = StreamState::Broken;
                    return Err(Fault::RingBroken);
                }
            }
        }
        Ok(None)
    }

    /// Finds the request that a response answers, and does what follows from it.
    fn settle(&mut self, response: &Response) -> FrontEvent {
        let id = response.id;
        let Some(pending) = self.pending.iter().find(|pending| pending.id == id).copied() else {
            return self.fault(Fault::UnknownAnswer { id });
        };
        let operation = Request { id, body: pending.body }.operation();
        if response.operation != operation.code() {
            let answered = response.operation;
            return self.fault(Fault::WrongOperation { id, asked: operation, answered });
        }
        self.pending.retain(|pending| pending.id != id);

        let status = response.status;
        let (mut hw_params, mut started) = (None, None);
        match (&pending.body, &response.body) {
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
            // Its controller may still be at the pages.
            self.state = StreamState::Open;
        }
    }

    fn stopped(&mut self, status: Status) {
        self.stopping = false;
        if !status.is_ok() {
            return;
        }
        self.stopped = true;
        // One that was sent before STOP has been answered before it, by an honest back end.
        self.lent = None;
        let start = self.next_run_bytes();
        self.position_bytes = start;
        if let Some(playback) = self.playback() {
            playback.restart(start);
        }
    }

    /// Where the next run starts: the first multiple of the buffer's size from here on.
    fn next_run_bytes(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.buffer().round_up(self.position_bytes))
    }

    fn next_hint(&self) -> Option<(Range, RequestBody)> {
        match &self.shared.as_ref()?.samples {
            Samples::Playback(playback) => {
                playback.next_hint().map(|range| (range, RequestBody::Write(range)))
            }
            Samples::Capture(capture) => capture.next_hint().map(|range| (range, RequestBody::Read(range))),
        }
    }

    fn trigger(&mut self, trigger: Trigger) -> Result<u16, RequestError> {
        self.send_open(RequestBody::Trigger(trigger))
    }

    /// Sends what makes sense on an open stream alone. Requests are served in order, so the answer to OPEN needn't be
    /// waited for.
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
        if self.pending.is_full() {
            return Err(RequestError::RingFull);
        }
        // A request may stay without an answer while the numbers go round. At most 32 are taken.
        while self.pending.iter().any(|pending| pending.id == self.next_id.0) {
            self.next_id += 1;
        }
        let id = self.next_id.0;
        self.ring.push(&Request { id, body }.emit()).map_err(|RingFull| RequestError::RingFull)?;
        self.next_id += 1;
        // There is room, see above.
        let _ = self.pending.push(Pending { id, body });
        if self.ring.publish() {
            self.transport.notify(EventPort(self.nodes.event_channel));
        }
        Ok(id)
    }

    /// Grants buffer and directory, and returns the directory's reference.
    fn share(
        &mut self,
        buffer_bytes: u32,
        frame_bytes: u32,
        silence: [u8; 8],
        channels: u8,
    ) -> Option<GrantRef> {
        let access = match self.direction {
            Direction::Playback if !self.volume_can_be_told => GrantAccess::ReadOnly,
            Direction::Playback | Direction::Capture => GrantAccess::ReadWrite,
        };
        let list = self.spare.take()?;
        let buffer = match Buffer::grant(&mut self.transport, list, buffer_bytes, access) {
            Ok(buffer) => buffer,
            Err(list) => {
                self.spare = Some(list);
                return None;
            }
        };
        // Read and write, for that is how back ends map pages that aren't samples.
        let Some(directory) = self.transport.grant_page(GrantAccess::ReadWrite) else {
            let (list, _none_lost) = buffer.revoke(&mut self.transport);
            self.spare = Some(list);
            return None;
        };
        // One page lists the largest buffer, so this can't fail.
        let _ = write_directory(&[(&directory.page, directory.grant)], buffer.grants());
        let first = directory.grant;
        let samples = match self.direction {
            Direction::Playback => Samples::Playback(Playback::new(buffer, frame_bytes, silence)),
            Direction::Capture => Samples::Capture(Capture::new(buffer, frame_bytes)),
        };
        self.shared = Some(Shared { samples, directory, channels });
        Some(first)
    }

    fn release_buffer(&mut self) {
        self.lent = None;
        let Some(Shared { samples, directory, .. }) = self.shared.take() else { return };
        let buffer = match samples {
            Samples::Playback(playback) => playback.into_buffer(),
            Samples::Capture(capture) => capture.into_buffer(),
        };
        let (list, lost) = buffer.revoke(&mut self.transport);
        self.spare = Some(list);
        let directory_lost = u32::from(self.transport.revoke_page(directory).is_err());
        self.still_mapped_pages = self.still_mapped_pages.saturating_add(lost).saturating_add(directory_lost);
    }

    fn fault(&mut self, fault: Fault) -> FrontEvent {
        self.fault_count = self.fault_count.saturating_add(1);
        FrontEvent::Fault(fault)
    }
}
