//! The end of the domain, at the request of the toolstack or the image.

use vsnd::ShutdownReason;

use crate::support::*;

#[test]
fn the_toolstack_s_words_end_the_domain() {
    for (word, reason) in [
        ("poweroff", ShutdownReason::PowerOff),
        ("reboot", ShutdownReason::Reboot),
        ("halt", ShutdownReason::Halt),
    ] {
        let mut rig = Rig::new();
        let mut fronts = rig.guest(3);
        rig.play(fronts.remove(0), &noise(48_000, 1));
        rig.attach(4, 0, &DUPLEX);
        rig.advance(100 * MS);
        assert_eq!(rig.vsnd.ended(), None);
        rig.stored.set("control/shutdown", word);
        rig.wake();
        rig.advance(MS);
        assert_eq!(rig.stored.value("control/shutdown"), Some(""), "acknowledged");
        assert_eq!(rig.vsnd.ended(), Some(reason));
        assert!(rig.vsnd.all_closed());
        assert!(!rig.is_running());
        rig.assert_nothing_is_left();
        for guest in [3, 4] {
            assert_eq!(rig.back_state(guest, 0), Some("6"), "closed, and its directory is left");
        }
        assert!(logs::take_warnings().is_empty());
    }
}

#[test]
fn a_shutdown_that_has_begun_continues() {
    let mut rig = Rig::new();
    rig.guest(3);
    rig.vsnd.shut_down(ShutdownReason::Halt);
    assert_eq!(rig.vsnd.ended(), None);
    rig.vsnd.shut_down(ShutdownReason::Reboot);
    rig.wake();
    rig.advance(MS);
    assert_eq!(rig.vsnd.ended(), Some(ShutdownReason::Halt));
    // A new device isn't served any more.
    rig.attach(4, 0, &DUPLEX);
    rig.advance(100 * MS);
    assert_eq!(rig.back_state(4, 0), Some("1"));
    // A device that is detached now may go.
    rig.detach(3, 0);
    rig.until_removed(3);
}

#[test]
fn unknown_words_are_logged_and_change_nothing() {
    let mut rig = Rig::new();
    for word in ["suspend", "crash", "POWEROFF", "\u{1b}[2J"] {
        rig.stored.set("control/shutdown", word);
        rig.wake();
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("control/shutdown: \"") && !warnings[0].contains('\u{1b}'));
        assert_eq!(rig.stored.value("control/shutdown"), Some(word), "that is not for us to acknowledge");
    }
    rig.stored.set("control/shutdown", "");
    rig.stored.remove("control/shutdown");
    rig.wake();
    assert!(logs::take_warnings().is_empty());
    assert_eq!(rig.vsnd.ended(), None);
}

#[test]
fn an_empty_domain_ends_at_once() {
    let mut rig = Rig::new();
    rig.vsnd.shut_down(ShutdownReason::PowerOff);
    rig.settle();
    assert_eq!(rig.vsnd.ended(), Some(ShutdownReason::PowerOff));
}

#[test]
fn the_end_does_not_wait_for_ever() {
    // For a stream whose RUN sticks.
    let mut rig = Rig::new();
    let mut fronts = rig.guest(3);
    rig.play(fronts.remove(0), &noise(480_000, 1));
    rig.advance(100 * MS);
    rig.model.edit_faults(|faults| faults.stuck_run = u32::MAX);
    rig.vsnd.shut_down(ShutdownReason::PowerOff);
    rig.advance(1_900 * MS);
    assert_eq!((rig.back_state(3, 0), rig.vsnd.ended()), (Some("5"), None));
    rig.advance(300 * MS);
    assert_eq!(rig.vsnd.ended(), Some(ShutdownReason::PowerOff));
    assert!(!rig.vsnd.all_closed());

    // For a xenstored that says nothing.
    let mut rig = Rig::new();
    let mut fronts = rig.guest(3);
    rig.play(fronts.remove(0), &noise(480_000, 1));
    rig.advance(100 * MS);
    rig.stored.silent = true;
    rig.vsnd.shut_down(ShutdownReason::PowerOff);
    rig.settle();
    assert!(!rig.is_running(), "streams don't wait for it");
    rig.assert_nothing_is_left();
    rig.advance(1_900 * MS);
    assert_eq!(rig.vsnd.ended(), None);
    rig.advance(200 * MS);
    assert_eq!(rig.vsnd.ended(), Some(ShutdownReason::PowerOff));
}

#[test]
fn an_acknowledgement_that_is_refused_is_no_reason_to_stay() {
    let mut rig = Rig::new();
    rig.stored.may_write = Some(vec!["backend/vsnd".into()]);
    rig.stored.set("control/shutdown", "poweroff");
    rig.wake();
    rig.advance(MS);
    assert_eq!(rig.vsnd.ended(), Some(ShutdownReason::PowerOff));
}
