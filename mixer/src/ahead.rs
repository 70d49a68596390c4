//! Mixing ahead of a turn that waits for hardware, so that the wait makes no voice run dry.

use audioback::card::Card;
use hyper::{Nanos, SampleMemory};

use crate::backing::Backing;
use crate::bus::BusPlace;
use crate::mixer::Mixer;

/// What buses are mixed ahead of a wait. By the table of waits in docs/mixing.md no request waits longer than 5 ms, and RUN is
/// waited for 20 ms where nobody would try again. The rest is for registers that are slower than the model's, and for a domain that
/// loses its processor meanwhile.
const AHEAD: Nanos = Nanos(40_000_000);

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// Mixes what every voice has announced, so far ahead. Called before the card below may wait.
    pub(crate) fn mix_ahead(&mut self) {
        for _ in 0..=self.buses.len() {
            let mut has_failed = false;
            for index in 0..self.buses.len() {
                let is_running =
                    self.buses.get(index).and_then(BusPlace::open).is_some_and(|bus| bus.track.is_running);
                has_failed |= is_running && self.advance_with(index, AHEAD).is_none();
            }
            // The stop of one that has failed was a wait, too.
            if !has_failed {
                break;
            }
        }
    }
}
