//! A guest, a driver domain and a card without hardware, in one thread.

pub mod card;
pub mod raw;

use audioback::card::{Card, PortIndex};
use audioback::device::Device;
use audioback::rights::Policy;
use audioback::stream::StreamConfig;
use audiofront::{FrontEvent, GrantAccess, StreamConfig as OpenConfig, StreamFront, Transport};
use hyper::{DomainId, GrantRef, Hypervisor, Nanos};
use hypervisor_model::{BackEnd, DomainPage, FrontEnd, HeapMemory, Limits, MemoryHypervisor};
use sndif::Direction;
use sndif::control_page::ControlReader;
use sndif::format::SampleFormat;
use sndif::op::Operation;
use sndif::response::Status;

use card::FakeCard;

pub const DRIVER: DomainId = DomainId(7);
pub const GUEST: DomainId = DomainId(3);

pub type Home = MemoryHypervisor<HeapMemory>;
pub type Back<'a> = BackEnd<'a, HeapMemory>;
pub type Front<'a> = StreamFront<FrontEnd<'a, HeapMemory>>;
pub type Page = DomainPage<'static, HeapMemory>;
pub type TestDevice<'a> = Device<Back<'a>, FakeCard>;

/// A hypervisor with room for a few streams. It outlives the test: handles borrow it.
pub fn home() -> &'static Home {
    Box::leak(Box::new(MemoryHypervisor::new(HeapMemory::new(700), Limits::for_streams(2))))
}

/// A device with a playback stream and a capture stream, connected to its front ends.
pub struct Rig {
    pub home: &'static Home,
    pub back: Back<'static>,
    pub card: FakeCard,
    pub device: TestDevice<'static>,
    pub playback: Front<'static>,
    pub capture: Front<'static>,
    pub now: Nanos,
}

pub fn configs() -> [StreamConfig; 2] {
    let card = FakeCard::new();
    let ports = Card::<<Back<'_> as Hypervisor>::Buffer>::ports(&card);
    [0, 1].map(|port| StreamConfig { port: PortIndex(port), abilities: ports[usize::from(port)] })
}

impl Rig {
    pub fn new(policy: Policy) -> Self {
        Self::connected(policy, |_| None)
    }

    /// A device whose front end has granted a control page, and that page.
    pub fn with_control_page(policy: Policy) -> (Self, ControlReader<Page>) {
        let mut reader = None;
        let rig = Self::connected(policy, |home| {
            let granted =
                home.front_end(GUEST, DRIVER, 0).grant_page(GrantAccess::ReadWrite).expect("a page");
            reader = Some(ControlReader::init(granted.page));
            Some(granted.grant)
        });
        (rig, reader.expect("a page"))
    }

    /// A device whose capture stream is on a monitor.
    pub fn on_monitor(policy: Policy) -> Self {
        Self::connected_to(FakeCard::with_monitor(), policy, |_| None)
    }

    fn connected(policy: Policy, grant: impl FnOnce(&'static Home) -> Option<GrantRef>) -> Self {
        Self::connected_to(FakeCard::new(), policy, grant)
    }

    fn connected_to(
        card: FakeCard,
        policy: Policy,
        grant: impl FnOnce(&'static Home) -> Option<GrantRef>,
    ) -> Self {
        let home = home();
        let control_page = grant(home);
        let mut back = home.back_end(DRIVER);
        let ports = Card::<<Back<'_> as Hypervisor>::Buffer>::ports(&card);
        let mut device = Device::new(GUEST, policy, ports, &configs()).expect("a device");
        let playback =
            StreamFront::connect(home.front_end(GUEST, DRIVER, 0), Direction::Playback).expect("a front");
        let capture =
            StreamFront::connect(home.front_end(GUEST, DRIVER, 1), Direction::Capture).expect("a front");
        let nodes = [*playback.nodes(), *capture.nodes()];
        device.connect(&mut back, &nodes, control_page, Nanos(0)).expect("a connection");
        Self { home, back, card, device, playback, capture, now: Nanos(0) }
    }

    pub fn poll(&mut self) -> Option<Nanos> {
        self.device.poll(&mut self.back, &mut self.card, &self.now)
    }

    /// Polls the back end, then tells what the playback front end heard.
    pub fn events(&mut self) -> Vec<FrontEvent> {
        self.poll();
        std::iter::from_fn(|| self.playback.poll()).collect()
    }

    pub fn capture_events(&mut self) -> Vec<FrontEvent> {
        self.poll();
        std::iter::from_fn(|| self.capture.poll()).collect()
    }

    /// The status of the answer to the one playback request that is under way.
    pub fn status(&mut self, operation: Operation) -> Status {
        only_answer(&self.events(), operation)
    }

    pub fn open_playback(&mut self) {
        self.playback.open(&open_config()).expect("OPEN is sent");
        assert_eq!(self.status(Operation::Open), Status::OK);
    }

    pub fn start_playback(&mut self) {
        self.playback.start().expect("START is sent");
        assert_eq!(self.status(Operation::Trigger), Status::OK);
    }

    pub fn calls(&self) -> Vec<String> {
        self.card.controls.borrow().calls.clone()
    }

    pub fn set_position(&self, bytes: u64) {
        self.card.controls.borrow_mut().position.bytes = bytes;
    }
}

pub fn open_config() -> OpenConfig {
    OpenConfig {
        rate_hz: 48_000,
        format: SampleFormat::S16Le,
        channels: 2,
        buffer_bytes: 65_536,
        period_bytes: 1_920,
    }
}

pub fn only_answer(events: &[FrontEvent], asked: Operation) -> Status {
    let answers: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            FrontEvent::Answered { operation, status, .. } => Some((*operation, *status)),
            _ => None,
        })
        .collect();
    assert_eq!(answers.len(), 1, "one answer to {asked:?}, among {events:?}");
    assert_eq!(answers[0].0, asked);
    answers[0].1
}
