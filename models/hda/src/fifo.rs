//! The octets between memory and link.

use std::collections::VecDeque;

#[derive(Default)]
pub(crate) struct Fifo {
    octets: VecDeque<u8>,
    capacity: usize,
}

impl Fifo {
    /// Takes memory for so many octets.
    pub(crate) fn reserve(&mut self, octets: usize) {
        self.octets.reserve(octets);
    }

    pub(crate) fn clear(&mut self) {
        self.octets.clear();
    }

    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn len(&self) -> usize {
        self.octets.len()
    }

    pub(crate) fn space(&self) -> usize {
        self.capacity.saturating_sub(self.octets.len())
    }

    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.octets.extend(octets);
    }

    /// Moves the oldest `count` octets to `out`, whose old contents go. They must be there.
    pub(crate) fn pop_into(&mut self, count: usize, out: &mut Vec<u8>) {
        out.clear();
        out.extend(self.octets.drain(..count));
    }
}
