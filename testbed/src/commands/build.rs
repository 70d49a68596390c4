//! `cargo xtask build`.

use std::process::ExitCode;

use anyhow::Result;

use crate::image::{self, Bin, Image};
use crate::image_contents;

/// Build the shipped image; print its path and size. Fails above the limit, or with parts of the test image.
#[derive(clap::Args)]
pub(crate) struct Build {}

impl Build {
    /// Runs the command.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let image = Image::build(Bin::Snddom)?;
        println!("image       {}", image.path.display());
        println!(
            "file        {} bytes ({} of {} KiB)",
            image.file_bytes,
            image.file_bytes.div_ceil(1024),
            image::LIMIT_BYTES / 1024
        );
        println!("loaded      {} bytes", image.loaded_bytes);
        println!("in memory   {} bytes with zeroed data", image.memory_bytes);
        println!("contents    {}", image_contents::check(&image)?);
        image.check_size()?;
        Ok(ExitCode::SUCCESS)
    }
}
