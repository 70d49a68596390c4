//! What a device and its streams are doing, in short: a change of it is a reason to look at xenstore.

use audioback::card::Card;
use audioback::device::{Device, MAX_STREAMS};
use heapless::Vec;
use hyper::Hypervisor;
use sndif::control_page::SlotState;
use sndif::state::XenbusState;

/// Of one stream: all that its status shows but the counters of a running one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StreamCondition {
    state: SlotState,
    is_stuck: bool,
    /// OPENs so far, and frames unless it runs.
    counts: (u32, u64),
}

/// What a device and its streams are doing.
#[derive(Debug, Default)]
pub(super) struct Condition {
    state: Option<XenbusState>,
    streams: Vec<StreamCondition, MAX_STREAMS>,
}

impl Condition {
    /// Takes it as it is now. Returns whether it has changed.
    pub(super) fn update<H: Hypervisor, C: Card<H::Buffer>>(&mut self, sound: &Device<H, C>) -> bool {
        let mut has_changed = self.state.replace(sound.state()) != Some(sound.state());
        let mut count = 0usize;
        while let Some(stream) = sound.stream(count) {
            let state = stream.state();
            let stats = stream.stats();
            let frames = if state == SlotState::Running { 0 } else { stats.frames };
            let now = StreamCondition { state, is_stuck: stream.is_stuck(), counts: (stats.opens, frames) };
            match self.streams.get_mut(count) {
                Some(before) => has_changed |= core::mem::replace(before, now) != now,
                None => {
                    crate::bounded::append(&mut self.streams, now);
                    has_changed = true;
                }
            }
            count = count.saturating_add(1);
        }
        has_changed |= count < self.streams.len();
        self.streams.truncate(count);
        has_changed
    }
}
