//! `audiofront`: plays, records and watches positions from a Linux guest, without the kernel's driver.
#![deny(unsafe_code)]

mod choice;
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

use audiofront_linux::{Card, ErrorKind};
use clap::Parser;
use sndif::Direction;

use crate::signals::Interrupted;

/// Play and record on a Xen guest's sound card, without the kernel's driver.
///
/// The guest's domain file describes the card (`vsnd = ...`). The sound controller's DMA works on this program's own buffer:
/// samples are not copied on the way.
///
/// The program needs the kernel modules xen-gntalloc and xen-evtchn, and access to /dev/xen/gntalloc, /dev/xen/evtchn and
/// /dev/xen/xenbus (run it as root). The kernel's driver snd_xen_front must not use the card.
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
  audiofront list                                          cards and streams of this guest
  audiofront play /usr/share/sounds/alsa/Front_Center.wav  play a file on the first stream of card 0
  audiofront play --volume -12.5 song.wav                  12.5 dB below the full level
  audiofront record --seconds 5 voice.wav                  five seconds, 16 bit stereo at 48000 Hz
  audiofront position                                      positions of silent streams, live
  audiofront echo-check --restarts 10 --plot echo.svg      the echo test, with a picture

Exit status:
  0          done
  1          failed, or a limit of the test was exceeded
  2          bad usage; for echo-check also: the test can't be carried out
  3          there is no such card or stream, or a kernel module is missing
  4          another program or driver uses the card
  5          not allowed
  130, 143   ended by SIGINT or SIGTERM, with the card closed";

/// Show this guest's cards and their streams
#[derive(clap::Args)]
struct List {}

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
            let kind = match stream.direction {
                Direction::Playback => "output",
                Direction::Capture if stream.is_monitor() => "monitor: what others play",
                Direction::Capture => "input",
            };
            let formats: Vec<&str> = stream.formats.iter().map(|format| format.name()).collect();
            println!(
                "  stream {number}: {} ({kind}), unique-id {:?}, rates {:?} Hz, formats {formats:?}, buffer up to {} bytes",
                stream.direction,
                stream.unique_id,
                stream.rates_hz,
                stream.buffer_bytes_max.map_or("any".to_owned(), |bytes| bytes.to_string()),
            );
        }
    }
    if cards.is_empty() {
        println!("this guest has no sound card");
    }
    Ok(ExitCode::SUCCESS)
}
