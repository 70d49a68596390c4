//! The test bed: builds, runs, tests and checks snddom. `cargo xtask` chooses the parts that a command needs.
#![forbid(unsafe_code)]

#[cfg(feature = "dist")]
pub mod archive;
#[cfg(feature = "bench")]
pub mod bench;
pub mod cargo_build;
#[cfg(feature = "check")]
pub mod check;
pub mod child;
pub mod commands;
pub mod elf;
pub mod harness;
pub mod image;
pub mod image_contents;
pub mod judge;
#[cfg(feature = "test")]
pub mod lanes;
pub mod provision;
pub mod qemu;
#[cfg(feature = "xen")]
pub mod rig;
#[cfg(feature = "xen")]
pub mod tool;
pub mod wav;
pub mod workspace;

/// The user's input can't be used: one line that says why, and exit code 2.
#[derive(Debug)]
pub struct BadInput(pub String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// Drops a result on purpose. `why` says why that loses nothing.
pub fn ignored<T>(result: T, _why: &'static str) {
    drop(result);
}
