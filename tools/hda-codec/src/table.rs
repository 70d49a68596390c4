//! Routes for people.

use snd_hda::{Direction, Route};

use super::plain::plain;
use super::specimen::way;
use super::{Report, Specimen};

/// The driver's routes in a file's codec; of a file that is no dump, the reason.
pub(crate) fn table(report: &Report) -> String {
    match &report.specimen {
        Ok(specimen) => format!("{}\n{}", title(&report.file, specimen), routes(specimen)),
        Err(error) => format!("{}: {}\n", plain(&report.file), plain(error)),
    }
}

/// File, codec and its number.
pub(super) fn title(file: &str, specimen: &Specimen) -> String {
    format!("{}: {}, {:08x}", plain(file), plain(&specimen.dump.name), specimen.dump.vendor_id)
}

/// The routes, the pins without one, and how many there are.
pub(super) fn routes(specimen: &Specimen) -> String {
    let mut lines = Vec::new();
    for (direction, head) in [(Direction::Output, "output"), (Direction::Input, "input")] {
        let routes: Vec<&Route> = specimen.routes(direction).collect();
        if !routes.is_empty() {
            lines.push([head, "kind", "channels", "way", "at once"].map(str::to_owned).to_vec());
            lines.extend(routes.into_iter().map(|route| cells(specimen, route)));
        }
    }
    let mut text = aligned(&lines);
    for pin in &specimen.unserved {
        text.push_str(&format!("  pin {:#04x} has no route: {}\n", pin.pin, pin.reason));
    }
    let outputs = specimen.routes(Direction::Output).count();
    let inputs = specimen.routes(Direction::Input).count();
    let at_once = match specimen.simultaneous_outputs() {
        at_once if at_once < outputs => format!(", {at_once} of them at once"),
        _ => String::new(),
    };
    let outputs = counted(outputs, "output");
    let inputs = counted(inputs, "input");
    let without = counted(specimen.unserved.len(), "connected pin");
    text + &format!("  {outputs}{at_once}; {inputs}; {without} without a route\n")
}

fn cells(specimen: &Specimen, route: &Route) -> Vec<String> {
    let way: Vec<String> = way(route).iter().map(|node| format!("{node:#04x}")).collect();
    let rivals: Vec<String> = specimen.rivals(route).map(|rival| rival.name().to_string()).collect();
    let at_once =
        if route.is_alone() { "yes".to_owned() } else { format!("takes turns with {}", rivals.join(", ")) };
    vec![
        route.name().to_string(),
        route.device().kind().to_owned(),
        route.pcm().channels_max().to_string(),
        way.join(" > "),
        at_once,
    ]
}

/// A number of things.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Lines of cells, in columns two places in.
pub(super) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let cells: Vec<String> = cells.collect();
        text.push_str(&format!("  {}\n", cells.join("  ").trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn people_see_who_takes_turns_with_whom() {
        let text = table(&samples::report("92hd71b7x-hp-pavilion-dv7.0.txt"));
        assert!(text.starts_with("92hd71b7x-hp-pavilion-dv7.0.txt: IDT 92HD71B7X, 111d76b2\n"), "{text}");
        let line = "  Headphone            headphone   2         0x10 > 0x0a                takes turns with Dock Line Out\n";
        assert!(text.contains(line), "{text}");
        let sum = "  5 outputs, 4 of them at once; 3 inputs; 0 connected pins without a route\n";
        assert!(text.ends_with(sum), "{text}");
    }

    #[test]
    fn pins_without_a_route_have_a_reason() {
        let text = table(&samples::report("ad1882-sparta.0.txt"));
        assert!(
            text.contains("  pin 0x1a has no route: default device 0xf is no output or input\n"),
            "{text}"
        );
    }

    #[test]
    fn a_file_steers_no_terminal() {
        let specimen = Specimen::of("\x1b[2Jno dump");
        let text = table(&Report { file: "x\x1b[2J".to_owned(), specimen });
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
