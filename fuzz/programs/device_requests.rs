//! A guest's requests, rings and pages, to a device of the back end.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::device_requests::run(input));
