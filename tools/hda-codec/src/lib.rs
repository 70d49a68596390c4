//! Routes that the driver finds in a real codec, from the text that Linux prints of it.
#![forbid(unsafe_code)]

mod command;
mod dot;
mod dump_file;
mod graph;
mod json;
mod palette;
mod picture;
mod plain;
mod report;
mod specimen;
mod summary;
mod table;
mod vendor;
mod words;

pub use command::{BadInput, Codec};

pub(crate) use dot::dot;
pub(crate) use dump_file::dump_files;
pub(crate) use graph::graph;
pub(crate) use json::line as json_line;
pub(crate) use picture::picture;
pub(crate) use report::Report;
pub(crate) use specimen::Specimen;
pub(crate) use summary::Summary;
pub(crate) use table::table;

/// Drops a result on purpose. `why` says why that loses nothing.
pub fn ignored<T>(result: T, _why: &'static str) {
    drop(result);
}

/// The collection of real dumps beside the project.
#[cfg(test)]
mod samples {
    use std::path::PathBuf;

    pub(crate) fn folder() -> PathBuf {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/codecs"));
        assert!(folder.is_dir(), "the codec dumps belong to {}", folder.display());
        folder
    }

    pub(crate) fn text(file: &str) -> String {
        let path = folder().join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn all() -> Vec<super::Report> {
        let reports: Vec<_> = super::dump_files(&[folder()]).into_iter().map(super::Report::of).collect();
        assert_eq!(reports.len(), 542, "dumps in {}", folder().display());
        reports
    }

    pub(crate) fn report(file: &str) -> super::Report {
        super::Report { file: file.to_owned(), specimen: super::Specimen::of(&text(file)) }
    }
}
