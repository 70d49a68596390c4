//! Real codecs: what the driver makes of the 542 dumps in `../shared/codecs` beside the project, on models made from them.

mod audible;
mod groups;
mod linux;
mod moves;
mod reach;
mod restore;
mod waits;

use std::path::Path;
use std::sync::OnceLock;

use crate::common::*;
use snd_hda::{Format, Route, SampleBits};
use snd_hda_model::dump::Dump;
use snd_hda_model::{Bench, Codec, Model, Profile};

/// A dump, and a driver that was brought up on a model made from it.
pub struct Specimen {
    pub file: String,
    pub dump: Dump,
}

impl Specimen {
    /// A driver on a model with the codec at address 0.
    pub fn bring_up(&self) -> (Model, TestController) {
        self.bring_up_with(Profile::hardware(), self.dump.codec())
    }

    pub fn bring_up_with(&self, profile: Profile, codec: Codec) -> (Model, TestController) {
        // With a second codec: one that has no route at all is no error then.
        let model = Bench::new(profile).codec(0, codec).codec(1, Codec::output()).without_recording().build();
        let controller = bring_up(&model).unwrap_or_else(|error| panic!("{}: {error}", self.file));
        (model, controller)
    }
}

/// The codec's routes, by their places.
pub fn routes_of(controller: &TestController) -> impl Iterator<Item = (usize, &Route)> {
    controller.routes().iter().enumerate().filter(|(_, route)| route.codec().get() == 0)
}

/// Device codes of pin defaults (7.3.3.31) that are outputs, and those that are inputs.
pub const OUTPUTS: [u32; 5] = [0x0, 0x1, 0x2, 0x4, 0x5];
pub const INPUTS: [u32; 7] = [0x3, 0x8, 0x9, 0xa, 0xb, 0xc, 0xd];

/// All dumps, by the names of their files.
pub fn collection() -> &'static [Specimen] {
    static COLLECTION: OnceLock<Vec<Specimen>> = OnceLock::new();
    COLLECTION.get_or_init(read)
}

fn read() -> Vec<Specimen> {
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
