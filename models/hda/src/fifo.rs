//! The bytes between memory and link.

use std::collections::VecDeque;

#[derive(Default)]
pub(crate) struct Fifo {
    bytes: VecDeque<u8>,
    capacity: usize,
}

impl Fifo {
    /// Reserves memory for `bytes` bytes.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn space(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Moves the oldest `count` bytes, which must exist, to `out`. This replaces its contents.
    pub(crate) fn pop_into(&mut self, count: usize, out: &mut Vec<u8>) {
        out.clear();
        out.extend(self.bytes.drain(..count));
    }
}
