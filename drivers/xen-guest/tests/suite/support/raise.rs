//! An event, as Xen raises it.

use std::sync::atomic::Ordering::SeqCst;

use xen_sys::shared_info::SharedInfo;

/// What Xen does: from the inside out, and on an outer level only if the inner one wasn't set before and the channel isn't
/// masked (event_2l.c, `evtchn_2l_set_pending`).
pub fn raise(info: &SharedInfo, port: u32) {
    let (word, bit) = (port as usize / 64, 1u64 << (port % 64));
    if info.evtchn_pending[word].fetch_or(bit, SeqCst) & bit != 0 {
        return;
    }
    let vcpu = &info.vcpu_info[0];
    let is_masked = info.evtchn_mask[word].load(SeqCst) & bit != 0;
    if !is_masked && vcpu.evtchn_pending_sel.fetch_or(1 << word, SeqCst) & 1 << word == 0 {
        vcpu.evtchn_upcall_pending.store(1, SeqCst);
    }
}
