//! A control page that changes while it is read, to the front end's half.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::control_page::run(input));
