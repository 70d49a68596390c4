//! The lines of a text, taken one by one.

use super::super::scan::{Reason, Scan};

/// The lines of a text, and the current place.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { lines: text.lines().collect(), number: 0 }
    }

    /// The number of the line taken last, counted from 1; 0 before the first.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let line = self.peek()?;
        self.number += 1;
        Some(line)
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.number).copied()
    }

    /// Takes the next line if it is indented.
    pub(super) fn next_detail(&mut self) -> Result<Scan<'a>, Reason> {
        let detail = self.peek().filter(|line| line.starts_with(' '));
        let detail = detail.ok_or("the text is cut short after this line")?;
        self.number += 1;
        Ok(Scan::new(detail.trim()))
    }
}
