//! Rights by name outlive the guest's domain, and a monitor hears what its output plays, to the bit.

use super::scenario::Scenario;
use super::sounds::{self, heard, short};
use crate::judge::compare;
use crate::judge::verdict::Finding;
use crate::rig::Outcome;
use crate::wav::{self, FRAME_BYTES};

pub(super) const AMD: Scenario = Scenario {
    name: "names",
    script: include_str!("../../../rig/scenarios/names.sh"),
    files: || sounds::files([("sound", short(1))]),
    host_checks: &[
        ("the_sound_is_exact", |outcome| heard(outcome, 0, &short(1))),
        ("the_monitor_hears_it_exactly", monitored),
    ],
    ..Scenario::ONE_CODEC
};

/// The second guest's recording of the monitor has the first one's sound in it, whole.
fn monitored(outcome: &Outcome) -> Result<String, Finding> {
    let recorded = wav::load(&outcome.handed_out("guest2")?.join("monitor.wav"))?.pcm;
    match compare::find(&short(1).bytes, &recorded.bytes, FRAME_BYTES) {
        Some(frame) => Ok(format!("whole, from frame {frame} of {} on", recorded.frames())),
        None => Err(Finding::failure("the sound is not in what the monitor recorded")),
    }
}
