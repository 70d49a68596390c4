//! Streams that are open and don't run, and give way to a guest that waits for their port.

use hyper::{DomainId, Hypervisor, Nanos};
use sndif::control_page::SlotState;

use super::{Device, Slot, log_stuck, publish};
use crate::card::{Card, PortIndex};

/// Time for which a stream has to be open without running before it gives way.
///
/// A front end starts its stream as soon as its buffer has samples. The usual buffer of 64 KiB fills in 0.34 s at the pace of
/// 48 kHz stereo. A program that waits for its user longer than this can open again.
pub const IDLE_NS: u64 = 2_000_000_000;

/// Streams that have given way and are logged at level info. Without a limit two guests could fill the log.
const LOGGED: u8 = 16;

impl<H: Hypervisor, C: Card<H::Buffer>> Slot<H, C> {
    /// Whether the stream has its port and doesn't use it. One that is paused has a run to go on with.
    fn is_idle(&self) -> bool {
        matches!(self.stream.state(), SlotState::Open | SlotState::Failed)
    }

    /// Notes since when the stream is idle. Another OPEN of it doesn't begin anew.
    pub(super) fn note_idle(&mut self, now: Nanos) {
        self.idle_since = if self.is_idle() { self.idle_since.or(Some(now)) } else { None };
    }
}

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// The port that an OPEN found taken in the last [`poll`](Self::poll). Its answer follows in the next one, so that another guest's
    /// idle stream can [give way](Self::give_way) before. Asking takes it.
    pub fn take_awaited_port(&mut self) -> Option<PortIndex> {
        self.awaited.take()
    }

    /// Closes the device's streams on a port that have been open for [`IDLE_NS`] without running, for another guest that waits for
    /// it. Until they are opened again, their owner's requests are answered with EBUSY.
    pub fn give_way(&mut self, hypervisor: &mut H, card: &mut C, port: PortIndex, to: DomainId, now: Nanos) {
        if to == self.guest {
            return;
        }
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let idle_ns = slot.idle_since.map_or(0, |since| now.0.saturating_sub(since.0));
            if slot.stream.port() != port || !slot.is_idle() || idle_ns < IDLE_NS {
                continue;
            }
            if slot.ways_logged < LOGGED {
                slot.ways_logged = slot.ways_logged.saturating_add(1);
                log::info!(
                    "domain {}: port {} was open for {} ms without running; domain {} gets it",
                    self.guest.0,
                    port.0,
                    idle_ns / 1_000_000,
                    to.0
                );
            }
            if slot.stream.give_way(hypervisor, card).is_err() {
                log_stuck(self.guest);
            }
            slot.note_idle(now);
            publish(&mut self.control_page, index, slot);
        }
    }
}
