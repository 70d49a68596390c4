//! Brings the card back after a loss of power.

use audioback::card::Card;
use hyper::{BackOff, Clock, Nanos};

use crate::due::after;

/// Time between two looks whether the controller still has its state: one register each. A domain that sleeps looks when it wakes.
const LOOK_INTERVAL_NS: u64 = 100_000_000;

/// A controller that loses its state all the time, or doesn't come back, makes everybody wait at each try.
const RETRY: BackOff = BackOff::new(Nanos(1_000_000_000), Nanos(60_000_000_000));

/// A controller that has kept its state for so long is well.
const STAYS_UP_NS: u64 = 120_000_000_000;

/// Notices that the card has lost its state, and brings it back.
#[derive(Debug)]
pub(crate) struct Revival {
    next_look: Nanos,
    tries: BackOff,
    /// If the card is well then, earlier losses don't count any more.
    forgets_at: Option<Nanos>,
}

impl Revival {
    pub(crate) const fn new() -> Self {
        Self { next_look: Nanos(0), tries: RETRY, forgets_at: None }
    }

    /// Looks at the card, if it is time for that.
    pub(crate) fn attend<B, C: Card<B>>(&mut self, card: &mut C, clock: &dyn Clock) {
        let now = clock.now();
        if now < self.next_look || !self.tries.is_over(now) {
            return;
        }
        self.next_look = after(now, LOOK_INTERVAL_NS);
        if !card.has_lost_state() {
            if self.forgets_at.is_some_and(|forgets_at| now >= forgets_at) {
                self.forgets_at = None;
                self.tries.succeeded();
            }
            return;
        }
        log::warn!(
            "the controller has lost its state, as after a loss of power; it is brought up again, and all streams end"
        );
        match card.restore() {
            Ok(()) => log::info!("the controller is up again"),
            Err(error) => log::error!("the controller isn't up again: {error:?}"),
        }
        // That may have taken longer than the wait.
        let now = clock.now();
        self.tries.failed(now);
        self.forgets_at = Some(after(now, STAYS_UP_NS));
    }
}
