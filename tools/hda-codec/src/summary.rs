//! Many codecs in few lines, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use snd_hda::Direction;

use super::plain::plain;
use super::table::counted;
use super::vendor::vendor;
use super::{Report, Specimen};

/// Sums, file by file.
#[derive(Default)]
pub(crate) struct Summary {
    /// By vendors' names.
    vendors: BTreeMap<String, Sums>,
    /// Files with pins that have no route, and these pins, by codec, by reason.
    unserved: BTreeMap<String, BTreeMap<String, Vec<FilePins>>>,
    /// Files whose codec has no route at all, with the number of connected pins.
    without_route: Vec<(String, String, usize)>,
    /// Files that are no dumps, and why not.
    bad: Vec<(String, String)>,
}

/// A file, and pins of its codec.
type FilePins = (String, Vec<u8>);

/// The sums of a vendor's codecs.
#[derive(Clone, Copy, Default)]
struct Sums {
    files: usize,
    with_routes: usize,
    outputs: usize,
    at_once: usize,
    inputs: usize,
    unserved: usize,
}

impl Sums {
    fn of(specimen: &Specimen) -> Sums {
        Sums {
            files: 1,
            with_routes: usize::from(!specimen.routes.is_empty()),
            outputs: specimen.routes(Direction::Output).count(),
            at_once: specimen.simultaneous_outputs(),
            inputs: specimen.routes(Direction::Input).count(),
            unserved: specimen.unserved.len(),
        }
    }

    fn add(&mut self, other: Sums) {
        self.files += other.files;
        self.with_routes += other.with_routes;
        self.outputs += other.outputs;
        self.at_once += other.at_once;
        self.inputs += other.inputs;
        self.unserved += other.unserved;
    }

    fn row(&self, name: &str) -> String {
        let Sums { files, with_routes, outputs, at_once, inputs, unserved } = self;
        format!("| {name} | {files} | {with_routes} | {outputs} | {at_once} | {inputs} | {unserved} |\n")
    }
}

impl Summary {
    /// Adds a file.
    pub(crate) fn add(&mut self, report: &Report) {
        // The same words wherever the collection lies.
        let name = Path::new(&report.file).file_name();
        let file = name.map_or_else(|| report.file.clone(), |name| name.to_string_lossy().into_owned());
        let specimen = match &report.specimen {
            Ok(specimen) => specimen,
            Err(error) => return self.bad.push((file, error.clone())),
        };
        let codec = specimen.dump.name.clone();
        self.vendors.entry(vendor(specimen.dump.vendor_id)).or_default().add(Sums::of(specimen));
        let mut reasons: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for pin in &specimen.unserved {
            reasons.entry(&pin.reason).or_default().push(pin.pin);
        }
        for (reason, pins) in reasons {
            let codecs = self.unserved.entry(reason.to_owned()).or_default();
            codecs.entry(codec.clone()).or_default().push((file.clone(), pins));
        }
        if specimen.routes.is_empty() {
            self.without_route.push((file, codec, specimen.unserved.len()));
        }
    }

    /// All of it, as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a string takes all that is written to it");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "## By vendor\n")?;
        writeln!(
            text,
            "| vendor | files | with routes | outputs | of them at once | inputs | connected pins without a route |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|--:|--:|")?;
        let mut all = Sums::default();
        for (name, sums) in &self.vendors {
            all.add(*sums);
            text.push_str(&sums.row(name));
        }
        text.push_str(&all.row("all"));

        writeln!(text, "\n## Connected pins without a route")?;
        if self.unserved.is_empty() {
            writeln!(text, "\nThere is none.")?;
        }
        for (reason, codecs) in &self.unserved {
            writeln!(text, "\n### {}\n", escaped(reason))?;
            for (codec, files) in codecs {
                writeln!(text, "- {}", escaped(codec))?;
                for (file, pins) in files {
                    let pins: Vec<String> = pins.iter().map(|pin| format!("{pin:#04x}")).collect();
                    writeln!(text, "  - {}: {}", escaped(file), pins.join(", "))?;
                }
            }
        }

        writeln!(text, "\n## Codecs without any route\n")?;
        if self.without_route.is_empty() {
            writeln!(text, "There is none.")?;
        }
        for (file, codec, pins) in &self.without_route {
            writeln!(text, "- {}: {}, {}", escaped(file), escaped(codec), counted(*pins, "connected pin"))?;
        }
        if !self.bad.is_empty() {
            writeln!(text, "\n## Files that are no dumps\n")?;
        }
        for (file, error) in &self.bad {
            writeln!(text, "- {}: {}", escaped(file), escaped(error))?;
        }
        Ok(())
    }
}

/// Text without meaning for Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in plain(text).chars() {
        if "\\`*_|<>[]&#~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// The line of the document behind which the command's output stands.
    const MARK: &str =
        "<!-- What follows is what `cargo xtask codec summary ../shared/codecs` prints. -->\n\n";

    fn summary(reports: &[Report]) -> String {
        let mut summary = Summary::default();
        reports.iter().for_each(|report| summary.add(report));
        summary.markdown()
    }

    #[test]
    fn the_document_has_what_the_command_prints() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codecs.md");
        let document = std::fs::read_to_string(&path).expect("the document");
        let (_, told) = document.split_once(MARK).expect("the mark");
        assert!(
            told == summary(&samples::all()),
            "{} is out of date: its introduction says how to renew it",
            path.display()
        );
    }

    #[test]
    fn pins_without_a_route_stand_under_their_reason() {
        let text = summary(&[samples::report("ad1882-sparta.0.txt"), samples::report("ad1988a.0.txt")]);
        assert!(text.contains("| Analog Devices | 2 | 2 | "), "{text}");
        let list = "### default device 0xf is no output or input\n\n\
                    - Analog Devices AD1882\n  - ad1882-sparta.0.txt: 0x1a\n\
                    - Analog Devices AD1988\n  - ad1988a.0.txt: 0x1a\n";
        assert!(text.contains(list), "{text}");
        assert!(text.ends_with("## Codecs without any route\n\nThere is none.\n"), "{text}");
    }

    #[test]
    fn names_stay_names() {
        let mut report = samples::report("ad1882-sparta.0.txt");
        report.file = "/x/a|b`<c>.txt".to_owned();
        let bad = Report { file: "*bad*".to_owned(), specimen: Specimen::of("<b>") };
        let text = summary(&[report, bad]);
        assert!(text.contains("a\\|b\\`\\<c\\>.txt: 0x1a"), "{text}");
        assert!(text.contains("- \\*bad\\*: line 1: \"\\<b\\>\""), "{text}");
    }
}
