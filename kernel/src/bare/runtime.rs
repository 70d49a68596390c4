//! From entry to the verdict: plays and records on the first controller and reports the result.

use audioback::card::{Card, Direction};
use hda_card::HdaCard;
use hyper::{Clock, Nanos};
use hypervisor_model::guest::{Done, Observer};
use hypervisor_model::{MappedPages, MemoryHypervisor};
use xen_sys::cpuid;

use super::command_line::{self, CommandLine, Fault};
use super::fault;
use super::loop_back::{self, LoopBack, Progress};
use super::platform::{Platform, RunError};
use super::vectors;
use crate::arch::port::IoPort;
use crate::arch::{self, cpu, fail};
use crate::boot::start_info::BootInfo;
use crate::console;
use crate::machine::MachineError;
use crate::memory::heap;
use crate::pci::hda::FindError;
use crate::report;

/// The image's main function; the entry code passes both arguments.
pub extern "C" fn main(start_info_paddr: u32, entry_tsc: u64) -> ! {
    arch::init(&vectors::HANDLERS);
    console::init();
    if is_on_xen() {
        fail("this is Xen, and this image runs without it: start the image snddom");
    }
    match run(start_info_paddr, entry_tsc) {
        Ok(()) => arch::pass(),
        Err(error) => fail(error),
    }
}

/// Whether CPUID's hypervisor leaves hold Xen's signature.
fn is_on_xen() -> bool {
    (cpuid::FIRST_LEAF..cpuid::LEAF_END).step_by(cpuid::LEAF_STEP as usize).any(|leaf| {
        let leaf = cpu::cpuid(leaf);
        [leaf.ebx, leaf.ecx, leaf.edx] == cpuid::SIGNATURE
    })
}

/// Runs until all streams are played and recorded.
fn run(start_info_paddr: u32, entry_tsc: u64) -> Result<(), RunError> {
    let boot = BootInfo::read(start_info_paddr).map_err(MachineError::from)?;
    let command_line = match command_line::parse(&boot.command_line) {
        Ok(command_line) => command_line,
        Err(error) => fail(error),
    };
    log::set_max_level(command_line.log_level);
    let platform = Platform::bring_up(&boot, &command_line, entry_tsc)?;
    let Platform { clock, mut dma, guest_pages, module, mut controllers, mut event_loop, record_sink } =
        platform;
    match command_line.fault {
        // Injected after the heap is sealed.
        None | Some(Fault::Alloc) => {}
        Some(fault) => fault::commit(fault, &controllers),
    }
    let first = controllers.first_mut().ok_or(FindError::NoController).map_err(MachineError::from)?;
    let driver = first.drive(&mut dma, clock).map_err(MachineError::from)?;
    let card = HdaCard::new(driver, clock);
    let world = MemoryHypervisor::new(guest_pages, loop_back::limits(&command_line));
    let back = world.back_end(loop_back::DRIVER);
    report_card(&card);
    let mut loop_back = LoopBack::new(&world, back, card, &command_line, module, clock.now())?;
    // Set-up is over: from here on any allocation ends the image.
    heap::seal();
    if command_line.fault == Some(Fault::Alloc) {
        fault::commit(Fault::Alloc, &[]);
    }

    let mut reporter = Reporter::new(&command_line, record_sink);
    while let Progress::Until(deadline) = loop_back.poll(&clock, &mut reporter)? {
        let is_interrupted = event_loop.sleep_until(deadline);
        loop_back.poll_card(clock.now(), is_interrupted);
    }
    for (stream, done) in reporter.done.iter().enumerate() {
        let (dir, index) = reporter.name(stream);
        let stats = loop_back.stats(stream);
        report!(
            "done dir={dir} stream={index} frames={} fifo_errors={} underruns={}",
            done.frames,
            stats.fifo_errors,
            done.xrun_frames
        );
    }
    event_loop.report();
    loop_back.finish()?;
    Ok(())
}

/// Reports the card's ports, a line each.
fn report_card(card: &impl Card<MappedPages>) {
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

/// Reports the streams' progress to the emulator's user.
struct Reporter {
    plays: usize,
    has_started: bool,
    sink: Option<IoPort>,
    done: heapless::Vec<Done, { loop_back::MAX_GUEST_STREAMS }>,
}

impl Reporter {
    fn new(command_line: &CommandLine, sink: Option<IoPort>) -> Self {
        let mut done = heapless::Vec::new();
        for _ in 0..command_line.play.len() + command_line.record.len() {
            let _ = done.push(Done::default());
        }
        Self { plays: command_line.play.len(), has_started: false, sink, done }
    }

    /// A stream's direction and its number within that direction. `play=` words come first.
    fn name(&self, stream: usize) -> (&'static str, usize) {
        match stream.checked_sub(self.plays) {
            None => ("playback", stream),
            Some(index) => ("capture", index),
        }
    }
}

impl Observer for Reporter {
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

    fn recorded(&mut self, _: usize, bytes: &[u8]) {
        if let Some(sink) = self.sink {
            sink.write_all(bytes);
        }
    }

    fn done(&mut self, stream: usize, done: Done) {
        if let Some(place) = self.done.get_mut(stream) {
            *place = done;
        }
    }
}
