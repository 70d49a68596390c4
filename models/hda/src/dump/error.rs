//! Why a text isn't the dump of a codec.

use std::fmt;

/// A text that isn't a codec's dump, is cut short, or contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpError {
    /// The line at which it shows, from 1.
    pub line: usize,
    /// What is wrong, for people.
    pub reason: String,
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for DumpError {}
