//! Pending events, in the two-level ABI (xen.h, `struct shared_info`).
//!
//! Every channel is kept masked: there is no upcall, and `SCHEDOP_poll` doesn't look at masks. Xen doesn't set the first
//! level, `evtchn_pending_sel`, for masked channels; so the 64 words of the second are looked at, which is 8 cache lines, and
//! no event is lost between two levels.

use core::sync::atomic::Ordering;

use audioback::hypervisor::EventChannel;
use xen_sys::shared_info::SharedInfo;

/// The pending bits of this domain's channels.
#[derive(Clone, Copy, Debug)]
pub struct EventChannels<'a> {
    info: &'a SharedInfo,
}

impl<'a> EventChannels<'a> {
    /// Masks every channel.
    pub fn new(info: &'a SharedInfo) -> Self {
        for word in &info.evtchn_mask {
            word.store(u64::MAX, Ordering::SeqCst);
        }
        Self { info }
    }

    /// Whether an event is pending on any channel: then it is no time to sleep.
    pub fn any_pending(&self) -> bool {
        self.info.evtchn_pending.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Whether an event is pending on this channel.
    pub fn is_pending(&self, channel: EventChannel) -> bool {
        let (word, bit) = place(channel);
        self.info.evtchn_pending.get(word).is_some_and(|word| word.load(Ordering::Acquire) & bit != 0)
    }

    /// Takes the event pending on this channel, if there is one. What the peer did before it sent the event is visible
    /// afterwards; an event that comes later is pending again.
    pub fn take(&self, channel: EventChannel) -> bool {
        let (word, bit) = place(channel);
        self.info
            .evtchn_pending
            .get(word)
            .is_some_and(|word| word.fetch_and(!bit, Ordering::AcqRel) & bit != 0)
    }

    /// Takes all pending events, in the order of their ports; `due` is told each one. Events that come meanwhile are
    /// left for the next time, so this ends.
    pub fn take_all(&self, mut due: impl FnMut(EventChannel)) {
        for (word, first_port) in self.info.evtchn_pending.iter().zip((0u32..).step_by(64)) {
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let mut bits = word.swap(0, Ordering::AcqRel);
            while bits != 0 {
                let bit = bits.trailing_zeros();
                // Clears the lowest bit that is set; there is one.
                bits &= bits.wrapping_sub(1);
                due(EventChannel(first_port.saturating_add(bit)));
            }
        }
    }
}

fn place(channel: EventChannel) -> (usize, u64) {
    // A port is below 4096, or there is no such word.
    ((channel.0 >> 6) as usize, 1 << (channel.0 & 63))
}
