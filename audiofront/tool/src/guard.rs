//! The guard: a second process that closes the card if the first one is killed.
//!
//! Without it the back end gets no STOP, and plays the buffer again and again.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use audiofront_linux::Card;

/// Tries to close the card, and the time between them. The program's lock on the card goes with the program.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(10);

/// Wait for the end of standard input, then close a card that was left open
#[derive(clap::Args)]
pub(crate) struct Guard {
    /// Start a separate guard and exit at once: for libraries, whose program waits for its own children
    #[arg(long)]
    detach: bool,

    /// The card's number
    card: u32,
}

/// Connects to a card, with a guard that outlives this process.
pub(crate) fn connect(index: u32) -> Result<Card> {
    let card = Card::connect(index)?;
    // This end of the pipe is closed by the kernel, when this process ends.
    std::mem::forget(start(index, Stdio::piped())?);
    Ok(card)
}

fn start(card: u32, stdin: Stdio) -> Result<Child> {
    Command::new("/proc/self/exe")
        .args(["guard", &card.to_string()])
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What the terminal sends to this program isn't for it.
        .process_group(0)
        .spawn()
        .context("the guard, which closes the card if this program is killed, can't be started")
}

impl Guard {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        if self.detach {
            start(self.card, Stdio::inherit())?;
            return Ok(ExitCode::SUCCESS);
        }
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
