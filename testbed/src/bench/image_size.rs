//! The image's size.

use anyhow::Result;

use super::Row;
use crate::image::{Bin, Image};

/// Builds the image and measures it.
pub(super) fn run() -> Result<Vec<Row>> {
    let image = Image::build(Bin::Snddom)?;
    let row = |name, bytes: u64, how| Row::new("image", name, bytes as f64, 0, "bytes", how);
    Ok(vec![
        row("file", image.file_bytes, "the ELF file that xl loads"),
        row("loaded", image.loaded_bytes, "its loadable segments"),
        row("in memory", image.memory_bytes, "the same, zeroed data included; its heap is apart"),
    ])
}
