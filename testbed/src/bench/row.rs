//! A row: one figure, and what it is of.

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it belongs to: a heading of the table.
    pub group: String,
    /// What was measured: a column of the table.
    pub name: String,
    /// Under which circumstances: names and values.
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

    /// What tells it from all other rows, in whatever order its circumstances stand.
    pub fn key(&self) -> String {
        let mut parameters: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!(", {name} {value}")).collect();
        parameters.sort();
        format!("{}: {}{}", self.group, self.name, parameters.concat())
    }
}
