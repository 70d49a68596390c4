//! What happens between two looks of one poll: the back end posts a position and answers, after the front end has looked
//! at the event page and before it looks at the ring.

use std::cell::RefCell;

use crate::common::{DRIVER, GUEST, Home, Page, s16_stereo};
use audiofront::{
    EventPort, FrontEvent, GrantAccess, GrantedPage, PublishFailed, StillMapped, StreamFront, Transport,
};
use hyper::{Hypervisor, RemotePort, SharedPage};
use hypervisor_model::{FrontEnd, HeapMemory};
use sndif::Direction;
use sndif::event_page::EventWriter;
use sndif::nodes::TransportNodes;
use sndif::request::Request;
use sndif::response::Status;
use sndif::ring::BackRing;

const RSP_PROD: usize = 2;

type Hook = Box<dyn FnOnce()>;

thread_local! {
    /// What the back end does right before the front end reads the ring's index of responses.
    static BEFORE_RING: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

struct HookedPage(Page<'static>);

impl SharedPage for HookedPage {
    fn load(&self, word: usize) -> u32 {
        if word == RSP_PROD
            && let Some(hook) = BEFORE_RING.take()
        {
            hook();
        }
        self.0.load(word)
    }

    fn store(&self, word: usize, value: u32) {
        self.0.store(word, value);
    }

    fn fence(&self) {
        self.0.fence();
    }
}

struct Hooked(FrontEnd<'static, HeapMemory>);

impl Transport for Hooked {
    type Page = HookedPage;

    fn grant_page(&mut self, access: GrantAccess) -> Option<GrantedPage<HookedPage>> {
        self.0
            .grant_page(access)
            .map(|GrantedPage { page, grant }| GrantedPage { page: HookedPage(page), grant })
    }

    fn revoke_page(&mut self, page: GrantedPage<HookedPage>) -> Result<(), StillMapped<HookedPage>> {
        let GrantedPage { page: HookedPage(page), grant } = page;
        let revoked = self.0.revoke_page(GrantedPage { page, grant });
        revoked.map_err(|StillMapped(GrantedPage { page, grant })| {
            StillMapped(GrantedPage { page: HookedPage(page), grant })
        })
    }

    fn open_channel(&mut self) -> Option<EventPort> {
        self.0.open_channel()
    }

    fn close_channel(&mut self, port: EventPort) {
        self.0.close_channel(port);
    }

    fn notify(&mut self, port: EventPort) {
        self.0.notify(port);
    }

    fn publish(&mut self, nodes: &TransportNodes) -> Result<(), PublishFailed> {
        self.0.publish(nodes)
    }
}

#[test]
fn a_position_that_comes_between_the_looks_is_told_before_the_answer() {
    let home: &'static Home = Box::leak(Box::new(crate::common::home()));
    let transport = Hooked(home.front_end(GUEST, DRIVER, 0));
    let mut front = StreamFront::connect(transport, Direction::Playback).unwrap();
    let nodes = *front.nodes();
    let mut hypervisor = home.back_end(DRIVER);
    let mut ring = BackRing::attach(hypervisor.map_page(GUEST, nodes.ring_ref).unwrap());
    let mut events = EventWriter::attach(hypervisor.map_page(GUEST, nodes.evt_ring_ref).unwrap());
    let channel = hypervisor.bind(GUEST, RemotePort(nodes.event_channel)).unwrap();

    front.open(&s16_stereo(4_096)).unwrap();
    front.fill(&[1; 4_096]);
    front.start().unwrap();
    BEFORE_RING.set(Some(Box::new(move || {
        events.post(64).unwrap();
        for _ in 0..2 {
            let request = Request::parse(&ring.take().unwrap().unwrap()).unwrap();
            ring.answer(&request.answer(Status::OK).emit()).unwrap();
        }
        if ring.publish() {
            hypervisor.notify(channel);
        }
    })));
    assert_eq!(front.poll(), Some(FrontEvent::Position { bytes: 64 }));
    assert!(matches!(front.poll(), Some(FrontEvent::Answered { id: 0, .. })));
    assert!(matches!(front.poll(), Some(FrontEvent::Answered { id: 1, .. })));
    assert_eq!(front.poll(), None);
}
