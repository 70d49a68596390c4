//! A row: one figure with its names.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// A heading of the table.
    pub group: String,
    /// A column of the table.
    pub name: String,
    /// Under which circumstances: names and values.
    #[serde(serialize_with = "write_map", deserialize_with = "read_map")]
    pub parameters: Vec<(String, String)>,
    /// The figure, rounded to `decimals`.
    pub value: f64,
    /// Its unit; empty for a plain count.
    pub unit: String,
    /// How it was measured.
    pub how: String,
}

impl Row {
    /// A row; the value is rounded to so many decimals.
    pub fn new(group: &str, name: &str, value: f64, decimals: i32, unit: &str, how: &str) -> Row {
        let scale = 10_f64.powi(decimals);
        Row {
            group: group.to_owned(),
            name: name.to_owned(),
            parameters: Vec::new(),
            value: (value * scale).round() / scale,
            unit: unit.to_owned(),
            how: how.to_owned(),
        }
    }

    /// The same row, under these circumstances.
    pub fn with(mut self, parameters: &[(&str, String)]) -> Row {
        self.parameters =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self
    }

    /// Its identity, for any order of its circumstances.
    pub fn key(&self) -> String {
        let mut parameters: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!(", {name} {value}")).collect();
        parameters.sort();
        format!("{}: {}{}", self.group, self.name, parameters.concat())
    }
}

/// Circumstances are an object in JSON.
fn write_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

fn read_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
}
