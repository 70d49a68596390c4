//! A stream that is open and doesn't run, by the mode of its port, over the mixer.

use audioback::card::{Card, PortIndex, PortMode, PortSetup, PortState};
use audioback::device::{Device, IDLE_NS};
use audioback::rights::Policy;
use audioback::stream::StreamConfig;
use audiofront::{FrontEvent, StreamFront};
use hyper::{DomainId, Nanos};
use hypervisor_model::hda_pages::Pages;
use hypervisor_model::{BackEnd, FrontEnd, Limits as WorldLimits, MappedPages, MemoryHypervisor};
use mixer::{Cost, Limits, Mixer};
use snd_hda_model::Model;
use sndif::Direction;
use sndif::response::Status;

use crate::support::{DRIVER, MS, ModelCard, ModelClock, OPEN_CONFIG, Ring, card, duplex};

const OUT: PortIndex = PortIndex(0);

type MixingCard = Mixer<ModelCard, MappedPages, Ring>;
type World = MemoryHypervisor<Pages>;

struct Scene {
    model: Model,
    back: BackEnd<'static, Pages>,
    card: MixingCard,
    devices: Vec<Device<BackEnd<'static, Pages>, MixingCard>>,
    fronts: Vec<StreamFront<FrontEnd<'static, Pages>>>,
}

impl Scene {
    /// Two guests with a stream each on the one output.
    fn new(mode: PortMode) -> Self {
        let model = duplex();
        let world: &'static World =
            Box::leak(Box::new(MemoryHypervisor::new(Pages(model.memory()), WorldLimits::for_streams(2))));
        let limits = Limits { streams: 8, converters: 8, cost: Cost(400_000_000), lateness: Nanos(MS) };
        let setups = [PortSetup { mode, ..PortSetup::default() }; 2];
        let rings = [(); 2].map(|()| Ring::new(&model));
        let card: MixingCard = Mixer::new(card(&model), rings, &setups, limits);
        let mut back = world.back_end(DRIVER);
        let ports = Card::<MappedPages>::ports(&card);
        let configs = [StreamConfig { port: OUT, abilities: ports[0] }];
        let (devices, fronts) = [3, 4]
            .map(|guest| {
                let mut device =
                    Device::new(DomainId(guest), Policy::default(), ports, &configs).expect("a device");
                let front =
                    StreamFront::connect(world.front_end(DomainId(guest), DRIVER, 0), Direction::Playback)
                        .expect("a front end");
                device.connect(&mut back, &[*front.nodes()], None, Nanos(0)).expect("a connection");
                (device, front)
            })
            .into_iter()
            .unzip();
        Self { model, back, card, devices, fronts }
    }

    fn now(&self) -> Nanos {
        Nanos(self.model.now_ns())
    }

    /// A turn of a guest's device. Returns the status of an answer, if there was one.
    fn turn(&mut self, guest: usize) -> Option<Status> {
        let clock = ModelClock(self.model.delay());
        self.model.refill_access_budget(100_000);
        let now = self.now();
        Card::<MappedPages>::poll(&mut self.card, now, true);
        self.devices[guest].poll(&mut self.back, &mut self.card, &clock);
        std::iter::from_fn(|| self.fronts[guest].poll()).find_map(|event| match event {
            FrontEvent::Answered { status, .. } => Some(status),
            _ => None,
        })
    }

    fn open(&mut self, guest: usize) -> Option<Status> {
        self.fronts[guest].open(&OPEN_CONFIG).expect("OPEN on its way");
        self.turn(guest)
    }

    fn start(&mut self, guest: usize) -> Option<Status> {
        self.fronts[guest].start().expect("START on its way");
        self.turn(guest)
    }
}

#[test]
fn on_a_direct_port_an_idle_stream_gives_way() {
    let mut scene = Scene::new(PortMode::Direct);
    assert_eq!(scene.open(0), Some(Status::OK));
    scene.model.advance_ns(IDLE_NS);
    assert_eq!(scene.open(1), None, "its answer waits for a turn");
    assert_eq!(scene.devices[1].take_awaited_port(), Some(OUT));
    assert_eq!(Card::<MappedPages>::port_state(&scene.card, OUT), Some(PortState::Direct));
    let now = scene.now();
    let Scene { devices, back, card, .. } = &mut scene;
    devices[0].give_way(back, card, OUT, DomainId(4), now);
    assert_eq!(scene.turn(1), Some(Status::OK));
    assert_eq!(scene.start(1), Some(Status::OK));
    assert_eq!(scene.start(0), Some(Status::EBUSY));
}

#[test]
fn on_a_port_that_may_be_shared_there_is_nothing_to_give_way_to() {
    for mode in [PortMode::Auto, PortMode::Shared] {
        let mut scene = Scene::new(mode);
        assert_eq!(scene.open(0), Some(Status::OK));
        scene.model.advance_ns(IDLE_NS);
        assert_eq!(scene.open(1), Some(Status::OK), "{mode:?}: at once");
        assert_eq!(scene.devices[1].take_awaited_port(), None);
        assert_eq!(scene.start(1), Some(Status::OK), "{mode:?}");
        assert_eq!(scene.start(0), Some(Status::OK), "{mode:?}: it never lost its port");
    }
}
