//! Pending events, in the two-level ABI (xen.h, `struct shared_info`).
//!
//! No channel is masked but one that may wait ([`EventChannels::mask`]): so Xen notes each event on three levels, from the inside out, and the upcall it would make ends a
//! sleep in HLT. Interrupts are let in there and nowhere else (the image's `sleep_until_interrupt`): an event that comes
//! earlier leaves the outermost level set, which is looked at before sleeping, and Xen doesn't let a processor sleep on one.
//! Nothing is copied for that, in contrast to `SCHEDOP_poll`, which takes its ports from memory one by one.

use core::sync::atomic::{AtomicU64, Ordering};

use hyper::EventChannel;
use xen_sys::shared_info::{SharedInfo, VcpuInfo};

/// The pending bits of this domain's channels, all of which tell the first virtual processor.
#[derive(Clone, Copy, Debug)]
pub struct EventChannels<'a> {
    info: &'a SharedInfo,
    vcpu: &'a VcpuInfo,
}

impl<'a> EventChannels<'a> {
    /// Unmasks every channel. Events that came before are pending.
    pub fn new(info: &'a SharedInfo) -> Self {
        for word in &info.evtchn_mask {
            word.store(0, Ordering::SeqCst);
        }
        let vcpu = &info.vcpu_info[0];
        vcpu.evtchn_pending_sel.store(u64::MAX, Ordering::SeqCst);
        vcpu.evtchn_upcall_pending.store(1, Ordering::SeqCst);
        Self { info, vcpu }
    }

    /// From now on events of this channel end no sleep.
    pub fn mask(&self, channel: EventChannel) {
        if let Some((_, mask, bit)) = self.bits(channel) {
            mask.fetch_or(bit, Ordering::SeqCst);
        }
    }

    /// Events of this channel are as all others again; one that came meanwhile is pending.
    pub fn unmask(&self, channel: EventChannel) {
        let Some((pending, mask, bit)) = self.bits(channel) else { return };
        mask.fetch_and(!bit, Ordering::SeqCst);
        // Xen left this out while the channel was masked.
        if pending.load(Ordering::SeqCst) & bit != 0 {
            self.vcpu.evtchn_pending_sel.fetch_or(1_u64.wrapping_shl(channel.0 >> 6), Ordering::SeqCst);
            self.vcpu.evtchn_upcall_pending.store(1, Ordering::SeqCst);
        }
    }

    /// The words in which a channel is pending and masked, and its bit in both.
    fn bits(&self, channel: EventChannel) -> Option<(&AtomicU64, &AtomicU64, u64)> {
        let word = (channel.0 >> 6) as usize;
        let words = (self.info.evtchn_pending.get(word)?, self.info.evtchn_mask.get(word)?);
        Some((words.0, words.1, 1_u64.wrapping_shl(channel.0 & 63)))
    }

    /// Whether an event may be pending: then it is no time to sleep.
    pub fn any_pending(&self) -> bool {
        self.vcpu.evtchn_upcall_pending.load(Ordering::SeqCst) != 0
    }

    /// Takes all pending events, in the order of their ports; `due` is told each one. What the peers did before they sent
    /// them is visible then. Events that come meanwhile are left for the next time, and [`any_pending`](Self::any_pending)
    /// says so: so this ends.
    pub fn take_all(&self, mut due: impl FnMut(EventChannel)) {
        // Xen sets the bit of the channel, then that of its word, then this; so they are cleared the other way round, and what
        // is set in between is seen now or is still set on this level.
        self.vcpu.evtchn_upcall_pending.swap(0, Ordering::SeqCst);
        let mut words = self.vcpu.evtchn_pending_sel.swap(0, Ordering::SeqCst);
        while let Some(index) = take_lowest(&mut words) {
            // There are as many words as a word has bits.
            let Some(word) = self.info.evtchn_pending.get(index as usize) else { continue };
            let mut bits = word.swap(0, Ordering::SeqCst);
            while let Some(bit) = take_lowest(&mut bits) {
                // Below 64 times 64.
                due(EventChannel(index << 6 | bit));
            }
        }
    }
}

/// Clears the lowest bit that is set, and says which that was.
fn take_lowest(bits: &mut u64) -> Option<u32> {
    let lowest = bits.trailing_zeros();
    *bits &= bits.checked_sub(1)?;
    Some(lowest)
}
