//! The control page on the front end's side: granted, published, read, taken back.

use crate::common::{DRIVER, GUEST, connect, home};
use audiofront::{
    ConnectError, ControlPage, EventPort, FrontEvent, GrantAccess, GrantedPage, PublishFailed, StillMapped,
    Transport,
};
use hyper::{Hypervisor, SharedPage};
use hypervisor_model::{FrontEnd, HeapMemory};
use sndif::Direction;
use sndif::control_page::{ControlWriter, HeaderError, Lock, ReadError, Slot, SlotState};
use sndif::nodes::TransportNodes;
use sndif::op::{Operation, StartedTogether};
use sndif::request::RequestBody;
use sndif::response::Status;
use sndif::state::XenbusState;

#[test]
fn the_page_is_granted_published_read_and_taken_back() {
    let home = home();
    let mut transport = home.front_end(GUEST, DRIVER, 0);
    let page = ControlPage::connect(&mut transport).unwrap();
    assert_eq!(home.published_control_page(GUEST), Some(page.grant()));
    assert_eq!(page.header(), Err(HeaderError::NotAttached));
    assert_eq!(page.slot(0), Err(ReadError::Header(HeaderError::NotAttached)));

    let mut back = home.back_end(DRIVER);
    let mut writer = ControlWriter::attach(back.map_page(GUEST, page.grant()).unwrap(), 2, 5);
    assert_eq!(
        page.header().map(|header| (header.generation, header.state)),
        Ok((5, XenbusState::Connected))
    );
    let slot = Slot {
        state: SlotState::Running,
        link_frames: 480,
        time_ns: 1_000_000,
        ns_per_frame_q32: (1_000_000_000 << 32) / 48_000,
        lock: Some(Lock::Coarse),
        ..Slot::default()
    };
    writer.write(1, &slot);
    assert_eq!(page.slot(1), Ok(slot));
    assert_eq!(page.slot(1).unwrap().frames_at(11_000_001), Some(960));

    back.unmap_page(writer.into_page());
    assert!(page.disconnect(&mut transport).is_ok());
    assert_eq!((home.granted_pages(), home.violation_count()), (0, 0));
}

#[test]
fn a_page_that_the_back_end_still_has_stays_granted() {
    let home = home();
    let mut transport = home.front_end(GUEST, DRIVER, 0);
    let page = ControlPage::connect(&mut transport).unwrap();
    let mapped = home.back_end(DRIVER).map_page(GUEST, page.grant()).unwrap();
    assert!(page.disconnect(&mut transport).is_err());
    mapped.store(0, 1);
    assert_eq!(home.granted_pages(), 1);
}

/// A transport as it was before there were control pages.
struct Plain<'a>(FrontEnd<'a, HeapMemory>);

impl<'a> Transport for Plain<'a> {
    type Page = <FrontEnd<'a, HeapMemory> as Transport>::Page;

    fn grant_page(&mut self, access: GrantAccess) -> Option<GrantedPage<Self::Page>> {
        self.0.grant_page(access)
    }

    fn revoke_page(&mut self, page: GrantedPage<Self::Page>) -> Result<(), StillMapped<Self::Page>> {
        self.0.revoke_page(page)
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
fn a_transport_that_cannot_publish_it_leaves_nothing_behind() {
    let home = home();
    let mut transport = Plain(home.front_end(GUEST, DRIVER, 0));
    assert_eq!(ControlPage::connect(&mut transport).unwrap_err(), ConnectError::NotPublished);
    assert_eq!((home.granted_pages(), home.violation_count()), (0, 0));
}

#[test]
fn a_linked_start_is_sent_and_its_answer_tells_how() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    assert!(front.linked_start(0b11).is_err(), "not open");
    front.open(&crate::common::s16_stereo(4_096)).unwrap();
    back.serve();
    while front.poll().is_some() {}
    let id = front.linked_start(0b101).unwrap();
    let request = back.take().unwrap();
    assert_eq!(request.body, RequestBody::LinkedStart(0b101));
    back.answer(&request.answer_started(StartedTogether::SameFrame));
    let answered = FrontEvent::Answered {
        id,
        operation: Operation::LinkedStart,
        status: Status::OK,
        hw_params: None,
        started: Some(StartedTogether::SameFrame),
    };
    assert_eq!(front.poll(), Some(answered));

    // A back end that doesn't know it.
    front.linked_start(1).unwrap();
    back.refuse(Operation::LinkedStart, Status::EOPNOTSUPP);
    match front.poll() {
        Some(FrontEvent::Answered { status: Status::EOPNOTSUPP, started: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(front.fault_count(), 0);
}
