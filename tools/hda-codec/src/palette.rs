//! Colours of routes.

/// Dark enough for text on white, and apart from their neighbours.
const COLOURS: [&str; 10] = [
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#e07b00", "#008b8b", "#c2378a", "#8c564b", "#5b6b00",
    "#3b4cc0",
];

/// The colour of the route with a number.
pub(super) fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}
