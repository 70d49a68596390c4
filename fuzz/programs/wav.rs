//! A WAV file, to the reader and the conversion for the card.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::wav::run(input));
