//! Draws scenarios. Each leaves some kinds of acts out, so that the others are seen without them.

use snd_hda_model::LinkPositionFault;

use crate::act::{Act, Asked, Blow, Fault, StoreFault};
use crate::good::SPECS;
use crate::random::Random;

/// A stop may take nearly so many link frames, just below the 2 ms that the driver waits. A stream that takes longer is lost in a
/// hand-over: that is a fault of its own descriptor.
const LATE_STOP_FRAMES: u64 = 92;

/// Hostile guests.
pub const HOSTILE: u8 = 2;

/// Layouts of a hostile guest's card: see `hostile.rs`.
pub const LAYOUTS: u8 = 6;

/// The kinds of acts in a scenario.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds {
    hostile: bool,
    hostile_nodes: bool,
    hostile_pages: bool,
    hostile_floods: bool,
    rights: bool,
    settings: bool,
    plugs: bool,
    stream_faults: bool,
    position_faults: bool,
    controller_faults: bool,
    codec_faults: bool,
    power: bool,
    store_late: bool,
    store_wrong: bool,
    good_restless: bool,
}

impl Kinds {
    fn draw(random: &mut Random) -> Self {
        let mut often = |of_ten: u64| random.below(10) < of_ten;
        Self {
            hostile: often(8),
            hostile_nodes: often(5),
            hostile_pages: often(5),
            hostile_floods: often(4),
            rights: often(4),
            settings: often(4),
            plugs: often(4),
            stream_faults: often(3),
            position_faults: often(3),
            controller_faults: often(2),
            codec_faults: often(4),
            power: often(1),
            store_late: often(3),
            store_wrong: often(2),
            good_restless: often(7),
        }
    }
}

const NODES: [&str; 19] = [
    "state",
    "state",
    "state",
    "sample-rates",
    "sample-formats",
    "buffer-size",
    "channels-min",
    "channels-max",
    "0/0/type",
    "0/0/unique-id",
    "0/0/ring-ref",
    "0/0/event-channel",
    "0/0/evt-ring-ref",
    "0/0/evt-event-channel",
    "0/1/ring-ref",
    "control-page-ref",
    "0/1/type",
    "0/1/unique-id",
    "1/15/x",
];

const VALUES: [&str; 26] = [
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "0",
    "p",
    "c",
    "48000",
    "s16_le",
    "65536",
    "output-0",
    "output-1",
    "input-2",
    "4294967295",
    "-1",
    "",
    "0x10",
    "48000,44100",
    "s16_le,s32_le",
    "monitor-0",
    "13",
];

const RIGHTS: [&str; 3] = ["may-play", "may-record", "may-hear"];

const RIGHT_VALUES: [Option<&str>; 9] = [
    None,
    Some("0"),
    Some("1"),
    Some("output-0"),
    Some("output-0,output-1"),
    Some("input-0"),
    Some("monitor-2"),
    Some("nonsense"),
    Some(""),
];

/// Settings of the whole card, and their values.
const SETTINGS: [(&str, &[&str]); 3] = [
    ("jacks", &["move", "both", "stay", "x"]),
    ("position-source", &["auto", "link", "memory", "x"]),
    ("report", &["1", "2", "x"]),
];

/// Ports that hostile guests alone use, and that all use.
const PORTS: [&str; 7] = ["output-0", "output-1", "output-2", "output-3", "input-0", "input-2", "input-3"];

/// Jacks of the laptop's codec.
const JACKS: [u8; 2] = [0x15, 0x18];

fn fault(random: &mut Random, kinds: &Kinds) -> Option<Fault> {
    let stream = random.below(9) as u8;
    let mut faults = Vec::new();
    if kinds.stream_faults {
        faults.extend([
            Fault::LateStop(random.below(LATE_STOP_FRAMES) as u8),
            Fault::CorbPointerResetReadsZero,
            Fault::StuckRun(stream),
            Fault::StreamResetNeverEntered(stream),
            Fault::StreamResetNeverLeft(stream),
            Fault::FifoNeverReady(stream),
        ]);
    }
    if kinds.position_faults {
        let position = match random.below(5) {
            0 => LinkPositionFault::Zero,
            1 => LinkPositionFault::Garbage { seed: random.next() },
            2 => LinkPositionFault::Frozen,
            3 => LinkPositionFault::Torn,
            _ => LinkPositionFault::Coarse { link_frames: random.below(480) + 1 },
        };
        faults.extend([
            Fault::LinkPosition(position),
            Fault::PositionBufferDead,
            Fault::PositionBufferAhead(random.below(2_000) as u16),
            Fault::WallClockStopped,
        ]);
    }
    if kinds.controller_faults {
        faults.extend([Fault::OffTheBus, Fault::CutOff, Fault::ResetNeverEntered, Fault::ResetNeverLeft]);
    }
    if kinds.codec_faults {
        faults.extend([
            Fault::SilentCodec(2),
            Fault::LateAnswers(random.below(3_000) as u16),
            Fault::CorbDead,
            Fault::RirbDead,
        ]);
    }
    (!faults.is_empty()).then(|| random.pick(&faults))
}

fn asked(random: &mut Random) -> Asked {
    let (offset, length) = match random.below(3) {
        0 => (random.next() as u32, random.next() as u32),
        1 => (random.below(65_536) as u32 & !3, random.below(4_096) as u32 & !3),
        _ => (0, random.below(64) as u32),
    };
    match random.below(24) {
        0..=4 => Asked::Open {
            format: random.below(25) as u8,
            rate: random.below(8) as u8,
            channels: random.below(16) as u8,
            pages: random.below(17) as u8,
            period: if random.coin() { 3_840 } else { (random.next() >> (32 + random.below(32))) as u32 },
            bytes_less: if random.coin() { 0 } else { random.below(8_000) as u16 },
        },
        5..=6 => Asked::Close,
        7..=10 => Asked::Start,
        11 => Asked::Stop,
        12 => Asked::Pause,
        13 => Asked::Resume,
        14 => Asked::LinkedStart(random.below(16) as u32),
        15..=16 => Asked::Write(offset, length),
        17 => Asked::Read(offset, length),
        18 => Asked::SetVolume(offset, length),
        19 => Asked::GetVolume(offset, length),
        20 => Asked::Mute(offset, length),
        21 => Asked::Unmute(offset, length),
        22 => Asked::Query,
        _ => Asked::Noise(random.next()),
    }
}

fn hostile_act(random: &mut Random, kinds: &Kinds) -> Act {
    let hostile = random.below(HOSTILE.into()) as u8;
    let stream = random.below(3) as u8;
    loop {
        return match random.below(30) {
            0..=2 => Act::Attach { hostile, layout: random.below(LAYOUTS.into()) as u8 },
            3 => Act::Detach { hostile },
            4 => Act::Die { hostile },
            5..=8 => Act::FrontUp { hostile },
            9..=11 if kinds.hostile_nodes => {
                let value = match random.below(4) {
                    0 => random.below(3_000).to_string(),
                    _ => random.pick(&VALUES).to_owned(),
                };
                Act::Write { hostile, node: random.pick(&NODES), value }
            }
            12 if kinds.hostile_nodes => Act::Remove { hostile, node: random.pick(&NODES) },
            13..=15 if kinds.hostile_pages => {
                let word = if random.coin() { random.below(24) } else { random.below(1_024) } as u16;
                let value = random.next() as u32 >> random.below(32);
                Act::Scribble { hostile, page: random.below(24) as u8, word, value }
            }
            16 if kinds.hostile_pages => Act::Revoke { hostile, page: random.below(24) as u8 },
            17..=18 if kinds.hostile_floods => Act::Notify { hostile, stream, times: random.next() as u8 },
            19 if kinds.hostile_floods => {
                Act::Ask { hostile, stream, asked: asked(random), times: random.next() as u8 }
            }
            20..=29 => Act::Ask { hostile, stream, asked: asked(random), times: 1 },
            _ => continue,
        };
    }
}

fn set(random: &mut Random, kinds: &Kinds) -> Option<Act> {
    if kinds.rights && random.coin() {
        let right = random.pick(&RIGHTS);
        // The default, the guest that moves between jacks, and hostile guests.
        let place = match random.below(6) {
            0 => String::new(),
            1..=3 => format!("guest/{}/", SPECS[3].domain),
            _ => format!("guest/{}/", 100 * (1 + random.below(HOSTILE.into()))),
        };
        let value = random.pick(&RIGHT_VALUES);
        return Some(Act::Set { node: format!("{place}{right}"), value });
    }
    if !kinds.settings {
        return None;
    }
    if random.below(3) == 0 {
        return Some(gain_or_limit(random));
    }
    if random.coin() {
        let port = random.pick(&PORTS);
        let mode = random.pick(&[None, Some("auto"), Some("shared"), Some("direct")]);
        return Some(match random.below(4) {
            0 => Act::Set { node: format!("port/{port}/peak"), value: Some(random.pick(&["1", "2", "3"])) },
            _ => Act::Set { node: format!("port/{port}/mode"), value: mode },
        });
    }
    let (node, values) = random.pick(&SETTINGS);
    let value = if random.below(4) == 0 { None } else { Some(random.pick(values)) };
    Some(Act::Set { node: node.to_owned(), value })
}

/// dom0's gains, rates and limits for those whose samples aren't compared.
fn gain_or_limit(random: &mut Random) -> Act {
    let guest = random.pick(&[SPECS[3].domain, 100, 200]);
    // A direct stream whose amplifiers can't be muted must not run.
    let muted_port = random.pick(&["output-3", "input-0", "input-3"]);
    let muted_guest = random.pick(&[100, 200]);
    let port = random.pick(&["output-0", "output-1", "output-3", "input-0", "input-3"]);
    let gain = random.pick(&["0", "-1", "-6000", "-100000", "x"]);
    let (node, value) = match random.below(6) {
        0 => (format!("port/{port}/volume"), gain),
        1 => (format!("port/{muted_port}/mute"), random.pick(&["0", "1", "x"])),
        2 => (format!("port/{port}/rate"), random.pick(&["44100", "48000", "96000", "x"])),
        3 => (format!("guest/{guest}/volume"), gain),
        4 => (format!("guest/{muted_guest}/mute"), random.pick(&["0", "1", "x"])),
        _ => {
            let guest = 100 * (1 + random.below(HOSTILE.into()));
            let limit = random.pick(&["devices", "streams", "open-streams", "channels", "pages"]);
            (format!("guest/{guest}/limits/{limit}"), random.pick(&["0", "1", "5", "30", "x"]))
        }
    };
    let value = if random.below(3) == 0 { None } else { Some(value) };
    Act::Set { node, value }
}

fn store(random: &mut Random, kinds: &Kinds) -> Option<Act> {
    let mut acts = Vec::new();
    if kinds.store_late {
        for fault in [StoreFault::Late, StoreFault::HoldsAnswers] {
            acts.push(Act::Store { fault, is_on: random.coin() });
        }
        acts.push(Act::Answers { order: random.next() });
    }
    if kinds.store_wrong {
        for fault in [StoreFault::Silent, StoreFault::Refuses, StoreFault::Garbles] {
            acts.push(Act::Store { fault, is_on: random.below(3) == 0 });
        }
        acts.push(Act::LoseAnswers { count: 1 + random.below(8) as u8 });
        acts.push(Act::Conflicts { count: 1 + random.below(3) as u8 });
    }
    (!acts.is_empty()).then(|| random.pick(&acts))
}

fn good_act(random: &mut Random, kinds: &Kinds) -> Act {
    let good = random.below(SPECS.len() as u64) as u8;
    let period_ms = random.pick(&[5, 10, 10, 20]);
    let begin = Act::Begin { good, buffer_ms: period_ms * (10 + random.below(3) as u16), period_ms };
    match random.below(8) {
        0..=4 => begin,
        5 if kinds.good_restless => Act::End { good },
        6 if kinds.good_restless => Act::Pause { good, is_paused: random.coin() },
        7 if kinds.good_restless && random.below(4) == 0 => Act::Leave { good },
        _ => begin,
    }
}

/// Draws a scenario.
pub fn scenario(seed: u64, acts: usize) -> Vec<Act> {
    let mut random = Random::new(seed);
    let kinds = Kinds::draw(&mut random);
    let mut drawn: Vec<Act> =
        (0..SPECS.len() as u8).map(|good| Act::Begin { good, buffer_ms: 100, period_ms: 10 }).collect();
    while drawn.len() < acts {
        let act = match random.below(100) {
            0..=29 => Some(Act::Pass { us: random.below(4_000) as u32 }),
            30 => Some(Act::Pass { us: random.below(100_000) as u32 }),
            31..=64 if kinds.hostile => Some(hostile_act(&mut random, &kinds)),
            65..=68 => Some(good_act(&mut random, &kinds)),
            69..=76 => set(&mut random, &kinds),
            77..=79 if kinds.plugs => Some(Act::Plug { pin: random.pick(&JACKS), is_in: random.coin() }),
            80..=84 => {
                let is_on = random.below(3) == 0;
                fault(&mut random, &kinds).map(|fault| Act::Fault { fault, is_on })
            }
            85 if kinds.stream_faults => Some(Act::Blow(match random.below(3) {
                0 => Blow::Starve(random.below(9) as u8, random.below(100) as u16),
                1 => Blow::FifoError(random.below(9) as u8),
                _ => Blow::DescriptorError(random.below(9) as u8),
            })),
            86 if kinds.plugs => {
                Some(Act::Blow(Blow::Unsolicited(random.below(3) as u8, random.next() as u32)))
            }
            87 if kinds.codec_faults => Some(Act::Blow(Blow::ResponseOverrun)),
            88 if kinds.power && random.below(20) == 0 => Some(Act::PowerCycle),
            89..=93 => store(&mut random, &kinds),
            _ => None,
        };
        drawn.extend(act);
    }
    drawn
}
