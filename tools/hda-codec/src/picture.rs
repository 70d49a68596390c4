//! A codec's graph as a picture (SVG).

mod layout;

use std::fmt::Write;

use snd_hda::Route;
use snd_hda_model::codec::WidgetKind;
use snd_hda_model::dump::Node;

use self::layout::{BOX_WIDTH, Layout, MARGIN, Part, Placed};
use super::palette::colour;
use super::plain::plain;
use super::specimen::way;
use super::{Specimen, words};

const INK: &str = "#222222";
const FAINT: &str = "#8a8a8a";
const LINE: &str = "#c4c4c4";
const TROUBLE: &str = "#b00020";
/// Characters that a line of a box has room for, of the name's size and of the small one's.
const NAME_CHARACTERS: usize = 27;
const SMALL_CHARACTERS: usize = 39;

const LEGEND: [&str; 3] = [
    "In colour: routes, each named at its pin. Dashed: takes turns with another one. Grey: what else the codec's lists connect, \
     and widgets on no route.",
    "Low boxes: pins that nothing is connected to, and widgets beside the way of sound. What a pin could do the other way \
     round, as an input or as an output, is left out.",
    "Amplifiers: what can be set, in and out.",
];

/// The picture: sound goes from left to right.
pub(crate) fn picture(file: &str, specimen: &Specimen) -> String {
    let mut svg = String::new();
    let picture = Picture { specimen, layout: Layout::of(specimen) };
    picture.write(&mut svg, file).expect("a string takes all that is written to it");
    svg
}

struct Picture<'a> {
    specimen: &'a Specimen,
    layout: Layout,
}

impl Picture<'_> {
    fn write(&self, svg: &mut String, file: &str) -> std::fmt::Result {
        let (width, height) = (self.layout.width, self.layout.height + 30 + 16 * LEGEND.len() as i32);
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\">"
        )?;
        writeln!(svg, "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>")?;
        let dump = &self.specimen.dump;
        text(svg, (MARGIN, 28), 18, INK, true, &format!("{}, {:08x}", dump.name, dump.vendor_id))?;
        text(svg, (MARGIN, 46), 11, FAINT, false, file)?;
        for (head, y) in &self.layout.heads {
            text(svg, (MARGIN, *y), 13, INK, true, head)?;
        }
        self.write_connections(svg)?;
        self.write_routes(svg)?;
        for placed in &self.layout.boxes {
            if let Some(node) = dump.node(placed.node) {
                self.write_box(svg, placed, node)?;
            }
        }
        for (line, words) in (0..).zip(LEGEND) {
            text(svg, (MARGIN, self.layout.height + 32 + 16 * line), 10, FAINT, false, words)?;
        }
        writeln!(svg, "</svg>")
    }

    /// The sources of a node whose lines are drawn, from top to bottom.
    fn sources(&self, node: &Node) -> Vec<u8> {
        let is_pin = |id: u8| self.specimen.dump.node(id).is_some_and(|node| node.kind == WidgetKind::Pin);
        let is_in = |id, part| self.layout.get(id).is_some_and(|placed| placed.part == part);
        if !words::carries_sound(node) || (is_pin(node.id) && is_in(node.id, Part::Inputs)) {
            return Vec::new();
        }
        let known = node.connections.iter().filter_map(|source| self.layout.get(*source));
        let known = known.filter(|from| from.part != Part::Outputs || !is_pin(from.node));
        let mut sources: Vec<(i32, i32, u8)> = known.map(|from| (from.y, from.x, from.node)).collect();
        sources.sort_unstable();
        sources.dedup();
        sources.into_iter().map(|(_, _, source)| source).collect()
    }

    /// The line between two widgets, into the listener's own place for this source.
    fn curve(&self, source: u8, listener: u8) -> Option<String> {
        let (from, to) = (self.layout.get(source)?, self.layout.get(listener)?);
        let sources = self.sources(self.specimen.dump.node(listener)?);
        let place = sources.iter().position(|other| *other == source)? as i32 + 1;
        let (x1, y1) = (from.x + BOX_WIDTH, from.middle());
        let (x2, y2) = (to.x, to.y + to.height * place / (sources.len() as i32 + 1));
        if from.x == to.x {
            return Some(format!("M{x2} {y1} C{0} {y1} {0} {y2} {x2} {y2}", x2 - MARGIN + 10));
        }
        let bend = ((x2 - x1) / 2).clamp(50, 90);
        Some(format!("M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend))
    }

    fn write_connections(&self, svg: &mut String) -> std::fmt::Result {
        writeln!(svg, "<g fill=\"none\" stroke=\"{LINE}\" stroke-width=\"0.8\">")?;
        for node in &self.specimen.dump.nodes {
            for source in self.sources(node) {
                if !self.specimen.is_on_a_route(source, node.id)
                    && let Some(curve) = self.curve(source, node.id)
                {
                    writeln!(svg, "<path d=\"{curve}\"/>")?;
                }
            }
        }
        writeln!(svg, "</g>")
    }

    /// Those that take turns come last: their dashes let others be seen.
    fn write_routes(&self, svg: &mut String) -> std::fmt::Result {
        writeln!(svg, "<g fill=\"none\" stroke-width=\"2.5\">")?;
        for is_alone in [true, false] {
            let routes = self.specimen.routes.iter().enumerate();
            for (index, route) in routes.filter(|(_, route)| route.is_alone() == is_alone) {
                let dashes = if is_alone { "" } else { " stroke-dasharray=\"7 5\"" };
                for step in way(route).windows(2) {
                    if let Some(curve) = self.curve(step[0], step[1]) {
                        writeln!(svg, "<path d=\"{curve}\" stroke=\"{}\"{dashes}/>", colour(index))?;
                    }
                }
            }
        }
        writeln!(svg, "</g>")
    }

    fn write_box(&self, svg: &mut String, placed: &Placed, node: &Node) -> std::fmt::Result {
        let Placed { x, y, height, .. } = *placed;
        let routes = self.specimen.routes.iter().enumerate();
        let through: Vec<(usize, &Route)> =
            routes.filter(|(_, route)| way(route).contains(&node.id)).collect();
        let at_pin = through.iter().find(|(_, route)| route.pin().get() == node.id);
        let ink = if through.is_empty() { FAINT } else { INK };
        let (frame, name_ink) = match (through.first(), at_pin) {
            (_, Some((index, _))) => (colour(*index), colour(*index)),
            (Some(_), None) => ("#777777", INK),
            (None, None) => (LINE, FAINT),
        };
        let name = at_pin.map_or_else(|| words::kind(node).to_owned(), |(_, route)| route.name().to_string());
        let name = format!("{:#04x} {name}", node.id);
        let nature = words::nature(self.specimen, node);
        let amplifiers = words::amplifiers(self.specimen, node);
        let unserved = self.specimen.unserved.iter().find(|pin| pin.pin == node.id);

        let thickness = if at_pin.is_some() { 2 } else { 1 };
        writeln!(svg, "<g><title>{}</title>", escaped(&format!("{name}; {nature}; {amplifiers}")))?;
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{height}\" rx=\"4\" fill=\"#ffffff\" \
             stroke=\"{frame}\" stroke-width=\"{thickness}\"/>"
        )?;
        if !placed.is_tall() {
            text(svg, (x + 7, y + 14), 10, FAINT, false, &cut(&name, SMALL_CHARACTERS))?;
            return writeln!(svg, "</g>");
        }
        text(svg, (x + 7, y + 15), 12, name_ink, true, &cut(&name, NAME_CHARACTERS))?;
        let trouble = unserved.map(|pin| (pin.reason.as_str(), TROUBLE));
        let lines = [(nature.as_str(), ink), trouble.unwrap_or((&amplifiers, ink))];
        for (line, (words, ink)) in (0..).zip(lines.iter().filter(|(words, _)| !words.is_empty())) {
            text(svg, (x + 7, y + 28 + 12 * line), 9, ink, false, &cut(words, SMALL_CHARACTERS))?;
        }
        writeln!(svg, "</g>")
    }
}

fn text(
    svg: &mut String,
    (x, y): (i32, i32),
    size: i32,
    ink: &str,
    is_bold: bool,
    words: &str,
) -> std::fmt::Result {
    let weight = if is_bold { " font-weight=\"bold\"" } else { "" };
    let words = escaped(words);
    writeln!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{ink}\"{weight}>{words}</text>")
}

/// As much of a text as there is room for.
fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some(_) => text.chars().take(characters - 1).chain(['\u{2026}']).collect(),
        None => text.to_owned(),
    }
}

/// Text within an element or an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no place for them.
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// Checks what a reader of XML would stumble over in what is written here: tags that don't match, signs that would have
    /// to be escaped.
    fn check_xml(svg: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = svg;
        while let Some((before, tag)) = rest.split_once('<') {
            let escapes = before.split('&').skip(1);
            for escape in escapes {
                let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
                assert!(known.iter().any(|known| escape.starts_with(known)), "{before}");
            }
            assert!(!before.contains('>'), "{before}");
            let (tag, after) = tag.split_once('>').expect("a tag's end");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            assert!(!tag.contains('<'), "{tag}");
            let name = tag.split(' ').next().expect("a name");
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.push(name),
            }
            rest = after;
        }
        assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
        assert!(svg.starts_with("<svg "));
        assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn every_codec_has_a_picture_with_all_its_routes() {
        for report in samples::all() {
            let specimen = report.specimen.expect("a dump");
            let svg = picture(&report.file, &specimen);
            check_xml(&svg);
            for route in &specimen.routes {
                let name = format!("{:#04x} {}", route.pin().get(), route.name());
                assert!(svg.contains(&cut(&name, NAME_CHARACTERS)), "{}: {name}", report.file);
            }
            let steps: usize = specimen.routes.iter().map(|route| way(route).len() - 1).sum();
            // Boxes have a stroke as well, and all grey lines one together.
            assert_eq!(svg.matches("\" stroke=\"#").count() - svg.matches("<rect x").count(), steps + 1);
        }
    }

    #[test]
    fn names_stay_names() {
        let mut specimen = samples::report("alc269-acer-timeline-3810t.0.txt").specimen.expect("a dump");
        specimen.dump.name = "</text><script>alert('a & b')</script>\x1b\u{ffff}".to_owned();
        let svg = picture("\"><x y=\"&amp;", &specimen);
        check_xml(&svg);
        assert!(!svg.contains("<script") && !svg.contains("<x "));
        assert!(svg.contains("&lt;script&gt;alert(&#39;a &amp; b&#39;)"), "{svg}");
    }
}
