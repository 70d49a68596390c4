//! The guests' drivers.

use audiofront::{EventPort, FrontEvent, GrantAccess, GrantedPage, StreamConfig, StreamFront, Transport};
use hyper::DomainId;
use hypervisor_model::FrontEnd;
use hypervisor_model::hda_pages::Pages;
use sndif::format::SampleFormat;
use sndif::hw_params::HwParams;
use sndif::op::Operation;
use sndif::response::Status;

use super::rig::{DRIVER, Rig};
use super::toolstack::{DUPLEX, StreamAt, front_path};

pub type Front = StreamFront<FrontEnd<'static, Pages>>;

/// A front end without a driver: the pages and ports of its one stream, the ring's first, then the
/// events'.
pub struct ByHand {
    pub guest: FrontEnd<'static, Pages>,
    pub pages: [GrantedPage<<FrontEnd<'static, Pages> as Transport>::Page>; 2],
    pub ports: [EventPort; 2],
}

impl Rig {
    /// Publishes stream 0-0 of a guest's card without a driver, for misbehaviour that no driver
    /// has.
    pub fn front_by_hand(&mut self, guest: u16, device: u16) -> ByHand {
        let mut front = self.world.front_end(DomainId(guest), DRIVER, 0);
        let pages = [0, 1].map(|_| front.grant_page(GrantAccess::ReadWrite).expect("a page"));
        let ports = [0, 1].map(|_| front.open_channel().expect("a port"));
        for (node, value) in [
            ("ring-ref", pages[0].grant.0),
            ("evt-ring-ref", pages[1].grant.0),
            ("event-channel", ports[0].0),
            ("evt-event-channel", ports[1].0),
        ] {
            self.stored.set(&format!("{}/0/0/{node}", front_path(guest, device)), &value.to_string());
        }
        self.set_front_state(guest, device, "3");
        ByHand { guest: front, pages, ports }
    }

    /// The guest's driver makes rings and publishes them.
    pub fn front_up(&mut self, guest: u16, device: u16, streams: &[StreamAt]) -> Vec<Front> {
        let path = front_path(guest, device);
        let fronts = streams.iter().zip(0u32..).map(|((pcm, stream, kind, _), index)| {
            let transport = self.world.front_end(DomainId(guest), DRIVER, index);
            let front = StreamFront::connect(transport, *kind).expect("a front end");
            let nodes = *front.nodes();
            for (node, value) in [
                ("ring-ref", nodes.ring_ref.0),
                ("event-channel", nodes.event_channel),
                ("evt-ring-ref", nodes.evt_ring_ref.0),
                ("evt-event-channel", nodes.evt_event_channel),
            ] {
                self.stored.set(&format!("{path}/{pcm}/{stream}/{node}"), &value.to_string());
            }
            front
        });
        let fronts = fronts.collect();
        self.set_front_state(guest, device, "3");
        fronts
    }

    pub fn set_front_state(&mut self, guest: u16, device: u16, state: &str) {
        self.stored.set(&format!("{}/state", front_path(guest, device)), state);
        self.wake();
    }

    /// Attaches a card with one playback and one capture stream, and brings its driver up.
    pub fn guest(&mut self, guest: u16) -> Vec<Front> {
        self.guest_with(guest, &DUPLEX)
    }

    pub fn guest_with(&mut self, guest: u16, streams: &[StreamAt]) -> Vec<Front> {
        self.attach(guest, 0, streams);
        self.until("InitWait", |rig| rig.back_state(guest, 0) == Some("2"));
        let fronts = self.front_up(guest, 0, streams);
        self.until("Connected", |rig| rig.back_state(guest, 0) == Some("4"));
        self.set_front_state(guest, 0, "4");
        fronts
    }
}

/// 16-bit stereo at 48 kHz.
pub const OPEN_CONFIG: StreamConfig = StreamConfig {
    rate_hz: 48_000,
    format: SampleFormat::S16Le,
    channels: 2,
    buffer_bytes: 65_536,
    period_bytes: 1_920,
};

/// The answer to the one request of this stream that is under way.
pub fn answer(rig: &mut Rig, front: &mut Front) -> (Operation, Status) {
    rig.settle();
    for _ in 0..100 {
        match front.poll() {
            Some(FrontEvent::Answered { operation, status, .. }) => return (operation, status),
            Some(FrontEvent::Position { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("no answer");
}

/// The answer to a stream's query: all that the stream offers.
pub fn offered(rig: &mut Rig, front: &mut Front) -> Option<HwParams> {
    front.query(&HwParams::ANY).expect("a query on its way");
    rig.settle();
    match front.poll() {
        Some(FrontEvent::Answered { hw_params, .. }) => hw_params,
        other => panic!("{other:?}"),
    }
}
