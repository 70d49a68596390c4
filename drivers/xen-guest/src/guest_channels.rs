//! The channels that guests have offered, and the throttle of events that bring no request.
//!
//! A front end sends an event for a request that it has put on its ring. So a guest that keeps to
//! the protocol sends no more events than requests. The back end may take a request before its
//! event comes, and a second event may be on its way by then. Further events without a request wake
//! the domain for nothing. After [`IDLE_EVENTS_MAX`] of them their channel is masked, as Linux's
//! late EOI does after a spurious event.
//!
//! A masked channel loses nothing: Xen keeps its event pending, and each turn of the loop looks at
//! all rings. There is a turn at the end of each round then, for all masked channels together. So a
//! flood costs one turn a round on any number of channels. A request ends the throttle at once, and
//! so does [`QUIET_NS`] without an event.

use hyper::{EventChannel, Nanos};

use crate::event_channels::EventChannels;

/// Limit of bound channels: two for each of 120 streams.
pub const MAX_CHANNELS: usize = 240;

/// Events since the last request that leave a channel unmasked. A guest that keeps to the protocol
/// causes two: the event of a request that was taken early, and one on its way.
pub const IDLE_EVENTS_MAX: u8 = 4;

/// Interval between turns while a channel is masked. Control pages are written at the same times.
pub const ROUND_NS: u64 = 10_000_000;

/// Time without an event after which a channel is unmasked. An event that comes then costs a turn
/// of its own.
pub const QUIET_NS: u64 = 1_000_000_000;

/// A bound channel.
#[derive(Clone, Copy, Debug)]
struct Bound {
    channel: EventChannel,
    /// Events since the last request.
    idle_events: u8,
    /// An event has come since the last decision about the mask.
    has_come: bool,
    /// While it is masked: the time at which it is quiet, if no event comes.
    quiet_at: Option<Nanos>,
    /// It was closed while it was masked. The next channel may get its number, so it stays here until
    /// its mask is gone.
    is_closed: bool,
}

impl Bound {
    const fn new(channel: EventChannel) -> Self {
        Self { channel, idle_events: 0, has_come: false, quiet_at: None, is_closed: false }
    }

    const fn is_flooded(&self) -> bool {
        self.idle_events > IDLE_EVENTS_MAX
    }

    /// Masks the channel if it is flooded, and unmasks it if it is so no more.
    fn throttle(&mut self, events: &EventChannels<'_>, now: Nanos) {
        let has_come = core::mem::take(&mut self.has_come);
        if !self.is_flooded() {
            if self.quiet_at.take().is_some() {
                events.unmask(self.channel);
            }
            return;
        }
        // The next turn at the end of a round looks at the ring, so no request is missed.
        let is_masked = self.quiet_at.is_some();
        if has_come || is_masked && events.take(self.channel) {
            events.mask(self.channel);
            self.quiet_at = Some(Nanos(now.0.saturating_add(QUIET_NS)));
        } else if self.quiet_at.is_some_and(|at| at <= now) {
            self.quiet_at = None;
            events.unmask(self.channel);
        }
    }
}

/// The channels that guests have offered, ordered by their numbers.
#[derive(Debug, Default)]
pub struct GuestChannels {
    bound: heapless::Vec<Bound, MAX_CHANNELS>,
    /// A mask may have to change.
    is_touched: bool,
    /// The end of the round, if a channel is masked.
    next: Option<Nanos>,
}

impl GuestChannels {
    /// Whether no further channel can be bound.
    pub fn is_full(&self) -> bool {
        self.bound.is_full()
    }

    /// Notes a channel that was bound.
    pub fn add(&mut self, channel: EventChannel) {
        match self.place(channel) {
            // A closed channel had this number. The end of the turn clears its mask.
            Ok(place) => self.reset(place, channel, false),
            Err(place) => {
                // The caller has checked that there is room.
                let _ = self.bound.insert(place, Bound::new(channel));
            }
        }
    }

    /// Notes that a channel was closed. Returns whether it was bound.
    pub fn remove(&mut self, channel: EventChannel) -> bool {
        let Some(bound) = self.get_mut(channel) else { return false };
        let is_masked = bound.quiet_at.is_some();
        if let Ok(place) = self.place(channel) {
            if is_masked {
                self.reset(place, channel, true);
                self.is_touched = true;
            } else {
                self.bound.remove(place);
            }
        }
        true
    }

    /// Notes an event that was taken. Events of other channels are ignored.
    pub fn on_event(&mut self, channel: EventChannel) {
        let Some(bound) = self.get_mut(channel) else { return };
        bound.has_come = true;
        bound.idle_events = bound.idle_events.saturating_add(1);
        self.is_touched = true;
    }

    /// Notes a request on the ring of a channel: its events bring work.
    pub fn on_request(&mut self, channel: EventChannel) {
        let Some(bound) = self.get_mut(channel) else { return };
        bound.idle_events = 0;
        let is_masked = bound.quiet_at.is_some();
        self.is_touched |= is_masked;
    }

    /// Masks and unmasks channels at the end of a turn, after the rings were served. Returns the
    /// latest time of the next turn.
    pub fn throttle(&mut self, events: &EventChannels<'_>, now: Nanos) -> Option<Nanos> {
        if !core::mem::take(&mut self.is_touched) && self.next.is_none_or(|next| next > now) {
            return self.next;
        }
        self.bound.iter_mut().for_each(|bound| bound.throttle(events, now));
        self.bound.retain(|bound| !bound.is_closed);
        let is_any_masked = self.bound.iter().any(|bound| bound.quiet_at.is_some());
        let since = now.0 % ROUND_NS;
        self.next = is_any_masked.then_some(Nanos(now.0.saturating_add(ROUND_NS.saturating_sub(since))));
        self.next
    }

    /// Begins anew with a channel's number. Its mask stays as it is.
    fn reset(&mut self, place: usize, channel: EventChannel, is_closed: bool) {
        if let Some(bound) = self.bound.get_mut(place) {
            *bound = Bound { quiet_at: bound.quiet_at, is_closed, ..Bound::new(channel) };
        }
    }

    fn get_mut(&mut self, channel: EventChannel) -> Option<&mut Bound> {
        let place = self.place(channel).ok()?;
        self.bound.get_mut(place).filter(|bound| !bound.is_closed)
    }

    /// The place of a channel in the table, or the place to insert it.
    fn place(&self, channel: EventChannel) -> Result<usize, usize> {
        self.bound.binary_search_by_key(&channel, |bound| bound.channel)
    }
}
