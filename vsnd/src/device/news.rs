//! What there is to tell people of a device, and what they have been told.

use audioback::card::Card;
use audioback::device::MAX_STREAMS;
use heapless::Vec;
use hyper::{Hypervisor, Nanos};
use sndif::state::XenbusState;

use super::super::port_name::Ports;
use super::super::state::{COUNTERS_INTERVAL_NS, News, NewsDue, StreamNote};
use super::Device;

/// What was told of the device in `snddom/state`.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// There may be nodes.
    pub(super) is_there: bool,
    state: Option<XenbusState>,
    streams: Vec<Option<(Nanos, StreamNote)>, MAX_STREAMS>,
}

impl Told {
    /// From now on there are so many streams, of which nothing has been told.
    pub(super) fn set_up(&mut self, streams: usize) {
        self.streams.clear();
        // No more than there is room for.
        let _ = self.streams.resize(streams, None);
    }
}

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// What there is to tell people.
    pub(in super::super) fn news(&self, ports: &Ports, now: Nanos) -> NewsDue {
        if self.is_leaving {
            return NewsDue::Never;
        }
        let state = self.back_end.state();
        if self.told.state != Some(state) {
            return NewsDue::Now(News::State(state));
        }
        let Some(sound) = &self.sound else { return NewsDue::Never };
        let mut later: Option<Nanos> = None;
        for (index, found) in self.directory.streams().iter().enumerate() {
            let Some(stream) = sound.stream(index) else { break };
            let note = StreamNote::of(stream, ports.name(found.config.port));
            let due = match self.told.streams.get(index) {
                Some(Some((_, told))) if *told == note => continue,
                Some(Some((at, told))) if !told.differs_in_kind(&note) => {
                    Nanos(at.0.saturating_add(COUNTERS_INTERVAL_NS))
                }
                _ => now,
            };
            if due <= now {
                return NewsDue::Now(News::Stream(index, found.id, note));
            }
            later = Some(later.map_or(due, |later| later.min(due)));
        }
        later.map_or(NewsDue::Never, NewsDue::At)
    }

    /// Something is being told: there is something to remove, once this device is gone.
    pub(in super::super) fn is_being_told(&mut self) {
        self.told.is_there = true;
    }

    /// Takes note of what was told.
    pub(in super::super) fn told(&mut self, news: News, now: Nanos) {
        match news {
            News::State(state) => self.told.state = Some(state),
            News::Stream(index, _, note) => {
                if let Some(place) = self.told.streams.get_mut(index) {
                    *place = Some((now, note));
                }
            }
        }
    }
}
