//! A child process that prints its command line, is read line by line within time limits, and never outlives us.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wait_timeout::ChildExt;

use crate::ignored;

/// The program that runs. By its path it is another one, or none, once cargo has built it anew: the host lane does so in a
/// fresh clone.
pub const OURSELVES: &str = "/proc/self/exe";

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// A child's time limits, on the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From line to line.
    pub silence: Duration,
    /// In all.
    pub total: Duration,
}

/// How a child ended.
#[derive(Debug)]
pub enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// It was killed after a long silence.
    Silent(Duration),
    /// It was killed at its time limit.
    TooLong(Duration),
}

impl Ending {
    /// The status of a child that ended by itself.
    ///
    /// # Errors
    /// The reason for which it was killed.
    pub fn status(&self) -> Result<ExitStatus, String> {
        match self {
            Ending::Exited(status) => Ok(*status),
            Ending::Silent(limit) => Err(format!("said nothing for {} s and was killed", limit.as_secs())),
            Ending::TooLong(limit) => Err(format!("did not end within {} s and was killed", limit.as_secs())),
        }
    }
}

/// A running child. Dropping it kills it.
pub struct Child {
    process: Process,
    lines: Receiver<(Stream, Vec<u8>)>,
    started: Instant,
}

impl Child {
    /// Prints the command line and starts it, with no standard input.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(command: &mut Command) -> Result<Child> {
        eprintln!("$ {}", command_line(command));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut process = command.spawn().with_context(|| format!("can't start {program}"))?;
        let (sender, lines) = channel();
        let pipes: [(Stream, Option<Box<dyn Read + Send>>); 2] = [
            (Stream::Output, process.stdout.take().map(|pipe| Box::new(pipe) as _)),
            (Stream::Error, process.stderr.take().map(|pipe| Box::new(pipe) as _)),
        ];
        for (stream, pipe) in pipes {
            let Some(pipe) = pipe else { continue };
            let sender = sender.clone();
            // Ends with the pipe, which ends with the child.
            std::thread::spawn(move || {
                let mut reader = BufReader::new(pipe);
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                    if sender.send((stream, std::mem::take(&mut line))).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Child { process, lines, started: Instant::now() })
    }

    /// Hands on each line, with its end, until the child ends or a limit is reached; then the child is gone.
    ///
    /// # Errors
    /// When the child can't be waited for.
    pub fn follow(mut self, limits: Limits, mut on_line: impl FnMut(Stream, &[u8])) -> Result<Ending> {
        loop {
            let left = limits.total.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return Ok(Ending::TooLong(limits.total));
            }
            match self.lines.recv_timeout(left.min(limits.silence)) {
                Ok((stream, line)) => on_line(stream, &line),
                Err(RecvTimeoutError::Timeout) if left <= limits.silence => {
                    return Ok(Ending::TooLong(limits.total));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Ending::Silent(limits.silence)),
                // Both pipes are closed.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match self.process.wait_timeout(limits.silence).context("can't wait for a child")? {
            Some(status) => Ok(Ending::Exited(status)),
            None => Ok(Ending::Silent(limits.silence)),
        }
    }

    /// An error around the start of a child, with the child's own words, which say more.
    pub fn failed(self, error: anyhow::Error) -> anyhow::Error {
        match self.last_words() {
            words if words.is_empty() => error,
            words => error.context(words),
        }
    }

    /// The standard error of a child that failed at its start, for a second. Then the child is killed.
    fn last_words(self) -> String {
        let limits = Limits { silence: Duration::from_secs(1), total: Duration::from_secs(2) };
        let mut words = String::new();
        let ending = self.follow(limits, |stream, line| {
            if stream == Stream::Error {
                words.push_str(&String::from_utf8_lossy(line));
            }
        });
        ignored(ending, "the words count, and not how the child ends");
        words.trim().to_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        ignored(self.process.kill(), "it fails only for a child that is gone");
        ignored(self.process.wait(), "it fails only for a child that is gone");
    }
}

/// A command as one would type it, with the variables that are set for it.
fn command_line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_string_lossy(), quoted(&value?.to_string_lossy())))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    variables.chain(words.map(|word| quoted(&word.to_string_lossy()))).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: Limits = Limits { silence: Duration::from_secs(60), total: Duration::from_secs(60) };

    fn shell(script: &str) -> Child {
        Child::start(Command::new("sh").args(["-c", script])).expect("sh starts")
    }

    #[test]
    fn lines_of_both_pipes_arrive_and_the_status_too() {
        let mut output = Vec::new();
        let mut error = Vec::new();
        let ending = shell("echo one; echo two; echo three >&2; printf four; exit 35")
            .follow(AMPLE, |stream, line| match stream {
                Stream::Output => output.extend_from_slice(line),
                Stream::Error => error.extend_from_slice(line),
            })
            .expect("followed");
        assert_eq!(output, b"one\ntwo\nfour");
        assert_eq!(error, b"three\n");
        assert!(matches!(ending, Ending::Exited(status) if status.code() == Some(35)), "{ending:?}");
    }

    #[test]
    fn one_that_says_nothing_is_killed() {
        let limits = Limits { silence: Duration::from_millis(50), ..AMPLE };
        let ending = shell("exec sleep 1000").follow(limits, |_, _| ()).expect("followed");
        assert!(matches!(ending, Ending::Silent(_)), "{ending:?}");
    }

    #[test]
    fn one_that_never_ends_is_killed() {
        let limits = Limits { total: Duration::from_millis(50), ..AMPLE };
        let ending = shell("while :; do echo; done").follow(limits, |_, _| ()).expect("followed");
        assert!(matches!(ending, Ending::TooLong(_)), "{ending:?}");
    }

    #[test]
    fn last_words_are_those_on_the_standard_error() {
        assert_eq!(
            shell("echo out; echo no such device >&2; exec sleep 1000").last_words(),
            "no such device"
        );
        assert_eq!(shell("exit 1").last_words(), "");
    }

    #[test]
    fn dropping_a_child_kills_it() {
        let child = shell("exec sleep 1000");
        let process = std::path::PathBuf::from(format!("/proc/{}", child.process.id()));
        assert!(process.exists());
        drop(child);
        assert!(!process.exists());
    }

    #[test]
    fn command_lines_can_be_typed_again() {
        let mut command = Command::new("qemu");
        command.args(["-append", "log=info play=0", "it's", ""]).env("LANG", "C");
        assert_eq!(command_line(&command), r"LANG=C qemu -append 'log=info play=0' 'it'\''s' ''");
    }
}
