//! The requests whose waits are measured.

use audioback::card::{Card, PortMode, PortSetup, Trim};
use snd_hda_model::Faults;

use super::scene::{IN, MONITOR, OUT, Scene};
use crate::support::rig::MILLISECOND;

/// A request: how the scene comes to it, and how long everybody waits for it.
pub(super) struct Request {
    pub(super) name: &'static str,
    pub(super) mode: PortMode,
    /// All streams break anyway.
    pub(super) ends_all: bool,
    pub(super) prepare: fn(&mut Scene),
    pub(super) wait_ns: fn(&mut Scene) -> u64,
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

fn running_at<const RATE_HZ: u32>(scene: &mut Scene) {
    scene.open_at(OUT, RATE_HZ);
    scene.pass(MILLISECOND);
    scene.start();
    scene.pass(30 * MILLISECOND);
}

/// An OPEN at the time at which the back end does it.
fn open_when_due(scene: &mut Scene) -> u64 {
    scene.rig.pass_until_due(OUT);
    scene.timed(|scene| scene.open(OUT))
}

fn paused(scene: &mut Scene) {
    running(scene);
    scene.ask(|rig, stream| rig.mixer.pause(stream));
    scene.pass(20 * MILLISECOND);
}

const MUTED: Trim = Trim { mdb: 0, is_muted: true };

const DIRECT: PortMode = PortMode::Auto;
const VOICE: PortMode = PortMode::Shared;

pub(super) const REQUESTS: &[Request] = &[
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
        wait_ns: |scene| scene.timed(Scene::start_all),
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
        name: "the same at 44.1 kHz",
        mode: DIRECT,
        ends_all: false,
        prepare: running_at::<44_100>,
        wait_ns: open_when_due,
    },
    Request {
        name: "OPEN that hands a recording over",
        mode: DIRECT,
        ends_all: false,
        prepare: |scene| {
            scene.open(IN);
            scene.pass(MILLISECOND);
            scene.start();
            scene.pass(30 * MILLISECOND);
        },
        wait_ns: |scene| scene.timed(|scene| scene.open(IN)),
    },
    Request {
        name: "OPEN of a monitor that begins a hand-over",
        mode: DIRECT,
        ends_all: false,
        prepare: running,
        wait_ns: |scene| scene.timed(|scene| scene.open(MONITOR)),
    },
    Request {
        name: "linked START of two voices",
        mode: VOICE,
        ends_all: false,
        prepare: |scene| {
            scene.open(OUT);
            scene.open(OUT);
            scene.pass(MILLISECOND);
        },
        wait_ns: |scene| scene.timed(Scene::start_all),
    },
    Request {
        name: "dom0's volumes of two ports, both direct",
        mode: DIRECT,
        ends_all: false,
        prepare: |scene| {
            running(scene);
            scene.open(IN);
            scene.pass(MILLISECOND);
            scene.start();
            scene.pass(30 * MILLISECOND);
        },
        wait_ns: |scene| {
            scene.timed(|scene| {
                let trim = Trim { mdb: -10_000, is_muted: false };
                let own = PortSetup { mode: DIRECT, trim, ..PortSetup::default() };
                let others = PortSetup { mode: VOICE, ..PortSetup::default() };
                let mut settings = scene.rig.mixer.card().settings();
                for (port, setup) in settings.ports.iter_mut().zip([own, others, own, others]) {
                    *port = setup;
                }
                scene.rig.mixer.configure(&settings);
            })
        },
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
