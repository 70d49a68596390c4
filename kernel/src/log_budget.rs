//! How many lines a source may log, so that none fills the log of all.

use heapless::Vec;
use log::Level;

/// Lines that a source may log at once.
pub const BURST_LINES: u32 = 100;

/// After these it may log a line each so many nanoseconds.
pub const LINE_EVERY_NS: u64 = 10_000_000_000;

/// Sources that are told apart. Further ones share the last one's budget.
const MAX_SOURCES: usize = 128;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is written, after so many that were dropped.
    Write {
        /// Lines of its source that were dropped since the last one that was written.
        dropped: u32,
        /// It was the last one of the source's budget: the next ones are dropped.
        is_last: bool,
    },
    /// It is dropped, and counted.
    Drop,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    /// The hash of its name. Two that have the same share a budget.
    name: u32,
    lines_left: u32,
    /// The time up to which lines have been given back to it.
    filled_ns: u64,
    dropped: u32,
}

/// The budgets of all sources: [`BURST_LINES`], and a line more each [`LINE_EVERY_NS`].
#[derive(Debug, Default)]
pub struct LogBudget {
    sources: Vec<Source, MAX_SOURCES>,
}

impl LogBudget {
    /// Full budgets for all.
    pub const fn new() -> Self {
        Self { sources: Vec::new() }
    }

    /// Judges a line of a source (a log target). Lines of each level have a budget of their own, so that a flood of one hides no
    /// worse one.
    pub fn judge(&mut self, source: &str, level: Level, now_ns: u64) -> Verdict {
        // Few hashes are that near.
        let name = hash(source).wrapping_add(level as u32);
        let Some(source) = self.source(name, now_ns) else {
            return Verdict::Write { dropped: 0, is_last: false };
        };
        let earned = now_ns.saturating_sub(source.filled_ns).checked_div(LINE_EVERY_NS).unwrap_or_default();
        source.filled_ns = source.filled_ns.saturating_add(earned.saturating_mul(LINE_EVERY_NS));
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        source.lines_left = source.lines_left.saturating_add(earned).min(BURST_LINES);
        match source.lines_left.checked_sub(1) {
            None => {
                source.dropped = source.dropped.saturating_add(1);
                Verdict::Drop
            }
            Some(left) => {
                source.lines_left = left;
                Verdict::Write { dropped: core::mem::take(&mut source.dropped), is_last: left == 0 }
            }
        }
    }

    fn source(&mut self, name: u32, now_ns: u64) -> Option<&mut Source> {
        let index = match self.sources.iter().position(|source| source.name == name) {
            Some(index) => index,
            None => {
                let fresh = Source { name, lines_left: BURST_LINES, filled_ns: now_ns, dropped: 0 };
                // A full table has a last one.
                let _ = self.sources.push(fresh);
                self.sources.len().checked_sub(1)?
            }
        };
        self.sources.get_mut(index)
    }
}

/// FNV-1a (Fowler, Noll, Vo), 32 bits.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
