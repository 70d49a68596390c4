//! SDnFMT and the converter format: specification 3.7.1, "Stream Format Structure".

/// A stream format, decoded from its 16-bit word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamFormat {
    /// 44.1 kHz base rather than 48 kHz.
    pub(crate) base_44k1: bool,
    /// 1 to 4.
    pub(crate) multiple: u32,
    /// 1 to 8.
    pub(crate) divisor: u32,
    /// 8, 16, 20, 24 or 32.
    pub(crate) bits: u32,
    /// 1 to 16.
    pub(crate) channels: u32,
}

impl StreamFormat {
    /// `None` for a non-PCM type or a reserved value.
    pub(crate) fn decode(word: u16) -> Option<Self> {
        if word & 0x8000 != 0 {
            return None;
        }
        let multiple = match word >> 11 & 7 {
            m @ 0..=3 => u32::from(m) + 1,
            _ => return None,
        };
        let bits = match word >> 4 & 7 {
            0 => 8,
            1 => 16,
            2 => 20,
            3 => 24,
            4 => 32,
            _ => return None,
        };
        Some(Self {
            base_44k1: word & 0x4000 != 0,
            multiple,
            divisor: u32::from(word >> 8 & 7) + 1,
            bits,
            channels: u32::from(word & 15) + 1,
        })
    }

    /// Bytes of one sample in memory. Samples of 20 and 24 bits are left-justified in 32.
    pub(crate) fn container_bytes(self) -> u32 {
        match self.bits {
            8 => 1,
            16 => 2,
            _ => 4,
        }
    }

    /// Bytes of one frame (a sample of each channel) in memory.
    pub(crate) fn frame_bytes(self) -> u32 {
        self.container_bytes() * self.channels
    }

    /// The sign-extended sample of a container, as the link carries it.
    /// Bits below the depth are lost.
    pub(crate) fn sample(self, container: &[u8]) -> i32 {
        match *container {
            [a] => i32::from(a as i8),
            [a, b] => i32::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]) >> (32 - self.bits),
            _ => unreachable!("containers have 1, 2 or 4 bytes"),
        }
    }

    /// Appends a sample's container. Bits above the depth are dropped, bits below it are zero.
    pub(crate) fn push_container(self, sample: i32, out: &mut impl Extend<u8>) {
        match self.bits {
            8 => out.extend([sample as u8]),
            16 => out.extend((sample as u16).to_le_bytes()),
            bits => out.extend((sample << (32 - bits)).to_le_bytes()),
        }
    }

    /// The rate and depth bits in the PCM parameter (7.3.4.7); `None` for a rate that it lacks.
    pub(crate) fn pcm_bits(self) -> Option<u32> {
        let base_hz = if self.base_44k1 { 44_100 } else { 48_000 };
        let rates = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
        let rate_hz = base_hz * self.multiple / self.divisor;
        let rate = rates.iter().position(|&known| known == rate_hz)?;
        let depth = [8, 16, 20, 24, 32].iter().position(|&known| known == self.bits)?;
        Some(1 << rate | 1 << (16 + depth))
    }

    /// Bits on the link in the fullest link frame, including 8 bits of stream tag. Samples are
    /// packed.
    pub(crate) fn link_bits_per_frame(self) -> u32 {
        8 + self.bits * self.channels * self.multiple
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_word_for_48_khz_16_bit_stereo() {
        let format = StreamFormat::decode(0x0011).unwrap();
        assert_eq!((format.bits, format.channels, format.multiple, format.divisor), (16, 2, 1, 1));
        assert_eq!(format.frame_bytes(), 4);
    }

    #[test]
    fn twenty_bits_sit_left_justified_in_thirty_two() {
        let format = StreamFormat::decode(0x0021).unwrap();
        assert_eq!(format.sample(&[0xff, 0x0f, 0x00, 0x80]), -0x80000);
        let mut container = Vec::new();
        format.push_container(-1, &mut container);
        assert_eq!(container, [0x00, 0xf0, 0xff, 0xff]);
    }

    #[test]
    fn reserved_values_are_no_format() {
        assert_eq!(StreamFormat::decode(0x8011), None);
        assert_eq!(StreamFormat::decode(0x2011), None);
        assert_eq!(StreamFormat::decode(0x0051), None);
    }
}
