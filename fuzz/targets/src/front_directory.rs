//! A front end's directory in xenstore, which its guest writes as it likes.

use audiofront::{GrantAccess, Transport};
use hyper::{DomainId, Nanos};
use hypervisor_model::{BackEnd, Limits, MemoryHypervisor, Rule};
use vsnd::{Due, Vsnd};
use xen_guest::xenstore::Store;
use xen_sys::xs_wire::StoreRing;
use xenstored_model::Stored;

use crate::bytes::Bytes;
use crate::fake_card::FakeCard;
use crate::pool::PagePool;

const DRIVER: DomainId = DomainId(5);
const GUEST: DomainId = DomainId(3);
const FRONT: &str = "/local/domain/3/device/vsnd/0";
const BACK: &str = "backend/vsnd/3/0";

/// Most calls until nothing is due at one time.
const MOST_CALLS: u32 = 2_000;

/// Nodes of the guest's card.
const NODES: [&str; 32] = [
    "state",
    "sample-rates",
    "sample-formats",
    "buffer-size",
    "channels-min",
    "channels-max",
    "control-page-ref",
    "0/name",
    "0/sample-rates",
    "0/sample-formats",
    "0/channels-min",
    "0/0/type",
    "0/0/unique-id",
    "0/0/ring-ref",
    "0/0/event-channel",
    "0/0/evt-ring-ref",
    "0/0/evt-event-channel",
    "0/0/sample-rates",
    "0/0/buffer-size",
    "0/0/channels-max",
    "0/1/type",
    "0/1/unique-id",
    "0/1/ring-ref",
    "0/1/event-channel",
    "0/1/evt-ring-ref",
    "0/1/evt-event-channel",
    "1/0/type",
    "1/0/unique-id",
    "0/16/type",
    "9/0/x",
    "0/2/type",
    "backend-id",
];

/// Values that mean something.
const VALUES: [&str; 24] = [
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "p",
    "c",
    "output-0",
    "input-0",
    "48000",
    "44100,48000",
    "s16_le",
    "s16_le,s32_le,iec958",
    "65536",
    "4294967295",
    "0",
    "-1",
    "",
    "8",
    "9",
    "10",
    "11",
    "12",
];

type World = MemoryHypervisor<PagePool>;

/// The driver domain with all around it.
struct Rig<'a> {
    world: &'a World,
    stored: Stored<'a>,
    vsnd: Vsnd<'a, BackEnd<'a, PagePool>, FakeCard>,
    now: Nanos,
}

/// Any values in any order: every turn ends, and the toolstack can take the device away afterwards.
pub fn run(input: &[u8]) {
    let page = StoreRing::default();
    let world = World::new(PagePool::default(), Limits { grants: 16, ports: 8, streams: 2 });
    let mut rig = Rig::new(&world, &page);
    // The numbers that the guest may name: grants from 8 on, ports from the first on.
    let mut guest = world.front_end(GUEST, DRIVER, 0);
    for _ in 0..5 {
        guest.grant_page(GrantAccess::ReadWrite).expect("a page");
    }
    let ports = [(); 4].map(|()| guest.open_channel().expect("a port").0);
    rig.attach();
    rig.settle();
    let mut bytes = Bytes::new(input);
    while !bytes.is_empty() {
        rig.act(&mut bytes, ports);
    }
    rig.end();
}

impl<'a> Rig<'a> {
    fn new(world: &'a World, page: &'a StoreRing) -> Self {
        let mut stored = Stored::new(page);
        stored.keeps_requests = false;
        stored.home = format!("/local/domain/{}", DRIVER.0);
        stored.hidden = vec![format!("/local/domain/{}", GUEST.0)];
        stored.may_write =
            Some(["snddom/state", "control/shutdown", "backend/vsnd"].map(str::to_owned).to_vec());
        let card = FakeCard::new();
        card.controls.borrow_mut().keeps_no_notes = true;
        let vsnd = Vsnd::new(Store::attach(page), DRIVER, world.back_end(DRIVER), card, Vec::new());
        Self { world, stored, vsnd, now: Nanos(1) }
    }

    fn set_front(&mut self, node: &str, value: &[u8]) {
        self.stored.set_raw(&format!("{FRONT}/{node}"), value);
    }

    fn attach(&mut self) {
        for (node, value) in [
            ("state", "1"),
            ("backend-id", "5"),
            ("sample-rates", "44100,48000"),
            ("sample-formats", "s16_le"),
            ("0/0/unique-id", "output-0"),
            ("0/0/type", "p"),
        ] {
            self.set_front(node, value.as_bytes());
        }
        for (node, value) in [("frontend", FRONT), ("frontend-id", "3"), ("online", "1"), ("state", "1")] {
            self.stored.set(&format!("{BACK}/{node}"), value);
        }
    }

    fn act(&mut self, bytes: &mut Bytes<'_>, ports: [u32; 4]) {
        match bytes.u8() % 16 {
            0..=4 => {
                let node = bytes.one_of(&NODES);
                self.set_front(node, bytes.one_of(&VALUES).as_bytes());
            }
            5 | 6 => {
                let node = bytes.one_of(&NODES);
                let length = usize::from(bytes.u8());
                self.set_front(node, bytes.slice(length));
            }
            7 => self.stored.remove(&format!("{FRONT}/{}", bytes.one_of(&NODES))),
            8 | 9 => {
                // As a driver does.
                let [ring, events] = [ports[0], ports[1]].map(|port| port.to_string());
                for (node, value) in [
                    ("0/0/ring-ref", "8"),
                    ("0/0/event-channel", &ring),
                    ("0/0/evt-ring-ref", "9"),
                    ("0/0/evt-event-channel", &events),
                    ("state", "3"),
                ] {
                    self.set_front(node, value.as_bytes());
                }
            }
            10 | 11 => self.set_front("state", bytes.one_of(&VALUES[..6]).as_bytes()),
            12 => self.now = Nanos(self.now.0.saturating_add(bytes.sized() << 20)),
            13 => {
                if !self.stored.exists(BACK) {
                    self.attach();
                }
            }
            14 => self.detach(),
            _ => self.stored.remove("/local/domain/3"),
        }
        // Several acts may come before the driver domain sees them.
        if !bytes.u8().is_multiple_of(4) {
            self.stored.run();
            self.settle();
        }
    }

    fn detach(&mut self) {
        if self.stored.exists(BACK) {
            self.stored.set(&format!("{BACK}/online"), "0");
            self.stored.set(&format!("{BACK}/state"), "5");
        }
    }

    /// Calls the driver domain until nothing is due at this time.
    fn settle(&mut self) {
        for _ in 0..MOST_CALLS {
            let Due { next, notify_store, .. } = self.vsnd.poll(&self.now, false);
            if notify_store {
                self.stored.run();
            }
            let has_more = next.is_some_and(|next| next <= self.now);
            if !has_more && !notify_store && !self.stored.has_sent() {
                return;
            }
        }
        panic!("it never settles");
    }

    fn end(mut self) {
        self.detach();
        for _ in 0..100 {
            self.stored.run();
            self.settle();
            if !self.stored.exists(BACK) {
                break;
            }
            self.now = Nanos(self.now.0.saturating_add(100_000_000));
        }
        assert!(!self.stored.exists(BACK), "the device's directory stays");
        assert_eq!(self.world.mapped_pages(), 0, "mapped pages");
        assert_eq!(self.stored.open_transactions(), 0, "open transactions");
        for violation in self.world.violations() {
            let by_guest = [Rule::MappedUngranted, Rule::MappedTwice];
            assert!(by_guest.contains(&violation.rule), "{violation:?}");
        }
    }
}
