//! Routes for programs: an object on one line for each file.

use serde::Serialize;
use snd_hda::{Direction, Route};

use super::specimen::way;
use super::{Report, Specimen};

/// The keys stand in this order in the line.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    codec: Option<&'a str>,
    vendor_id: Option<u32>,
    outputs: Vec<Port>,
    inputs: Vec<Port>,
    simultaneous_outputs: usize,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Port {
    pin: u8,
    name: String,
    kind: &'static str,
    /// Of an output.
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<u8>,
    path: Vec<u8>,
}

/// The line of a file, without its end.
pub(crate) fn line(report: &Report) -> serde_json::Result<String> {
    let specimen = report.specimen.as_ref();
    let found = specimen.ok();
    let of = |direction| found.into_iter().flat_map(move |specimen| specimen.routes(direction));
    serde_json::to_string(&Line {
        file: &report.file,
        codec: found.map(|specimen| specimen.dump.name.as_str()),
        vendor_id: found.map(|specimen| specimen.dump.vendor_id),
        outputs: of(Direction::Output).map(port).collect(),
        inputs: of(Direction::Input).map(port).collect(),
        simultaneous_outputs: found.map_or(0, Specimen::simultaneous_outputs),
        error: specimen.err().map(String::as_str),
    })
}

fn port(route: &Route) -> Port {
    let is_output = route.direction() == Direction::Output;
    Port {
        pin: route.pin().get(),
        name: route.name().to_string(),
        kind: route.device().kind(),
        channels: is_output.then(|| route.pcm().channels_max()),
        path: way(route),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_codec_is_one_line_with_its_keys_in_order() {
        let line = line(&samples::report("alc269-acer-timeline-3810t.0.txt")).expect("JSON");
        assert_eq!(
            line,
            "{\"file\":\"alc269-acer-timeline-3810t.0.txt\",\"codec\":\"Realtek ALC269\",\"vendor_id\":283902569,\
             \"outputs\":[\
             {\"pin\":20,\"name\":\"Speaker\",\"kind\":\"speaker\",\"channels\":2,\"path\":[2,12,20]},\
             {\"pin\":21,\"name\":\"Headphone\",\"kind\":\"headphone\",\"channels\":2,\"path\":[3,13,21]},\
             {\"pin\":30,\"name\":\"SPDIF Out\",\"kind\":\"spdif_out\",\"channels\":2,\"path\":[6,30]}],\
             \"inputs\":[\
             {\"pin\":18,\"name\":\"Internal Microphone\",\"kind\":\"microphone\",\"path\":[18,35,8]},\
             {\"pin\":24,\"name\":\"Microphone\",\"kind\":\"microphone\",\"path\":[24,36,7]}],\
             \"simultaneous_outputs\":3,\"error\":null}"
        );
    }

    #[test]
    fn a_file_that_is_no_dump_is_one_line_too() {
        let report = Report { file: "a \"b\".txt".to_owned(), specimen: Specimen::of("Codec: X\nwhat\n") };
        let line = line(&report).expect("JSON");
        let start = "{\"file\":\"a \\\"b\\\".txt\",\"codec\":null,\"vendor_id\":null,\"outputs\":[],\"inputs\":[],\
                     \"simultaneous_outputs\":0,\"error\":\"line 2: ";
        assert!(line.starts_with(start), "{line}");
    }
}
