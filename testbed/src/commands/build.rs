//! `cargo xtask build`.

use std::process::ExitCode;

use anyhow::Result;

use crate::image;

/// Build the image; print its path and its size, fail above the limit.
#[derive(clap::Args)]
pub(crate) struct Build {}

impl Build {
    /// Runs the command.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let image = image::build()?;
        println!("image       {}", image.path.display());
        println!(
            "file        {} octets with symbols ({} of {} KiB)",
            image.file_bytes,
            image.file_bytes.div_ceil(1024),
            image::LIMIT_BYTES / 1024
        );
        println!("loaded      {} octets", image.loaded_bytes);
        println!("in memory   {} octets with zeroed data", image.memory_bytes);
        image.check_size()?;
        Ok(ExitCode::SUCCESS)
    }
}
