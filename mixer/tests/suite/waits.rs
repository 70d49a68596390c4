//! How long a request keeps everybody waiting, with healthy hardware and with each fault of the model's.
//!
//! A neighbour plays on the bus of another codec, and has announced enough frames. Times are the model's.

use audioback::card::{Card, CardError, PortIndex, PortMode, PortSetup, StreamParams, Trim};
use hyper::{MappedBuffer, Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer, MixerStream};
use snd_hda_model::{Bench, Codec, DmaAccess, Faults, LinkPositionFault, Profile};
use sndif::format::SampleFormat;

use crate::link::{Rig, hardware};
use crate::support::memory::Buffer;
use crate::support::rig::MILLISECOND;

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

/// Codec 0 has ports 0 and 2. The neighbour is on codec 1.
const OUT: PortIndex = PortIndex(0);
const NEIGHBOURS: PortIndex = PortIndex(1);
const IN: PortIndex = PortIndex(2);

/// The neighbour's stream descriptor, the first output. No fault of a descriptor is its.
const OTHERS: u32 = !(1 << 4);

/// What the mixing ahead covers, whatever the turns were like before.
const COVERED_NS: u64 = 40 * MILLISECOND;

const BUFFER_FRAMES: u32 = 16_384;

struct Scene {
    rig: Rig,
    neighbour: MixerStream,
    buffer: Buffer,
    written: u64,
    streams: Vec<MixerStream>,
    longest_turn_ns: u64,
}

impl Scene {
    fn new(mode: PortMode) -> Self {
        let model = Bench::new(Profile::hardware())
            .codec(0, Codec::laptop())
            .codec(1, Codec::any_format(2))
            .drift_ppm(137)
            .build();
        let (card, rings) = hardware(&model);
        let setups = [mode, PortMode::Shared, mode, PortMode::Shared]
            .map(|mode| PortSetup { mode, ..PortSetup::default() });
        // As little ahead as a bus is after turns that were on time.
        let limits =
            Limits { streams: 8, converters: 1, cost: Cost(400_000_000), lateness: Nanos(MILLISECOND) };
        let mut rig = Rig { mixer: Mixer::new(card, rings, &setups, limits), model };
        let (neighbour, buffer) = rig.open(NEIGHBOURS, &S32, BUFFER_FRAMES);
        let mut scene = Self { rig, neighbour, buffer, written: 0, streams: Vec::new(), longest_turn_ns: 0 };
        scene.rig.mixer.set_period(&mut scene.neighbour, 480);
        scene.refill();
        scene.rig.mixer.start(&mut scene.neighbour).expect("started");
        scene.pass(30 * MILLISECOND);
        scene
    }

    /// The neighbour's frames count from 1 on.
    fn refill(&mut self) {
        let at = self.rig.mixer.position(&mut self.neighbour).map_or(0, |position| position.bytes / 8);
        while self.written < at + u64::from(BUFFER_FRAMES) {
            let frame: Vec<u8> =
                [self.written as i32 + 1, 0].into_iter().flat_map(i32::to_le_bytes).collect();
            self.buffer.write((self.written * 8 % u64::from(BUFFER_FRAMES * 8)) as u32, &frame);
            self.written += 1;
        }
        self.rig.mixer.note_written(&mut self.neighbour, self.written * 8);
    }

    /// Lets time pass, with turns when they are due.
    fn pass(&mut self, span_ns: u64) {
        let end = self.now_ns() + span_ns;
        let mut refill_at = 0;
        while self.now_ns() < end {
            if self.now_ns() >= refill_at {
                self.refill();
                refill_at = self.now_ns() + 20 * MILLISECOND;
            }
            let turn_ns = self.timed(|scene| {
                scene.rig.mixer.poll(Nanos(scene.now_ns()), true);
            });
            self.longest_turn_ns = self.longest_turn_ns.max(turn_ns);
            let due = Card::<_>::next_due(&self.rig.mixer).map_or(end, |due| due.0.min(end));
            self.rig.model.advance_ns(due.saturating_sub(self.now_ns()).max(20_000));
        }
        self.rig.model.refill_access_budget(1_000_000);
    }

    /// The longest turn in a time.
    fn longest_turn(&mut self, span_ns: u64) -> u64 {
        self.longest_turn_ns = 0;
        self.pass(span_ns);
        self.longest_turn_ns
    }

    fn now_ns(&self) -> u64 {
        self.rig.model.now_ns()
    }

    fn timed(&mut self, act: impl FnOnce(&mut Self)) -> u64 {
        let before_ns = self.now_ns();
        act(self);
        self.now_ns() - before_ns
    }

    /// Opens a stream. It may be refused.
    fn open(&mut self, port: PortIndex) {
        let model = &self.rig.model;
        let buffer = Buffer::from_pages(4_096 * 8, || model.memory().allocate_page());
        for page in buffer.page_addresses() {
            model.memory().allow_dma(*page, DmaAccess::ReadWrite);
        }
        self.streams.extend(self.rig.mixer.open(port, &S32, buffer).ok());
    }

    /// Something that may fail on the stream that was opened last.
    fn ask<T, E>(&mut self, ask: impl FnOnce(&mut Rig, &mut MixerStream) -> Result<T, E>) {
        if let Some(mut stream) = self.streams.pop() {
            let _refused = ask(&mut self.rig, &mut stream).is_err();
            self.streams.push(stream);
        }
    }

    /// The administrator's gain of the stream that was opened last.
    fn trim(&mut self, trim: Trim) {
        self.ask(|rig, stream| {
            rig.mixer.set_trim(stream, trim);
            Ok::<_, CardError>(())
        });
    }

    /// Lets time pass until the next turn is due, when the least is mixed ahead.
    fn before_a_turn(&mut self) {
        let due = Card::<_>::next_due(&self.rig.mixer).map_or(0, |due| due.0);
        self.rig.model.advance_ns(due.saturating_sub(self.now_ns()));
    }

    fn start(&mut self) {
        self.ask(|rig, stream| rig.mixer.start(stream));
    }

    fn close(&mut self) {
        if let Some(stream) = self.streams.pop() {
            self.streams.extend(self.rig.mixer.close(stream).err().map(|still| still.0));
        }
    }

    /// Frames that the neighbour has lost since its start.
    fn lost_frames(&self) -> u64 {
        let played = self.rig.model.played(1, 2);
        let heard = (0..played.len()).map(|index| played.frame(index)[0]).skip_while(|word| *word == 0);
        heard.zip(1..).filter(|(word, expected)| word != expected).count() as u64
    }
}

/// A request: how the scene comes to it, and how long everybody waits for it.
struct Request {
    name: &'static str,
    mode: PortMode,
    /// All streams break anyway.
    ends_all: bool,
    prepare: fn(&mut Scene),
    wait_ns: fn(&mut Scene) -> u64,
}

fn opened(scene: &mut Scene) {
    scene.open(OUT);
    scene.pass(MILLISECOND);
}

fn running(scene: &mut Scene) {
    opened(scene);
    scene.start();
    scene.pass(30 * MILLISECOND);
}

fn paused(scene: &mut Scene) {
    running(scene);
    scene.ask(|rig, stream| rig.mixer.pause(stream));
    scene.pass(20 * MILLISECOND);
}

const MUTED: Trim = Trim { mdb: 0, is_muted: true };

const DIRECT: PortMode = PortMode::Auto;
const VOICE: PortMode = PortMode::Shared;

const REQUESTS: &[Request] = &[
    Request {
        name: "OPEN, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: |_| {},
        wait_ns: |scene| scene.timed(|scene| scene.open(OUT)),
    },
    Request {
        name: "START, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: opened,
        wait_ns: |scene| scene.timed(Scene::start),
    },
    Request {
        name: "PAUSE, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.pause(stream))),
    },
    Request {
        name: "RESUME, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: paused,
        wait_ns: |scene| scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.resume(stream))),
    },
    Request {
        name: "STOP, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.stop(stream))),
    },
    Request {
        name: "CLOSE, direct, that plays",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(Scene::close),
    },
    Request {
        name: "volume of a channel, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| {
            scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.set_volume(stream, 0, -10_000)))
        },
    },
    Request {
        name: "mute of a channel, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.set_mute(stream, 0, true))),
    },
    Request {
        name: "dom0's volume, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(|scene| scene.trim(Trim { mdb: -10_000, is_muted: false })),
    },
    Request {
        name: "dom0's mute, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(|scene| scene.trim(MUTED)),
    },
    Request {
        name: "START, direct, after a mute by dom0 that was not answered",
        mode: DIRECT,
        ends_all: false,
        prepare: |scene| {
            opened(scene);
            scene.rig.model.edit_faults(|faults| faults.silent_codecs = 1);
            scene.trim(MUTED);
            scene.rig.model.edit_faults(|faults| *faults = Faults::default());
            // The codec is left alone for a while.
            scene.pass(200 * MILLISECOND);
        },
        wait_ns: |scene| scene.timed(Scene::start),
    },
    Request {
        name: "linked START, playback and capture, direct",
        mode: DIRECT,
        ends_all: false,
        prepare: |scene| {
            scene.open(OUT);
            scene.open(IN);
            scene.pass(MILLISECOND);
        },
        wait_ns: |scene| {
            scene.timed(|scene| {
                let mut streams: Vec<&mut MixerStream> = scene.streams.iter_mut().collect();
                let _refused = scene.rig.mixer.start_together(&mut streams).is_err();
            })
        },
    },
    Request {
        name: "OPEN that opens a bus",
        mode: VOICE,
        ends_all: false,
        prepare: |_| {},
        wait_ns: |scene| scene.timed(|scene| scene.open(OUT)),
    },
    Request {
        name: "START that starts a bus",
        mode: VOICE,
        ends_all: false,
        prepare: opened,
        wait_ns: |scene| scene.timed(Scene::start),
    },
    Request {
        name: "any other request of a voice",
        mode: VOICE,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| {
            let waits = [
                scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.set_volume(stream, 0, -10_000))),
                scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.set_mute(stream, 0, true))),
                scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.pause(stream))),
                scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.resume(stream))),
                scene.timed(|scene| scene.ask(|rig, stream| rig.mixer.stop(stream))),
                scene.timed(Scene::start),
                scene.timed(|scene| scene.open(OUT)),
                scene.timed(Scene::close),
                scene.timed(Scene::close),
            ];
            waits.into_iter().max().unwrap_or(0)
        },
    },
    Request {
        name: "turn that ends a bus a second after its last voice, and those that try again",
        mode: VOICE,
        ends_all: false,
        prepare: |scene| {
            running(scene);
            scene.close();
            scene.pass(900 * MILLISECOND);
        },
        wait_ns: |scene| scene.longest_turn(400 * MILLISECOND),
    },
    Request {
        name: "OPEN, direct, that ends such a bus",
        mode: DIRECT,
        ends_all: false,
        prepare: |scene| {
            running(scene);
            scene.open(OUT);
            scene.pass(80 * MILLISECOND);
            scene.close();
            scene.close();
        },
        wait_ns: |scene| scene.timed(|scene| scene.open(OUT)),
    },
    Request {
        name: "START of a voice that becomes direct",
        mode: DIRECT,
        ends_all: false,
        prepare: |scene| {
            running(scene);
            scene.open(OUT);
            scene.pass(80 * MILLISECOND);
            scene.close();
            scene.ask(|rig, stream| rig.mixer.stop(stream));
        },
        wait_ns: |scene| scene.timed(Scene::start),
    },
    Request {
        name: "OPEN that begins a hand-over",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(|scene| scene.open(OUT)),
    },
    Request {
        name: "turn of a hand-over: the verb, and the direct stream's end",
        mode: DIRECT,
        ends_all: false,
        prepare: |scene| {
            running(scene);
            scene.open(OUT);
        },
        wait_ns: |scene| scene.longest_turn(150 * MILLISECOND),
    },
    Request {
        name: "OPEN that moves a paused stream to a bus",
        mode: DIRECT,
        ends_all: false,
        prepare: paused,
        wait_ns: |scene| scene.timed(|scene| scene.open(OUT)),
    },
    Request {
        name: "restore after a loss of power",
        mode: DIRECT,
        ends_all: true,
        prepare: running,
        wait_ns: |scene| {
            scene.timed(|scene| {
                let _failed = scene.rig.mixer.restore().is_err();
            })
        },
    },
];

/// A fault, whether it is one codec's, and whether the neighbour's own stream needs what is broken.
struct Fault {
    name: &'static str,
    is_codecs: bool,
    is_neighbours: bool,
    set: fn(&mut Faults),
}

const fn fault(name: &'static str, set: fn(&mut Faults)) -> Fault {
    Fault { name, is_codecs: false, is_neighbours: false, set }
}

const fn fault_of_codec(name: &'static str, set: fn(&mut Faults)) -> Fault {
    Fault { name, is_codecs: true, is_neighbours: false, set }
}

const fn fault_of_all(name: &'static str, set: fn(&mut Faults)) -> Fault {
    Fault { name, is_codecs: false, is_neighbours: true, set }
}

const NO_FAULT: Fault = fault("none", |_| {});

const FAULTS: [Fault; 24] = [
    fault_of_codec("silent codec", |faults| faults.silent_codecs = 1),
    fault_of_codec("answers 1 ms late", |faults| faults.answer_late_frames = 48),
    fault_of_codec("answers 20 ms late", |faults| faults.answer_late_frames = 960),
    fault_of_codec("a response lost", |faults| faults.rirb_overrun_once = true),
    fault("CORB dead", |faults| faults.corb_dead = true),
    fault("RIRB dead", |faults| faults.rirb_dead = true),
    fault("RUN stuck", |faults| faults.stuck_run = OTHERS),
    fault("RUN 15 ms late", |faults| faults.run_clear_delay_link_frames = 720),
    fault("SRST never 1", |faults| faults.stream_reset_never_entered = OTHERS),
    fault("SRST never 0", |faults| faults.stream_reset_never_left = OTHERS),
    fault("FIFO never ready", |faults| faults.fifo_never_ready = OTHERS),
    fault("CRST never 0", |faults| faults.reset_never_entered = true),
    fault("CRST never 1", |faults| faults.reset_never_left = true),
    fault("CORBRP's reset reads 0", |faults| faults.corb_pointer_reset_reads_zero = true),
    fault("position buffer dead", |faults| faults.position_buffer_dead = true),
    fault("position buffer ahead", |faults| faults.position_buffer_ahead_bytes = 64),
    fault_of_all("LPIB 0", |faults| faults.link_position = LinkPositionFault::Zero),
    fault_of_all("LPIB garbage", |faults| faults.link_position = LinkPositionFault::Garbage { seed: 1 }),
    fault_of_all("LPIB frozen", |faults| faults.link_position = LinkPositionFault::Frozen),
    fault_of_all("LPIB torn", |faults| faults.link_position = LinkPositionFault::Torn),
    fault_of_all("LPIB in steps", |faults| {
        faults.link_position = LinkPositionFault::Coarse { link_frames: 480 };
    }),
    fault_of_all("WALCLK stopped", |faults| faults.wall_clock_stopped = true),
    fault_of_all("off the bus", |faults| faults.off_the_bus = true),
    fault_of_all("cut off", |faults| (faults.off_the_bus, faults.cut_off) = (true, true)),
];

/// The longest wait with healthy hardware, and with any fault of one codec.
const HEALTHY_NS: u64 = 2 * MILLISECOND;
const FAULT_OF_CODEC_NS: u64 = 5 * MILLISECOND;

/// The wait for a request, and the frames that the neighbour has lost by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    ns: u64,
    lost_frames: u64,
}

fn measure(request: &Request, fault: &Fault) -> Wait {
    let mut scene = Scene::new(request.mode);
    (request.prepare)(&mut scene);
    scene.refill();
    assert_eq!(scene.lost_frames(), 0, "{}", request.name);
    scene.before_a_turn();
    scene.rig.model.edit_faults(fault.set);
    scene.rig.model.refill_access_budget(1_000_000);
    let ns = (request.wait_ns)(&mut scene);
    // Later waits are other requests'.
    scene.rig.model.edit_faults(|faults| *faults = Faults::default());
    let mut wait = Wait { ns, lost_frames: 0 };
    if !fault.is_neighbours && !request.ends_all {
        scene.pass(60 * MILLISECOND);
        wait.lost_frames = scene.lost_frames();
        let position = scene.rig.mixer.position(&mut scene.neighbour).expect("a position");
        let of = format!("{}, {}: {wait:?}, {position:?}", request.name, fault.name);
        assert_eq!(position.fifo_errors > 0, wait.lost_frames > 0, "{of}");
        assert!(wait.lost_frames == 0 || ns > COVERED_NS, "{of}");
        // Nothing is lost but in the part of the wait that isn't covered.
        assert!(wait.lost_frames * 1_000 / 48 <= (ns / 1_000).saturating_sub(38_000), "{of}");
    }
    // What becomes of rules on broken hardware isn't the matter here.
    drop(scene.rig.model.take_violations());
    wait
}

/// Milliseconds with one digit, rounded up.
fn milliseconds(us: u64) -> String {
    format!("{}.{}", us.div_ceil(100) / 10, us.div_ceil(100) % 10)
}

fn cell(wait: Wait) -> String {
    let wait_ms = milliseconds(wait.ns / 1_000);
    match wait.lost_frames {
        0 => wait_ms,
        lost => format!("{wait_ms} (**{}**)", milliseconds(lost * 1_000 / 48)),
    }
}

/// The rows of the table: each request with healthy hardware, and with the faults that make it longer by a millisecond.
fn table() -> String {
    let mut table = String::from("| request or turn | healthy, ms | with a fault, ms |\n|---|---|---|\n");
    for request in REQUESTS {
        let healthy = measure(request, &NO_FAULT);
        assert!(request.ends_all || healthy.ns <= HEALTHY_NS, "{}: {healthy:?}", request.name);
        let mut longer: Vec<(String, Vec<&str>)> = Vec::new();
        for fault in &FAULTS {
            let wait = measure(request, fault);
            let is_bounded = fault.is_codecs && !request.ends_all;
            assert!(
                !is_bounded || wait.ns <= FAULT_OF_CODEC_NS,
                "{}, {}: {wait:?}",
                request.name,
                fault.name
            );
            if wait.ns < healthy.ns + MILLISECOND {
                assert_eq!(wait.lost_frames, 0);
                continue;
            }
            let cell = cell(wait);
            match longer.iter_mut().find(|(other, _)| *other == cell) {
                Some((_, names)) => names.push(fault.name),
                None => longer.push((cell, vec![fault.name])),
            }
        }
        let longer: Vec<String> =
            longer.iter().map(|(cell, names)| format!("{}: {cell}", names.join(", "))).collect();
        table += &format!("| {} | {} | {} |\n", request.name, cell(healthy), longer.join("; "));
    }
    table
}

#[test]
fn the_page_has_the_longest_waits_and_a_covered_wait_costs_no_neighbour_a_frame() {
    let table = table();
    println!("{table}");
    let page = include_str!("../../../docs/mixing.md");
    assert!(page.contains(&table), "docs/mixing.md is stale. Its table of waits is now:\n{table}");
}
