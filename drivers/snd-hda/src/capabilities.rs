//! The controller's descriptors, and the bandwidth of the link.

use crate::dma::Direction;
use crate::registers::Registers;
use crate::spec::registers as reg;

/// Stream descriptors. GCAP can name at most 15 + 15 + 31, but INTCTL has 30 bits.
pub(crate) const DESCRIPTORS_MAX: usize = 30;

/// GCAP (3.3.2), and the link's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) inputs: u8,
    pub(crate) outputs: u8,
    pub(crate) bidirectional: u8,
    /// Address bits that DMA handles correctly: 32 without GCAP.64OK.
    pub(crate) address_bits: u8,
    /// Words in a link frame for all streams, and for one: (output, input).
    words: (u32, u32),
    stream_words: (u32, u32),
}

/// Uses of a stream descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DescriptorKind {
    Input,
    Output,
    Bidirectional,
}

impl Capabilities {
    /// `address_bits`: this controller's limit if GCAP promises 64.
    pub(crate) fn read<R: Registers>(r: &mut R, address_bits: u8) -> Self {
        let gcap = reg::GCAP.read(r);
        let words = (u32::from(reg::OUTPAY.read(r)), u32::from(reg::INPAY.read(r)));
        let of_one = |register: u32, all: u32| if register == 0 { all } else { register.min(all) };
        Self {
            outputs: ((gcap >> 12) & 0xf) as u8,
            inputs: ((gcap >> 8) & 0xf) as u8,
            bidirectional: ((gcap >> 3) & 0x1f) as u8,
            address_bits: if gcap & reg::GCAP_64OK != 0 { address_bits.max(32) } else { 32 },
            words,
            stream_words: (
                of_one(u32::from(reg::OUTSTRMPAY.read(r)), words.0),
                of_one(u32::from(reg::INSTRMPAY.read(r)), words.1),
            ),
        }
    }

    /// All descriptors, in the order of their registers: inputs, outputs, bidirectional ones (3.3.35).
    pub(crate) fn descriptors(self) -> impl Iterator<Item = DescriptorKind> {
        let inputs = (0..self.inputs).map(|_| DescriptorKind::Input);
        let outputs = (0..self.outputs).map(|_| DescriptorKind::Output);
        inputs.chain(outputs).chain((0..self.bidirectional).map(|_| DescriptorKind::Bidirectional))
    }

    pub(crate) fn words(self, direction: Direction) -> u32 {
        match direction {
            Direction::Output => self.words.0,
            Direction::Input => self.words.1,
        }
    }

    pub(crate) fn stream_words(self, direction: Direction) -> u32 {
        match direction {
            Direction::Output => self.stream_words.0,
            Direction::Input => self.stream_words.1,
        }
    }
}
