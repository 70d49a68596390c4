//! A codec's dump, as Linux prints it, to the parser and to the model that is built from it.

use snd_hda::Controller;
use snd_hda_model::{Bench, Codec, Dump, Profile};
use testbed::ignored;

/// A text that may be a dump: it is refused with a line, or the driver can be brought up on its codec.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let dump = match Dump::parse(&text) {
        Ok(dump) => dump,
        Err(error) => {
            let lines = text.lines().count().max(1);
            assert!((1..=lines).contains(&error.line), "line {} of {lines}: {error}", error.line);
            assert!(!error.reason.is_empty());
            return;
        }
    };
    let profile = Profile { strict: false, ..Profile::hardware() };
    let bench = Bench::new(profile).codec(0, dump.codec()).codec(1, Codec::output()).without_recording();
    let model = bench.build();
    assert_eq!(model.audible(0), []);
    assert_eq!(model.recorded(0), []);
    assert_eq!(model.looped_back(0), []);
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    let controller = controller.expect("the second codec has a route");
    // Names, connections and converters of every route.
    for route in controller.routes() {
        ignored(
            format!("{} {:?}", route.name(), route.pcm()),
            "anything may come of what makes no sense, but a panic",
        );
    }
    drop(model.take_violations());
}
