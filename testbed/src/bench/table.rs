//! The table for people: a block a group. Figures under circumstances stand in lines by circumstances and columns by
//! name; others stand one below the other.

use super::Row;

/// All rows, in their order.
pub fn table(rows: &[Row]) -> String {
    let mut groups: Vec<&str> = Vec::new();
    for row in rows {
        if !groups.contains(&row.group.as_str()) {
            groups.push(&row.group);
        }
    }
    let mut table = String::new();
    for group in groups {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.group == group).collect();
        table.push_str(&format!("{group}\n"));
        let plain: Vec<&Row> = rows.iter().copied().filter(|row| row.parameters.is_empty()).collect();
        table.push_str(&aligned(&plain_lines(&plain)));
        table.push_str(&aligned(&pivot_lines(&rows)));
        for (names, how) in ways(&rows) {
            table.push_str(&format!("    {}: {how}\n", names.join(", ")));
        }
        table.push('\n');
    }
    table
}

/// How figures were measured, once each, with the names of all that were measured so.
fn ways<'a>(rows: &[&'a Row]) -> Vec<(Vec<&'a str>, &'a str)> {
    let mut ways: Vec<(Vec<&str>, &str)> = Vec::new();
    for row in rows.iter().filter(|row| !row.how.is_empty()) {
        match ways.iter_mut().find(|(_, how)| *how == row.how) {
            Some((names, _)) if names.contains(&row.name.as_str()) => {}
            Some((names, _)) => names.push(&row.name),
            None => ways.push((vec![&row.name], &row.how)),
        }
    }
    ways
}

/// A figure as it is told: without zeros that say nothing.
pub fn figure(value: f64) -> String {
    format!("{value}")
}

fn plain_lines(rows: &[&Row]) -> Vec<Vec<String>> {
    rows.iter().map(|row| vec![row.name.clone(), figure(row.value), row.unit.clone()]).collect()
}

fn pivot_lines(rows: &[&Row]) -> Vec<Vec<String>> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    let mut circumstances: Vec<&[(String, String)]> = Vec::new();
    for row in rows.iter().filter(|row| !row.parameters.is_empty()) {
        if !names.iter().any(|(name, _)| *name == row.name) {
            names.push((&row.name, &row.unit));
        }
        if !circumstances.contains(&row.parameters.as_slice()) {
            circumstances.push(&row.parameters);
        }
    }
    let Some(first) = circumstances.first() else { return Vec::new() };
    let header =
        first.iter().map(|(name, _)| name.clone()).chain(names.iter().map(|(name, _)| (*name).to_owned()));
    let units = first.iter().map(|_| String::new()).chain(names.iter().map(|(_, unit)| (*unit).to_owned()));
    let mut lines = vec![header.collect(), units.collect()];
    for parameters in circumstances {
        let cell = |name: &str| {
            let row = rows.iter().find(|row| row.name == name && row.parameters == parameters);
            row.map_or_else(|| "-".to_owned(), |row| figure(row.value))
        };
        let values = parameters.iter().map(|(_, value)| value.clone());
        lines.push(values.chain(names.iter().map(|(name, _)| cell(name))).collect());
    }
    lines
}

/// Lines of cells in columns: what begins with a digit stands at the right, all else at the left.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let is_number = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .any(|cell| cell.starts_with(|c: char| c.is_ascii_digit()))
    };
    let widths: Vec<(usize, bool)> = (0..columns).map(|column| (width(column), is_number(column))).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, (width, at_the_right))| match at_the_right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        let cells: Vec<String> = cells.collect();
        text.push_str(&format!("  {}\n", cells.join("  ").trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_under_circumstances_stand_in_columns() {
        let row = |name: &str, period: &str, value| {
            Row::new("cost", name, value, 1, "1/s", "counted").with(&[("period", period.to_owned())])
        };
        let rows = [
            Row::new("size", "file", 1024.0, 0, "bytes", ""),
            row("turns", "10 ms", 302.25),
            row("turns", "100 ms", 31.0),
            row("calls", "10 ms", 7.0),
        ];
        assert_eq!(
            table(&rows),
            "size\n  file  1024  bytes\n\n\
             cost\n  period  turns  calls\n            1/s    1/s\n   10 ms  302.3      7\n  100 ms     31      -\n    \
             turns, calls: counted\n\n"
        );
    }

    #[test]
    fn nothing_makes_an_empty_table() {
        assert_eq!(table(&[]), "");
    }
}
