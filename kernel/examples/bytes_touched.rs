//! How many bytes of its guests' pages the back end touches while it plays, for each number of channels a line of JSON: of samples, and
//! of all else. The whole house on the model of the hardware, as in `tests/loop_back.rs`; every page that the back end can look into
//! counts.

#[path = "../tests/watched/mod.rs"]
mod watched;

use hda_card::HdaCard;
use hyper::{Clock, Nanos};
use hypervisor_model::MemoryHypervisor;
use hypervisor_model::guest::{Done, Observer};
use snd_hda::Controller;
use snd_hda_model::{Bench, Codec, Model, ModelDelay, Profile};
use snddom_kernel::bare::command_line::{CommandLine, Play};
use snddom_kernel::bare::loop_back::{DRIVER, LoopBack, LoopBackError, Progress, limits};
use sndif::format::SampleFormat;

use hypervisor_model::hda_pages::Pages;
use watched::{Touched, Watched};

/// Played each time: two seconds.
const FRAMES: usize = 96_000;

struct ModelClock(ModelDelay);

impl Clock for ModelClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.now_ns())
    }
}

struct Nobody;

impl Observer for Nobody {
    fn started(&mut self, _: usize, _: Nanos) {}
    fn position(&mut self, _: usize, _: Nanos, _: u64, _: u64) {}
    fn recorded(&mut self, _: usize, _: &[u8]) {}
    fn done(&mut self, _: usize, _: Done) {}
}

fn main() {
    for channels in [2, 8] {
        let model = Bench::new(Profile::hardware()).codec(0, Codec::any_format(channels)).build();
        match touched(&model, channels) {
            Ok(touched) => println!(
                "{{\"channels\":{channels},\"frames\":{FRAMES},\"sample_bytes\":{},\"other_bytes\":{}}}",
                touched.samples(),
                touched.others()
            ),
            Err(error) => {
                eprintln!("{channels} channels: {error}");
                std::process::exit(1);
            }
        }
    }
}

/// Plays, sleeping as the image does, and says what was touched.
fn touched(model: &Model, channels: u8) -> Result<Touched, LoopBackError> {
    let bytes = FRAMES * 2 * usize::from(channels);
    let module: &'static [u8] = Box::leak((0..bytes).map(|n| n as u8 | 1).collect());
    let play =
        Play { output: 0, rate_hz: 48_000, format: SampleFormat::S16Le, channels, module_offset: 0, bytes };
    let command_line = CommandLine { play: [play].into_iter().collect(), ..CommandLine::default() };
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    let card = HdaCard::new(controller.expect("a controller"), ModelClock(model.delay()));
    let world = MemoryHypervisor::new(Pages(model.memory()), limits(&command_line));
    let now = Nanos(model.now_ns());
    let mut loop_back =
        LoopBack::new(&world, Watched::new(world.back_end(DRIVER)), card, &command_line, module, now)?;
    while let Progress::Until(deadline) = loop_back.poll(&ModelClock(model.delay()), &mut Nobody)? {
        model.advance_ns(deadline.0.saturating_sub(model.now_ns()).max(1));
        model.refill_access_budget(100_000);
    }
    loop_back.finish()?;
    Ok(watched::take())
}
