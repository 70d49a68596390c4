//! A buffer's page directory, to the back end's walk.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::page_directory::run(input));
