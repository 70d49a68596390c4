//! A codec's graph for Graphviz.

use std::fmt::Write;

use super::palette::colour;
use super::plain::plain;
use super::specimen::way;
use super::{Specimen, words};

/// The graph: sound goes from left to right, routes are drawn in colour with the names of what is at their pins.
pub(crate) fn dot(file: &str, specimen: &Specimen) -> String {
    let mut text = String::new();
    write_dot(&mut text, file, specimen).expect("a string takes all that is written to it");
    text
}

fn write_dot(text: &mut String, file: &str, specimen: &Specimen) -> std::fmt::Result {
    let title = quoted(&format!("{}, {file}", specimen.dump.name));
    writeln!(text, "digraph {title} {{")?;
    writeln!(text, "  label={title}; labelloc=t; rankdir=LR; ranksep=1;")?;
    writeln!(text, "  node [shape=box, fontname=\"sans-serif\", fontsize=10];")?;
    writeln!(text, "  edge [color=\"#bbbbbb\", arrowsize=0.6];")?;
    for node in &specimen.dump.nodes {
        let mut label = format!("{:#04x} {}", node.id, words::kind(node));
        for more in [words::nature(specimen, node), words::amplifiers(specimen, node)] {
            if !more.is_empty() {
                write!(label, "\n{more}")?;
            }
        }
        let mut look = String::new();
        for (index, route) in specimen.routes.iter().enumerate().filter(|(_, r)| r.pin().get() == node.id) {
            write!(label, "\n{}", route.name())?;
            look = format!(", color={}, penwidth=2", quoted(colour(index)));
        }
        writeln!(text, "  n{} [label={}{look}];", node.id, quoted(&label))?;
    }
    for node in specimen.dump.nodes.iter().filter(|node| words::carries_sound(node)) {
        for source in &node.connections {
            // A list may name nodes that aren't there, and one node twice; a route's edges are drawn below.
            if specimen.dump.node(*source).is_some() && !specimen.is_on_a_route(*source, node.id) {
                writeln!(text, "  n{source} -> n{};", node.id)?;
            }
        }
    }
    for (index, route) in specimen.routes.iter().enumerate() {
        let style = if route.is_alone() { "solid" } else { "dashed" };
        let way: Vec<String> = way(route).iter().map(|node| format!("n{node}")).collect();
        let colour = quoted(colour(index));
        writeln!(text, "  {} [color={colour}, penwidth=2, style={style}];", way.join(" -> "))?;
    }
    writeln!(text, "}}")
}

/// A string of Graphviz's. A backslash begins an escape there; a line's end is one.
fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| plain(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_graph_has_all_widgets_and_routes() {
        let report = samples::report("alc269-acer-timeline-3810t.0.txt");
        let specimen = report.specimen.as_ref().expect("a dump");
        let text = dot("x.txt", specimen);
        let boxes = text.lines().filter(|line| line.starts_with("  n") && line.contains(" [label=\"0x"));
        assert_eq!(boxes.count(), specimen.dump.nodes.len());
        assert!(text.contains("  n2 -> n12 -> n20 [color=\"#"), "{text}");
        assert!(text.contains("\\nInternal Microphone\""), "{text}");
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn names_stay_names() {
        let mut specimen = samples::report("alc269-acer-timeline-3810t.0.txt").specimen.expect("a dump");
        specimen.dump.name = "a\"; evil [x=\"\\".to_owned();
        let text = dot("b\" -> \"c\x07\n", &specimen);
        assert!(
            text.starts_with("digraph \"a\\\"; evil [x=\\\"\\\\, b\\\" -> \\\"c\u{fffd}\\n\" {\n"),
            "{text}"
        );
    }

    #[test]
    fn strings_end_where_they_should() {
        for report in samples::all() {
            let specimen = report.specimen.expect("a dump");
            for line in dot(&report.file, &specimen).lines() {
                let mut quotes = 0;
                let mut characters = line.chars();
                while let Some(c) = characters.next() {
                    match c {
                        '\\' => drop(characters.next()),
                        '"' => quotes += 1,
                        _ => {}
                    }
                }
                assert_eq!(quotes % 2, 0, "{line}");
            }
        }
    }
}
