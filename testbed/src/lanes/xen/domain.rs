//! The driver domain's use of the machine, and guests that come, go or lack a right.

use super::scenario::Scenario;
use super::sounds::{self, RATE_HZ, heard, long, short};

pub(super) const AMD: Scenario = Scenario {
    name: "domain",
    script: include_str!("../../../rig/scenarios/domain.sh"),
    codec_rates_hz: &[RATE_HZ, RATE_HZ],
    files: || sounds::files([("long", long(10, 1)), ("second", short(2)), ("third", short(3))]),
    host_checks: &[
        ("periods_of_10_ms_are_exact", |outcome| heard(outcome, 0, &long(10, 1))),
        ("the_new_card_is_exact", |outcome| heard(outcome, 1, &short(2))),
        ("who_may_not_record_plays_exactly", |outcome| heard(outcome, 1, &short(3))),
    ],
    ..Scenario::ONE_CODEC
};
