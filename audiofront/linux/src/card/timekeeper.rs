//! Xen's time in this guest, derived from the back end's echoes.

use std::sync::Arc;

use audiofront::{ClockMap, ignored};
use sndif::control_page::Slot;

use crate::clock::Clock;

/// Time from the first echoes to the next one. It doubles with each echo as the drift becomes
/// better known.
const FIRST_INTERVAL_NS: u64 = 10_000_000;

/// Longest time between two echoes.
const LAST_INTERVAL_NS: u64 = 1_000_000_000;

/// Maps Xen's clock to this guest's. An echo is a request whose arrival at the back end the control
/// page dates.
#[derive(Debug)]
pub(super) struct Timekeeper {
    clock: Arc<Clock>,
    map: ClockMap,
    /// Number and send time of the request without an echo.
    under_way: Option<(u16, u64)>,
    /// Guest's time of the last request.
    sent_ns: u64,
    interval_ns: u64,
}

impl Timekeeper {
    pub(super) fn new() -> Self {
        Self {
            clock: Arc::new(Clock::new()),
            map: ClockMap::new(),
            under_way: None,
            sent_ns: 0,
            interval_ns: FIRST_INTERVAL_NS,
        }
    }

    /// This guest's clock.
    pub(super) fn clock(&self) -> Arc<Clock> {
        self.clock.clone()
    }

    /// Whether another echo is due. This lengthens the next interval.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.clock.now_ns().saturating_sub(self.sent_ns) > self.interval_ns;
        if is_due {
            self.interval_ns = (self.interval_ns * 2).min(LAST_INTERVAL_NS);
        }
        is_due
    }

    /// Sends a request by `send`, which returns its number.
    pub(super) fn send(&mut self, send: impl FnOnce() -> Option<u16>) -> Option<u16> {
        self.sent_ns = self.clock.now_ns();
        let id = send()?;
        self.under_way = Some((id, self.sent_ns));
        Some(id)
    }

    /// Takes the echo, if present, from the slot of the stream that carries the requests.
    pub(super) fn hear(&mut self, slot: impl FnOnce() -> Option<Slot>) {
        let Some((id, sent_ns)) = self.under_way else { return };
        let Some(echo) = slot().and_then(|slot| slot.echo()) else { return };
        let heard_ns = self.clock.now_ns();
        if echo.id == id {
            self.under_way = None;
            let added = self.map.add(sent_ns, heard_ns, echo.time_ns);
            ignored(added, "after a contradiction the map begins anew, and knows its own bound");
            self.clock.publish(&self.map, heard_ns);
        }
    }
}
