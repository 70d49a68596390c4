//! The order of reset and bus mastering, at the begin and at every end.

use std::cell::RefCell;
use std::rc::Rc;

use snd_hda::registers::Registers;
use snd_hda_model::codec::Codec;
use snd_hda_model::{Bench, Faults, Model, ModelRegisters, Profile};
use snddom_kernel::pci::bus_masters::{BusMasterSwitch, BusMasters, NoDma, Quiet};

/// Offset of GCTL (HDA specification 1.0a, 3.3.7); CRST is its bit 0.
const GCTL: u16 = 0x08;

/// Offset of the first stream's control byte (3.3.35); RUN is its bit 1.
const SD0CTL: u16 = 0x80;

/// An access that matters to the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    BusMaster(bool),
    Crst(bool),
    Run(bool),
}
use Step::{BusMaster, Crst, Run};

/// A function of the model's, whose accesses are noted.
#[derive(Clone)]
struct Function {
    model: Rc<Model>,
    steps: Rc<RefCell<Vec<Step>>>,
}

impl Function {
    fn new(model: Model) -> Self {
        Self { model: Rc::new(model), steps: Rc::default() }
    }

    /// The steps since the last call.
    fn take_steps(&self) -> Vec<Step> {
        self.steps.take()
    }

    fn registers(&self) -> Noted {
        Noted { registers: self.model.registers(), function: self.clone() }
    }

    fn is_in_reset(&self) -> bool {
        self.model.registers().read_u32(GCTL) & 1 == 0
    }

    fn quiet(&self) -> Quiet<Self> {
        let no_dma = NoDma::new(self.clone());
        no_dma.hold_in_reset(&mut self.registers(), &mut self.model.delay()).expect("quiet")
    }
}

impl BusMasterSwitch for Function {
    fn set_bus_master(&self, is_on: bool) {
        assert!(!is_on || self.is_in_reset(), "it may use DMA before it is quiet");
        self.steps.borrow_mut().push(BusMaster(is_on));
    }
}

#[derive(Clone)]
struct Noted {
    registers: ModelRegisters,
    function: Function,
}

impl Registers for Noted {
    fn read_u8(&mut self, offset_bytes: u16) -> u8 {
        self.registers.read_u8(offset_bytes)
    }

    fn read_u16(&mut self, offset_bytes: u16) -> u16 {
        self.registers.read_u16(offset_bytes)
    }

    fn read_u32(&mut self, offset_bytes: u16) -> u32 {
        self.registers.read_u32(offset_bytes)
    }

    fn write_u8(&mut self, offset_bytes: u16, value: u8) {
        if offset_bytes == SD0CTL {
            self.function.steps.borrow_mut().push(Run(value & 2 != 0));
        }
        self.registers.write_u8(offset_bytes, value);
    }

    fn write_u16(&mut self, offset_bytes: u16, value: u16) {
        self.registers.write_u16(offset_bytes, value);
    }

    fn write_u32(&mut self, offset_bytes: u16, value: u32) {
        if offset_bytes == GCTL {
            self.function.steps.borrow_mut().push(Crst(value & 1 != 0));
        }
        self.registers.write_u32(offset_bytes, value);
    }
}

/// A controller that its last owner has left out of reset, with the first stream's RUN set.
fn left_running() -> Function {
    let function = Function::new(Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build());
    let mut registers = function.model.registers();
    registers.write_u32(GCTL, 1);
    function.model.advance_ns(1_000_000);
    registers.write_u8(SD0CTL, 2);
    let _ = function.model.take_violations();
    assert!(!function.is_in_reset());
    function
}

type Table = BusMasters<Function, Noted, 2>;

/// A controller in use, and the table that notes it.
fn in_use() -> (Function, Table) {
    let function = left_running();
    let table = Table::new();
    assert!(table.start(function.quiet(), &function.registers()));
    // The driver takes it out of reset, after the least time.
    function.model.advance_ns(1_000_000);
    function.model.registers().write_u32(GCTL, 1);
    function.model.advance_ns(1_000_000);
    function.take_steps();
    (function, table)
}

#[test]
fn a_controller_is_stopped_and_reset_with_bus_mastering_off_and_then_it_is_turned_on() {
    let function = left_running();
    let quiet = function.quiet();
    assert_eq!(function.take_steps(), [BusMaster(false), Run(false), Crst(false)]);
    assert!(function.is_in_reset());
    assert!(Table::new().start(quiet, &function.registers()));
    assert_eq!(function.take_steps(), [BusMaster(true)]);
}

#[test]
fn a_controller_that_is_left_alone_is_in_reset_and_never_a_bus_master() {
    let function = left_running();
    let table = Table::new();
    drop(function.quiet());
    table.stop();
    assert_eq!(function.take_steps(), [BusMaster(false), Run(false), Crst(false)]);
    assert!(function.is_in_reset());
}

#[test]
fn a_controller_that_can_t_be_quieted_is_never_a_bus_master() {
    let function = left_running();
    function.model.edit_faults(|faults| *faults = Faults { off_the_bus: true, ..Faults::default() });
    let no_dma = NoDma::new(function.clone());
    assert!(no_dma.hold_in_reset(&mut function.registers(), &mut function.model.delay()).is_err());
    assert_eq!(function.take_steps(), [BusMaster(false)]);
}

#[test]
fn a_controller_that_can_t_be_noted_is_never_a_bus_master() {
    let (_, table) = in_use();
    let others = [left_running(), left_running()];
    let started = others.each_ref().map(|other| table.start(other.quiet(), &other.registers()));
    assert_eq!(started, [true, false]);
    assert!(!others[1].take_steps().contains(&BusMaster(true)));
}

#[test]
fn no_controller_is_a_bus_master_after_a_stop() {
    let table = Table::new();
    table.stop();
    let function = left_running();
    assert!(!table.start(function.quiet(), &function.registers()));
    assert!(!function.take_steps().contains(&BusMaster(true)));
}

#[test]
fn a_shutdown_resets_the_controller_and_then_turns_bus_mastering_off() {
    let (function, table) = in_use();
    table.stop();
    assert_eq!(function.take_steps(), [Crst(false), BusMaster(false)]);
    assert!(function.is_in_reset());
}

#[test]
fn a_crash_stops_it_before_its_epitaph_and_a_second_time_touches_no_register() {
    let (function, table) = in_use();
    // Once before the epitaph, once at the exit.
    table.stop();
    assert_eq!(function.take_steps(), [Crst(false), BusMaster(false)]);
    table.stop();
    assert_eq!(function.take_steps(), [BusMaster(false)]);
    assert!(function.is_in_reset());
}

#[test]
fn a_crash_in_the_access_that_resets_it_still_ends_bus_mastering() {
    let function = left_running();
    let table: BusMasters<Function, Faulting, 2> = BusMasters::new();
    assert!(table.start(function.quiet(), &Faulting));
    function.take_steps();
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| table.stop()));
    assert!(stopped.is_err());
    assert_eq!(function.take_steps(), []);
    // The fault's own way out.
    table.stop();
    assert_eq!(function.take_steps(), [BusMaster(false)]);
}

/// Registers that can't be reached: each access faults.
#[derive(Clone)]
struct Faulting;

impl Registers for Faulting {
    fn read_u8(&mut self, _: u16) -> u8 {
        panic!("a fault")
    }

    fn read_u16(&mut self, _: u16) -> u16 {
        panic!("a fault")
    }

    fn read_u32(&mut self, _: u16) -> u32 {
        panic!("a fault")
    }

    fn write_u8(&mut self, _: u16, _: u8) {
        panic!("a fault")
    }

    fn write_u16(&mut self, _: u16, _: u16) {
        panic!("a fault")
    }

    fn write_u32(&mut self, _: u16, _: u32) {
        panic!("a fault")
    }
}
