//! The test lanes, and the table of what they came to.

pub mod host;
pub mod qemu;
pub mod xen;

use std::time::Duration;

use crate::judge::verdict::{Finding, Verdict};

/// The result of a test, or of a suite that reports as one.
#[derive(Debug)]
pub struct Row {
    /// The lane and the test.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The observation, or the reason of a bad verdict.
    pub detail: String,
    /// Its time on the wall clock.
    pub took: Duration,
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Row {
    /// The row of a single test.
    pub fn of_test(name: String, result: Result<String, Finding>, took: Duration) -> Row {
        let (verdict, detail) = match result {
            Ok(detail) => (Verdict::Success, detail),
            Err(finding) => (finding.verdict, finding.detail),
        };
        let passed = u64::from(verdict == Verdict::Success);
        let failed = u64::from(verdict.is_bad());
        Row { name, verdict, detail, took, passed, failed }
    }
}

/// The table, what is bad in it once more, and the closing line that counts all tests of all lanes.
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let line = |row: &Row| {
        let detail = row.detail.lines().next().unwrap_or("");
        format!("{:<width$}  {:<7}  {:>6.1} s  {detail}\n", row.name, row.verdict, row.took.as_secs_f64())
    };
    let mut table: String = rows.iter().map(line).collect();
    let bad: String = rows.iter().filter(|row| row.verdict.is_bad()).map(line).collect();
    if !bad.is_empty() {
        table.push_str(&format!("\nbad:\n{bad}"));
    }
    let passed: u64 = rows.iter().map(|row| row.passed).sum();
    let failed: u64 = rows.iter().map(|row| row.failed).sum();
    table.push_str(&format!("\n{passed} passed, {failed} failed\n"));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_stands_alone_and_counts_all() {
        let took = Duration::from_secs(1);
        let rows = [
            Row { passed: 40, failed: 2, ..Row::of_test("host".into(), Err(Finding::failure("two")), took) },
            Row::of_test("qemu::a".into(), Ok("fine".into()), took),
            Row::of_test("qemu::b".into(), Err(Finding::error("no emulator\nmore")), took),
            Row::of_test("qemu::c".into(), Err(Finding::crash("page fault")), took),
        ];
        let table = table(&rows);
        assert_eq!(table.lines().last(), Some("41 passed, 4 failed"));
        let (whole, bad) = table.split_once("\nbad:\n").expect("some are bad");
        assert_eq!(whole.lines().count(), 4);
        assert_eq!(bad.matches("qemu::").count(), 2);
        assert!(bad.contains("CRASH") && !bad.contains("qemu::a"));
        assert!(!table.contains("more"));
    }
}
