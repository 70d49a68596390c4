//! Devices come, play, go, and come again.

use crate::support::*;

#[test]
fn a_device_is_attached_plays_and_is_detached() {
    let mut rig = Rig::new();
    let [playback, _capture] = rig.guest(3).try_into().ok().expect("two streams");
    let recording = noise(20_000, 7);
    rig.play_to_the_end(playback, &recording);
    assert_heard(&rig.model, 0, 0, &recording);
    rig.detach(3, 0);
    rig.until("the directory's removal", |rig| !rig.stored.exists(&back_path(3, 0)));
    rig.assert_nothing_is_left();
}

#[test]
fn a_guest_that_may_records() {
    let mut rig = Rig::new();
    rig.model
        .set_source(0, 4, |frame, channel| i32::from((frame.index as u32 * 2 + channel as u32 + 1) as i16));
    rig.stored.set("snddom/guest/3/may-record", "1");
    let [_playback, capture] = rig.guest(3).try_into().ok().expect("two streams");
    let player = rig.record(capture, 9_000);
    rig.until("the end of a recording", |rig| rig.player(player).is_over());
    let (_, player) = rig.end_player(player);
    assert_eq!(player.error, None);
    let ramp: Vec<i16> =
        player.heard.recorded.chunks(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect();
    assert_eq!(ramp.len(), 18_000);
    assert!(ramp.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "no break");
    rig.assert_rules_were_kept();
}
