//! The image's machine lines: those on its console that start with `@`.
//!
//! ```text
//! @boot image_bytes=102400 memory_bytes=16777216 tsc_hz=1000000000
//! @first_sample since_entry_ns=41250000
//! @position dir=playback stream=0 t_ns=51250000 frames=480 expected=480
//! @done dir=playback stream=0 frames=68480 fifo_errors=0 underruns=0
//! @verdict pass
//! ```
//! A line is a word and then fields `name=value`; only the verdict carries free text. Fields that nobody here knows are
//! carried along, for the image may learn to say more.

/// The direction of a stream, as seen from the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the guest's pages to the link.
    Playback,
    /// From the link to the guest's pages.
    Capture,
}

/// One machine line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineLine {
    /// The image is up.
    Boot {
        /// Bytes of memory that it found.
        memory_bytes: u64,
    },
    /// The first sample of a playback stream is at the link.
    FirstSample {
        /// Since the image was entered, in virtual time.
        since_entry_ns: u64,
    },
    /// A published position.
    Position(Position),
    /// A stream has ended.
    Done(Done),
    /// The last line.
    Verdict(Said),
    /// A well-formed line with a word that isn't known here.
    Other,
}

/// A position as it was published to the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which way the stream goes.
    pub direction: Direction,
    /// Its number among those of its direction, from 0.
    pub stream: u32,
    /// When it was true, on the image's clock.
    pub t_ns: u64,
    /// The published position.
    pub frames: u64,
    /// The position by elapsed time.
    pub expected: u64,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which way the stream went.
    pub direction: Direction,
    /// Its number among those of its direction, from 0.
    pub stream: u32,
    /// Frames that it moved.
    pub frames: u64,
    /// Underruns and overruns of the controller's FIFO.
    pub fifo_errors: u64,
    /// Underruns and overruns of the front end.
    pub underruns: u64,
}

/// The image's verdict on itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// All went well.
    Pass,
    /// It failed, for this reason.
    Fail(String),
    /// It ended in an epitaph, for this reason.
    Crash(String),
}

impl Said {
    /// Reads `pass`, or `fail` or `crash` with a reason.
    pub fn parse(text: &str) -> Option<Said> {
        let (word, why) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "pass" => Some(Said::Pass),
            "fail" => Some(Said::Fail(why.to_owned())),
            "crash" => Some(Said::Crash(why.to_owned())),
            _ => None,
        }
    }
}

/// Reads a line of the console: `None` for a line for people, the reason for a malformed machine line.
pub fn parse(line: &str) -> Option<Result<MachineLine, String>> {
    let line = line.trim_end().strip_prefix('@')?;
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(parse_word(word, rest).map_err(|why| format!("@{line}: {why}")))
}

fn parse_word(word: &str, rest: &str) -> Result<MachineLine, String> {
    let fields = Fields(rest);
    Ok(match word {
        "verdict" => match Said::parse(rest) {
            Some(said) => MachineLine::Verdict(said),
            None => return Err(format!("a verdict is pass, fail or crash, not {rest:?}")),
        },
        "boot" => MachineLine::Boot { memory_bytes: fields.number("memory_bytes")? },
        "first_sample" => MachineLine::FirstSample { since_entry_ns: fields.number("since_entry_ns")? },
        "position" => MachineLine::Position(Position {
            direction: fields.direction()?,
            stream: fields.stream()?,
            t_ns: fields.number("t_ns")?,
            frames: fields.number("frames")?,
            expected: fields.number("expected")?,
        }),
        "done" => MachineLine::Done(Done {
            direction: fields.direction()?,
            stream: fields.stream()?,
            frames: fields.number("frames")?,
            fifo_errors: fields.number("fifo_errors")?,
            underruns: fields.number("underruns")?,
        }),
        _ => MachineLine::Other,
    })
}

/// `name=value` words.
struct Fields<'a>(&'a str);

impl Fields<'_> {
    fn text(&self, name: &str) -> Result<&str, String> {
        self.0
            .split_ascii_whitespace()
            .filter_map(|field| field.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
            .ok_or_else(|| format!("{name} is missing"))
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        let text = self.text(name)?;
        text.parse().map_err(|_| format!("{name} is no number: {text:?}"))
    }

    fn stream(&self) -> Result<u32, String> {
        u32::try_from(self.number("stream")?).map_err(|_| "stream is out of range".to_owned())
    }

    fn direction(&self) -> Result<Direction, String> {
        match self.text("dir")? {
            "playback" => Ok(Direction::Playback),
            "capture" => Ok(Direction::Capture),
            other => Err(format!("dir is playback or capture, not {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> MachineLine {
        parse(text).expect("a machine line").expect("well formed")
    }

    #[test]
    fn reads_every_kind() {
        assert_eq!(
            line("@boot image_bytes=102400 memory_bytes=16777216 tsc_hz=1000000000 heap_bytes=65536"),
            MachineLine::Boot { memory_bytes: 16_777_216 }
        );
        assert_eq!(line("@first_sample since_entry_ns=41"), MachineLine::FirstSample { since_entry_ns: 41 });
        assert_eq!(
            line("@position dir=capture stream=3 t_ns=5 frames=7 expected=8\r"),
            MachineLine::Position(Position {
                direction: Direction::Capture,
                stream: 3,
                t_ns: 5,
                frames: 7,
                expected: 8
            })
        );
        assert_eq!(
            line("@done dir=playback stream=0 frames=9 fifo_errors=1 underruns=2"),
            MachineLine::Done(Done {
                direction: Direction::Playback,
                stream: 0,
                frames: 9,
                fifo_errors: 1,
                underruns: 2
            })
        );
        assert_eq!(line("@card codecs=1"), MachineLine::Other);
        assert_eq!(line("@verdict pass"), MachineLine::Verdict(Said::Pass));
        assert_eq!(line("@verdict fail no codec"), MachineLine::Verdict(Said::Fail("no codec".into())));
        assert_eq!(line("@verdict crash page fault"), MachineLine::Verdict(Said::Crash("page fault".into())));
    }

    #[test]
    fn the_order_of_fields_does_not_matter() {
        assert_eq!(
            line("@boot tsc_hz=1 memory_bytes=3 image_bytes=2"),
            MachineLine::Boot { memory_bytes: 3 }
        );
    }

    #[test]
    fn lines_for_people_are_none() {
        assert_eq!(parse("[ 0.001] INFO kernel: @boot"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        for (text, why) in [
            ("@boot image_bytes=12", "memory_bytes is missing"),
            ("@first_sample since_entry_ns=-1", "since_entry_ns is no number"),
            ("@position dir=up stream=0 t_ns=0 frames=0 expected=0", "dir is playback or capture"),
            ("@verdict", "a verdict is"),
            ("@verdict passed", "a verdict is"),
        ] {
            let error = parse(text).expect("a machine line").expect_err(text);
            assert!(error.contains(why), "{error}");
        }
    }
}
