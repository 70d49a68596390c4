//! Builds, runs, tests and checks snddom.
fn main() {}
