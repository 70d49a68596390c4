//! Options that several commands share: the card, its stream, the volume.

use audiofront::StreamConfig;
use audiofront_linux::Card;
use sndif::Direction;

use crate::guard;

/// Options that choose a card and one of its streams, and set its amplifiers and its buffer.
#[derive(clap::Args)]
pub(crate) struct Choice {
    /// The card's number in `audiofront list`
    #[arg(long, value_name = "N", default_value_t = 0)]
    card: u32,

    /// The stream's unique-id [default: the card's first one in the direction]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,

    /// Don't start the guard, a second process that closes the card if this one is killed
    #[arg(long)]
    no_guard: bool,

    /// Volume in dB, from -200 to 200: the amplifier of the output or input takes its nearest step
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = thousandths)]
    volume: Option<i32>,

    /// Mute the output or input
    #[arg(long)]
    mute: bool,

    /// Largest DMA buffer, in frames (64 or more)
    #[arg(long, value_name = "FRAMES", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(64..))]
    pub(crate) buffer_frames: u32,
}

/// dB as steps of 0.001 dB.
fn thousandths(text: &str) -> Result<i32, String> {
    let decibels: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (-200.0..=200.0).contains(&decibels) {
        Ok((decibels * 1_000.0).round() as i32)
    } else {
        Err("it must be from -200 to 200".to_owned())
    }
}

impl Choice {
    /// Opens a stream and sets its amplifiers, before it runs.
    pub(crate) fn open(&self, card: &mut Card, stream: usize, config: &StreamConfig) -> anyhow::Result<()> {
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

    /// Connects to the card and finds the stream.
    pub(crate) fn connect(&self, direction: Direction) -> anyhow::Result<(Card, usize)> {
        let card = if self.no_guard { Card::connect(self.card)? } else { guard::connect(self.card)? };
        let stream = card.find(direction, self.stream.as_deref())?;
        Ok((card, stream))
    }
}
