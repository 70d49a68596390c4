//! A front end's directory in xenstore: any value at any time.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::front_directory::run(input));
