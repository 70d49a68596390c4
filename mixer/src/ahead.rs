//! Mixing ahead of a turn that waits for hardware, so that the wait makes no voice run dry.

use audioback::card::Card;
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::BusPlace;
use crate::mixer::Mixer;

/// The longest wait of one request for the hardware: RUN and a stream's reset, 20 ms each.
const LONGEST_WAIT: Nanos = Nanos(40_000_000);

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// Mixes all buses ahead, as far as every voice has announced its frames. Called before the card below may wait.
    ///
    /// A voice that has announced none any more is dry anyway, and holds nobody back. One that announces little, or
    /// nothing at all, does: its frames can't be mixed before they are written.
    pub(crate) fn mix_ahead(&mut self) {
        for index in 0..self.buses.len() {
            let players = self.table.voices().filter(|voice| voice.plays_on(index));
            let Some(announced) = players.filter_map(|voice| voice.announced_ahead()).min() else { continue };
            let Some(bus) = self.buses.get(index).and_then(BusPlace::open) else { continue };
            let ahead_frames = announced.min(bus.track.layout.frames_in(LONGEST_WAIT.0));
            if bus.track.is_running && ahead_frames > 0 {
                // A bus that fails now breaks its voices off, as in any other turn.
                self.advance_with(index, ahead_frames);
            }
        }
    }
}
