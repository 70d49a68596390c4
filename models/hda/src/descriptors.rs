//! The buffer descriptor list, and an engine's place in it (specification 3.6.2 and 3.6.3).

use crate::memory::{DmaFault, PageTable};

/// Bytes of a list entry.
pub(crate) const DESCRIPTOR_BYTES: u64 = 16;

/// An entry of the list.
#[derive(Clone, Copy)]
pub(crate) struct Descriptor {
    pub(crate) address: u64,
    pub(crate) length: u32,
    pub(crate) flags: u32,
}

impl Descriptor {
    /// Reads an entry by its words.
    fn read<E>(address: u64, word: impl Fn(u64) -> Result<u32, E>) -> Result<Self, E> {
        let word = |index: u64| word(address.wrapping_add(4 * index));
        let address = u64::from(word(0)?) | u64::from(word(1)?) << 32;
        Ok(Self { address, length: word(2)?, flags: word(3)? })
    }

    /// Reads an entry as the hardware does.
    fn fetch(memory: &PageTable, address: u64) -> Result<Self, DmaFault> {
        Self::read(address, |at| memory.dma_read_u32(at))
    }

    /// Reads an entry for checking, regardless of DMA rights; `None` outside memory.
    pub(crate) fn peek(memory: &PageTable, address: u64) -> Option<Self> {
        Self::read(address, |at| memory.peek_u32(at).ok_or(())).ok()
    }

    pub(crate) fn interrupts(self) -> bool {
        self.flags & 1 != 0
    }
}

/// The reason for not using a descriptor.
pub(crate) enum DescriptorError {
    /// The controller had no right to read it.
    Dma(DmaFault),
    /// It has no bytes.
    Empty { index: u16 },
}

/// The engine's place in the list.
#[derive(Default)]
pub(crate) struct DescriptorWalk {
    index: u16,
    offset: u32,
    current: Option<Descriptor>,
    /// Bytes from the start of the buffer, back to 0 after the last entry.
    position: u32,
}

impl DescriptorWalk {
    /// Bytes moved by DMA in this round through the buffer.
    pub(crate) fn position(&self) -> u32 {
        self.position
    }

    /// Address and number of the entry's remaining bytes, in a list at `base`.
    pub(crate) fn next(&mut self, memory: &PageTable, base: u64) -> Result<(u64, u32), DescriptorError> {
        let descriptor = match self.current {
            Some(descriptor) => descriptor,
            None => {
                let address = base.wrapping_add(u64::from(self.index) * DESCRIPTOR_BYTES);
                let descriptor = Descriptor::fetch(memory, address).map_err(DescriptorError::Dma)?;
                if descriptor.length == 0 {
                    return Err(DescriptorError::Empty { index: self.index });
                }
                *self.current.insert(descriptor)
            }
        };
        Ok((descriptor.address.wrapping_add(self.offset.into()), descriptor.length - self.offset))
    }

    /// Advances by `bytes`, at most the remainder from [`Self::next`].
    ///
    /// Returns true if that completes an entry that requests an interrupt.
    pub(crate) fn advance(&mut self, bytes: u32, last_index: u16) -> bool {
        let Some(descriptor) = self.current else { return false };
        self.offset += bytes;
        self.position = self.position.wrapping_add(bytes);
        if self.offset < descriptor.length {
            return false;
        }
        self.offset = 0;
        self.current = None;
        self.index += 1;
        if self.index > last_index {
            self.index = 0;
            self.position = 0;
        }
        descriptor.interrupts()
    }
}

/// The sum of the lengths in a list, for checking; `None` if part of it is outside memory.
pub(crate) fn list_bytes(memory: &PageTable, base: u64, last_index: u16) -> Option<u64> {
    (0..=u64::from(last_index))
        .map(|index| {
            Descriptor::peek(memory, base.wrapping_add(index * DESCRIPTOR_BYTES))
                .map(|entry| u64::from(entry.length))
        })
        .sum()
}
