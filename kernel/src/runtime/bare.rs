//! The loop-back home in bare QEMU: plays and records on the first controller, and reports.

use audioback::card::{Card, Direction};
use hda_card::HdaCard;
use hyper::{Clock, DmaAccess, Nanos, PageWords};
use hypervisor_model::{MemoryHypervisor, PageMemory};

use crate::boot::command_line::{CommandLine, Fault};
use crate::console::{Verdict, exit};
use crate::event_loop::Wake;
use crate::memory::guest_pages::GuestPages;
use crate::memory::heap;
use crate::platform::bare::{Platform, RecordSink};
use crate::runtime::loop_back::{self, LoopBack, Progress};
use crate::runtime::{ImageBuffer, ImageHypervisor};
use crate::{fault, report};
use hypervisor_model::guest::{Done, Observer};

/// Runs until all is played and recorded.
pub fn run(mut platform: Platform) -> ! {
    match platform.command_line.fault {
        // That one is about what comes later.
        None | Some(Fault::Alloc) => {}
        Some(fault) => fault::commit(fault, &platform.controllers),
    }
    let Some(first) = platform.controllers.first() else {
        exit(Verdict::Fail(format_args!("no HD Audio controller")));
    };
    // By reference and of no type, as in the other home: the image holds the card and all above it once.
    let clock: &dyn Clock = &{ platform.clock };
    let (traits, registers) = (first.known.traits, first.registers.clone());
    let card = match snd_hda::Controller::bring_up_with(traits, registers, &mut platform.dma, platform.delay)
    {
        Ok(controller) => HdaCard::new(controller, clock),
        Err(error) => exit(Verdict::Fail(format_args!("controller {}: {error}", first.address))),
    };
    report_card(&card);

    let Platform { guest_pages, command_line, module, mut event_loop, mut record_sink, .. } = platform;
    let world = MemoryHypervisor::new(GuestMemory(guest_pages), loop_back::limits(&command_line));
    let house = LoopBack::<_, ImageHypervisor<'_>, _>::new(&world, card, &command_line, module, clock.now());
    let mut house = match house {
        Ok(house) => house,
        Err(error) => exit(Verdict::Fail(format_args!("{error}"))),
    };
    // From here on nothing is allocated: whoever tries ends the image.
    heap::seal();
    if command_line.fault == Some(Fault::Alloc) {
        fault::commit(Fault::Alloc, &[]);
    }

    let mut reporter = Reporter::new(&command_line, record_sink.as_mut());
    loop {
        match house.poll(&clock, &mut reporter) {
            Ok(Progress::Until(deadline)) => {
                let is_interrupted = event_loop.sleep_until(deadline) == Wake::Controller;
                Card::<ImageBuffer>::poll(house.card(), clock.now(), is_interrupted);
            }
            Ok(Progress::Finished) => break,
            Err(error) => exit(Verdict::Fail(format_args!("{error}"))),
        }
    }
    for (stream, done) in reporter.done.iter().enumerate() {
        let (dir, index) = reporter.name(stream);
        let stats = house.stats(stream);
        report!(
            "done dir={dir} stream={index} frames={} fifo_errors={} underruns={}",
            done.frames,
            stats.fifo_errors,
            done.xrun_frames
        );
    }
    let idle = event_loop.idleness();
    report!("idle asleep_ns={} total_ns={} sleeps={}", idle.asleep_ns, idle.total_ns, idle.sleeps);
    match house.finish() {
        Ok(_) => exit(Verdict::Pass),
        Err(error) => exit(Verdict::Fail(format_args!("{error}"))),
    }
}

/// The guest's pages, as the hypervisor in memory takes them. There is no IOMMU here, so nothing is to be allowed.
pub(super) struct GuestMemory(GuestPages);

impl PageMemory for GuestMemory {
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)> {
        self.0.take().map(|page| (page.address, page.words))
    }

    fn allow_dma(&mut self, _: u64, _: DmaAccess) {}

    fn forbid_dma(&mut self, _: u64) {}
}

/// Says what the card has, a line for each port.
fn report_card<C: Card<ImageBuffer>>(card: &C) {
    for (index, port) in card.ports().iter().enumerate() {
        let rates = || port.rates_hz.into_iter().filter(|&rate| rate != 0);
        report!(
            "card port={index} dir={} formats={:#x} rates_hz={}..{} channels={}..{}",
            name(port.direction),
            port.formats.0,
            rates().min().unwrap_or(0),
            rates().max().unwrap_or(0),
            port.channels_min,
            port.channels_max
        );
    }
}

fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Playback => "playback",
        Direction::Capture => "capture",
    }
}

/// Tells whoever runs the emulator what the streams do.
struct Reporter<'a> {
    plays: usize,
    has_started: bool,
    sink: Option<&'a mut RecordSink>,
    done: heapless::Vec<Done, { loop_back::MAX_GUEST_STREAMS }>,
}

impl<'a> Reporter<'a> {
    fn new(command_line: &CommandLine, sink: Option<&'a mut RecordSink>) -> Self {
        let mut done = heapless::Vec::new();
        for _ in 0..command_line.play.len() + command_line.record.len() {
            let _ = done.push(Done::default());
        }
        Self { plays: command_line.play.len(), has_started: false, sink, done }
    }

    /// Direction and number within it: the command line's `play=` words come first.
    fn name(&self, stream: usize) -> (&'static str, usize) {
        match stream.checked_sub(self.plays) {
            None => ("playback", stream),
            Some(index) => ("capture", index),
        }
    }
}

impl Observer for Reporter<'_> {
    fn started(&mut self, stream: usize, now: Nanos) {
        let (dir, index) = self.name(stream);
        log::debug!("{dir} {index} runs");
        if !self.has_started {
            self.has_started = true;
            // The clock counts from entry.
            report!("first_sample since_entry_ns={}", now.0);
        }
    }

    fn position(&mut self, stream: usize, now: Nanos, frames: u64, expected: u64) {
        let (dir, index) = self.name(stream);
        report!("position dir={dir} stream={index} t_ns={} frames={frames} expected={expected}", now.0);
    }

    fn recorded(&mut self, _: usize, octets: &[u8]) {
        if let Some(sink) = &mut self.sink {
            sink.write(octets);
        }
    }

    fn done(&mut self, stream: usize, done: Done) {
        if let Some(place) = self.done.get_mut(stream) {
            *place = done;
        }
    }
}
