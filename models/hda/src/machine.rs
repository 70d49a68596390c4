//! The machine behind the handles, and the passage of time through it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::clock::{LinkClock, TICKS_PER_LINK_FRAME};
use crate::command::Command;
use crate::controller::Controller;
use crate::engine::{Engine, Kind};
use crate::faults::Faults;
use crate::frame_context::FrameContext;
use crate::link::Link;
use crate::memory::PageTable;
use crate::profile::{Profile, StreamEngine};
use crate::violations::{Rule, Violations};

pub(crate) struct Machine {
    pub(crate) profile: Profile,
    pub(crate) faults: Faults,
    pub(crate) now_ns: u64,
    pub(crate) clock: LinkClock,
    pub(crate) accesses_left: u64,
    pub(crate) controller: Controller,
    pub(crate) command: Command,
    pub(crate) engines: Vec<Engine>,
    pub(crate) link: Link,
    pub(crate) memory: Rc<RefCell<PageTable>>,
    pub(crate) violations: Violations,
    /// The link clock's tick at WALCLK's start.
    wall_origin_tick: u64,
    wall_stopped_at: Option<u64>,
    /// The next link frame to process.
    next_frame: u64,
    /// Number of slow reads, the seed of their random delays.
    slow_reads: u64,
}

impl Machine {
    pub(crate) fn new(
        profile: Profile,
        faults: Faults,
        drift_ppm: i32,
        access_budget: u64,
        mut link: Link,
        memory: Rc<RefCell<PageTable>>,
    ) -> Self {
        let kinds = std::iter::repeat_n(Kind::Input, profile.input_streams)
            .chain(std::iter::repeat_n(Kind::Output, profile.output_streams))
            .chain(std::iter::repeat_n(Kind::Bidirectional, profile.bidirectional_streams));
        let engines = kinds.enumerate().map(|(index, kind)| Engine::new(index, kind).with_memory()).collect();
        link.listeners_take_turns = profile.engine == StreamEngine::MillisecondSteps;
        let mut machine = Self {
            faults,
            now_ns: 0,
            clock: LinkClock::new(drift_ppm),
            accesses_left: access_budget,
            controller: Controller::default(),
            command: Command::new(profile.ring_size_capability),
            engines,
            link,
            memory,
            violations: Violations::new(profile.strict),
            wall_origin_tick: 0,
            wall_stopped_at: None,
            next_frame: 1,
            slow_reads: 0,
            profile,
        };
        machine.next_frame = machine.wall() / TICKS_PER_LINK_FRAME + 1;
        machine.power_on();
        machine
    }

    /// Switches power off and on. Only state outside controller and codecs stays.
    pub(crate) fn power_cycle(&mut self) {
        self.controller = Controller::default();
        self.command = Command::new(self.profile.ring_size_capability);
        for engine in &mut self.engines {
            *engine = Engine::new(engine.index, engine.kind).with_memory();
        }
        for codec in self.link.all_codecs() {
            codec.power_on();
        }
        self.wall_stopped_at = None;
        self.restart_wall_clock();
        self.power_on();
    }

    /// Sets the state after power-on where it isn't 0.
    fn power_on(&mut self) {
        if self.profile.codecs_report_in_reset {
            self.controller.state_status = self.link.present();
        }
        for engine in &mut self.engines {
            engine.size_fifo(&self.profile);
            if self.profile.engine == StreamEngine::MillisecondSteps {
                engine.status = crate::engine::FIFO_READY;
            }
        }
    }

    /// The wall clock in 64 bits; WALCLK shows its low half. Link frames begin at multiples of 500.
    pub(crate) fn wall(&self) -> u64 {
        u64::from(self.profile.wall_clock_start) + (self.clock.ticks(self.now_ns) - self.wall_origin_tick)
    }

    /// WALCLK as the driver reads it.
    pub(crate) fn read_wall_clock(&mut self) -> u32 {
        if self.faults.wall_clock_stopped {
            let wall = self.wall();
            return *self.wall_stopped_at.get_or_insert(wall) as u32;
        }
        self.wall_stopped_at = None;
        let in_reset = !self.controller.is_up() && !self.profile.wall_clock_survives_reset;
        if in_reset { 0 } else { self.wall() as u32 }
    }

    /// Ticks since the current link frame began.
    pub(crate) fn ticks_into_frame(&self) -> u64 {
        self.wall() % TICKS_PER_LINK_FRAME
    }

    /// The start of a link frame in virtual system time.
    pub(crate) fn ns_of_frame(&self, frame: u64) -> u64 {
        let wall = frame * TICKS_PER_LINK_FRAME;
        let tick = wall.saturating_sub(self.profile.wall_clock_start.into()) + self.wall_origin_tick;
        self.clock.ns_of_tick(tick)
    }

    /// The current link frame.
    pub(crate) fn current_frame(&self) -> u64 {
        self.next_frame.saturating_sub(1)
    }

    /// Restarts the wall clock, and with it the count of link frames.
    pub(crate) fn restart_wall_clock(&mut self) {
        self.wall_origin_tick = self.clock.ticks(self.now_ns);
        self.next_frame = self.wall() / TICKS_PER_LINK_FRAME + 1;
    }

    /// Advances virtual time, and processes all events on the way.
    pub(crate) fn advance(&mut self, ns: u64) {
        self.now_ns = self.now_ns.checked_add(ns).expect("584 years of virtual time");
        self.settle();
        let last = self.wall() / TICKS_PER_LINK_FRAME;
        while self.next_frame <= last {
            if !self.is_active() {
                self.next_frame = last + 1;
                break;
            }
            let frame = self.next_frame;
            self.next_frame += 1;
            self.link_frame(frame);
        }
    }

    /// Advances time by a slow read's random delay; about half of the reads have none.
    pub(crate) fn be_slow(&mut self) {
        if self.profile.slow_read_ns == 0 {
            return;
        }
        self.slow_reads += 1;
        let mixed = self.slow_reads.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
        if mixed & 1 == 0 {
            self.advance((mixed >> 1) % (self.profile.slow_read_ns + 1));
        }
    }

    /// Whether a link frame can have any visible effect.
    fn is_active(&self) -> bool {
        !self.faults.off_the_bus && (self.command.is_active() || self.engines.iter().any(Engine::is_active))
    }

    fn link_frame(&mut self, frame: u64) {
        let at_ns = self.ns_of_frame(frame);
        let codecs_ready = self.controller.is_up() && at_ns >= self.controller.codecs_ready_ns;
        let format_set_on =
            self.with_context(frame, at_ns, |machine, cx| machine.command.link_frame(cx, codecs_ready));
        self.format_was_set(format_set_on);
        // Outputs first: a loop-back in a codec then gets the samples of this link frame.
        for output in [true, false] {
            for index in 0..self.engines.len() {
                if self.engines[index].is_output() == output && self.engines[index].is_active() {
                    let held = self.controller.stream_sync >> index & 1 != 0;
                    self.with_context(frame, at_ns, |machine, cx| {
                        cx.held = held;
                        machine.engines[index].link_frame(cx);
                    });
                }
            }
        }
    }

    /// As in QEMU, a format verb stops a running stream.
    pub(crate) fn format_was_set(&mut self, on: Option<(u8, bool)>) {
        let Some((tag, output)) = on else { return };
        if self.profile.engine != StreamEngine::MillisecondSteps || tag == 0 {
            return;
        }
        for engine in &mut self.engines {
            if engine.is_output() == output && engine.tag() == tag && engine.is_active() {
                engine.frozen_by_format = true;
            }
        }
    }

    /// Records a breach of the rules now.
    pub(crate) fn breach(&mut self, rule: Rule, detail: impl FnOnce() -> String) {
        self.violations.rule(self.now_ns, rule, detail);
    }

    /// Replaces half of an address register pair. The upper half exists only with GCAP.64OK.
    pub(crate) fn with_half(&mut self, address: u64, upper: bool, value: u32, low_zero_bits: u32) -> u64 {
        if !upper {
            return address & !0xffff_ffff | u64::from(value & !low_zero_bits);
        }
        if self.profile.addresses_64bit {
            return address & 0xffff_ffff | u64::from(value) << 32;
        }
        if value != 0 {
            self.breach(Rule::AddressTooWide, || format!("upper half {value:#x} without GCAP.64OK"));
        }
        address
    }

    /// Sends an unsolicited response, if GCTL.UNSOL allows it.
    pub(crate) fn unsolicited(&mut self, codec: usize, value: u32) {
        if self.controller.is_up() && self.controller.unsolicited {
            let frame = self.current_frame();
            self.command.unsolicited(codec as u8, value, frame);
        }
    }

    /// Runs `f` with the machine's context for engines and rings, and with the engines and rings.
    pub(crate) fn with_context<R>(
        &mut self,
        frame: u64,
        now_ns: u64,
        f: impl FnOnce(&mut Moving<'_>, &mut FrameContext<'_>) -> R,
    ) -> R {
        let memory = Rc::clone(&self.memory);
        let memory = memory.borrow();
        let position_buffer = self.controller.position_enabled.then_some(self.controller.position_address);
        let mut cx = FrameContext {
            frame,
            now_ns,
            profile: &self.profile,
            faults: &mut self.faults,
            memory: &memory,
            violations: &mut self.violations,
            link: &mut self.link,
            position_buffer,
            held: false,
        };
        f(&mut Moving { command: &mut self.command, engines: &mut self.engines }, &mut cx)
    }

    /// Updates bits that read back late, and wakes codecs.
    fn settle(&mut self) {
        let now_ns = self.now_ns;
        let bit = &mut self.controller.reset_released;
        if bit.requested != bit.reads && now_ns >= bit.settles_ns {
            let never =
                if bit.requested { self.faults.reset_never_left } else { self.faults.reset_never_entered };
            if !never {
                bit.reads = bit.requested;
            }
        }
        if self.controller.is_up()
            && !self.controller.codecs_reported
            && now_ns >= self.controller.codecs_ready_ns
        {
            self.controller.codecs_reported = true;
            self.controller.state_status |= self.link.present();
        }
        let faults = &self.faults;
        for engine in &mut self.engines {
            if engine.reset_requested != engine.reset_reads && now_ns >= engine.reset_settles_ns {
                let never = match engine.reset_requested {
                    true => faults.stream_reset_never_entered,
                    false => faults.stream_reset_never_left,
                };
                if never >> engine.index & 1 == 0 {
                    engine.reset_reads = engine.reset_requested;
                }
            }
        }
    }
}

/// The parts that move in a link frame.
pub(crate) struct Moving<'a> {
    pub(crate) command: &'a mut Command,
    pub(crate) engines: &'a mut Vec<Engine>,
}
