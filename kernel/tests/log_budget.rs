//! No source fills the log of all.

use log::Level;
use snddom_kernel::log_budget::{BURST_LINES, LINE_EVERY_NS, LogBudget, Verdict};

const SECOND: u64 = 1_000_000_000;

/// Lines that are written of so many, which come one each `every_ns` from `from_ns` on.
fn written(budget: &mut LogBudget, source: &str, lines: u64, from_ns: u64, every_ns: u64) -> u64 {
    let verdicts = (0..lines).map(|line| budget.judge(source, Level::Warn, from_ns + line * every_ns));
    verdicts.filter(|verdict| matches!(verdict, Verdict::Write { .. })).count() as u64
}

#[test]
fn a_flood_is_cut_to_a_burst_and_a_trickle_and_what_was_dropped_is_told() {
    let mut budget = LogBudget::new();
    let burst = u64::from(BURST_LINES);
    for line in 1..=burst {
        let is_last = line == burst;
        assert_eq!(budget.judge("a", Level::Warn, SECOND), Verdict::Write { dropped: 0, is_last });
    }
    // Ten minutes of a thousand lines a second.
    let lines = written(&mut budget, "a", 600_000, 2 * SECOND, SECOND / 1_000);
    assert!((59..=61).contains(&lines), "{lines}");
    // All that is dropped is counted, once.
    let mut told = 0;
    for line in 0..100 {
        if let Verdict::Write { dropped, .. } =
            budget.judge("a", Level::Warn, 700 * SECOND + line * LINE_EVERY_NS)
        {
            told += u64::from(dropped);
        }
    }
    assert!(told < 600_000 && told > 0, "{told}");
}

#[test]
fn each_source_has_a_budget_of_its_own_and_gets_it_back_in_time() {
    let mut budget = LogBudget::new();
    let burst = u64::from(BURST_LINES);
    assert_eq!(written(&mut budget, "a", 1_000, 0, 1), burst);
    assert_eq!(written(&mut budget, "b", 10, 0, 1), 10);
    assert_eq!(written(&mut budget, "a", 1_000, burst * LINE_EVERY_NS, 1), burst);
    // A line a second for ever becomes one each ten seconds.
    let lines = written(&mut budget, "c", 3_600, 0, SECOND);
    assert!((burst + 355..=burst + 361).contains(&lines), "{lines}");
}

#[test]
fn sources_beyond_the_table_share_a_budget_and_a_clock_that_stands_still_is_no_harm() {
    let mut budget = LogBudget::new();
    for source in 0..128 {
        assert_eq!(written(&mut budget, &format!("source {source}"), 1, 0, 0), 1);
    }
    let lines: u64 =
        (128..1_000).map(|source| written(&mut budget, &format!("source {source}"), 1, 0, 0)).sum();
    assert_eq!(lines, u64::from(BURST_LINES) - 1);
    // Back in time, and at its end.
    assert_eq!(
        budget.judge("source 1", Level::Warn, u64::MAX),
        Verdict::Write { dropped: 0, is_last: false }
    );
    assert!(matches!(budget.judge("source 1", Level::Warn, 0), Verdict::Write { .. }));
}

#[test]
fn a_flood_of_one_level_hides_no_other() {
    let mut budget = LogBudget::new();
    while budget.judge("a", Level::Warn, 0) != Verdict::Drop {}
    for level in [Level::Error, Level::Info] {
        assert_eq!(budget.judge("a", level, 0), Verdict::Write { dropped: 0, is_last: false });
    }
}
