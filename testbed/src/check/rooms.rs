//! Lines of code by room: production code, tests, comments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::{DirEntry, WalkDir};

use crate::workspace;

/// The longest production file without a reason in its head, in lines.
const LONGEST_FILE: usize = 500;

/// A file gives its reason in its head by these words.
const REASON: &str = "Longer than 500 lines";

/// Lines of a file or of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines with code outside of tests.
    pub production: usize,
    /// Lines in tests, benches and examples, of whatever kind.
    pub tests: usize,
    /// Comments and blank lines outside of tests.
    pub comments: usize,
}

/// The Rust files of the workspace, by their paths from its root.
///
/// # Errors
/// A folder can't be read.
pub fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let target = workspace::target_dir();
    let is_source = |entry: &DirEntry| {
        let is_hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        !is_hidden && entry.path() != target && entry.path() != root.join("target")
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(root).into_iter().filter_entry(is_source) {
        let entry = entry?;
        if entry.file_type().is_file() && entry.path().extension().is_some_and(|extension| extension == "rs")
        {
            files.push(entry.path().strip_prefix(root)?.to_path_buf());
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a whole file is for tests, by its place.
fn is_for_tests(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "benches" | "examples")))
        || path.file_stem().is_some_and(|stem| {
            let stem = stem.to_string_lossy();
            stem == "tests" || stem.ends_with("_tests")
        })
}

/// Counts a file. Unit tests are at its end, behind `#[cfg(test)]`.
fn count(path: &Path, text: &str) -> Lines {
    let mut lines = Lines::default();
    let mut in_tests = is_for_tests(path);
    for (index, line) in text.lines().enumerate() {
        in_tests |= line == "#[cfg(test)]"
            && text
                .lines()
                .nth(index + 1)
                .is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
        let line = line.trim();
        if in_tests {
            lines.tests += 1;
        } else if line.is_empty() || line.starts_with("//") {
            lines.comments += 1;
        } else {
            lines.production += 1;
        }
    }
    lines
}

/// The room of a file: the folder of its package.
fn room(path: &Path) -> String {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let end = parts.iter().position(|part| matches!(*part, "src" | "tests" | "examples" | "benches"));
    parts.get(..end.unwrap_or(1)).unwrap_or_default().join("/")
}

/// A table of all rooms with their sums.
///
/// # Errors
/// A file can't be read.
pub fn table(root: &Path) -> Result<String> {
    let mut rooms: BTreeMap<String, Lines> = BTreeMap::new();
    for path in files(root)? {
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
        let lines = count(&path, &text);
        for name in [room(&path), "~ all".to_owned()] {
            let sum = rooms.entry(name).or_default();
            sum.production += lines.production;
            sum.tests += lines.tests;
            sum.comments += lines.comments;
        }
    }
    let mut table = format!("{:<24} {:>10} {:>10} {:>10}\n", "room", "production", "comments", "tests");
    for (name, Lines { production, tests, comments }) in rooms {
        let name = name.trim_start_matches("~ ");
        table.push_str(&format!("{name:<24} {production:>10} {comments:>10} {tests:>10}\n"));
    }
    Ok(table)
}

/// Production files over 500 lines that give no reason in their head.
///
/// # Errors
/// A file can't be read.
pub fn too_long(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files(root)? {
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
        let Lines { production, comments, .. } = count(&path, &text);
        let head = text.lines().take_while(|line| line.starts_with("//!"));
        if production + comments > LONGEST_FILE && !head.into_iter().any(|line| line.contains(REASON)) {
            found.push(format!(
                "{}: {} lines, and no word in its head why",
                path.display(),
                production + comments
            ));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let text = "//! Head.\n\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(count(Path::new("sndif/src/a.rs"), text), Lines { production: 1, tests: 4, comments: 3 });
        let all = count(Path::new("sndif/tests/a.rs"), text);
        assert_eq!((all.production, all.tests), (0, 8));
    }

    #[test]
    fn a_room_is_a_package() {
        assert_eq!(room(Path::new("drivers/snd-hda/src/codec/route_flow.rs")), "drivers/snd-hda");
        assert_eq!(room(Path::new("sndif/tests/wire.rs")), "sndif");
    }
}
