//! The administrator's gain of a device's streams.

use crate::support::Rig;
use audioback::card::Trim;
use audioback::rights::Policy;
use sndif::op::Operation;
use sndif::response::Status;

const QUIET: Trim = Trim { mdb: -6_000, is_muted: true };

/// The gain that the card was told since the last call.
fn told(rig: &Rig) -> Option<Trim> {
    rig.card.controls.borrow_mut().trim.take()
}

#[test]
fn a_gain_reaches_what_is_open_at_once_and_once() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    assert_eq!(told(&rig), Some(Trim::default()));
    rig.device.set_trim(&mut rig.card, QUIET);
    assert_eq!(told(&rig), Some(QUIET));
    rig.device.set_trim(&mut rig.card, QUIET);
    assert_eq!(told(&rig), None, "it is no other gain");
    rig.device.set_trim(&mut rig.card, Trim::default());
    assert_eq!(told(&rig), Some(Trim::default()));
}

#[test]
fn a_gain_stays_over_closes_and_opens() {
    let mut rig = Rig::new(Policy::default());
    rig.device.set_trim(&mut rig.card, QUIET);
    assert_eq!(told(&rig), None, "nothing is open");
    for _ in 0..2 {
        rig.open_playback();
        assert_eq!(told(&rig), Some(QUIET));
        rig.playback.close().unwrap();
        assert_eq!(rig.status(Operation::Close), Status::OK);
    }
}

#[test]
fn two_gains_add_up_and_one_mute_is_enough() {
    let other = Trim { mdb: -500, is_muted: false };
    assert_eq!(QUIET.and(other), Trim { mdb: -6_500, is_muted: true });
    assert_eq!(other.and(QUIET), Trim { mdb: -6_500, is_muted: true });
    assert_eq!(other.and(other), Trim { mdb: -1_000, is_muted: false });
    assert_eq!(Trim::MIN_MDB, -100_000, "100 dB less");
}
