//! The driver domain ends in mid-stream, in each way, and another takes its place.

use super::scenario::Scenario;
use super::sounds::{self, heard, long, short};

pub(super) const AMD: Scenario = Scenario {
    name: "restart",
    script: include_str!("../../../rig/scenarios/restart.sh"),
    files: || sounds::files([("long", long(30, 9)), ("1", short(1)), ("2", short(2)), ("3", short(3))]),
    host_checks: &[
        ("the_first_is_exact", |outcome| heard(outcome, 0, &short(1))),
        ("the_second_is_exact", |outcome| heard(outcome, 0, &short(2))),
        ("the_third_is_exact", |outcome| heard(outcome, 0, &short(3))),
    ],
    ..Scenario::ONE_CODEC
};
