//! Counts of what was done and what came of it.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name, shown as `name=value` pairs.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    /// Adds to a count.
    pub(crate) fn add(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_default() += count;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(name, count)| format!("{name}={count}")).collect();
        f.write_str(&pairs.join(" "))
    }
}
