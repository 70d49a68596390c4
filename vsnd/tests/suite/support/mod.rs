//! A driver domain with everything around it, in one thread and in a time of its own.

pub mod logs;

use std::collections::BTreeMap;

use audiofront::{EventPort, GrantAccess, GrantedPage, StreamConfig, StreamFront, Transport};
use hda_card::HdaCard;
use hyper::{Clock, DomainId, Hypervisor, Nanos};
use hypervisor_model::guest::{Done, GuestStream, Observer, Order, StreamError, Task};
use hypervisor_model::{BackEnd, FrontEnd, Limits, Loopback};
use snd_hda::Controller;
use snd_hda_model::codec::Widget;
use snd_hda_model::{Bench, Codec, Model, ModelDelay, ModelRegion, ModelRegisters, ModelTime, Profile};
use sndif::Direction;
use sndif::format::SampleFormat;
use vsnd::{Due, Vsnd};
use xen_guest::xenstore::Store;
use xen_sys::xs_wire::StoreRing;
use xenstored_model::Stored;

use hypervisor_model::hda_pages::Pages;

pub const DRIVER: DomainId = DomainId(5);
pub const MS: u64 = 1_000_000;

pub type World = Loopback<Pages>;

/// The model's time.
pub struct ModelClock(ModelTime);

impl Clock for ModelClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.now_ns())
    }
}

pub type Card = HdaCard<ModelRegisters, ModelDelay, ModelRegion, ModelClock>;
pub type Front = StreamFront<FrontEnd<'static, Pages>>;
pub type TestVsnd = Vsnd<'static, BackEnd<'static, Pages>, Card>;

/// A stream of a guest's card: its place in the directory, its type and its `unique-id`.
pub type StreamAt = (u16, u16, Direction, &'static str);

/// One PCM device with a playback and a capture stream.
pub const DUPLEX: [StreamAt; 2] = [(0, 0, Direction::Playback, "pcm0"), (0, 1, Direction::Capture, "pcm1")];

/// What a front end made by hand has published for its one stream: the ring's page and port first, then the events'.
pub struct ByHand {
    pub guest: FrontEnd<'static, Pages>,
    pub pages: [GrantedPage<<FrontEnd<'static, Pages> as Transport>::Page>; 2],
    pub ports: [EventPort; 2],
}

/// An application at work in a guest.
pub struct Player {
    stream: Option<GuestStream<FrontEnd<'static, Pages>>>,
    pub error: Option<StreamError>,
    pub heard: Heard,
}

/// What an application came to know.
#[derive(Default)]
pub struct Heard {
    pub recorded: Vec<u8>,
    pub done: Option<Done>,
    pub frames: u64,
}

impl Observer for Heard {
    fn started(&mut self, _: usize, _: Nanos) {}

    fn position(&mut self, _: usize, _: Nanos, frames: u64, _: u64) {
        assert!(frames >= self.frames, "a position that goes back: {} to {frames}", self.frames);
        self.frames = frames;
    }

    fn recorded(&mut self, _: usize, octets: &[u8]) {
        self.recorded.extend(octets);
    }

    fn done(&mut self, _: usize, done: Done) {
        self.done = Some(done);
    }
}

impl Player {
    pub fn is_over(&self) -> bool {
        self.error.is_some() || self.stream.as_ref().is_none_or(GuestStream::is_done)
    }
}

pub struct Rig {
    pub model: Model,
    pub world: &'static World,
    pub stored: Stored<'static>,
    pub vsnd: TestVsnd,
    pub players: BTreeMap<u32, Player>,
    next_player: u32,
    pub due: Due,
    /// Calls of `poll`.
    pub polls: u64,
    /// xenstored takes its time: it runs when this test says so.
    pub stored_is_held: bool,
    is_started: bool,
}

pub fn duplex() -> Model {
    codecs(1)
}

/// The same, with no memory of what it has played.
pub fn duplex_unrecorded() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).without_recording().build()
}

/// So many codecs, each with one output and one input.
pub fn codecs(count: usize) -> Model {
    let bench = Bench::new(Profile::hardware());
    (0..count).fold(bench, |bench, codec| bench.codec(codec, Codec::duplex())).build()
}

/// The same codec with jacks that tell of plugs, and nothing plugged: Rear Line Out is pin 3, Line In pin 5.
pub fn talkative_jacks() -> Model {
    let codec = Codec::builder(0x1234_0006)
        .widget(2, Widget::dac())
        .widget(3, Widget::line_out(&[2]).unsolicited())
        .widget(4, Widget::adc(5))
        .widget(5, Widget::line_in().unsolicited())
        .build();
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    for jack in [3, 5] {
        model.plug(0, jack, false);
    }
    model
}

pub fn card(model: &Model) -> Card {
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    HdaCard::new(controller.expect("a controller"), ModelClock(model.time()))
}

impl Rig {
    /// A driver domain with one codec, that dom0 allows to write its state.
    pub fn new() -> Self {
        Self::with(duplex())
    }

    pub fn with(model: Model) -> Self {
        let mut rig = Self::unstarted(model);
        rig.start();
        rig
    }

    /// A driver domain that has this to say of itself.
    pub fn with_facts(model: Model, facts: &[(&str, &str)]) -> Self {
        let mut rig = Self::made(model, facts);
        rig.start();
        rig
    }

    /// A driver domain that is still booting: it hasn't looked at anything yet.
    pub fn unstarted(model: Model) -> Self {
        Self::made(model, &[("version", "1.2.3"), ("codec/0", "a duplex codec")])
    }

    fn made(model: Model, facts: &[(&str, &str)]) -> Self {
        logs::collect();
        logs::take_warnings();
        let world: &'static World =
            Box::leak(Box::new(Loopback::new(Pages(model.memory()), Limits::for_streams(80))));
        let page: &'static StoreRing = Box::leak(Box::default());
        let mut stored = Stored::new(page);
        stored.home = format!("/local/domain/{}", DRIVER.0);
        // As xl leaves it: the guests' home directories can't be read.
        stored.hidden = (1..100)
            .filter(|guest| *guest != DRIVER.0)
            .map(|guest| format!("/local/domain/{guest}"))
            .collect();
        stored.may_write =
            Some(vec!["snddom/state".into(), "control/shutdown".into(), "backend/vsnd".into()]);
        let vsnd = Vsnd::new(Store::attach(page), DRIVER, world.back_end(DRIVER), card(&model), facts);
        let due = Due { next: None, notify_store: false, store_may_wait: false };
        Self {
            model,
            world,
            stored,
            vsnd,
            players: BTreeMap::new(),
            next_player: 0,
            due,
            polls: 0,
            stored_is_held: false,
            is_started: false,
        }
    }

    pub fn start(&mut self) {
        self.is_started = true;
        self.settle();
    }

    pub fn now(&self) -> Nanos {
        Nanos(self.model.now_ns())
    }

    /// One call, as the image's loop makes it.
    pub fn poll(&mut self) {
        self.due = self.vsnd.poll(&ModelClock(self.model.time()));
        self.polls += 1;
        self.poll_players();
        if self.due.notify_store && !self.stored_is_held {
            self.stored.run();
        }
        self.model.refill_access_budget(100_000);
    }

    /// Something is plugged into a jack, or pulled out: the controller's interrupt comes, and the image's loop does as it should.
    pub fn plug(&mut self, pin: u8, is_plugged: bool) {
        self.model.plug(0, pin, is_plugged);
        // A response takes two link frames.
        self.model.advance_ns(MS);
        let now = self.now();
        let polled = audioback::card::Card::<<BackEnd<'static, Pages> as Hypervisor>::Buffer>::poll(
            self.vsnd.card_mut(),
            now,
            true,
        );
        assert!(polled.plugs_changed, "nothing has changed");
        self.vsnd.jacks_changed();
        self.settle();
    }

    /// The applications take a look.
    pub fn poll_players(&mut self) {
        let now = self.now();
        for player in self.players.values_mut() {
            if let Some(stream) = player.stream.as_mut().filter(|_| player.error.is_none()) {
                player.error = stream.poll(now, &mut player.heard).err();
            }
        }
    }

    /// Polls until nobody has anything to do at this time. Time goes on a little: the driver's waits take some.
    pub fn settle(&mut self) {
        if !self.is_started {
            return;
        }
        for _ in 0..20_000 {
            self.poll();
            let pending = std::iter::from_fn(|| self.world.take_pending(DRIVER)).count();
            for guest in 1..100 {
                if guest != DRIVER.0 {
                    while self.world.take_pending(DomainId(guest)).is_some() {}
                }
            }
            let has_more = self.due.next.is_some_and(|next| next <= self.now());
            let waits = !self.stored_is_held && (self.due.notify_store || self.stored.has_sent());
            if pending == 0 && !has_more && !waits {
                return;
            }
        }
        panic!("it never settles: {:?} at {:?}", self.due, self.now());
    }

    /// Lets time pass, sleeping as the image does: until the deadline that was asked for.
    pub fn advance(&mut self, ns: u64) {
        self.is_started = true;
        let end = self.now().0 + ns;
        if !self.stored_is_held {
            self.stored.run();
        }
        self.settle();
        while self.now().0 < end {
            let next = self.due.next.map_or(end, |next| next.0.min(end));
            self.model.advance_ns(next.saturating_sub(self.now().0).max(1));
            self.settle();
        }
    }

    /// Lets time pass in which xenstored does nothing.
    pub fn advance_held(&mut self, ns: u64) {
        assert!(self.stored_is_held);
        self.advance(ns);
    }

    /// Lets time pass until something is so, at most for five seconds.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.until_within(what, 5_000, is_so);
    }

    /// Lets time pass until something is so, at most for so many milliseconds.
    pub fn until_within(&mut self, what: &str, ms: u64, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..ms {
            if is_so(self) {
                return;
            }
            self.advance(MS);
        }
        panic!("{what}: not within {ms} ms; the log: {:?}", logs::take_warnings());
    }

    /// xenstored has changed under this domain's eyes: its event is there.
    pub fn wake(&mut self) {
        self.stored.run();
        self.settle();
    }

    /// A front end by hand, for what no real one would do: publishes the stream 0-0 of a guest's card and is Initialised.
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

    /// What `xl` writes for a guest's card with these streams.
    pub fn attach(&mut self, guest: u16, device: u16, streams: &[StreamAt]) {
        self.attach_nodes(guest, device, streams);
        self.wake();
    }

    /// The same, with nobody looking yet.
    pub fn attach_nodes(&mut self, guest: u16, device: u16, streams: &[StreamAt]) {
        let front = front_path(guest, device);
        let stored = &mut self.stored;
        stored.set(&format!("{front}/state"), "1");
        stored.set(&format!("{front}/backend-id"), &DRIVER.0.to_string());
        stored.set(&format!("{front}/short-name"), "VCard");
        stored.set(&format!("{front}/sample-rates"), "44100,48000");
        stored.set(&format!("{front}/sample-formats"), "s16_le");
        stored.set(&format!("{front}/buffer-size"), "65536");
        for (pcm, stream, kind, unique_id) in streams {
            stored.set(&format!("{front}/{pcm}/name"), "dev1");
            stored.set(&format!("{front}/{pcm}/{stream}/unique-id"), unique_id);
            stored.set(&format!("{front}/{pcm}/{stream}/type"), kind.node());
        }
        self.attach_back_nodes(guest, device);
    }

    /// What `xl` writes in the driver domain's directory.
    pub fn attach_back(&mut self, guest: u16, device: u16) {
        self.attach_back_nodes(guest, device);
        self.wake();
    }

    fn attach_back_nodes(&mut self, guest: u16, device: u16) {
        let back = back_path(guest, device);
        let stored = &mut self.stored;
        stored.set(&format!("{back}/frontend"), &front_path(guest, device));
        stored.set(&format!("{back}/frontend-id"), &guest.to_string());
        stored.set(&format!("{back}/online"), "1");
        stored.set(&format!("{back}/state"), "1");
    }

    /// What `xl` writes when a device is to go.
    pub fn detach(&mut self, guest: u16, device: u16) {
        self.detach_nodes(guest, device);
        self.wake();
    }

    /// The same, with nobody looking yet.
    pub fn detach_nodes(&mut self, guest: u16, device: u16) {
        let back = back_path(guest, device);
        self.stored.set(&format!("{back}/online"), "0");
        self.stored.set(&format!("{back}/state"), "5");
    }

    /// The guest's driver: makes rings and publishes them.
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

    /// Until the device's directory is gone.
    pub fn until_removed(&mut self, guest: u16) {
        self.until("the directory's removal", |rig| !rig.stored.exists(&back_path(guest, 0)));
    }

    /// The guest and all that it has in xenstore are gone, as after `xl destroy`; the toolstack cleans up.
    pub fn destroy(&mut self, guest: u16) {
        self.stored.remove(&format!("/local/domain/{guest}"));
        self.detach(guest, 0);
    }

    /// Whether a stream of the controller runs.
    pub fn is_running(&self) -> bool {
        (0..8).any(|stream| self.model.dma_running(stream))
    }

    pub fn back_state(&self, guest: u16, device: u16) -> Option<&str> {
        self.stored.value(&format!("{}/state", back_path(guest, device)))
    }

    /// An application plays 16-bit stereo at 48 kHz.
    pub fn play(&mut self, front: Front, octets: &[u8]) -> u32 {
        self.begin(front, Task::Play(Box::leak(octets.to_vec().into_boxed_slice())))
    }

    /// An application records 16-bit stereo at 48 kHz.
    pub fn record(&mut self, front: Front, frames: u64) -> u32 {
        self.begin(front, Task::Record(frames))
    }

    fn begin(&mut self, front: Front, task: Task) -> u32 {
        let config = StreamConfig {
            rate_hz: 48_000,
            format: SampleFormat::S16Le,
            channels: 2,
            buffer_bytes: 65_536,
            period_bytes: 1_920,
        };
        let stream = GuestStream::new(0, front, Order { config, task }).expect("a query on its way");
        let player = Player { stream: Some(stream), error: None, heard: Heard::default() };
        self.next_player += 1;
        self.players.insert(self.next_player, player);
        self.settle();
        self.next_player
    }

    pub fn player(&self, player: u32) -> &Player {
        &self.players[&player]
    }

    /// The application is killed, or has come to its end. Its front end is left.
    pub fn end_player(&mut self, player: u32) -> (Front, Player) {
        let mut player = self.players.remove(&player).expect("a player");
        let stream = player.stream.take().expect("a stream");
        (stream.into_front(), player)
    }

    /// Plays to the end.
    pub fn play_to_the_end(&mut self, front: Front, octets: &[u8]) -> Front {
        let player = self.play(front, octets);
        self.until("the end of a recording", |rig| rig.player(player).is_over());
        let (front, player) = self.end_player(player);
        assert_eq!(player.error, None);
        let frames = octets.len() as u64 / 4;
        assert_eq!(player.heard.done, Some(Done { frames, xrun_frames: 0 }));
        front
    }

    /// Nothing is mapped, nothing was touched that must not be, and the hardware has nothing to complain of.
    pub fn assert_nothing_is_left(&self) {
        assert_eq!(self.world.mapped_pages(), 0, "mapped pages");
        self.assert_rules_were_kept();
    }

    pub fn assert_rules_were_kept(&self) {
        assert_eq!(self.world.violations().as_slice(), []);
        assert_eq!(self.stored.open_transactions(), 0, "open transactions");
        self.model.assert_clean();
    }
}

pub fn front_path(guest: u16, device: u16) -> String {
    format!("/local/domain/{guest}/device/vsnd/{device}")
}

pub fn back_path(guest: u16, device: u16) -> String {
    format!("backend/vsnd/{guest}/{device}")
}

/// Octets in which every sample differs from its neighbours and none is 0.
pub fn noise(frames: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let octet = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8 | 1
    };
    std::iter::repeat_with(octet).take(frames * 4).collect()
}

/// What a codec has played since the model was made must hold these frames, from frame `from` on; returns where they end.
pub fn assert_heard(model: &Model, codec: usize, from: usize, octets: &[u8]) -> usize {
    let heard = model.played(codec, 2);
    let heard = heard.samples();
    let sent: Vec<i32> = octets.chunks(2).map(|s| i16::from_le_bytes([s[0], s[1]]).into()).collect();
    let first = sent[0];
    let at = heard.iter().skip(from * 2).position(|sample| *sample == first).expect("the first sample");
    let at = from * 2 + at;
    assert!(heard.len() >= at + sent.len(), "{} of {} samples", heard.len() - at, sent.len());
    let differs = heard[at..].iter().zip(&sent).position(|(heard, sent)| heard != sent);
    assert_eq!(differs, None, "codec {codec}: the first sample that differs");
    (at + sent.len()) / 2
}
