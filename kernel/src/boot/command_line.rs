//! The command line: `key=value` words separated by blanks.
//!
//! Every image accepts `log=<level>`. Unknown and repeated words are errors.

use core::fmt::{self, Write};
use core::str;

use log::LevelFilter;

/// Longest accepted command line, in bytes.
pub const MAX_COMMAND_LINE_BYTES: usize = 1024;

/// An unusable word and its problem. `P` adds the image's own problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLineError<'a, P = Problem> {
    /// The word, as far as it is printable.
    pub word: &'a str,
    /// Its problem.
    pub problem: P,
}

/// A problem that a word of any image can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Invalid UTF-8, or control characters.
    #[error("not printable text")]
    NotText,
    /// The word is unknown.
    #[error("no such word")]
    Unknown,
    /// The word was repeated.
    #[error("given twice")]
    GivenTwice,
    /// The word doesn't accept this value.
    #[error("no such value")]
    Value,
}

impl<P: fmt::Display> fmt::Display for CommandLineError<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("command line, word \"")?;
        for c in self.word.chars() {
            f.write_char(if c.is_control() { '?' } else { c })?;
        }
        write!(f, "\": {}", self.problem)
    }
}

/// Parses a command line. `take` accepts the image's own words by key and value.
///
/// Returns the log level; default info.
pub fn parse<'a, P: From<Problem>>(
    bytes: &'a [u8],
    mut take: impl FnMut(&'a str, &'a str) -> Result<(), P>,
) -> Result<LevelFilter, CommandLineError<'a, P>> {
    let text =
        str::from_utf8(bytes).map_err(|_| CommandLineError { word: "", problem: Problem::NotText.into() })?;
    let mut log_level = None;
    for word in text.split_ascii_whitespace() {
        parse_word(word, &mut log_level, &mut take).map_err(|problem| CommandLineError { word, problem })?;
    }
    Ok(log_level.unwrap_or(LevelFilter::Info))
}

fn parse_word<'a, P: From<Problem>>(
    word: &'a str,
    log_level: &mut Option<LevelFilter>,
    take: &mut impl FnMut(&'a str, &'a str) -> Result<(), P>,
) -> Result<(), P> {
    if word.contains(|c: char| c.is_control()) {
        return Err(Problem::NotText.into());
    }
    match word.split_once('=').ok_or(Problem::Unknown)? {
        ("log", value) => set_once(log_level, value.parse().map_err(|_| Problem::Value)?).map_err(P::from),
        (key, value) => take(key, value),
    }
}

/// Stores the value of a word that may appear once.
pub fn set_once<T>(place: &mut Option<T>, value: T) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Problem::GivenTwice),
    }
}
