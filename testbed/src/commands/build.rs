//! `cargo xtask build`.

use std::process::ExitCode;

use anyhow::Result;

use crate::image::{self, Bin, Image};
use crate::image_contents;

/// Runs the command.
pub fn execute() -> Result<ExitCode> {
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
