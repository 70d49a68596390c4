//! Real codecs: what the driver makes of the 542 dumps in `../shared/codecs` beside the project, on models made from them.

mod audible;

use std::path::Path;

use crate::common::*;
use snd_hda::{Format, Route, SampleBits};
use snd_hda_model::dump::Dump;
use snd_hda_model::{Bench, Model, Profile};

/// A dump, and a driver that was brought up on a model made from it.
pub struct Specimen {
    pub file: String,
    pub dump: Dump,
}

impl Specimen {
    pub fn model(&self) -> Model {
        Bench::new(Profile::hardware()).codec(0, self.dump.codec()).without_recording().build()
    }

    /// A driver on a model, where the codec has anything that it can serve.
    pub fn bring_up(&self) -> Option<(Model, TestController)> {
        let model = self.model();
        let controller = bring_up(&model).ok()?;
        Some((model, controller))
    }
}

/// All dumps, by the names of their files.
pub fn collection() -> Vec<Specimen> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/codecs");
    let files = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("the codec dumps belong to {}: {error}", folder.display()));
    let mut specimens = Vec::new();
    for path in files.map(|file| file.expect("a file").path()) {
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !file.ends_with(".txt") {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).into_owned();
        let dump = Dump::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        specimens.push(Specimen { file, dump });
    }
    specimens.sort_by(|one, other| one.file.cmp(&other.file));
    assert_eq!(specimens.len(), 542, "dumps in {}", folder.display());
    specimens
}

/// A format that a route's converter can do, with so many channels.
pub fn format_of(route: &Route, channels: u8) -> Option<Format> {
    let rates: Vec<u32> = route.pcm().rates().map(|rate| rate.hz()).collect();
    let rate = [48_000, 44_100].into_iter().find(|rate| rates.contains(rate)).or(rates.first().copied())?;
    let bits = [SampleBits::Bits16, SampleBits::Bits24, SampleBits::Bits20, SampleBits::Bits32];
    let bits = bits.into_iter().find(|bits| route.pcm().sample_bits().any(|other| other == *bits))?;
    Format::new(rate, bits, channels).ok()
}
