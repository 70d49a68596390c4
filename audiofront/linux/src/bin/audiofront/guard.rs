//! A second process, which closes the card when the first one was killed: else the back end would play the buffer
//! round and round, since nobody has told it to stop.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use audiofront_linux::Card;

/// Times that the card is looked at, and how long in between, until the program's lock on it has gone with the program.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(10);

/// Wait for the end of standard input, then close what was left of a card
#[derive(clap::Args)]
pub(crate) struct Guard {
    /// The card's number
    card: u32,
}

/// Connects to a card, with a guard that outlives this process.
pub(crate) fn connect(index: u32) -> Result<Card> {
    let card = Card::connect(index)?;
    let guard = Command::new("/proc/self/exe")
        .args(["guard", &index.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What the terminal sends to this program isn't for it.
        .process_group(0)
        .spawn()
        .context("the guard, which closes the card if this program is killed, can't be started")?;
    // This end of the pipe is closed by the kernel, when this process ends.
    std::mem::forget(guard);
    Ok(card)
}

impl Guard {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let mut nothing = [0];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        for _ in 0..LOOKS {
            // Another program's card is left alone: it has closed what it found.
            if Card::close_what_was_left(self.card)? {
                break;
            }
            thread::sleep(BETWEEN);
        }
        Ok(ExitCode::SUCCESS)
    }
}
