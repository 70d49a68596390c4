//! The two rings in the store's page, from the guest's end.

use core::sync::atomic::Ordering;

use xen_sys::xs_wire::{RING_BYTES, StoreRing};

use super::error::BrokenStore;

/// The guest's end. Its own indices are private; it never rereads their copies in the page.
#[derive(Debug)]
pub(super) struct RingEnd<'a> {
    shared: &'a StoreRing,
    req_prod: u32,
    rsp_cons: u32,
}

impl<'a> RingEnd<'a> {
    /// Continues at the ring's present indices.
    pub(super) fn attach(shared: &'a StoreRing) -> Self {
        let req_prod = shared.req_prod.load(Ordering::Relaxed);
        let rsp_cons = shared.rsp_cons.load(Ordering::Relaxed);
        Self { shared, req_prod, rsp_cons }
    }

    /// Writes as many bytes as fit into the request ring. Returns their number.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<usize, BrokenStore> {
        // Xenstored has read the bytes before its index.
        let used = self.req_prod.wrapping_sub(self.shared.req_cons.load(Ordering::Acquire)) as usize;
        let room = RING_BYTES.checked_sub(used).ok_or(BrokenStore::RequestIndex)?;
        let mut sent = 0usize;
        for byte in bytes.iter().take(room) {
            // The size is a power of two, so the index may wrap.
            if let Some(cell) = self.shared.req.get(self.req_prod as usize % RING_BYTES) {
                cell.store(*byte, Ordering::Relaxed);
            }
            self.req_prod = self.req_prod.wrapping_add(1);
            sent = sent.saturating_add(1);
        }
        self.shared.req_prod.store(self.req_prod, Ordering::Release);
        Ok(sent)
    }

    /// Reads as many bytes as are present and fit from the response ring. Returns their number.
    pub(super) fn receive(&mut self, into: &mut [u8]) -> Result<usize, BrokenStore> {
        let ready = self.shared.rsp_prod.load(Ordering::Acquire).wrapping_sub(self.rsp_cons) as usize;
        if ready > RING_BYTES {
            return Err(BrokenStore::ResponseIndex);
        }
        let mut received = 0usize;
        for byte in into.iter_mut().take(ready) {
            if let Some(cell) = self.shared.rsp.get(self.rsp_cons as usize % RING_BYTES) {
                *byte = cell.load(Ordering::Relaxed);
            }
            self.rsp_cons = self.rsp_cons.wrapping_add(1);
            received = received.saturating_add(1);
        }
        // Finish reading before xenstored may write there again.
        self.shared.rsp_cons.store(self.rsp_cons, Ordering::Release);
        Ok(received)
    }
}
