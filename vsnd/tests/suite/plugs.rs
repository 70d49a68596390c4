//! Streams that follow plugs, and no further than their guest's rights go.

use sndif::Direction::{Capture, Playback};

use crate::support::*;

/// Where what is played is heard, and where what is recorded comes from.
fn ends(rig: &Rig) -> (Vec<u8>, Vec<u8>) {
    let heard = rig.model.audible(0).iter().map(|heard| heard.pin).collect();
    (heard, rig.model.recorded(0).iter().map(|recorded| recorded.pin).collect())
}

const SPEAKER: u8 = 0x14;
const HEADPHONES: u8 = 0x15;
const BUILT_IN: u8 = 0x12;
const MICROPHONE: u8 = 0x18;

#[test]
fn a_stream_follows_a_plug_to_where_its_guest_has_a_right_and_nowhere_else() {
    let mut rig = Rig::with(laptop());
    rig.stored.set("snddom/guest/3/may-record", "Internal Microphone");
    rig.stored.set("snddom/guest/3/may-play", "Speaker");
    let streams = [(0, 0, Playback, "Speaker"), (0, 1, Capture, "Internal Microphone")];
    let mut fronts = rig.guest_with(3, &streams).into_iter();
    rig.play(fronts.next().expect("playback"), &noise(480_000, 1));
    rig.record(fronts.next().expect("capture"), 480_000);
    rig.advance(20 * MS);
    assert_eq!(ends(&rig), (vec![SPEAKER], vec![BUILT_IN]));
    rig.plug(MICROPHONE, true);
    rig.plug(HEADPHONES, true);
    rig.advance(20 * MS);
    assert_eq!(ends(&rig), (vec![SPEAKER], vec![BUILT_IN]), "it has no right to what is plugged");
    // With the right to both it follows at once, and returns when that is withdrawn.
    rig.stored.set("snddom/guest/3/may-record", "Internal Microphone,Microphone");
    rig.stored.set("snddom/guest/3/may-play", "1");
    rig.wake();
    assert_eq!(ends(&rig), (vec![HEADPHONES], vec![MICROPHONE]));
    rig.stored.set("snddom/guest/3/may-record", "Internal Microphone");
    rig.wake();
    assert_eq!(ends(&rig), (vec![HEADPHONES], vec![BUILT_IN]));
    rig.stored.set("snddom/guest/3/may-play", "Speaker");
    rig.wake();
    assert_eq!(ends(&rig), (vec![SPEAKER], vec![BUILT_IN]));
    rig.model.assert_clean();
}
