//! A codec's answers and unsolicited responses, to the driver.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::codec_answers::run(input));
