//! One stream's pages and channels, with every word of them in reach.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use audiofront::{EventPort, GrantAccess, GrantedPage, Transport};
use audiofront_linux::{LinuxTransport, Page};
use hyper::{GrantRef, PAGE_SIZE_BYTES, SharedPage};
use sndif::format::SampleFormat;
use sndif::op::{Operation, Trigger};
use sndif::request::{OpenParams, Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::ring::RING_ENTRIES;
use sndif::{ENTRY_BYTES, Entry};

/// Words of the ring page (`sndif::ring`).
const REQ_PROD: usize = 0;
const RSP_PROD: usize = 2;
const RSP_EVENT: usize = 3;
const FIRST_ENTRY: usize = 16;
const ENTRY_WORDS: usize = ENTRY_BYTES / 4;

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);

/// Interval between looks for an answer.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// A stream.
pub(crate) struct Stream {
    pub(crate) ring: GrantedPage<Page>,
    pub(crate) event_page: GrantedPage<Page>,
    pub(crate) ring_channel: EventPort,
    pub(crate) event_channel: EventPort,
    /// Pages of the last buffer, each granted on its own.
    pub(crate) buffer: Vec<GrantedPage<Page>>,
    /// Pages of the last buffer's directory.
    pub(crate) directory: Vec<GrantedPage<Page>>,
    /// Whether the back end writes into its buffer.
    pub(crate) is_capture: bool,
    /// Whether nothing but zeros may be in its buffer: a good guest is heard on its port.
    pub(crate) is_quiet: bool,
    requests: u32,
    responses: u32,
    next_id: u16,
}

impl Stream {
    /// Grants its pages and makes its channels.
    pub(crate) fn new(transport: &mut LinuxTransport, unique_id: &str) -> Result<Self> {
        let ring = transport.grant_page(GrantAccess::ReadWrite).context("no page for a ring")?;
        ring.page.store(1, 1);
        ring.page.store(RSP_EVENT, 1);
        Ok(Self {
            ring,
            event_page: transport.grant_page(GrantAccess::ReadWrite).context("no page for events")?,
            ring_channel: transport.open_channel().context("no channel")?,
            event_channel: transport.open_channel().context("no channel")?,
            buffer: Vec::new(),
            directory: Vec::new(),
            is_capture: !unique_id.starts_with("output"),
            is_quiet: unique_id == "output-0",
            requests: 0,
            responses: 0,
            next_id: 0,
        })
    }

    /// Puts an entry into the next slot, whatever is there.
    pub(crate) fn put(&mut self, entry: &Entry) {
        let mut entry = *entry;
        // The back end would write a volume into the buffer, which would be heard.
        if self.is_quiet && entry[2] == Operation::GetVolume.code() {
            entry[2] = 0xff;
        }
        let first = FIRST_ENTRY + (self.requests % RING_ENTRIES) as usize * ENTRY_WORDS;
        for (word, bytes) in (first..).zip(entry.as_chunks().0) {
            self.ring.page.store(word, u32::from_le_bytes(*bytes));
        }
        self.requests = self.requests.wrapping_add(1);
    }

    /// Shows the entries to the back end and wakes it.
    pub(crate) fn publish(&mut self, transport: &mut LinuxTransport) {
        self.claim(self.requests);
        transport.notify(self.ring_channel);
    }

    /// Claims that requests up to this index are there.
    pub(crate) fn claim(&self, index: u32) {
        self.ring.page.store(REQ_PROD, index);
    }

    /// The index behind the last request.
    pub(crate) fn produced(&self) -> u32 {
        self.requests
    }

    /// Requests without an answer.
    pub(crate) fn unanswered(&mut self) -> u32 {
        self.responses = self.ring.page.load(RSP_PROD);
        self.requests.wrapping_sub(self.responses)
    }

    /// Sends a request and waits for its answer. `None`: no answer in time.
    pub(crate) fn ask(&mut self, transport: &mut LinuxTransport, body: RequestBody) -> Option<Status> {
        self.wait_for_room(0)?;
        self.next_id = self.next_id.wrapping_add(1);
        let id = self.next_id;
        let slot = FIRST_ENTRY + (self.requests % RING_ENTRIES) as usize * ENTRY_WORDS;
        self.put(&Request { id, body }.emit());
        self.publish(transport);
        self.wait_for_room(0)?;
        let mut answer: Entry = [0; ENTRY_BYTES];
        for (word, bytes) in (slot..).zip(answer.as_chunks_mut().0) {
            *bytes = self.ring.page.load(word).to_le_bytes();
        }
        Some(Response::parse(&answer).status)
    }

    /// Waits until no more than this many requests lack an answer. `None`: not in time.
    pub(crate) fn wait_for_room(&mut self, unanswered: u32) -> Option<()> {
        let begun = Instant::now();
        while self.unanswered() > unanswered {
            if begun.elapsed() > ANSWER_WITHIN {
                return None;
            }
            sleep(LOOK_EVERY);
        }
        Some(())
    }

    /// Grants a buffer and its directory, page by page.
    pub(crate) fn grant_buffer(&mut self, transport: &mut LinuxTransport, bytes: u32) -> Result<GrantRef> {
        let access = if self.is_capture { GrantAccess::ReadWrite } else { GrantAccess::ReadOnly };
        let pages = (bytes as usize).div_ceil(PAGE_SIZE_BYTES);
        self.buffer.clear();
        for _ in 0..pages {
            self.buffer.push(transport.grant_page(access).context("no page for a buffer")?);
        }
        self.directory = vec![transport.grant_page(GrantAccess::ReadWrite).context("no directory page")?];
        let directory = &self.directory[0];
        for (word, page) in (1..).zip(&self.buffer) {
            directory.page.store(word, page.grant.0);
        }
        Ok(directory.grant)
    }

    /// The parameters of an OPEN that a good front end sends.
    pub(crate) fn good_open(directory: GrantRef, buffer_bytes: u32) -> OpenParams {
        OpenParams {
            rate_hz: 48_000,
            format: SampleFormat::S16Le,
            channels: 2,
            buffer_bytes,
            directory,
            period_bytes: 1_920,
        }
    }

    /// Opens with a buffer of its own and starts. `false`: the back end refuses.
    pub(crate) fn play(&mut self, transport: &mut LinuxTransport, buffer_bytes: u32) -> Result<bool> {
        let directory = self.grant_buffer(transport, buffer_bytes)?;
        let open = RequestBody::Open(Self::good_open(directory, buffer_bytes));
        if !self.ask(transport, open).is_some_and(Status::is_ok) {
            return Ok(false);
        }
        Ok(self.ask(transport, RequestBody::Trigger(Trigger::Start)).is_some_and(Status::is_ok))
    }
}
