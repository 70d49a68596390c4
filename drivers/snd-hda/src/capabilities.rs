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
    /// Words in a link frame for all streams, and for one.
    output_words: (u32, u32),
    input_words: (u32, u32),
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
        let (outputs, inputs) = (reg::OUTPAY.read(r).into(), reg::INPAY.read(r).into());
        let words = |all: u32, one: u16| (all, if one == 0 { all } else { all.min(one.into()) });
        Self {
            outputs: ((gcap >> 12) & 0xf) as u8,
            inputs: ((gcap >> 8) & 0xf) as u8,
            bidirectional: ((gcap >> 3) & 0x1f) as u8,
            address_bits: if gcap & reg::GCAP_64OK != 0 { address_bits.max(32) } else { 32 },
            output_words: words(outputs, reg::OUTSTRMPAY.read(r)),
            input_words: words(inputs, reg::INSTRMPAY.read(r)),
        }
    }

    /// All descriptors, in the order of their registers: inputs, outputs, bidirectional ones (3.3.35).
    pub(crate) fn descriptors(self) -> impl Iterator<Item = DescriptorKind> {
        let inputs = (0..self.inputs).map(|_| DescriptorKind::Input);
        let outputs = (0..self.outputs).map(|_| DescriptorKind::Output);
        inputs.chain(outputs).chain((0..self.bidirectional).map(|_| DescriptorKind::Bidirectional))
    }

    /// Words in a link frame for all streams of a direction, and for one.
    pub(crate) fn words(self, direction: Direction) -> (u32, u32) {
        match direction {
            Direction::Output => self.output_words,
            Direction::Input => self.input_words,
        }
    }
}
