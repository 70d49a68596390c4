//! A codec that doesn't answer, or late, costs nobody a frame but those who play through it.

use snd_hda_model::Faults;
use sndif::Direction::Playback;

use crate::support::*;

/// 40 ms of 16-bit stereo at 48 kHz.
const BUFFER_BYTES: u32 = 7_680;

/// The longest turn with a fault of one codec.
const TURN_NS: u64 = 5 * MS;

#[test]
fn a_guest_that_opens_what_does_not_answer_again_and_again_costs_another_no_frame() {
    let late = |frames| Faults { answer_late_frames: frames, late_codecs: 2, ..Faults::default() };
    // An answer is waited for up to 2 ms, which are 96 link frames. A response is lost at each try anew.
    let lost = Faults { rirb_overrun_once: true, ..Faults::default() };
    let silent = Faults { silent_codecs: 2, ..Faults::default() };
    let faults = [silent, late(48), late(94), late(2_304), lost];
    for fault in faults {
        let mut rig = Rig::with(codecs(2));
        let victim = rig.guest_with(3, &[(0, 0, Playback, "output-0")]).remove(0);
        let mut villain = rig.guest_with(4, &[(0, 0, Playback, "output-1")]).remove(0);
        let recording = noise(96_000, 1);
        let player = rig.play_with(victim, &recording, BUFFER_BYTES);
        rig.advance(20 * MS);
        rig.model.edit_faults(|faults| *faults = fault.clone());
        let (mut refusals, mut longest_ns) = (0, 0);
        while !rig.player(player).is_over() {
            if fault.rirb_overrun_once {
                rig.model.edit_faults(|faults| faults.rirb_overrun_once = true);
            }
            let before_ns = rig.now().0;
            let other = rig.play(villain, &noise(480, 2));
            longest_ns = longest_ns.max(rig.now().0 - before_ns);
            rig.advance(2 * MS);
            refusals += u32::from(rig.player(other).error.is_some());
            villain = rig.end_player(other).0;
        }
        assert_eq!(rig.player(player).error, None);
        assert_heard(&rig.model, 0, 0, &recording);
        assert!(longest_ns < TURN_NS, "{longest_ns} ns: {fault:?}");
        assert!(refusals > 0 || (48..96).contains(&fault.answer_late_frames), "{fault:?}");
    }
}
