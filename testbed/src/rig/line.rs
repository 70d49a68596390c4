//! Reports of the rig: lines `@rig word ...` of dom0, on a serial line of their own to the host.
//!
//! ```text
//! @rig stage 7.31 dom0 is up
//! @rig check plays_48_khz pass 68545 frames
//! @rig figures idle turns=12 wakeups=12
//! @rig verdict pass
//! ```

use std::str::FromStr;

use anyhow::{Context, Result};

use crate::qemu::machine_line::Said;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RigLine {
    /// A stage is reached.
    Stage {
        /// Seconds on dom0's clock, as it prints them.
        at: String,
        /// The stage.
        what: String,
    },
    /// A check has a result.
    Check(Check),
    /// Something was measured.
    Figures(Figures),
    /// The scenario is over.
    Verdict(Said),
}

/// Figures that a scenario has measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Their name: a word.
    pub name: String,
    /// Pairs `name=value`, by spaces.
    pub text: String,
}

impl Figures {
    /// A value by its name: the last one of several.
    ///
    /// # Errors
    /// There is none, or it is no `T`.
    pub fn value<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(&self, name: &str) -> Result<T> {
        let mut pairs = self.text.split_whitespace().rev();
        let value = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let value = value.with_context(|| format!("{}: no {name}", self.name))?;
        value.parse().with_context(|| format!("{}: {name}={value}", self.name))
    }
}

/// The result of a scenario's check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// The observation.
    pub detail: String,
}

/// Reads a line; `None` when it's for people, an error when it's meant for us and can't be read.
pub fn parse(line: &str) -> Option<Result<RigLine, String>> {
    let rest = line.trim_end().strip_prefix("@rig")?;
    Some(parse_words(rest.trim_start()).ok_or_else(|| line.trim_end().to_owned()))
}

fn parse_words(line: &str) -> Option<RigLine> {
    let (word, rest) = split(line);
    match word {
        "stage" => {
            let (at, what) = split(rest);
            at.parse::<f64>().ok()?;
            Some(RigLine::Stage { at: at.to_owned(), what: what.to_owned() })
        }
        "check" => {
            let (name, rest) = split(rest);
            let (result, detail) = split(rest);
            let holds = match result {
                "pass" => true,
                "fail" => false,
                _ => return None,
            };
            Some(RigLine::Check(Check { name: name.to_owned(), holds, detail: detail.to_owned() }))
        }
        "figures" => {
            let (name, text) = split(rest);
            let are_pairs = text.split_whitespace().all(|pair| pair.contains('='));
            (!name.is_empty() && are_pairs)
                .then(|| RigLine::Figures(Figures { name: name.to_owned(), text: text.to_owned() }))
        }
        "verdict" => Said::parse(rest).map(RigLine::Verdict),
        _ => None,
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read() {
        let read = |line| parse(line).expect("ours").expect("well formed");
        assert_eq!(
            read("@rig stage 7.31 dom0 is up\r\n"),
            RigLine::Stage { at: "7.31".into(), what: "dom0 is up".into() }
        );
        let check =
            |holds, detail: &str| RigLine::Check(Check { name: "a".into(), holds, detail: detail.into() });
        assert_eq!(read("@rig check a pass 3 frames"), check(true, "3 frames"));
        assert_eq!(read("@rig check a fail"), check(false, ""));
        let RigLine::Figures(figures) = read("@rig figures idle a=1 ab=2 a=3") else { panic!("figures") };
        assert_eq!(figures.name, "idle");
        assert_eq!((figures.value::<u8>("a").ok(), figures.value::<u8>("ab").ok()), (Some(3), Some(2)));
        assert!(figures.value::<u8>("b").is_err());
        assert_eq!(read("@rig verdict fail no sound"), RigLine::Verdict(Said::Fail("no sound".into())));
        assert_eq!(read("@rig verdict pass"), RigLine::Verdict(Said::Pass));
    }

    #[test]
    fn what_is_not_ours_is_for_people() {
        assert_eq!(parse("(d1) @rig verdict pass"), None);
        assert_eq!(parse("hello"), None);
    }

    #[test]
    fn what_can_not_be_read_is_an_error() {
        for line in [
            "@rig ",
            "@rig verdict",
            "@rig verdict maybe",
            "@rig check a",
            "@rig check a perhaps",
            "@rig exit",
            "@rig figures",
            "@rig figures idle 12",
            "@rig stage now up",
        ] {
            assert!(parse(line).expect("ours").is_err(), "{line}");
        }
    }
}
