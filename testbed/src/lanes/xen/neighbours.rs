//! Guests beside one another: two play at once, a third waits its turn, and one plays on however the others end.

use super::scenario::Scenario;
use super::sounds::{self, RATE_HZ, heard, long, short};
use crate::rig::Iommu;

pub(super) const AMD: Scenario = Scenario {
    name: "neighbours",
    script: include_str!("../../../rig/scenarios/neighbours.sh"),
    codec_rates_hz: &[RATE_HZ, RATE_HZ],
    files: || {
        // The long one takes longer than all that happens beside it.
        sounds::files([("first", short(1)), ("second", short(2)), ("third", short(3)), ("long", long(30, 4))])
    },
    host_checks: &[
        ("the_first_is_exact", |outcome| heard(outcome, 0, &short(1))),
        ("the_second_beside_it_is_exact", |outcome| heard(outcome, 1, &short(2))),
        ("the_third_is_exact", |outcome| heard(outcome, 0, &short(3))),
        ("the_long_one_has_no_gap", |outcome| heard(outcome, 1, &long(30, 4))),
    ],
    ..Scenario::ONE_CODEC
};

pub(super) const INTEL: Scenario = Scenario { name: "neighbours_vtd", iommu: Iommu::Intel, ..AMD };
