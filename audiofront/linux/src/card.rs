//! A connected card.

mod refusal;
mod stream;
mod timekeeper;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use audiofront::{
    ControlPage, FrontEvent, RequestError, StreamConfig, StreamFront, StreamState, VolumeError, ignored,
};
use sndif::Direction;
use sndif::control_page::Slot;
use sndif::hw_params::HwParams;
use sndif::nodes;
use sndif::op::LinkedStart;
use sndif::response::Status;

use crate::deadline::{Deadline, Woken, wait};
use crate::directory::{self, CardInfo};
use crate::error::{Error, ErrorKind, Result};
use crate::handshake::{self, Handshake};
use crate::position::PositionReader;
use crate::sys::EventChannels;
use crate::transport::{Devices, DmaArea, LinuxTransport, Page};
use crate::xenstore::Store;

use refusal::{not_adjusted, not_connected, not_opened, not_sent};
use stream::CardStream;
use timekeeper::Timekeeper;

/// Longest wait for the back end's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// HW_PARAM_QUERY in messages.
const QUERY: &str = "the query of parameters";

/// Echoes at connection. The best of them determines Xen's time.
const FIRST_ECHOES: usize = 4;

/// The stream whose ring carries the echoes.
const ECHO_STREAM: usize = 0;

/// A connection to a card. Dropping it closes the card, as [`close`](Self::close) does.
///
/// Stream numbers index [`CardInfo::streams`]. Methods that send a request wait for its answer, at
/// most 5 s. [`front`](Self::front) provides methods that don't wait.
#[derive(Debug)]
pub struct Card {
    info: CardInfo,
    streams: Vec<CardStream>,
    handshake: Handshake,
    devices: Arc<Devices>,
    control: Option<Arc<ControlPage<Page>>>,
    control_area: Option<DmaArea>,
    offers_linked_start: bool,
    time: Timekeeper,
    /// The request that waits for its answer, and that answer.
    awaited: Option<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    stream: usize,
    id: u16,
    answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    status: Status,
    hw_params: Option<HwParams>,
    started: Option<LinkedStart>,
}

impl Card {
    /// This guest's cards.
    ///
    /// # Errors
    /// Xenstore isn't available.
    pub fn list() -> Result<Vec<CardInfo>> {
        directory::cards(&mut open_store()?)
    }

    /// Closes a card left open by a killed program, so that its streams stop playing. `false`: a
    /// running program uses the card. [`connect`](Self::connect) does this first, too.
    ///
    /// # Errors
    /// The back end doesn't release the card in time.
    pub fn close_what_was_left(index: u32) -> Result<bool> {
        let mut store = open_store()?;
        let Some(info) = directory::cards(&mut store)?.into_iter().find(|card| card.index == index) else {
            return Ok(true);
        };
        handshake::close_what_was_left(store, &info)
    }

    /// Connects to the card with this number.
    ///
    /// # Errors
    /// The card doesn't exist or isn't free, or its back end doesn't connect. The error names the
    /// remedy.
    pub fn connect(index: u32) -> Result<Self> {
        let mut store = open_store()?;
        let cards = directory::cards(&mut store)?;
        let there: Vec<String> = cards.iter().map(|card| card.index.to_string()).collect();
        let info = cards.into_iter().find(|card| card.index == index).ok_or_else(|| {
            let what = match there.as_slice() {
                [] => "this guest has no sound card (no device/vsnd in xenstore)".to_owned(),
                there => format!("this guest has no sound card {index}; it has: {}", there.join(", ")),
            };
            Error::new(ErrorKind::NotFound, what)
                .advice("give it one: `vsnd = [[ ... ]]` in its domain file, or xl vsnd-attach")
        })?;
        let devices = Arc::new(Devices::open(info.back_end)?);
        let handshake = Handshake::begin(store, &info)?;
        let mut card = Self {
            info,
            streams: Vec::new(),
            handshake,
            devices,
            control: None,
            control_area: None,
            offers_linked_start: false,
            time: Timekeeper::new(),
            awaited: None,
        };
        card.publish()?;
        for _ in 0..FIRST_ECHOES {
            if let Some(id) = card.send_echo() {
                card.wait_for_answer(ECHO_STREAM, id, QUERY)?;
            }
        }
        Ok(card)
    }

    fn publish(&mut self) -> Result<()> {
        for stream in &self.info.streams {
            let transport = LinuxTransport::new(self.devices.clone(), stream.directory());
            let front = StreamFront::connect(transport, stream.direction)
                .map_err(|error| not_connected(&stream.unique_id, error))?;
            self.streams.push(CardStream::new(front));
        }
        self.offers_linked_start = self.handshake.offers(nodes::FEATURE_LINKED_START)?;
        if self.handshake.offers(nodes::FEATURE_CONTROL_PAGE)? {
            let mut transport = LinuxTransport::new(self.devices.clone(), String::new());
            let control = ControlPage::connect(&mut transport)
                .map_err(|_| Error::new(ErrorKind::Other, "no page can be granted for the control page"))?;
            self.control = Some(Arc::new(control));
            self.control_area = transport.single();
        }
        let nodes = std::mem::take(&mut *self.devices.nodes.lock().unwrap_or_else(PoisonError::into_inner));
        self.handshake.connect(nodes)
    }

    /// The card's description in xenstore.
    pub fn info(&self) -> &CardInfo {
        &self.info
    }

    /// Whether the back end keeps a control page. Without one, positions come from events alone.
    pub fn has_control_page(&self) -> bool {
        self.control.is_some()
    }

    /// The control page's memory, which belongs to this guest. The back end never reads it. For
    /// tests that write invalid content.
    pub fn control_area(&self) -> Option<DmaArea> {
        self.control_area.clone()
    }

    /// Whether the back end supports linked start.
    pub fn offers_linked_start(&self) -> bool {
        self.offers_linked_start
    }

    /// A stream: fills and takes samples, sends requests without waiting, and shows its state.
    ///
    /// # Panics
    /// The card has no stream with this number.
    pub fn front(&mut self, stream: usize) -> &mut StreamFront<LinuxTransport> {
        &mut self.streams[stream].front
    }

    /// Tells the back end how far a stream's samples are written or taken.
    ///
    /// # Panics
    /// As [`front`](Self::front).
    pub fn hint(&mut self, stream: usize) {
        ignored(self.front(stream).hint(), "the next hint covers what a full ring refuses now");
    }

    /// The subset of these configurations that the back end supports. `None`: none of them.
    ///
    /// # Errors
    /// The back end doesn't answer or is gone.
    pub fn query(&mut self, stream: usize, params: &HwParams) -> Result<Option<HwParams>> {
        let id = self.front(stream).query(params).map_err(|error| not_sent("the query", error))?;
        let answer = self.wait_for_answer(stream, id, QUERY)?;
        // The back end reports an empty result this way.
        if answer.status == Status::EINVAL {
            return Ok(None);
        }
        Ok(accepted(answer, QUERY)?.hw_params.filter(|params| !params.is_empty()))
    }

    /// Opens a stream. The controller's DMA uses its buffer directly. The buffer starts zeroed.
    ///
    /// A period of 0 bytes turns events off. Positions then come from the control page at each
    /// [`poll`](Self::poll), and the program wakes by its own timer.
    ///
    /// # Errors
    /// The back end refuses, or no pages are free.
    pub fn open(&mut self, stream: usize, config: &StreamConfig) -> Result<DmaArea> {
        let front = self.front(stream);
        let sent = front.open(config);
        let id = sent.map_err(|error| not_opened(config, front.transport().trouble(), error))?;
        accepted(self.wait_for_answer(stream, id, "OPEN")?, "OPEN")?;
        self.streams[stream].opened(config);
        let area = self.front(stream).transport().area(config.buffer_bytes as usize);
        area.ok_or_else(|| Error::new(ErrorKind::Other, "OPEN: the buffer is gone"))
    }

    /// Starts a stream.
    ///
    /// # Errors
    /// The back end refuses.
    pub fn start(&mut self, stream: usize) -> Result<()> {
        self.request(stream, "START", StreamFront::start)?;
        self.streams[stream].set_running(true);
        Ok(())
    }

    /// Starts streams together: in the same link frame if the controller can. The answer tells.
    ///
    /// # Errors
    /// The back end refuses or doesn't support linked start. Then no stream runs.
    pub fn start_together(&mut self, streams: &[usize]) -> Result<LinkedStart> {
        if !self.offers_linked_start {
            return Err(Error::new(ErrorKind::Unsupported, "the back end offers no linked start"));
        }
        let Some(first) = streams.first().copied() else {
            return Err(Error::new(ErrorKind::Unsupported, "no streams to start"));
        };
        let mask =
            streams.iter().fold(0, |mask, stream| mask | 1u32.checked_shl(*stream as u32).unwrap_or(0));
        let sent = self.front(first).linked_start(mask);
        let id = sent.map_err(|error| not_sent("the linked start", error))?;
        for stream in streams.iter().skip(1) {
            self.front(*stream).joins_start();
        }
        let answer = accepted(self.wait_for_answer(first, id, "the linked start")?, "the linked start")?;
        streams.iter().for_each(|stream| self.streams[*stream].set_running(true));
        Ok(answer.started.unwrap_or(LinkedStart::BackToBack))
    }

    /// Pauses a stream.
    ///
    /// # Errors
    /// The back end refuses.
    pub fn pause(&mut self, stream: usize) -> Result<()> {
        self.request(stream, "PAUSE", StreamFront::pause).map(drop)
    }

    /// Resumes a stream.
    ///
    /// # Errors
    /// The back end refuses.
    pub fn resume(&mut self, stream: usize) -> Result<()> {
        self.request(stream, "RESUME", StreamFront::resume).map(drop)
    }

    /// Stops a stream. The next START begins at the buffer's start.
    ///
    /// # Errors
    /// The back end refuses.
    pub fn stop(&mut self, stream: usize) -> Result<()> {
        self.streams[stream].set_running(false);
        self.request(stream, "STOP", StreamFront::stop).map(drop)
    }

    /// Closes a stream in any state. A closed stream stays closed.
    ///
    /// # Errors
    /// The back end can't release the buffer.
    pub fn close_stream(&mut self, stream: usize) -> Result<()> {
        if self.front(stream).state() == StreamState::Closed {
            return Ok(());
        }
        self.streams[stream].set_running(false);
        self.request(stream, "CLOSE", StreamFront::close).map(drop)
    }

    /// Sets the volume of an open stream, the same for all channels, in steps of 0.001 dB: 0 is 0
    /// dB. The path's amplifiers have coarser steps and take the nearest; [`volume`](Self::volume)
    /// returns it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the path has no amplifiers with steps.
    pub fn set_volume(&mut self, stream: usize, mdb: i32) -> Result<()> {
        self.adjust(stream, "SET_VOLUME", |front| front.set_volume(&vec![mdb; front.channels().into()]))
    }

    /// The volume of each channel of an open stream, in steps of 0.001 dB. A playback stream must
    /// have been opened after [`let_volume_be_told`](StreamFront::let_volume_be_told).
    ///
    /// # Errors
    /// As [`set_volume`](Self::set_volume).
    pub fn volume(&mut self, stream: usize) -> Result<Vec<i32>> {
        self.adjust(stream, "GET_VOLUME", StreamFront::volume)?;
        Ok(self.front(stream).volumes().to_vec())
    }

    /// Mutes or unmutes all channels of an open stream.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`]: the path has no amplifiers with mute.
    pub fn set_mute(&mut self, stream: usize, is_muted: bool) -> Result<()> {
        let what = if is_muted { "MUTE" } else { "UNMUTE" };
        self.adjust(stream, what, |front| {
            let channels = vec![true; front.channels().into()];
            if is_muted { front.mute(&channels) } else { front.unmute(&channels) }
        })
    }

    /// A reader of a stream's position. `None` if the back end keeps no control page. It works
    /// while the card is connected and may move to another thread. Its reads need no system call.
    pub fn position(&self, stream: usize) -> Option<PositionReader> {
        let control = self.control.clone()?;
        Some(PositionReader::new(control, stream, self.time.clock()))
    }

    /// Takes everything from the back end, for all streams, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`]: the back end has left.
    pub fn poll(&mut self) -> Result<()> {
        self.devices
            .channels
            .take()
            .map_err(|error| Error::new(ErrorKind::Other, format!("{}: {error}", EventChannels::PATH)))?;
        for (stream, CardStream { front, .. }) in self.streams.iter_mut().enumerate() {
            while let Some(event) = front.poll() {
                let FrontEvent::Answered { id, status, hw_params, started, .. } = event else { continue };
                if let Some(awaited) = &mut self.awaited
                    && (awaited.stream, awaited.id) == (stream, id)
                {
                    awaited.answer = Some(Answer { status, hw_params, started });
                }
            }
            if front.state() == StreamState::Broken {
                return Err(Error::new(ErrorKind::Gone, "the back end has broken a ring: connect anew"));
            }
        }
        if let Some(control) = self.control.clone() {
            let slot = |stream: usize| -> Option<Slot> { control.slot(stream).ok() };
            for (number, stream) in self.streams.iter_mut().enumerate() {
                stream.follow(|| slot(number));
            }
            self.time.hear(|| slot(ECHO_STREAM));
            if self.time.is_due() {
                self.send_echo();
            }
        }
        if !self.handshake.is_connected()? {
            return Err(Error::new(ErrorKind::Gone, "the back end has closed the card")
                .advice("see the driver domain's console; connect again when it is back"));
        }
        Ok(())
    }

    /// Sleeps until the back end sends something, and takes it. Returns `false` if `timeout` passes
    /// first or a signal's handler runs.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let woken = wait(&self.files(), timeout)
            .map_err(|error| Error::new(ErrorKind::Other, format!("waiting for the back end: {error}")))?;
        self.poll()?;
        Ok(woken == Woken::Readable)
    }

    /// Files that become readable when [`poll`](Self::poll) has work: the event channels' file and
    /// xenstore's.
    pub fn files(&self) -> [BorrowedFd<'_>; 2] {
        [self.devices.channels.as_fd(), self.handshake.store.as_fd()]
    }

    /// The first stream in this direction, or the one with this `unique-id`.
    ///
    /// # Errors
    /// No such stream exists.
    pub fn find(&self, direction: Direction, unique_id: Option<&str>) -> Result<usize> {
        self.info.find(direction, unique_id)
    }

    /// Closes the card: before this returns, the back end stops all streams and releases all pages.
    ///
    /// # Errors
    /// The back end doesn't do that in time. The kernel then keeps the pages, and no other process
    /// gets them.
    pub fn close(mut self) -> Result<()> {
        self.handshake.close()
    }

    /// Sends a request that changes nothing; the control page shows its arrival time. `None`: the
    /// ring is full, or the back end keeps no control page.
    fn send_echo(&mut self) -> Option<u16> {
        self.control.as_ref()?;
        let stream = self.streams.get_mut(ECHO_STREAM)?;
        self.time.send(|| stream.front.query(&HwParams::ANY).ok())
    }

    /// Sends a request and waits for its answer. An answer with an error is an error here.
    fn request(
        &mut self,
        stream: usize,
        what: &str,
        send: impl FnOnce(&mut StreamFront<LinuxTransport>) -> std::result::Result<u16, RequestError>,
    ) -> Result<Answer> {
        let id = send(self.front(stream)).map_err(|error| not_sent(what, error))?;
        accepted(self.wait_for_answer(stream, id, what)?, what)
    }

    /// Sends a volume request and waits for its answer.
    fn adjust(
        &mut self,
        stream: usize,
        what: &str,
        send: impl FnOnce(&mut StreamFront<LinuxTransport>) -> std::result::Result<u16, VolumeError>,
    ) -> Result<()> {
        let id = send(self.front(stream)).map_err(|error| not_adjusted(what, error))?;
        let answer = self.wait_for_answer(stream, id, what)?;
        accepted(answer, what).map(drop).map_err(|error| match answer.status {
            Status::EOPNOTSUPP => error.advice(
                "this stream's output or input has no amplifier for that: change the samples instead",
            ),
            _ => error,
        })
    }

    fn wait_for_answer(&mut self, stream: usize, id: u16, what: &str) -> Result<Answer> {
        self.awaited = Some(Awaited { stream, id, answer: None });
        let deadline = Deadline::after(ANSWER_WITHIN);
        let answer = loop {
            self.poll()?;
            if let Some(answer) = self.awaited.as_ref().and_then(|awaited| awaited.answer) {
                break answer;
            }
            if deadline.is_over() {
                let what =
                    format!("{what}: the back end did not answer within {} s", ANSWER_WITHIN.as_secs());
                return Err(Error::new(ErrorKind::TimedOut, what).advice("see the driver domain's console"));
            }
            // A signal doesn't end this wait: the request is sent, so its answer matters.
            wait(&self.files(), deadline.left()).map_err(|error| {
                Error::new(ErrorKind::Other, format!("waiting for the back end: {error}"))
            })?;
        };
        self.awaited = None;
        Ok(answer)
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        ignored(self.handshake.close(), "`close` reports this error; a drop has no caller to report to");
        // The back end no longer maps any page.
        for stream in self.streams.drain(..) {
            stream.front.disconnect();
        }
    }
}

fn accepted(answer: Answer, what: &str) -> Result<Answer> {
    if answer.status.is_ok() { Ok(answer) } else { Err(Error::refused(what, answer.status.0)) }
}

fn open_store() -> Result<Store> {
    Store::open().map_err(|error| Error::of_device(Store::PATH, "xenfs", &error))
}
