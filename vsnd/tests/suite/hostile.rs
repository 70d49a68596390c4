//! A front end that writes anything at any time, beside one that just plays.

use proptest::collection::vec;
use proptest::prelude::*;
use sndif::Direction::Playback;

use crate::support::*;

const VICTIM: u16 = 3;
const VILLAIN: u16 = 4;

#[derive(Clone, Debug)]
enum Act {
    /// Writes a node in its directory.
    Write(&'static str, Vec<u8>),
    /// Removes one, and all below it.
    Remove(&'static str),
    /// Brings up a driver as it should, with as many streams as there are.
    Behave,
    /// Opens and starts its first stream.
    Play,
    /// The toolstack attaches its device.
    Attach,
    /// The toolstack takes it away.
    Detach,
    /// dom0 writes one of its limits.
    Limit(&'static str, Vec<u8>),
    /// Some time passes.
    Wait(u64),
    /// Its domain is destroyed, and another one made in its place.
    Die,
}

const NODES: [&str; 18] = [
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
    "control-page-ref",
    "0/1/type",
    "0/1/unique-id",
    "1/15/x",
];

const LIMITS: [&str; 7] = ["", "/devices", "/streams", "/open-streams", "/channels", "/pages", "/x"];

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "p", "c", "48000", "s16_le", "65536", "output-0",
            "output-1", "input-0", "4294967295", "-1", "", "0x10", "48000,44100", "s16_le,s32_le",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..100),
        1 => (0u32..20).prop_map(|number| number.to_string().into_bytes()),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (prop::sample::select(&NODES[..]), value()).prop_map(|(node, value)| Act::Write(node, value)),
        1 => prop::sample::select(&NODES[..]).prop_map(Act::Remove),
        2 => Just(Act::Behave),
        2 => Just(Act::Play),
        2 => Just(Act::Attach),
        1 => Just(Act::Detach),
        1 => (prop::sample::select(&LIMITS[..]), value()).prop_map(|(node, value)| Act::Limit(node, value)),
        3 => (0u64..20).prop_map(Act::Wait),
        1 => Just(Act::Die),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_front_end_disturbs_no_other(acts in vec(act(), 1..60)) {
        let streams = [(0, 0, Playback, "output-0"), (0, 1, Playback, "second")];
        let mut rig = Rig::with(codecs(2));
        let victim = rig.guest_with(VICTIM, &[(0, 0, Playback, "output-1")]).remove(0);
        let recording = noise(20_000, 1);
        let player = rig.play(victim, &recording);
        rig.attach(VILLAIN, 0, &streams);
        let front = front_path(VILLAIN, 0);
        let mut fronts = Vec::new();
        for act in acts {
            match &act {
                Act::Write(node, value) => rig.stored.set_raw(&format!("{front}/{node}"), value),
                Act::Remove(node) => rig.stored.remove(&format!("{front}/{node}")),
                Act::Behave => fronts.extend(rig.front_up(VILLAIN, 0, &streams[..1])),
                Act::Play => {
                    if let Some(front) = fronts.pop() {
                        rig.play(front, &noise(10_000, 2));
                    }
                }
                Act::Attach => {
                    if !rig.stored.exists(&back_path(VILLAIN, 0)) {
                        rig.attach(VILLAIN, 0, &streams);
                    }
                }
                Act::Detach => {
                    if rig.stored.exists(&back_path(VILLAIN, 0)) {
                        rig.detach(VILLAIN, 0);
                    }
                }
                Act::Limit(node, value) => {
                    rig.stored.set_raw(&format!("snddom/guest/{VILLAIN}/limits{node}"), value);
                }
                Act::Wait(ms) => rig.advance(*ms * MS),
                Act::Die => rig.stored.remove(&format!("/local/domain/{VILLAIN}")),
            }
            if !matches!(act, Act::Write(..)) {
                rig.wake();
            }
        }
        rig.wake();
        rig.until("the victim's end", |rig| rig.player(player).is_over());
        prop_assert_eq!(rig.player(player).error, None);
        assert_heard(&rig.model, 1, 0, &recording);
        // In any case, the toolstack can detach it.
        for guest in [VICTIM, VILLAIN] {
            if rig.stored.exists(&back_path(guest, 0)) {
                rig.detach(guest, 0);
            }
            rig.until_removed(guest);
        }
        prop_assert_eq!(rig.world.mapped_pages(), 0);
        prop_assert_eq!(rig.stored.open_transactions(), 0);
        rig.model.assert_clean();
    }

    #[test]
    fn random_messages_from_xenstored_cause_no_panic(messages in vec((0u32..25, 0u32..40, 0u32..12, vec(any::<u8>(), 0..60)), 0..60)) {
        let mut rig = Rig::with(duplex());
        let playback = rig.guest_with(VICTIM, &[(0, 0, Playback, "a")]).remove(0);
        let recording = noise(3_000, 1);
        let player = rig.play(playback, &recording);
        for (kind, id, transaction, payload) in messages {
            rig.stored.send(kind, id, transaction, &payload);
            rig.stored.run();
            rig.poll();
        }
        rig.wake();
        rig.advance(500 * MS);
        prop_assert_eq!(rig.player(player).error, None);
        assert_heard(&rig.model, 0, 0, &recording);
    }
}
