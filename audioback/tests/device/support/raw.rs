//! A front end that writes what it likes: rings and directories by hand, none of audiofront's manners.

use audioback::card::Card;
use audioback::device::Device;
use audioback::rights::Policy;
use audiofront::{GrantAccess, GrantedPage, Transport};
use hyper::{GrantRef, Hypervisor, Nanos, SharedPage};
use hypervisor_model::{FrontEnd, HeapMemory};
use sndif::nodes::TransportNodes;
use sndif::page_directory::write_directory;
use sndif::request::{OpenParams, Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::ring::FrontRing;

use super::card::FakeCard;
use super::{Back, DRIVER, GUEST, Home, Page, TestDevice, configs, home};

/// One device whose playback stream is driven by hand.
pub struct RawRig {
    pub home: &'static Home,
    pub back: Back<'static>,
    pub card: FakeCard,
    pub device: TestDevice<'static>,
    pub ring: FrontRing<Page>,
    /// The ring's page once more, to scribble on.
    pub ring_page: Page,
    pub event_page: Page,
    pub control_page: Option<Page>,
    pub buffer: Vec<GrantRef>,
    /// The same pages, to write values there.
    pub buffer_pages: Vec<Page>,
    pub directory: GrantedPage<Page>,
    next_id: u16,
}

fn page(guest: &mut FrontEnd<'static, HeapMemory>) -> GrantedPage<Page> {
    guest.grant_page(GrantAccess::ReadWrite).expect("a page")
}

impl RawRig {
    pub fn new() -> Self {
        Self::connected(false, FakeCard::new())
    }

    /// The same, with another card.
    pub fn with_card(card: FakeCard) -> Self {
        Self::connected(false, card)
    }

    /// The same, with a control page.
    pub fn with_control_page() -> Self {
        Self::connected(true, FakeCard::new())
    }

    fn connected(has_control_page: bool, card: FakeCard) -> Self {
        let home = home();
        let mut back = home.back_end(DRIVER);
        let ports = Card::<<Back<'_> as Hypervisor>::Buffer>::ports(&card);
        let mut device = Device::new(GUEST, Policy::default(), ports, &configs()[..1]).expect("a device");
        let mut guest = home.front_end(GUEST, DRIVER, 0);
        let (ring, events) = (page(&mut guest), page(&mut guest));
        let channels = [guest.open_channel(), guest.open_channel()].map(|port| port.expect("a port").0);
        let nodes = TransportNodes {
            ring_ref: ring.grant,
            event_channel: channels[0],
            evt_ring_ref: events.grant,
            evt_event_channel: channels[1],
        };
        let (ring_page, event_page) = (ring.page.clone(), events.page);
        let front_ring = FrontRing::init(ring.page);
        let control = has_control_page.then(|| page(&mut guest));
        let control_page = control.as_ref().map(|page| page.grant);
        device.connect(&mut back, &[nodes], control_page, Nanos(0)).expect("a connection");
        let directory = page(&mut guest);
        let (buffer, buffer_pages): (Vec<_>, Vec<_>) =
            (0..16).map(|_| page(&mut guest)).map(|page| (page.grant, page.page)).unzip();
        write_directory(&[(&directory.page, directory.grant)], buffer.iter().copied()).expect("a directory");
        Self {
            home,
            back,
            card,
            device,
            ring: front_ring,
            ring_page,
            event_page,
            control_page: control.map(|page| page.page),
            buffer,
            buffer_pages,
            directory,
            next_id: 0,
        }
    }

    pub fn open_params(&self) -> OpenParams {
        OpenParams {
            rate_hz: 48_000,
            format: sndif::format::SampleFormat::S16Le,
            channels: 2,
            buffer_bytes: 65_536,
            directory: self.directory.grant,
            period_bytes: 1_920,
        }
    }

    pub fn poll(&mut self) -> Option<Nanos> {
        self.poll_at(Nanos(0))
    }

    pub fn poll_at(&mut self, now: Nanos) -> Option<Nanos> {
        self.device.poll(&mut self.back, &mut self.card, &now)
    }

    /// Sends 64 bytes and returns the answer, if one came.
    pub fn send(&mut self, entry: &[u8; 64]) -> Option<Response> {
        self.send_at(entry, Nanos(0))
    }

    pub fn send_at(&mut self, entry: &[u8; 64], now: Nanos) -> Option<Response> {
        self.ring.push(entry).expect("room on the ring");
        let _ = self.ring.publish();
        self.poll_at(now);
        self.ring.take().expect("a ring that holds").map(|entry| Response::parse(&entry))
    }

    pub fn ask(&mut self, body: RequestBody) -> Status {
        self.next_id = self.next_id.wrapping_add(1);
        let request = Request { id: self.next_id, body };
        let response = self.send(&request.emit()).expect("an answer");
        assert_eq!(response.id, self.next_id, "an answer echoes the id");
        assert_eq!(response.operation, request.operation().code(), "and the operation");
        response.status
    }

    pub fn open(&mut self) -> Status {
        self.ask(RequestBody::Open(self.open_params()))
    }

    pub fn write_word(&self, word: usize, value: u32) {
        self.directory.page.store(word, value);
    }
}
