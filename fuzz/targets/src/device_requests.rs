//! A guest's requests, rings and pages, to a device of the back end over a card without a controller.

use audioback::card::{Card, CardError, PortIndex};
use audioback::device::Device;
use audioback::rights::{Policy, PortSet};
use audioback::stream::StreamConfig;
use audiofront::{GrantAccess, GrantedPage, Transport};
use hyper::{DomainId, GrantRef, Hypervisor, Nanos, SharedPage};
use hypervisor_model::{BackEnd, DomainPage, FrontEnd, Limits, MemoryHypervisor, Rule};
use sndif::nodes::TransportNodes;
use sndif::op::Trigger;
use sndif::request::{OpenParams, Range, Request, RequestBody};
use sndif::response::Response;
use sndif::ring::FrontRing;
use sndif::state::XenbusState;
use testbed::ignored;

use crate::bytes::Bytes;
use crate::fake_card::{Controls, FakeCard};
use crate::pool::PagePool;

const DRIVER: DomainId = DomainId(7);
const GUEST: DomainId = DomainId(3);

/// Pages of each stream's buffer.
const BUFFER_PAGES: usize = 4;

type World = MemoryHypervisor<PagePool>;
type Page<'a> = DomainPage<'a, PagePool>;

/// A stream as the guest has it.
struct GuestStream<'a> {
    ring: FrontRing<Page<'a>>,
    directory: GrantRef,
    /// Ring, events, directory, and a page of the buffer: what the guest may write at any time.
    pages: [Page<'a>; 4],
    nodes: TransportNodes,
    /// Requests without an answer.
    unanswered: u64,
}

/// The back end, its card, and the guest.
struct Rig<'a> {
    world: &'a World,
    back: BackEnd<'a, PagePool>,
    card: FakeCard,
    device: Device<BackEnd<'a, PagePool>, FakeCard>,
    streams: [GuestStream<'a>; 2],
    control_page: GrantedPage<Page<'a>>,
    now: Nanos,
}

/// Any acts of a guest: it loses its own device at worst. Once that is closed, nothing is mapped.
pub fn run(input: &[u8]) {
    let limits = Limits { grants: 16 + 2 * BUFFER_PAGES, ports: 8, streams: 4 };
    let world = World::new(PagePool::default(), limits);
    let mut rig = Rig::new(&world);
    let mut bytes = Bytes::new(input);
    while !bytes.is_empty() {
        rig.act(&mut bytes);
    }
    rig.end();
}

fn guest_stream<'a>(guest: &mut FrontEnd<'a, PagePool>) -> GuestStream<'a> {
    let mut page = || guest.grant_page(GrantAccess::ReadWrite).expect("a page");
    let (ring, events, directory) = (page(), page(), page());
    let buffer: Vec<GrantedPage<Page<'a>>> = (0..BUFFER_PAGES).map(|_| page()).collect();
    // The other words of the page are 0, and so the chain ends here.
    (1..).zip(&buffer).for_each(|(word, page)| directory.page.store(word, page.grant.0));
    let [ring_port, event_port] = [(); 2].map(|()| guest.open_channel().expect("a port").0);
    let nodes = TransportNodes {
        ring_ref: ring.grant,
        event_channel: ring_port,
        evt_ring_ref: events.grant,
        evt_event_channel: event_port,
    };
    let pages = [ring.page.clone(), events.page, directory.page, buffer[0].page.clone()];
    GuestStream { ring: FrontRing::init(ring.page), directory: directory.grant, pages, nodes, unanswered: 0 }
}

impl<'a> Rig<'a> {
    fn new(world: &'a World) -> Self {
        let mut back = world.back_end(DRIVER);
        let card = FakeCard::new();
        card.controls.borrow_mut().keeps_no_notes = true;
        let ports = Card::<<BackEnd<'_, PagePool> as Hypervisor>::Buffer>::ports(&card);
        let configs =
            [0, 1].map(|port| StreamConfig { port: PortIndex(port), abilities: ports[usize::from(port)] });
        let mut device = Device::new(GUEST, policy(true), ports, &configs).expect("a device");
        let mut guest = world.front_end(GUEST, DRIVER, 0);
        let streams = [(); 2].map(|()| guest_stream(&mut guest));
        let control_page = guest.grant_page(GrantAccess::ReadWrite).expect("a page");
        let nodes = [streams[0].nodes, streams[1].nodes];
        device.connect(&mut back, &nodes, Some(control_page.grant), Nanos(1)).expect("a connection");
        Self { world, back, card, device, streams, control_page, now: Nanos(1) }
    }

    fn act(&mut self, bytes: &mut Bytes<'_>) {
        let kind = bytes.u8();
        let stream = usize::from(kind >> 7);
        match kind % 20 {
            0..=2 => {
                let mut entry = [0; 64];
                let slice = bytes.slice(29);
                entry[..slice.len()].copy_from_slice(slice);
                entry[2] %= 13;
                self.push(stream, &entry);
            }
            3..=5 => {
                let open = OpenParams {
                    rate_hz: 48_000,
                    format: sndif::format::SampleFormat::S16Le,
                    channels: 2,
                    buffer_bytes: 4_096 * (1 + u32::from(bytes.u8() % 6)),
                    directory: self.streams[stream].directory,
                    period_bytes: bytes.one_of(&[0, 4, 960, 1_920, 4_096, 3, u32::MAX]),
                };
                self.push(stream, &request(RequestBody::Open(open)));
            }
            6..=8 => {
                let trigger = bytes.one_of(&[Trigger::Start, Trigger::Pause, Trigger::Stop, Trigger::Resume]);
                self.push(stream, &request(RequestBody::Trigger(trigger)));
            }
            9 | 10 => {
                let range = Range {
                    offset_bytes: bytes.sized() as u32 % 0x1_0000 * 4,
                    length_bytes: bytes.one_of(&[2, 8, 4, 0, 4_096, u32::MAX]),
                };
                let make: fn(Range) -> RequestBody = bytes.one_of(&[
                    RequestBody::SetVolume,
                    RequestBody::GetVolume,
                    RequestBody::Mute,
                    RequestBody::Unmute,
                    RequestBody::Write,
                    RequestBody::Read,
                ]);
                self.push(stream, &request(make(range)));
            }
            11 => self.push(stream, &request(RequestBody::LinkedStart(bytes.sized() as u32))),
            12 => self.push(stream, &request(RequestBody::Close)),
            // What lies in pages that both may write.
            13 => {
                let page = usize::from(bytes.u8() % 4);
                let (word, value) = (bytes.sized() as usize, bytes.sized() as u32);
                self.streams[stream].pages[page].store(word, value);
            }
            14 => {
                let (word, value) = (bytes.sized() as usize, bytes.sized() as u32);
                self.control_page.page.store(word, value);
            }
            // What isn't the guest's doing, and comes in any order with it.
            15 => {
                let more = bytes.sized();
                self.controls(|controls| {
                    controls.position.bytes = controls.position.bytes.saturating_add(more);
                });
            }
            16 => self.now = Nanos(self.now.0.saturating_add(bytes.sized() << 10)),
            17 => {
                let knob = bytes.u8();
                self.controls(|controls| {
                    controls.run_sticks = knob & 1 != 0;
                    controls.open_fails = (knob & 2 != 0).then_some(CardError::Hardware);
                    // The card has no answer to a linked start that can be neither done nor undone.
                    let start_fails = knob & 5 == 4;
                    controls.start_fails_on = start_fails.then_some(usize::from(knob >> 7));
                    controls.volume_fails_on = (knob & 8 != 0).then_some(knob >> 6 & 1);
                });
            }
            18 => {
                let policy = policy(bytes.u8() & 1 != 0);
                self.device.set_policy(&mut self.back, &mut self.card, policy);
            }
            _ => {}
        }
        self.poll();
    }

    fn controls(&self, change: impl FnOnce(&mut Controls)) {
        change(&mut self.card.controls.borrow_mut());
    }

    fn push(&mut self, stream: usize, entry: &[u8; 64]) {
        let stream = &mut self.streams[stream];
        if stream.ring.push(entry).is_ok() {
            stream.unanswered += 1;
            ignored(stream.ring.publish(), "anything may come of what makes no sense, but a panic");
        }
    }

    fn poll(&mut self) {
        let due = self.device.poll(&mut self.back, &mut self.card, &self.now);
        ignored(due, "anything may come of what makes no sense, but a panic");
        for stream in &mut self.streams {
            while let Ok(Some(entry)) = stream.ring.take() {
                ignored(Response::parse(&entry), "anything may come of what makes no sense, but a panic");
                // A guest that writes the ring's indices makes its own answers up.
                stream.unanswered = stream.unanswered.saturating_sub(1);
            }
        }
    }

    /// The device is closed, and tried again until nothing is stuck.
    fn end(mut self) {
        self.device.close(&mut self.back, &mut self.card);
        self.controls(|controls| controls.run_sticks = false);
        self.now = Nanos(self.now.0.saturating_add(20_000_000_000));
        self.poll();
        // The first of these finds that nothing is stuck any more.
        self.poll();
        assert_eq!(self.device.state(), XenbusState::Closed);
        assert_eq!(self.world.mapped_pages(), 0, "mapped pages");
        assert_eq!(self.world.with_memory(|memory| memory.dma_pages()), 0, "pages for DMA");
        for violation in self.world.violations() {
            // The guest is to blame for these: the back end maps what it names.
            let by_guest = [Rule::MappedUngranted, Rule::MappedTwice];
            assert!(by_guest.contains(&violation.rule), "{violation:?}");
        }
    }
}

fn policy(may_record: bool) -> Policy {
    let may_record = if may_record { PortSet::ALL } else { PortSet::NONE };
    Policy { may_record, ..Policy::default() }
}

fn request(body: RequestBody) -> [u8; 64] {
    Request { id: 0, body }.emit()
}
