//! A codec's answers and unsolicited responses, to the driver.

use std::cell::Cell;
use std::rc::Rc;

use snd_hda::{Controller, Direction, DmaBuffer, JackPolicy, RouteIndex, SampleBits};
use snd_hda_model::{
    Bench, Codec, DmaAccess, Model, ModelDelay, ModelMemory, ModelRegion, ModelRegisters, Profile,
};

use testbed::ignored;

use crate::bytes::Bytes;

const MILLISECOND_NS: u64 = 1_000_000;

/// Most verbs to one codec: what discovery may ask of each of its nodes, and of each route later.
const MOST_VERBS: u32 = 40_000;

/// Most virtual time of an execution, which is waits for answers that don't come.
const MOST_NS: u64 = 600_000 * MILLISECOND_NS;

/// Why results are dropped here.
const MAY_FAIL: &str = "a codec that lies makes anything fail; that it ends is all that counts";

type DriverController = Controller<ModelRegisters, ModelDelay, ModelRegion>;

/// A page that the controller may access as long as the buffer lives.
struct Buffer {
    pages: [u64; 1],
    size_bytes: u32,
    memory: ModelMemory,
}

impl DmaBuffer for Buffer {
    fn page_addresses(&self) -> &[u64] {
        &self.pages
    }

    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.memory.forbid_dma(self.pages[0]);
    }
}

/// A codec that lies: bring-up ends, and so does everything that the driver does later.
pub fn run(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let mode = bytes.u8();
    let length = usize::from(bytes.u16());
    let lies = bytes.slice(length).to_vec();
    let mut noise = bytes.u32();
    let verbs = Rc::new(Cell::new(0_u32));
    let seen = Rc::clone(&verbs);
    let codec = match mode % 4 {
        0 => Codec::duplex(),
        1 => Codec::laptop(),
        2 => Codec::any_format(8),
        _ => Codec::answering(|_| Some(0)),
    };
    let is_noisy = mode & 0x80 != 0;
    let mut lies_left = lies.len();
    // Every answer may be the codec's own, another, or none.
    let codec = codec.tampered(move |_, honest| {
        seen.set(seen.get() + 1);
        assert!(seen.get() <= MOST_VERBS, "verbs without end");
        if lies_left > 0 {
            let mut rest = Bytes::new(&lies[lies.len() - lies_left..]);
            let answer = lie(&mut rest, honest);
            lies_left = rest.len();
            answer
        } else if is_noisy {
            noise = noise.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            if noise >> 30 == 0 { Some(noise.rotate_left(11)) } else { honest }
        } else {
            honest
        }
    });
    let profile = Profile { strict: false, ..Profile::hardware() };
    let bench = Bench::new(profile).codec(0, codec).codec(1, Codec::output()).without_recording();
    let model = bench.access_budget(50_000_000).build();
    let brought_up = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    let mut controller = brought_up.expect("the second codec has a route");
    while !bytes.is_empty() {
        act(&model, &mut controller, &mut bytes);
    }
    assert!(model.now_ns() < MOST_NS, "{} ns", model.now_ns());
    model.assert_clean();
}

/// The codec's own answer, another, or none.
fn lie(bytes: &mut Bytes<'_>, honest: Option<u32>) -> Option<u32> {
    match bytes.u8() {
        0..0xa0 => honest,
        0xa0..0xb0 => None,
        0xb0..0xd0 => honest.map(|honest| honest ^ 1 << (bytes.u8() % 32)),
        0xd0..0xe0 => Some(bytes.u8().into()),
        _ => Some(bytes.u32()),
    }
}

fn act(model: &Model, controller: &mut DriverController, bytes: &mut Bytes<'_>) {
    let routes = controller.routes().len().max(1);
    let index = RouteIndex((usize::from(bytes.u8()) % routes) as u8);
    match bytes.u8() % 8 {
        0..=2 => {
            for _ in 0..bytes.u8() % 8 {
                model.unsolicited_response(usize::from(bytes.u8() & 1), bytes.u32());
            }
            model.advance_ns(MILLISECOND_NS);
            controller.attend_jacks();
        }
        3 => {
            controller.set_jack_policy(bytes.one_of(&[JackPolicy::Both, JackPolicy::Stay, JackPolicy::Move]))
        }
        4 => controller.set_reach(index, bytes.u32()),
        5 => play(model, controller, index, bytes),
        6 => {
            let [channel, mdb] = [bytes.u32() % 20, bytes.u32()];
            ignored(controller.set_volume(index, channel as u8, mdb.cast_signed()), MAY_FAIL);
            ignored(controller.set_mute(index, channel as u8, mdb & 1 != 0), MAY_FAIL);
            ignored(controller.volume(index, channel as u8), MAY_FAIL);
        }
        _ => {
            ignored(controller.disconnect(index), MAY_FAIL);
            ignored(controller.volume_range(index), MAY_FAIL);
        }
    }
}

/// Connects a stream to a route, hears of plugs, and lets it go.
fn play(model: &Model, controller: &mut DriverController, index: RouteIndex, bytes: &mut Bytes<'_>) {
    let Some(route) = controller.routes().get(usize::from(index.0)) else { return };
    let direction = route.direction();
    let Ok(format) = snd_hda::Format::new(48_000, SampleBits::Bits16, 1 + bytes.u8() % 8) else { return };
    let Some(stream) = controller.take_stream(direction) else { return };
    let memory = model.memory();
    let page = memory.allocate_page().0;
    let access = match direction {
        Direction::Output => DmaAccess::Read,
        Direction::Input => DmaAccess::Write,
    };
    memory.allow_dma(page, access);
    let size_bytes = 128 * format.frame_bytes();
    let configured = stream.configure(format, Buffer { pages: [page], size_bytes, memory });
    let stream = configured.map_err(|_| "refused").expect("whole frames in a page are a buffer");
    ignored(controller.connect(index, &stream), MAY_FAIL);
    for _ in 0..bytes.u8() % 3 {
        model.unsolicited_response(0, bytes.u32());
        model.advance_ns(MILLISECOND_NS);
        controller.attend_jacks();
    }
    ignored(controller.disconnect(index), MAY_FAIL);
    let (stream, _buffer) = stream.release().map_err(|_| "stuck").expect("a stream that doesn't run");
    controller.give_back(stream);
}
