//! Text of files, made harmless: a dump may come from anybody.

use snd_hda_model::DumpError;

/// The longest reason that is told.
const REASON_CHARACTERS: usize = 200;

/// Text of a file without what would steer a terminal, or end a line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Line and reason. A reason quotes the line, which may be long.
pub(super) fn error(error: &DumpError) -> String {
    let text = error.to_string();
    match text.char_indices().nth(REASON_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(plain("a\x1b[2J\nb\u{9b}1mü"), "a\u{fffd}[2J\u{fffd}b\u{fffd}1mü");
    }

    #[test]
    fn a_reason_is_no_longer_than_people_read() {
        let of = |reason: String| error(&DumpError { line: 3, reason });
        assert_eq!(of("short".to_owned()), "line 3: short");
        assert_eq!(of("ü".repeat(1000)), format!("line 3: {}...", "ü".repeat(192)));
    }
}
