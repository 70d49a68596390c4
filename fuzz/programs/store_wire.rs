//! xenstored's answers, events and ring indices, as an enemy writes them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::store_wire::run(input));
