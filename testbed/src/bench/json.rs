//! Rows as JSON: a file that is compared with later ones.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Row;
use crate::BadInput;

/// The file's mark, by which a reader knows it.
const FORMAT: &str = "snddom-bench-1";

#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    rows: Vec<Row>,
}

/// Writes rows to a file.
///
/// # Errors
/// When it can't be written.
pub fn write(path: &Path, rows: &[Row]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, format!("{}\n", encode(rows)?)).with_context(|| path.display().to_string())
}

/// Reads the rows of a file.
///
/// # Errors
/// When it can't be read, or isn't one of ours: the user has named it.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let bad = |why: String| BadInput(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    Ok(decode(&text).map_err(bad)?)
}

fn encode(rows: &[Row]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&File { format: FORMAT.to_owned(), rows: rows.to_vec() })
}

fn decode(text: &str) -> Result<Vec<Row>, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    match serde_json::from_value(value) {
        Ok(File { format, rows }) if format == FORMAT => Ok(rows),
        _ => Err(format!("not what cargo xtask bench writes ({FORMAT})")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            Row::new("size", "file", 1024.0, 0, "bytes", ""),
            Row::new("cost", "turns", 302.25, 2, "1/s", "counted").with(&[("streams", "2".to_owned())]),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(&rows()).expect("JSON")), Ok(rows()));
    }

    #[test]
    fn what_is_no_bench_is_refused() {
        let good: Value = serde_json::from_str(&encode(&rows()).expect("JSON")).expect("JSON");
        assert!(decode("{").is_err_and(|why| why.starts_with("no JSON")));
        assert!(decode("{}").is_err());
        assert!(decode(&json!({ "format": FORMAT }).to_string()).is_err());
        for (pointer, value) in [
            ("/format", json!("other")),
            ("/rows/0/value", json!("many")),
            ("/rows/0/group", json!(null)),
            ("/rows/1/parameters", json!([])),
            ("/rows/1/parameters/streams", json!(2)),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).expect(pointer) = value;
            assert!(decode(&bad.to_string()).is_err(), "{pointer}");
        }
    }

    #[test]
    fn a_file_that_can_not_be_read_is_bad_input() {
        let error = read(Path::new("/nowhere/bench.json")).expect_err("none");
        assert!(error.is::<BadInput>(), "{error:#}");
    }
}
