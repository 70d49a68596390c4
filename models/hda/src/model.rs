//! The bench that puts a model together, and the handles to it.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_hal::delay::DelayNs;
use snd_hda::Timer;
use snd_hda::registers::Registers;

use crate::codec::{Arrival, Codec, Source, SourceFrame};
use crate::faults::Faults;
use crate::link::{CODEC_ADDRESSES, Link};
use crate::machine::Machine;
use crate::memory::ModelMemory;
use crate::played::Played;
use crate::profile::Profile;
use crate::violations::Violation;

/// Default of [`Bench::access_budget`].
const ACCESS_BUDGET: u64 = 5_000_000;

/// Puts a model together.
#[must_use]
pub struct Bench {
    profile: Profile,
    faults: Faults,
    drift_ppm: i32,
    access_budget: u64,
    recording: bool,
    codecs: [Option<Codec>; CODEC_ADDRESSES],
    memory: ModelMemory,
}

impl Bench {
    /// A controller of this kind without codecs.
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            faults: Faults::default(),
            drift_ppm: 0,
            access_budget: ACCESS_BUDGET,
            recording: true,
            codecs: [const { None }; CODEC_ADDRESSES],
            memory: ModelMemory::new(),
        }
    }

    /// Puts a codec at an address, 0 to 14.
    pub fn codec(mut self, address: usize, codec: Codec) -> Self {
        self.codecs[address] = Some(codec);
        self
    }

    /// Faults from the start on.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Drift of the link clock against system time, in parts per million.
    pub fn drift_ppm(mut self, drift_ppm: i32) -> Self {
        self.drift_ppm = drift_ppm;
        self
    }

    /// The most register accesses of a test; one more panics.
    pub fn access_budget(mut self, accesses: u64) -> Self {
        self.access_budget = accesses;
        self
    }

    /// Converters don't record the frames that they receive: for tests of many hours.
    pub fn without_recording(mut self) -> Self {
        self.recording = false;
        self
    }

    /// The memory, for preparations before the model runs.
    pub fn memory(&self) -> ModelMemory {
        self.memory.clone()
    }

    /// Builds the model, powered on and held in reset.
    pub fn build(self) -> Model {
        let link = Link::new(self.codecs, self.recording);
        let machine = Machine::new(
            self.profile,
            self.faults,
            self.drift_ppm,
            self.access_budget,
            link,
            self.memory.table(),
        );
        Model { machine: Rc::new(RefCell::new(machine)), memory: self.memory }
    }
}

/// A controller with its codecs, seen from outside: its time, its truth, its faults.
///
/// The driver gets [`Model::registers`], [`Model::delay`] and [`Model::memory`]. The drop panics
/// if violations remain, unless the test panics already.
#[must_use]
pub struct Model {
    pub(crate) machine: Rc<RefCell<Machine>>,
    memory: ModelMemory,
}

impl Model {
    /// The register file, as the driver sees it.
    pub fn registers(&self) -> ModelRegisters {
        ModelRegisters { machine: Rc::clone(&self.machine) }
    }

    /// The delay for the driver. It advances virtual time.
    pub fn delay(&self) -> ModelDelay {
        ModelDelay { machine: Rc::clone(&self.machine) }
    }

    /// The memory that driver, front end and controller share.
    pub fn memory(&self) -> ModelMemory {
        self.memory.clone()
    }

    /// Virtual system time.
    pub fn now_ns(&self) -> u64 {
        self.machine.borrow().now_ns
    }

    /// Advances virtual time.
    pub fn advance_ns(&self, ns: u64) {
        self.machine.borrow_mut().advance(ns);
    }

    /// The wall clock now, extended to 64 bits. It counts from the last controller reset.
    pub fn wall_clock(&self) -> u64 {
        self.machine.borrow().wall()
    }

    /// Sets a new budget of register accesses.
    pub fn refill_access_budget(&self, accesses: u64) {
        self.machine.borrow_mut().accesses_left = accesses;
    }

    /// Register accesses left in the budget.
    pub fn accesses_left(&self) -> u64 {
        self.machine.borrow().accesses_left
    }

    /// Changes the faults from now on.
    pub fn edit_faults(&self, edit: impl FnOnce(&mut Faults)) {
        edit(&mut self.machine.borrow_mut().faults);
    }

    /// Stops a stream's DMA for some link frames. More frames than the FIFO holds lead to a FIFO
    /// error.
    pub fn starve(&self, stream: usize, link_frames: u64) {
        let mut machine = self.machine.borrow_mut();
        let frame = machine.current_frame() + 1;
        machine.engines[stream].starve(frame, link_frames);
    }

    /// Sets a stream's FIFOE bit.
    pub fn raise_fifo_error(&self, stream: usize) {
        self.machine.borrow_mut().engines[stream].status |= crate::engine::FIFO_ERROR;
    }

    /// Makes a stream's descriptor fetch fail: DESE is set, and the stream stops.
    pub fn raise_descriptor_error(&self, stream: usize) {
        self.machine.borrow_mut().engines[stream].descriptor_error();
    }

    /// The interrupt line: INTSTS as INTCTL lets it through.
    pub fn interrupt_pending(&self) -> bool {
        self.machine.borrow().interrupt_pending()
    }

    /// The true position: whole frames of a stream that crossed the link since its reset.
    ///
    /// It counts from RUN in a profile in which RUN restarts the descriptor list. A link frame
    /// counts when it ends.
    pub fn true_link_frames(&self, stream: usize) -> u64 {
        let machine = self.machine.borrow();
        let engine = &machine.engines[stream];
        engine.frame_bytes().map_or(0, |bytes| engine.linked_bytes / u64::from(bytes))
    }

    /// The same in thousandths of a frame, with a share of the current link frame's samples by its
    /// elapsed time.
    ///
    /// Streams of the 44.1 kHz family move in the cadence of the link.
    pub fn true_link_milliframes(&self, stream: usize) -> u64 {
        let machine = self.machine.borrow();
        machine.engines[stream].true_milliframes(machine.ticks_into_frame())
    }

    /// The link frame of a stream's first frame, if it has crossed the link.
    pub fn start_link_frame(&self, stream: usize) -> Option<u64> {
        self.machine.borrow().engines[stream].start_link_frame
    }

    /// The start of a link frame in virtual system time.
    pub fn ns_of_link_frame(&self, link_frame: u64) -> u64 {
        self.machine.borrow().ns_of_frame(link_frame)
    }

    /// Bytes moved by a stream's DMA in this round through the buffer.
    pub fn dma_position(&self, stream: usize) -> u32 {
        self.machine.borrow().engines[stream].dma_position()
    }

    /// Frames that a stream lost to FIFO errors.
    pub fn lost_frames(&self, stream: usize) -> u64 {
        self.machine.borrow().engines[stream].lost_frames
    }

    /// Whether a stream's DMA engine runs, which RUN alone doesn't tell.
    pub fn dma_running(&self, stream: usize) -> bool {
        self.machine.borrow().engines[stream].is_active()
    }

    /// The frames that an output converter has received. Panics without such a converter.
    pub fn played(&self, codec: usize, node: u8) -> Played {
        let mut machine = self.machine.borrow_mut();
        converter(&mut machine, codec, node).played.clone()
    }

    /// Takes the frames of an output converter; its record restarts. Panics without such a
    /// converter.
    pub fn take_played(&self, codec: usize, node: u8) -> Played {
        let mut machine = self.machine.borrow_mut();
        std::mem::take(&mut converter(&mut machine, codec, node).played)
    }

    /// Sets the source of an input converter: the sample for a frame and a channel of the
    /// converter, from 0.
    ///
    /// Values are cut to the stream's depth: give 16-bit samples to a 16-bit stream. The closure
    /// must not call the model.
    pub fn set_source(
        &self,
        codec: usize,
        node: u8,
        source: impl FnMut(SourceFrame, usize) -> i32 + 'static,
    ) {
        let mut machine = self.machine.borrow_mut();
        converter(&mut machine, codec, node).source = Source::Samples(Box::new(source));
    }

    /// Makes an input converter record an output converter's frames, some link frames later. Both
    /// should have one rate.
    pub fn loop_back(&self, output: (usize, u8), input: (usize, u8), delay_link_frames: u64) {
        let mut machine = self.machine.borrow_mut();
        let source = Source::Loop { codec: output.0, node: output.1, delay_link_frames };
        converter(&mut machine, input.0, input.1).source = source;
    }

    /// A converter's stream tag and lowest channel, and its format word.
    pub fn converter_setting(&self, codec: usize, node: u8) -> (u8, u8, u16) {
        let mut machine = self.machine.borrow_mut();
        let converter = converter(&mut machine, codec, node);
        (converter.tag, converter.channel, converter.format)
    }

    /// The sources that arrive at an output pin or input converter.
    ///
    /// They are powered, selected, enabled and unmuted all the way.
    pub fn arrivals(&self, codec: usize, node: u8) -> Vec<Arrival> {
        let mut machine = self.machine.borrow_mut();
        let codec = machine.link.codec(codec).and_then(Codec::graph);
        codec.map_or_else(Vec::new, |graph| graph.arrivals(node))
    }

    /// Puts a plug into a jack, or pulls it out.
    ///
    /// An unsolicited response with the driver's tag follows if the driver enabled it. For an HDMI
    /// pin it also carries the presence.
    pub fn plug(&self, codec: usize, node: u8, present: bool) {
        let mut machine = self.machine.borrow_mut();
        let widget = machine.link.codec(codec).and_then(Codec::graph).and_then(|graph| graph.widget(node));
        let widget = widget.unwrap_or_else(|| panic!("codec {codec} has no node {node:#x}"));
        widget.present = present;
        let wants = widget.unsolicited;
        let says_presence = widget.is_hdmi() && present;
        if wants & 0x80 != 0 {
            machine.unsolicited(codec, u32::from(wants & 0x3f) << 26 | u32::from(says_presence));
        }
    }

    /// Switches power off and on, as suspend to RAM does. Controller and codecs start from their
    /// power-on state.
    ///
    /// Memory and its DMA rights stay, and so do jacks, faults, sources and the records of played
    /// frames.
    pub fn power_cycle(&self) {
        self.machine.borrow_mut().power_cycle();
    }

    /// Sends an unsolicited response of a codec. It is lost unless GCTL.UNSOL is set and RIRB runs.
    pub fn unsolicited_response(&self, codec: usize, response: u32) {
        self.machine.borrow_mut().unsolicited(codec, response);
    }

    /// The violations so far. The list is empty afterwards.
    #[must_use]
    pub fn take_violations(&self) -> Vec<Violation> {
        self.machine.borrow_mut().violations.take()
    }

    /// Panics with all violations, if any.
    pub fn assert_clean(&self) {
        let report = self.machine.borrow().violations.report();
        if let Some(report) = report {
            let _ = self.take_violations();
            panic!("{report}");
        }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_clean();
        }
    }
}

fn converter(machine: &mut Machine, codec: usize, node: u8) -> &mut crate::codec::Converter {
    let converter = machine.link.codec(codec).and_then(|codec| codec.converter(node));
    converter.unwrap_or_else(|| panic!("codec {codec} has no converter at node {node:#x}"))
}

/// The register file. A cheap handle.
#[derive(Clone)]
pub struct ModelRegisters {
    machine: Rc<RefCell<Machine>>,
}

impl ModelRegisters {
    fn access<R>(&self, f: impl FnOnce(&mut Machine) -> R) -> R {
        let out_of_budget = {
            let mut machine = self.machine.borrow_mut();
            let left = machine.accesses_left.checked_sub(1);
            machine.accesses_left = left.unwrap_or(0);
            left.is_none()
        };
        // Not while unwinding: the driver's clean-up polls as well.
        assert!(
            !out_of_budget || std::thread::panicking(),
            "the access budget is used up: the driver polls without end"
        );
        let mut machine = self.machine.borrow_mut();
        let access_ns = machine.profile.access_ns;
        machine.advance(access_ns);
        f(&mut machine)
    }
}

impl ModelRegisters {
    fn read(&self, offset_bytes: u16, bytes: u8) -> u32 {
        self.access(|machine| {
            machine.be_slow();
            let read = machine.read(offset_bytes, bytes);
            machine.be_slow();
            read
        })
    }
}

impl Registers for ModelRegisters {
    fn read_u8(&mut self, offset_bytes: u16) -> u8 {
        self.read(offset_bytes, 1) as u8
    }

    fn read_u16(&mut self, offset_bytes: u16) -> u16 {
        self.read(offset_bytes, 2) as u16
    }

    fn read_u32(&mut self, offset_bytes: u16) -> u32 {
        self.read(offset_bytes, 4)
    }

    fn write_u8(&mut self, offset_bytes: u16, value: u8) {
        self.access(|machine| machine.write(offset_bytes, 1, value.into()));
    }

    fn write_u16(&mut self, offset_bytes: u16, value: u16) {
        self.access(|machine| machine.write(offset_bytes, 2, value.into()));
    }

    fn write_u32(&mut self, offset_bytes: u16, value: u32) {
        self.access(|machine| machine.write(offset_bytes, 4, value));
    }

    fn is_cut_off(&mut self) -> bool {
        self.machine.borrow().faults.cut_off
    }
}

/// A delay in virtual time, which it tells too. A cheap handle.
#[derive(Clone)]
pub struct ModelDelay {
    machine: Rc<RefCell<Machine>>,
}

impl ModelDelay {
    /// Nanoseconds since power-on. A reading takes no time.
    pub fn now_ns(&self) -> u64 {
        self.machine.borrow().now_ns
    }
}

impl Timer for ModelDelay {
    fn now_ns(&self) -> u64 {
        self.now_ns()
    }
}

impl DelayNs for ModelDelay {
    fn delay_ns(&mut self, ns: u32) {
        self.machine.borrow_mut().advance(ns.into());
    }
}
