//! A codec's graph for people, in the terminal.

use super::plain::plain;
use super::table::{aligned, routes, title};
use super::{Report, Specimen, words};

/// All widgets with their connections, then the routes; of a file that is no dump, why not.
pub(crate) fn graph(report: &Report) -> String {
    match &report.specimen {
        Ok(specimen) => {
            format!("{}\n{}\n{}", title(&report.file, specimen), widgets(specimen), routes(specimen))
        }
        Err(error) => format!("{}: {}\n", plain(&report.file), plain(error)),
    }
}

fn widgets(specimen: &Specimen) -> String {
    let mut lines = vec![["node", "widget", "", "amplifiers", "hears"].map(str::to_owned).to_vec()];
    for node in &specimen.dump.nodes {
        // Sources on a route are marked.
        let hears = node.connections.iter().map(|source| {
            let mark = if specimen.is_on_a_route(*source, node.id) { "*" } else { "" };
            format!("{source:#04x}{mark}")
        });
        lines.push(vec![
            format!("{:#04x}", node.id),
            words::kind(node).to_owned(),
            words::nature(specimen, node),
            words::amplifiers(specimen, node),
            hears.collect::<Vec<String>>().join(" "),
        ]);
    }
    aligned(&lines)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn widgets_are_told_with_what_they_hear() {
        let text = graph(&samples::report("alc269-acer-timeline-3810t.0.txt"));
        for line in [
            "0x02  output converter  2 ch, 44.1-192 kHz, 16-24 bit  out -63 to 1 dB",
            "0x14  pin  speaker, built in, out, EAPD  out mute  0x0c* 0x0d",
            "0x16  pin  not connected, out  out mute  0x0e",
            "Speaker  speaker  2  0x02 > 0x0c > 0x14  yes",
        ] {
            let is_there = |told: &str| {
                let cells: Vec<&str> =
                    told.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
                cells.join("  ") == line
            };
            assert!(text.lines().any(is_there), "{line}\n{text}");
        }
    }
}
