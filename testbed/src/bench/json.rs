//! Rows as JSON: a file that is compared with later ones.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Row;
use crate::BadInput;

/// What the file says it is, so that a later reader may tell.
const FORMAT: &str = "snddom-bench-1";

/// Writes rows to a file.
///
/// # Errors
/// When it can't be written.
pub fn write(path: &Path, rows: &[Row]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, format!("{:#}\n", encode(rows))).with_context(|| path.display().to_string())
}

/// Reads the rows of a file.
///
/// # Errors
/// When it can't be read, or isn't one of ours: the user has named it.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let bad = |why: String| BadInput(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let value = serde_json::from_str(&text).map_err(|error| bad(format!("no JSON: {error}")))?;
    Ok(decode(&value).ok_or_else(|| bad(format!("not what cargo xtask bench writes ({FORMAT})")))?)
}

fn encode(rows: &[Row]) -> Value {
    let rows = rows.iter().map(|row| {
        let parameters: serde_json::Map<String, Value> =
            row.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({
            "group": row.group, "name": row.name, "parameters": parameters, "value": row.value, "unit": row.unit,
            "how": row.how,
        })
    });
    json!({ "format": FORMAT, "rows": rows.collect::<Vec<_>>() })
}

fn decode(value: &Value) -> Option<Vec<Row>> {
    if value["format"] != FORMAT {
        return None;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let rows = value["rows"].as_array()?.iter().map(|row| {
        let parameters = row["parameters"].as_object()?.iter();
        Some(Row {
            group: text(&row["group"])?,
            name: text(&row["name"])?,
            parameters: parameters
                .map(|(name, value)| Some((name.clone(), text(value)?)))
                .collect::<Option<_>>()?,
            value: row["value"].as_f64()?,
            unit: text(&row["unit"])?,
            how: text(&row["how"])?,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            Row::new("size", "file", 1024.0, 0, "bytes", ""),
            Row::new("cost", "turns", 302.25, 2, "1/s", "counted").with(&[("streams", "2".to_owned())]),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(&rows())), Some(rows()));
        let text = format!("{:#}", encode(&rows()));
        assert_eq!(decode(&serde_json::from_str(&text).expect("JSON")), Some(rows()));
    }

    #[test]
    fn what_is_no_bench_is_refused() {
        let good = encode(&rows());
        assert_eq!(decode(&json!({})), None);
        assert_eq!(decode(&json!({ "format": FORMAT })), None);
        for (pointer, value) in [
            ("/format", json!("other")),
            ("/rows/0/value", json!("many")),
            ("/rows/0/group", json!(null)),
            ("/rows/1/parameters", json!([])),
            ("/rows/1/parameters/streams", json!(2)),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).expect(pointer) = value;
            assert_eq!(decode(&bad), None, "{pointer}");
        }
    }

    #[test]
    fn a_file_that_can_not_be_read_is_bad_input() {
        let error = read(Path::new("/nowhere/bench.json")).expect_err("none");
        assert!(error.is::<BadInput>(), "{error:#}");
    }
}
