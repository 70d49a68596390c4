//! Dies at each step of coming up and in mid-stream, and comes again.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use sndif::state::XenbusState;

use crate::card::Card;
use crate::connection::{Connection, STEPS};

/// Deaths of one deed.
const DEATHS: usize = 3;

/// The longest life of one that is killed, in milliseconds.
const LIFE_MS: usize = 300;

pub(super) fn deed(card: &mut Card, kept: &mut Option<Connection>) -> Result<()> {
    *kept = None;
    let program = std::env::current_exe().context("no program")?;
    for _ in 0..DEATHS {
        let (number, seed) = (card.number.to_string(), card.chance.word().to_string());
        // One more step than there are is a stream that runs.
        let step = card.chance.below(STEPS as usize + 1).to_string();
        let mut child = Command::new(&program)
            .args(["die", &number, &seed, &step])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("no process")?;
        if card.chance.is_once_in(3) {
            sleep(Duration::from_millis(card.chance.below(LIFE_MS) as u64));
            // It may be dead already.
            child.kill().ok();
            card.tally.add("killed", 1);
        }
        let status = child.wait().context("no end")?;
        card.tally.add(if status.success() { "did_not_come_up" } else { "died" }, 1);
    }
    Ok(())
}

/// Comes up and aborts at a step: nothing is closed but what the kernel closes.
pub(crate) fn come_up_and_end(card: &mut Card, at: u32) -> Result<()> {
    let end_at = |step| {
        if step == at {
            std::process::abort();
        }
    };
    let Some(mut connection) = Connection::make(card, end_at)? else { return Ok(()) };
    let (transport, stream) = connection.any(card);
    stream.play(transport, 65_536)?;
    sleep(Duration::from_millis(card.chance.below(LIFE_MS) as u64));
    if card.chance.is_once_in(3) {
        card.show(XenbusState::Closing)?;
    }
    std::process::abort();
}
