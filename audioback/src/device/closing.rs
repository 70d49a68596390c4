//! The end of a device's connection, and of streams that don't stop.

use hyper::{Hypervisor, Nanos};
use sndif::control_page::SlotState;
use sndif::state::XenbusState;

use super::{Device, log_stuck};
use crate::card::Card;
use crate::turn_work::TurnWork;

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// Stops and unmaps everything at once, however long the hardware takes for each stream. The state becomes Closed, or Closing
    /// if a stream is stuck; then [`poll`](Self::poll) tries again.
    pub fn close(&mut self, hypervisor: &mut H, card: &mut C) {
        self.begin_close(hypervisor);
        for slot in &mut self.slots {
            if slot.stream.state() != SlotState::Closed && slot.stream.close(hypervisor, card).is_err() {
                log_stuck(self.guest);
            }
        }
        self.settle_state();
    }

    /// Ends the connection. The state becomes Closed if no stream is open, else Closing; then [`poll`](Self::poll) closes the
    /// streams, one in a turn, so that other guests' streams wait for one at a time.
    pub fn begin_close(&mut self, hypervisor: &mut H) {
        self.state = XenbusState::Closing;
        self.disconnect_lines(hypervisor);
        self.settle_state();
    }

    /// A device that is Closing is Closed once all its streams are.
    fn settle_state(&mut self) {
        let is_closed = self.slots.iter().all(|slot| slot.stream.holdings().open_streams == 0);
        if self.state == XenbusState::Closing && is_closed {
            self.state = XenbusState::Closed;
        }
    }

    /// Closes the next stream of a device that is Closing, or else tries again to close the next one that is stuck. Returns the
    /// time at which to go on, if it isn't that of the next round of tries.
    pub(super) fn go_on_closing(
        &mut self,
        hypervisor: &mut H,
        card: &mut C,
        now: Nanos,
        turn: &mut TurnWork,
    ) -> Option<Nanos> {
        if self.state == XenbusState::Closing
            && let Some(slot) = self.slots.iter_mut().find(|slot| slot.stream.state() != SlotState::Closed)
        {
            if turn.take_heavy() && slot.stream.close(hypervisor, card).is_err() {
                log_stuck(self.guest);
            }
            self.settle_state();
            return (self.state == XenbusState::Closing).then_some(now);
        }
        let due = self.retry_stuck(hypervisor, card, now, turn);
        self.settle_state();
        due
    }

    /// Tries again to close the next stuck stream, if it is time.
    fn retry_stuck(
        &mut self,
        hypervisor: &mut H,
        card: &mut C,
        now: Nanos,
        turn: &mut TurnWork,
    ) -> Option<Nanos> {
        if !self.slots.iter().any(|slot| slot.stream.is_stuck()) {
            self.retries.succeeded();
            self.untried = 0;
            return None;
        }
        if self.untried == 0 && !self.retries.is_over(now) {
            return None;
        }
        let mut untried = self.slots.iter_mut().enumerate().skip(self.untried);
        let Some((index, slot)) = untried.find(|(_, slot)| slot.stream.is_stuck()) else {
            self.end_round(now);
            return None;
        };
        if !turn.take_heavy() {
            return Some(now);
        }
        if slot.stream.close(hypervisor, card).is_ok() {
            log::info!("domain {}: a stream has stopped after all", self.guest.0);
        }
        self.untried = index.saturating_add(1);
        if self.slots.iter().skip(self.untried).any(|slot| slot.stream.is_stuck()) {
            return Some(now);
        }
        self.end_round(now);
        None
    }

    fn end_round(&mut self, now: Nanos) {
        self.untried = 0;
        self.retries.failed(now);
    }

    /// The time of the next try to close a stuck stream.
    pub(super) fn retry_due(&self, now: Nanos) -> Nanos {
        if self.untried == 0 { self.retries.due(now).unwrap_or(now) } else { now }
    }
}
