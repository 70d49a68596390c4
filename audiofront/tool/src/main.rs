//! `audiofront`: plays, records and watches positions from a Linux guest, without the kernel's driver.
#![deny(unsafe_code)]

mod echo;
mod guard;
mod no_system_calls;
mod play;
mod position;
mod read_cost;
mod record;
mod signals;
mod streams;

use std::process::ExitCode;

use audiofront::StreamConfig;
use audiofront_linux::{Card, ErrorKind};
use clap::Parser;
use sndif::Direction;

use crate::signals::Interrupted;

/// Play and record on a Xen guest's sound card by the program's own front end, with no driver of the kernel's.
///
/// The card is the one that the domain's file describes (`vsnd = ...`). The program's buffer is what the sound controller's
/// DMA works on: nothing is copied in between. It needs the modules xen-gntalloc and xen-evtchn, access to /dev/xen/gntalloc,
/// /dev/xen/evtchn and /dev/xen/xenbus (root has it), and that snd_xen_front leaves the card alone.
#[derive(Parser)]
#[command(name = "audiofront", version, after_help = EXAMPLES)]
enum Command {
    List(List),
    Play(play::Play),
    Record(record::Record),
    Position(position::Positions),
    EchoCheck(echo::Echo),
    ReadCost(read_cost::ReadCost),
    #[command(hide = true)]
    Guard(guard::Guard),
}

const EXAMPLES: &str = "Examples:
  audiofront list
  audiofront play /usr/share/sounds/alsa/Front_Center.wav
  audiofront play --volume -12.5 song.wav
  audiofront record --seconds 5 voice.wav
  audiofront position
  audiofront echo-check --restarts 10 --plot echo.svg

Exit status: 0 done; 1 failed; 2 bad usage; 3 no such card or stream, or a module is missing; 4 busy; 5 not allowed; 130 or
143 ended by SIGINT or SIGTERM, with the card closed.";

/// Show this guest's cards and their streams
#[derive(clap::Args)]
struct List {}

/// Which card and which of its streams.
#[derive(clap::Args)]
pub(crate) struct Choice {
    /// The card's number, as `audiofront list` has it
    #[arg(long, value_name = "N", default_value_t = 0)]
    card: u32,

    /// The stream's unique-id [default: the card's first one in the direction]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,

    /// Don't start the second process, which closes the card if this one is killed
    #[arg(long)]
    no_guard: bool,
}

/// How loud.
#[derive(clap::Args)]
pub(crate) struct Loudness {
    /// Volume in dB, by the amplifiers of the output or input: the nearest of their steps is taken
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = thousandths)]
    volume: Option<i32>,

    /// Mute the output or input
    #[arg(long)]
    mute: bool,
}

/// dB as steps of 0.001 dB.
fn thousandths(text: &str) -> Result<i32, String> {
    let decibels: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (-200.0..=200.0).contains(&decibels) {
        Ok((decibels * 1_000.0).round() as i32)
    } else {
        Err("it has to be from -200 to 200".to_owned())
    }
}

impl Loudness {
    /// Opens a stream and sets its amplifiers, before it runs.
    fn open(&self, card: &mut Card, stream: usize, config: &StreamConfig) -> anyhow::Result<()> {
        if self.volume.is_some() {
            card.front(stream).let_volume_be_told();
        }
        card.open(stream, config)?;
        if let Some(mdb) = self.volume {
            card.set_volume(stream, mdb)?;
            let volumes = card.volume(stream)?;
            if let Some(other) = volumes.iter().find(|volume| **volume != mdb) {
                eprintln!("audiofront: the nearest volume is {:.2} dB", f64::from(*other) / 1_000.0);
            }
        }
        if self.mute {
            card.set_mute(stream, true)?;
        }
        Ok(())
    }
}

impl Choice {
    /// Connects, and finds the stream.
    fn connect(&self, direction: Direction) -> anyhow::Result<(Card, usize)> {
        let card = if self.no_guard { Card::connect(self.card)? } else { guard::connect(self.card)? };
        let stream = card.find(direction, self.stream.as_deref())?;
        Ok((card, stream))
    }
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::List(_) => list(),
        Command::Play(play) => play.execute(),
        Command::Record(record) => record.execute(),
        Command::Position(position) => position.execute(),
        Command::EchoCheck(check) => check.execute(),
        Command::ReadCost(cost) => cost.execute(),
        Command::Guard(guard) => guard.execute(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            if let Some(Interrupted(signal)) = error.downcast_ref() {
                return ExitCode::from(128 + signal);
            }
            eprintln!("audiofront: {error:#}");
            ExitCode::from(match error.downcast_ref().map(audiofront_linux::Error::kind) {
                Some(ErrorKind::NotFound) => 3,
                Some(ErrorKind::Busy) => 4,
                Some(ErrorKind::Denied) => 5,
                _ => 1,
            })
        }
    }
}

fn list() -> anyhow::Result<ExitCode> {
    let cards = Card::list()?;
    for card in &cards {
        println!(
            "card {}: {} ({}), back end: domain {}",
            card.index, card.short_name, card.long_name, card.back_end
        );
        for (number, stream) in card.streams.iter().enumerate() {
            let direction = match stream.direction {
                Direction::Playback => "playback",
                Direction::Capture => "capture",
            };
            let formats: Vec<&str> = stream.formats.iter().map(|format| format.name()).collect();
            println!(
                "  stream {number}: {direction}, unique-id {:?}, rates {:?}, formats {formats:?}, buffer up to {:?} bytes",
                stream.unique_id, stream.rates_hz, stream.buffer_bytes_max
            );
        }
    }
    if cards.is_empty() {
        println!("this guest has no sound card");
    }
    Ok(ExitCode::SUCCESS)
}
