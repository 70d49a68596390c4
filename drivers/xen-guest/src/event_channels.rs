//! Pending events, in the two-level ABI (xen.h, `struct shared_info`).
//!
//! Only a channel that may wait is masked ([`EventChannels::mask`]): xenstore's, and a guest's
//! whose events bring no request. Xen notes each event on three
//! levels, from the inside out, and its upcall ends a sleep in HLT. Interrupts are enabled only
//! there (the image's `sleep_until_interrupt`). An earlier event leaves the outermost level set.
//! The image checks that level before sleeping, and Xen doesn't let a processor sleep on one. This
//! copies nothing; `SCHEDOP_poll` reads its ports from memory one by one.

use core::sync::atomic::{AtomicU64, Ordering};

use hyper::EventChannel;
use xen_sys::shared_info::{SharedInfo, VcpuInfo};

/// The pending bits of this domain's channels. All notify the first virtual processor.
#[derive(Clone, Copy, Debug)]
pub struct EventChannels<'a> {
    info: &'a SharedInfo,
    vcpu: &'a VcpuInfo,
}

impl<'a> EventChannels<'a> {
    /// Unmasks every channel. Earlier events are pending.
    pub fn new(info: &'a SharedInfo) -> Self {
        for word in &info.evtchn_mask {
            word.store(0, Ordering::SeqCst);
        }
        let vcpu = &info.vcpu_info[0];
        vcpu.evtchn_pending_sel.store(u64::MAX, Ordering::SeqCst);
        vcpu.evtchn_upcall_pending.store(1, Ordering::SeqCst);
        Self { info, vcpu }
    }

    /// Events of this channel no longer end a sleep.
    pub fn mask(&self, channel: EventChannel) {
        if let Some((_, mask, bit)) = self.bits(channel) {
            mask.fetch_or(bit, Ordering::SeqCst);
        }
    }

    /// Events of this channel end a sleep again; one that arrived meanwhile is pending.
    pub fn unmask(&self, channel: EventChannel) {
        let Some((pending, mask, bit)) = self.bits(channel) else { return };
        mask.fetch_and(!bit, Ordering::SeqCst);
        // Xen omits this step while the channel is masked.
        if pending.load(Ordering::SeqCst) & bit != 0 {
            self.vcpu.evtchn_pending_sel.fetch_or(1_u64.wrapping_shl(channel.0 >> 6), Ordering::SeqCst);
            self.vcpu.evtchn_upcall_pending.store(1, Ordering::SeqCst);
        }
    }

    /// Takes the event of a channel that is masked. Returns whether one was pending.
    pub fn take(&self, channel: EventChannel) -> bool {
        let Some((pending, _, bit)) = self.bits(channel) else { return false };
        pending.fetch_and(!bit, Ordering::SeqCst) & bit != 0
    }

    /// The words with the channel's pending and mask bits, and its bit in both.
    fn bits(&self, channel: EventChannel) -> Option<(&AtomicU64, &AtomicU64, u64)> {
        let word = (channel.0 >> 6) as usize;
        let words = (self.info.evtchn_pending.get(word)?, self.info.evtchn_mask.get(word)?);
        Some((words.0, words.1, 1_u64.wrapping_shl(channel.0 & 63)))
    }

    /// Whether an event may be pending, so that the domain must not sleep.
    pub fn any_pending(&self) -> bool {
        self.vcpu.evtchn_upcall_pending.load(Ordering::SeqCst) != 0
    }

    /// Takes all pending events in port order and passes each to `due`.
    ///
    /// The peers' writes before their events are visible then. Later events stay for the next
    /// call, and [`any_pending`](Self::any_pending) reports them. So this ends.
    pub fn take_all(&self, mut due: impl FnMut(EventChannel)) {
        // Xen sets the channel's bit, then its word's bit, then this. Clearing in reverse order
        // loses nothing: a bit set in between is seen now or stays set on this level.
        self.vcpu.evtchn_upcall_pending.swap(0, Ordering::SeqCst);
        let mut words = self.vcpu.evtchn_pending_sel.swap(0, Ordering::SeqCst);
        while let Some(index) = take_lowest(&mut words) {
            // A word has as many bits as the array has words.
            let Some(word) = self.info.evtchn_pending.get(index as usize) else { continue };
            let mut bits = word.swap(0, Ordering::SeqCst);
            while let Some(bit) = take_lowest(&mut bits) {
                // Below 64 times 64.
                due(EventChannel(index << 6 | bit));
            }
        }
    }
}

/// Clears the lowest set bit and returns its number.
fn take_lowest(bits: &mut u64) -> Option<u32> {
    let lowest = bits.trailing_zeros();
    *bits &= bits.checked_sub(1)?;
    Some(lowest)
}
