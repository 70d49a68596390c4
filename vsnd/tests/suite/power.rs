//! The controller loses its power for a moment, and nobody tells the driver domain.

use snd_hda_model::Rule;
use sndif::op::Operation;
use sndif::response::Status;

use crate::support::*;

/// A domain that sleeps finds out when a guest's request wakes it, before it serves that.
#[test]
fn the_first_stream_after_a_loss_of_power_plays() {
    let mut rig = Rig::new();
    let front = rig.guest(10).remove(0);
    let front = rig.play_to_the_end(front, &noise(2_000, 1));
    rig.advance(1_000 * MS);
    rig.model.power_cycle();
    rig.model.advance_ns(200 * MS);
    rig.model.take_played(0, 2);
    let samples = noise(4_000, 2);
    rig.play_to_the_end(front, &samples);
    assert_heard(&rig.model, 0, 0, &samples);
    rig.assert_rules_were_kept();
}

#[test]
fn a_stream_that_ran_stands_still_and_its_guest_opens_again() {
    let mut rig = Rig::new();
    let front = rig.guest(10).remove(0);
    let player = rig.play(front, &noise(48_000, 1));
    rig.advance(100 * MS);
    rig.model.power_cycle();
    rig.advance(200 * MS);
    let stands_at = rig.player(player).heard.frames;
    rig.advance(100 * MS);
    assert_eq!(rig.player(player).heard.frames, stands_at);
    let (mut front, _) = rig.end_player(player);
    front.close().expect("sent");
    assert_eq!(answer(&mut rig, &mut front), (Operation::Close, Status::OK));
    // Until it was noticed, the streams were still looked at.
    let broken = rig.model.take_violations();
    assert!(broken.iter().all(|violation| violation.rule == Rule::InReset), "{broken:?}");
    rig.model.take_played(0, 2);
    let samples = noise(4_000, 2);
    rig.play_to_the_end(front, &samples);
    assert_heard(&rig.model, 0, 0, &samples);
    rig.assert_rules_were_kept();
}
