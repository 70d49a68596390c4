//! A hostile guest's front end: it does to the driver domain what a guest can do, for a time and from a seed.
//!
//! It speaks through the same devices as `audiofront`, and keeps no rule of the protocol. It plays nothing but zeros to
//! `output-0`, so that a good guest on that port can be judged to the bit. Its last line counts its deeds.
#![forbid(unsafe_code)]

mod card;
mod chance;
mod connection;
mod deeds;
mod store;
mod stream;
mod tally;

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::card::Card;
use crate::chance::Chance;
use crate::deeds::{DEEDS, Deed, die};

const USAGE: &str = "villain CARD SECONDS SEED DEED...    does these deeds to a card, in random order
villain die CARD SEED STEP           comes up, and ends at a step of that
deeds: open flood scribble revoke break die";

/// The longest rest after a deed, in milliseconds.
const REST_MS: usize = 3_000;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("villain: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["die", card, seed, step] => {
            let mut card = Card::find(number(card)?, Chance::new(number(seed)?.into()))?;
            die::come_up_and_end(&mut card, number(step)?)?;
            Ok(card.tally.to_string())
        }
        [card, seconds, seed, deeds @ ..] if !deeds.is_empty() => {
            let deeds = deeds.iter().map(|name| deed(name)).collect::<Result<Vec<Deed>>>()?;
            let mut card = Card::find(number(card)?, Chance::new(number(seed)?.into()))?;
            let seconds = Duration::from_secs(number(seconds)?.into());
            misbehave(&mut card, seconds, &deeds)?;
            Ok(card.tally.to_string())
        }
        _ => bail!("usage:\n{USAGE}"),
    }
}

fn deed(name: &str) -> Result<Deed> {
    let found = DEEDS.iter().find(|(known, _)| *known == name);
    found.map(|(_, deed)| *deed).with_context(|| format!("{name}: no such deed\n{USAGE}"))
}

fn number(word: &str) -> Result<u32> {
    word.parse().with_context(|| format!("{word}: no number"))
}

/// Does deeds until the time is over, then leaves the card as the toolstack made it.
fn misbehave(card: &mut Card, time: Duration, deeds: &[Deed]) -> Result<()> {
    let begun = Instant::now();
    let mut connection = None;
    while begun.elapsed() < time {
        // Each deed comes up in each round.
        let mut round = deeds.to_vec();
        while !round.is_empty() && begun.elapsed() < time {
            let deed = round.swap_remove(card.chance.below(round.len()));
            deed(card, &mut connection)?;
            // The emulator is slow, and virtual time that passes in sleep costs nothing.
            sleep(Duration::from_millis(card.chance.below(REST_MS) as u64));
        }
    }
    card.restore()?;
    card.leave()?;
    drop(connection);
    Ok(())
}
