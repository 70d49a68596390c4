//! The start of another domain's text, safe for a log line.

use core::fmt;

use heapless::String;

use crate::bounded;

/// The start of another domain's text, safe for a log line: short, and without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    start: String<40>,
    is_cut: bool,
}

impl Excerpt {
    pub(crate) fn of(text: &str) -> Self {
        let mut excerpt = Self::default();
        for character in text.chars() {
            // An escape has twelve characters at most.
            let escaped: String<16> = bounded::format(format_args!("{}", character.escape_default()));
            if excerpt.start.push_str(&escaped).is_err() {
                excerpt.is_cut = true;
                break;
            }
        }
        excerpt
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"{}", self.start, if self.is_cut { "..." } else { "" })
    }
}
