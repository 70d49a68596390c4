//! How late a sample may be written into the buffer and still be heard, on the model: a line of JSON for each controller
//! and rate.
//!
//! A stream plays silence. Again and again, whenever, a frame is written so many frames ahead of the one that is at the
//! link, and whether it comes out is seen at the converter. The lead is the smallest at which all of them came out, and
//! all with more. It is what the controller's FIFO has taken already; the driver adds nothing to it.

use snd_hda::{Controller, Direction, DmaBuffer, Format, RouteIndex, SampleBits};
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile};

/// Frames between two trials.
const APART_FRAMES: u64 = 6_000;

/// How often each lead is tried, each time at another moment of the millisecond.
const TRIALS: u64 = 32;

/// More than the largest lead that is tried.
const BUFFER_BYTES: u32 = 256 * 1024;

fn main() {
    for rate_hz in [8_000, 16_000, 44_100, 48_000, 96_000, 192_000] {
        let lead = lead_frames(Profile::hardware(), || Codec::any_format(8), rate_hz, 512);
        println!("{{\"controller\":\"specification\",\"rate_hz\":{rate_hz},\"lead_frames\":{lead}}}");
    }
    let lead = lead_frames(Profile::qemu(), Codec::qemu_output, 48_000, 8192);
    println!("{{\"controller\":\"qemu\",\"rate_hz\":48000,\"lead_frames\":{lead}}}");
}

/// The smallest lead at which every trial is heard.
fn lead_frames(profile: Profile, codec: fn() -> Codec, rate_hz: u32, largest: u64) -> u64 {
    let (mut late, mut heard) = (0, largest);
    assert!(is_heard(&profile, codec, rate_hz, heard), "{largest} frames at {rate_hz} Hz are not enough");
    // What is written earlier is heard if what is written later is.
    while heard - late > 1 {
        let middle = late + (heard - late) / 2;
        if is_heard(&profile, codec, rate_hz, middle) { heard = middle } else { late = middle }
    }
    heard
}

/// A buffer's pages.
struct Pages(Vec<u64>);

impl DmaBuffer for Pages {
    fn page_addresses(&self) -> &[u64] {
        &self.0
    }
    fn size_bytes(&self) -> u32 {
        BUFFER_BYTES
    }
}

/// Whether frames that are written so many frames ahead of the link all come out.
fn is_heard(profile: &Profile, codec: fn() -> Codec, rate_hz: u32, lead_frames: u64) -> bool {
    let model: Model = Bench::new(profile.clone()).codec(0, codec()).build();
    let mut controller =
        Controller::bring_up(model.registers(), &mut model.memory(), model.delay()).expect("up");
    let memory = model.memory();
    let pages: Vec<u64> = (0..BUFFER_BYTES / 4096).map(|_| memory.allocate_page().0).collect();
    pages.iter().for_each(|page| memory.allow_dma(*page, DmaAccess::Read));
    let format = Format::new(rate_hz, SampleBits::Bits16, 2).expect("a format");
    let frame_bytes = u64::from(format.frame_bytes());
    let stream = controller.take_stream(Direction::Output).expect("a stream descriptor");
    let stream = stream.configure(format, Pages(pages.clone())).expect("configured");
    let output = controller.routes().iter().position(|route| route.direction() == Direction::Output);
    controller.connect(RouteIndex(output.expect("an output") as u8), &stream).expect("connected");
    let mut stream = stream.start().expect("started");
    let running = (0..profile.streams()).find(|stream| model.dma_running(*stream)).expect("it runs");
    let frame_ns = 1_000_000_000 / u64::from(rate_hz);
    let mut markers = Vec::new();
    for trial in 0..TRIALS {
        // Somewhere in the millisecond, and in the frame.
        model.advance_ns(APART_FRAMES * frame_ns + trial * 137_911);
        let frame = model.true_link_frames(running) + lead_frames;
        let place = frame * frame_bytes % u64::from(BUFFER_BYTES);
        let mark = trial as u8 + 1;
        memory.poke(pages[(place / 4096) as usize] + place % 4096, &[mark; 4]);
        markers.push((frame as usize, i32::from(mark) * 0x101));
        stream.poll();
    }
    model.advance_ns(3 * APART_FRAMES * frame_ns);
    let played = model.played(0, 2);
    markers.iter().all(|(frame, sample)| played.frame(*frame).first() == Some(sample))
}
