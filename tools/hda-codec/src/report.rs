//! A file, and its codec.

use super::dump_file::DumpFile;
use super::specimen::Specimen;

/// A file, and the codec that it describes, or why it describes none.
pub(crate) struct Report {
    /// The file's name, as it was given.
    pub(crate) file: String,
    /// The codec, or what is wrong with the file: for a text that is no dump, line and reason.
    pub(crate) specimen: Result<Specimen, String>,
}

impl Report {
    /// Reads a file, and brings the driver up on a model made from it.
    pub(crate) fn of(file: DumpFile) -> Report {
        let specimen = file.read().and_then(|text| Specimen::of(&text));
        Report { file: file.name, specimen }
    }
}
