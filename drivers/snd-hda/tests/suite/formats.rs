//! Formats: each combination has its word, and no two have the same.

use std::collections::HashSet;

use snd_hda::{Format, FormatError, Rate, SampleBits};

/// Rates and the upper byte of their word, worked out by hand from the specification's base, multiple and divisor.
const RATES: [(u32, u16); 11] = [
    (8_000, 0x05),   // 48 kHz / 6
    (11_025, 0x43),  // 44.1 kHz / 4
    (16_000, 0x02),  // 48 kHz / 3
    (22_050, 0x41),  // 44.1 kHz / 2
    (32_000, 0x0a),  // 48 kHz * 2 / 3
    (44_100, 0x40),  // 44.1 kHz
    (48_000, 0x00),  // 48 kHz
    (88_200, 0x48),  // 44.1 kHz * 2
    (96_000, 0x08),  // 48 kHz * 2
    (176_400, 0x58), // 44.1 kHz * 4
    (192_000, 0x18), // 48 kHz * 4
];

#[test]
fn every_format_has_a_word_of_its_own() {
    let mut words = HashSet::new();
    for (rate_hz, upper) in RATES {
        for (code, bits) in SampleBits::ALL.into_iter().enumerate() {
            for channels in 1..=16 {
                let format = Format::new(rate_hz, bits, channels).expect("a format");
                let word = upper << 8 | (code as u16) << 4 | (u16::from(channels) - 1);
                assert_eq!(format.encode(), word, "{format:?}");
                assert_eq!(format.rate().hz(), rate_hz);
                assert!(words.insert(word));
            }
        }
    }
}

#[test]
fn frames_take_what_their_containers_take() {
    let bytes = |bits, channels| Format::new(48_000, bits, channels).expect("a format").frame_bytes();
    assert_eq!(bytes(SampleBits::Bits8, 1), 1);
    assert_eq!(bytes(SampleBits::Bits16, 3), 6);
    for bits in [SampleBits::Bits20, SampleBits::Bits24, SampleBits::Bits32] {
        assert_eq!(bytes(bits, 2), 8);
        assert_eq!(bytes(bits, 16), 64);
    }
}

#[test]
fn the_link_carries_bits_not_containers() {
    let words = |rate_hz, bits, channels| {
        Format::new(rate_hz, bits, channels).expect("a format").words_per_link_frame()
    };
    // Samples and ten bits of tag, in words of 16.
    assert_eq!(words(48_000, SampleBits::Bits16, 2), 3);
    assert_eq!(words(44_100, SampleBits::Bits16, 2), 3);
    assert_eq!(words(8_000, SampleBits::Bits16, 2), 3);
    // Two frames in every third link frame.
    assert_eq!(words(32_000, SampleBits::Bits16, 2), 5);
    assert_eq!(words(88_200, SampleBits::Bits24, 2), 7);
    assert_eq!(words(192_000, SampleBits::Bits20, 8), 41);
}

#[test]
fn what_the_specification_does_not_have_is_refused() {
    for rate_hz in [0, 1, 9_600, 47_999, 384_000, u32::MAX] {
        assert_eq!(Format::new(rate_hz, SampleBits::Bits16, 2), Err(FormatError::Rate { rate_hz }));
        assert!(Rate::from_hz(rate_hz).is_none());
    }
    for channels in [0, 17, 255] {
        assert_eq!(
            Format::new(48_000, SampleBits::Bits16, channels),
            Err(FormatError::Channels { channels })
        );
    }
}
