//! A codec's dump, to the parser and the model that is built from it.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::codec_dump::run(input));
