//! Changes since an earlier bench.

use super::Row;
use super::table::figure;

/// A line for each figure that differs, that is new or gone; of the earlier rows only those count whose group was measured
/// again. Empty: nothing has changed.
pub fn changes(before: &[Row], now: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in now {
        let key = row.key();
        match before.iter().find(|earlier| earlier.key() == key) {
            None => lines.push(format!("{key}: new, {} {}", figure(row.value), row.unit)),
            Some(earlier) if earlier.value != row.value => {
                let share = (row.value - earlier.value) / earlier.value * 100.0;
                let share = if share.is_finite() { format!(" ({share:+.1} %)") } else { String::new() };
                lines.push(format!(
                    "{key}: {} -> {} {}{share}",
                    figure(earlier.value),
                    figure(row.value),
                    row.unit
                ));
            }
            Some(_) => {}
        }
    }
    for row in before.iter().filter(|row| now.iter().any(|other| other.group == row.group)) {
        let key = row.key();
        if !now.iter().any(|other| other.key() == key) {
            lines.push(format!("{key}: gone, was {} {}", figure(row.value), row.unit));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: &str, name: &str, value: f64) -> Row {
        Row::new(group, name, value, 2, "us", "")
    }

    #[test]
    fn only_what_differs_is_told() {
        let before =
            [row("a", "same", 1.0), row("a", "slower", 2.0), row("a", "gone", 3.0), row("b", "other", 9.0)];
        let now = [row("a", "same", 1.0), row("a", "slower", 2.5), row("a", "new", 4.0)];
        assert_eq!(
            changes(&before, &now),
            ["a: slower: 2 -> 2.5 us (+25.0 %)", "a: new: new, 4 us", "a: gone: gone, was 3 us"]
        );
        assert_eq!(changes(&now, &now), [""; 0]);
    }

    #[test]
    fn the_order_of_circumstances_is_none() {
        let [one, other] = [["a", "b"], ["b", "a"]]
            .map(|names| row("a", "x", 1.0).with(&names.map(|name| (name, "1".to_owned()))));
        assert_eq!(changes(&[one], &[other]), [""; 0]);
    }

    #[test]
    fn what_was_nothing_has_no_share() {
        assert_eq!(changes(&[row("a", "x", 0.0)], &[row("a", "x", 2.0)]), ["a: x: 0 -> 2 us"]);
    }
}
