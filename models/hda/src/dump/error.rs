//! Errors of dump parsing.

use std::fmt;

/// The text isn't a codec's dump, is cut short, or contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpError {
    /// The line of the error, counted from 1.
    pub line: usize,
    /// The cause, in words.
    pub reason: String,
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for DumpError {}
