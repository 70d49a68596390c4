//! A front end over the loop-back, and a back end made of sndif's halves that does what a test tells it.

use audiofront::{FrontEvent, StreamConfig, StreamFront};
use hyper::{DmaAccess, DomainId, EventChannel, GrantList, Hypervisor, MappedBuffer, RemotePort, SharedPage};
use hypervisor_model::{BackEnd, DomainPage, FrontEnd, HeapMemory, Limits, MappedPages, MemoryHypervisor};
use sndif::Direction;
use sndif::event_page::EventWriter;
use sndif::format::SampleFormat;
use sndif::op::Operation;
use sndif::page_directory::DirectoryWalk;
use sndif::request::{OpenParams, Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::ring::BackRing;

pub(crate) const GUEST: DomainId = DomainId(3);
pub(crate) const DRIVER: DomainId = DomainId(1);

pub(crate) type Home = MemoryHypervisor<HeapMemory>;
pub(crate) type Page<'a> = DomainPage<'a, HeapMemory>;
pub(crate) type Front<'a> = StreamFront<FrontEnd<'a, HeapMemory>>;

pub(crate) fn home() -> Home {
    MemoryHypervisor::new(HeapMemory::new(300), Limits { grants: 300, ports: 8, streams: 2 })
}

pub(crate) fn s16_stereo(buffer_bytes: u32) -> StreamConfig {
    StreamConfig {
        rate_hz: 48_000,
        format: SampleFormat::S16Le,
        channels: 2,
        buffer_bytes,
        period_bytes: 1_024,
    }
}

/// The back end of one stream.
pub(crate) struct Back<'a> {
    pub(crate) home: &'a Home,
    pub(crate) hypervisor: BackEnd<'a, HeapMemory>,
    pub(crate) ring: BackRing<Page<'a>>,
    /// The ring's page once more, to scribble on.
    pub(crate) ring_page: Page<'a>,
    pub(crate) events: EventWriter<Page<'a>>,
    pub(crate) ring_channel: EventChannel,
    pub(crate) event_channel: EventChannel,
    pub(crate) buffer: Option<MappedPages>,
    pub(crate) access: DmaAccess,
}

pub(crate) fn connect(home: &Home, direction: Direction) -> (Front<'_>, Back<'_>) {
    let front = StreamFront::connect(home.front_end(GUEST, DRIVER, 0), direction).unwrap();
    let mut hypervisor = home.back_end(DRIVER);
    let nodes = home.published(GUEST, 0).unwrap();
    let ring_page = hypervisor.map_page(GUEST, nodes.ring_ref).unwrap();
    let event_page = hypervisor.map_page(GUEST, nodes.evt_ring_ref).unwrap();
    let back = Back {
        home,
        hypervisor,
        ring: BackRing::attach(ring_page.clone()),
        ring_page,
        events: EventWriter::attach(event_page),
        ring_channel: hypervisor.bind(GUEST, RemotePort(nodes.event_channel)).unwrap(),
        event_channel: hypervisor.bind(GUEST, RemotePort(nodes.evt_event_channel)).unwrap(),
        buffer: None,
        access: match direction {
            Direction::Playback => DmaAccess::Read,
            Direction::Capture => DmaAccess::Write,
        },
    };
    while home.take_pending(DRIVER).is_some() {}
    (front, back)
}

impl Back<'_> {
    /// Takes one request.
    pub(crate) fn take(&mut self) -> Option<Request> {
        self.ring.take().unwrap().map(|entry| Request::parse(&entry).unwrap())
    }

    pub(crate) fn answer(&mut self, response: &Response) {
        self.ring.answer(&response.emit()).unwrap();
        if self.ring.publish() {
            self.hypervisor.notify(self.ring_channel);
        }
    }

    /// Takes one request, which must be this operation, and answers it with this status.
    pub(crate) fn refuse(&mut self, operation: Operation, status: Status) {
        let request = self.take().unwrap();
        assert_eq!(request.operation(), operation);
        self.answer(&request.answer(status));
    }

    /// Serves what there is, as an honest back end does. Returns the requests.
    pub(crate) fn serve(&mut self) -> Vec<RequestBody> {
        let mut served = Vec::new();
        while let Some(request) = self.take() {
            match &request.body {
                RequestBody::Open(open) => self.open(open),
                RequestBody::Close => self.close(),
                _ => {}
            }
            served.push(request.body);
            self.answer(&request.answer(Status::OK));
        }
        served
    }

    pub(crate) fn open(&mut self, open: &OpenParams) {
        let mut grants = GrantList::new();
        let mut walk = DirectoryWalk::new(open.directory, open.buffer_bytes, 256).unwrap();
        while let Some(reference) = walk.next() {
            let page = self.hypervisor.map_page(GUEST, reference).unwrap();
            walk.take(&page, |grant| grants.push(grant).unwrap()).unwrap();
            self.hypervisor.unmap_page(page);
        }
        let buffer = self.hypervisor.map_buffer(GUEST, &grants, open.buffer_bytes, self.access).unwrap();
        self.buffer = Some(buffer);
    }

    pub(crate) fn close(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.hypervisor.unmap_buffer(buffer);
        }
    }

    pub(crate) fn post(&mut self, bytes: u64) {
        assert!(self.events.post(bytes).unwrap());
        self.hypervisor.notify(self.event_channel);
    }

    /// What the controller reads at this position.
    pub(crate) fn dma_read(&self, position: u64) -> u8 {
        let (address, word, lane) = self.place(position);
        let page =
            self.home.with_memory(|memory| memory.dma(address, DmaAccess::Read)).expect("DMA is allowed");
        page.load(word).to_le_bytes()[lane]
    }

    /// The controller writes at this position.
    pub(crate) fn dma_write(&self, position: u64, byte: u8) {
        let (address, word, lane) = self.place(position);
        let page =
            self.home.with_memory(|memory| memory.dma(address, DmaAccess::Write)).expect("DMA is allowed");
        let mut lanes = page.load(word).to_le_bytes();
        lanes[lane] = byte;
        page.store(word, u32::from_le_bytes(lanes));
    }

    fn place(&self, position: u64) -> (u64, usize, usize) {
        let buffer = self.buffer.as_ref().expect("the stream is open");
        let offset = (position % u64::from(buffer.size_bytes())) as usize;
        (buffer.page_addresses()[offset / 4_096], offset % 4_096 / 4, offset % 4)
    }
}

/// All that the front end has to tell.
pub(crate) fn drain(front: &mut Front<'_>) -> Vec<FrontEvent> {
    std::iter::from_fn(|| front.poll()).collect()
}
