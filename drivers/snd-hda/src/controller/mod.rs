//! The controller: registers, rings, stream descriptors and interrupts. The patchbay manages
//! routes.

mod routes;

use crate::timer::Timer;
use heapless::Vec;

use crate::capabilities::{Capabilities, DESCRIPTORS_MAX, DescriptorKind};
use crate::codec::{Codec, Route, UnservedPin};
use crate::command::{CommandPort, Rings};
use crate::dma::{Direction, DmaMemory, DmaRegion, high, is_beyond, low};
use crate::error::BringUpError;
use crate::interrupt::InterruptReport;
use crate::patchbay::Patchbay;
use crate::registers::{ReadWrite, Register, Registers};
use crate::reset::{find_ssync, wake};
use crate::spec::registers as reg;
use crate::stream::{Descriptor, LIST_BYTES, Reset, Stream};
use crate::traits::{ControllerTraits, PositionChoice};

/// Rounds of interrupt checks before giving up.
const INTERRUPT_ROUNDS: u32 = 16;

/// A stream descriptor, free or in use.
struct Slot<G> {
    list: G,
    kind: DescriptorKind,
    is_taken: bool,
    /// The tag, while the descriptor is taken.
    tag: Option<(Direction, u8)>,
    /// Its last user found that it doesn't work.
    has_failed: bool,
}

/// An initialized HDA controller with its codecs.
///
/// See the [crate's guide](crate) for the way from here to a stream.
pub struct Controller<R: Registers, D: Timer, G: DmaRegion> {
    registers: R,
    delay: D,
    version: (u8, u8),
    capabilities: Capabilities,
    ssync: Option<Register<u32, ReadWrite>>,
    wall_clock_moves: bool,
    /// Learned from a returned stream: see [`Stream::resume`].
    restarts: bool,
    positions: G,
    traits: ControllerTraits,
    position_choice: PositionChoice,
    commands: CommandPort<R, D, G>,
    slots: Vec<Slot<G>, DESCRIPTORS_MAX>,
    patchbay: Patchbay,
    /// The log already says that the controller is gone.
    gone_logged: bool,
    /// It was taken out of reset after a loss of power, and the rest wasn't restored.
    is_half_restored: bool,
}

impl<R, D, G> Controller<R, D, G>
where
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    /// Resets the controller and the link, sets up commands, and reads all codecs.
    ///
    /// All memory that the driver ever needs is allocated here. The caller has set up the
    /// function's PCI side: power state D0, memory decoding, bus mastering.
    ///
    /// # Errors
    /// [`BringUpError`] says what is missing; every wait is bounded. Codecs that don't answer are
    /// skipped if another codec has a route.
    pub fn bring_up<M>(registers: R, memory: &mut M, delay: D) -> Result<Self, BringUpError>
    where
        M: DmaMemory<Region = G>,
    {
        Self::bring_up_with(ControllerTraits::default(), registers, memory, delay)
    }

    /// As [`bring_up`](Self::bring_up), for a controller with known traits.
    ///
    /// # Errors
    /// As [`bring_up`](Self::bring_up).
    pub fn bring_up_with<M>(
        traits: ControllerTraits,
        registers: R,
        memory: &mut M,
        delay: D,
    ) -> Result<Self, BringUpError>
    where
        M: DmaMemory<Region = G>,
    {
        let (mut r, mut d) = (registers.clone(), delay.clone());
        let codecs_present = wake(&mut r, &mut d)?;
        let wall_clock = reg::WALCLK.read(&mut r);
        let version = (reg::VMAJ.read(&mut r), reg::VMIN.read(&mut r));
        let capabilities = Capabilities::read(&mut r, traits.address_bits);
        if capabilities.descriptors().next().is_none() {
            return Err(BringUpError::NoStream);
        }
        log::info!(
            "HDA {}.{}: {} outputs, {} inputs, {} bidirectional, codecs {codecs_present:#06x}",
            version.0,
            version.1,
            capabilities.outputs,
            capabilities.inputs,
            capabilities.bidirectional,
        );
        if codecs_present == 0 {
            return Err(BringUpError::NoCodec);
        }

        let mut get = |what, bytes| allocate(memory, capabilities.address_bits, what, bytes);
        let positions = get("DMA position buffer", 8 * DESCRIPTORS_MAX)?;
        let mut slots = Vec::new();
        for kind in capabilities.descriptors().take(DESCRIPTORS_MAX) {
            let list = get("descriptor lists", LIST_BYTES)?;
            // As many as there are places.
            let _ = slots.push(Slot { list, kind, is_taken: false, tag: None, has_failed: false });
        }
        let rings = match (get("CORB", Rings::<G>::CORB_BYTES), get("RIRB", Rings::<G>::RIRB_BYTES)) {
            (Ok(corb), Ok(rirb)) => Some(Rings::new(corb, rirb)),
            _ => None,
        };

        let mut controller = Self {
            ssync: find_ssync(&mut r, traits.sync_register),
            commands: CommandPort::new(registers.clone(), delay.clone(), rings),
            registers,
            delay,
            version,
            capabilities,
            wall_clock_moves: true,
            restarts: false,
            traits,
            position_choice: PositionChoice::Auto,
            positions,
            slots,
            patchbay: Patchbay::new(capabilities),
            gone_logged: false,
            is_half_restored: false,
        };
        controller.discover(codecs_present)?;
        controller.open_for_streams();
        // Commands took time.
        if reg::WALCLK.read(&mut r) == wall_clock {
            log::warn!("wall clock stands still: positions are not checked against it");
            controller.wall_clock_moves = false;
        }
        Ok(controller)
    }

    /// Enables position writes to memory, and interrupts. Streams add their own bits when they
    /// start.
    fn open_for_streams(&mut self) {
        let (at, r) = (self.positions.device_address(), &mut self.registers);
        reg::DPUBASE.write(r, high(at));
        reg::DPLBASE.write(r, low(at) | reg::DPLBASE_ENABLE);
        reg::INTCTL.write(r, reg::INT_GLOBAL | reg::INT_CONTROLLER);
    }

    /// Begins the time of an operation that sends commands.
    fn operation(&mut self) -> (&mut Patchbay, &mut CommandPort<R, D, G>) {
        self.commands.begin_operation();
        (&mut self.patchbay, &mut self.commands)
    }

    fn discover(&mut self, present: u16) -> Result<(), BringUpError> {
        let mut failure = self.patchbay.discover(&mut self.commands, present);
        if self.patchbay.codecs.is_empty() && self.commands.uses_rings() {
            log::warn!("no codec answers through the rings; immediate commands instead");
            self.commands.use_immediate();
            // If immediate commands don't help, report the rings' error.
            let again = self.patchbay.discover(&mut self.commands, present);
            failure = failure.filter(|_| again.is_some());
        }
        if self.patchbay.routes.is_empty() {
            return Err(failure.map_or(BringUpError::NoRoute, BringUpError::NoAnswer));
        }
        self.patchbay.set_up(&mut self.commands);
        Ok(())
    }

    /// Whether the controller is in reset, as after a loss of power: [`restore`](Self::restore) brings it back. One that is gone
    /// reads as ones, and has lost nothing that could be brought back.
    pub fn has_lost_state(&mut self) -> bool {
        self.is_half_restored || reg::GCTL.read(&mut self.registers) & reg::GCTL_CRST == 0
    }

    /// Restores controller and codecs after a loss of power.
    ///
    /// It restores link, commands, interrupts, and every connected route with its format, tag,
    /// volume and mute. It follows plugs that changed meanwhile. It reads only the list of widgets
    /// again, and allocates nothing. The caller has set up the function's PCI side again.
    ///
    /// A [running](crate::stream::Running) stream reports a descriptor error at each poll, and its
    /// position stands. [Pause](crate::Stream::pause) and [resume](crate::Stream::resume) continue
    /// about where the last poll found it; [stop](crate::Stream::stop) and
    /// [start](crate::Stream::start) begin at the buffer's start. A paused, configured or armed
    /// stream continues unaffected. The wall clock begins at 0 again.
    ///
    /// Streams that still run are stopped, as by a loss of power. So this can also recover stuck
    /// hardware.
    ///
    /// # Errors
    /// [`BringUpError`], as in bring-up; every wait is bounded. After [`BringUpError::NoAnswer`]
    /// from a codec that doesn't come back, everything else is restored.
    pub fn restore(&mut self) -> Result<(), BringUpError> {
        // Out of reset it doesn't show any more that the rest is missing.
        self.is_half_restored = true;
        let present = wake(&mut self.registers, &mut self.delay)?;
        self.gone_logged = false;
        if present == 0 {
            return Err(BringUpError::NoCodec);
        }
        self.commands.restart();
        let restored = self.patchbay.restore(&mut self.commands);
        self.open_for_streams();
        self.is_half_restored = false;
        restored.map_err(BringUpError::NoAnswer)
    }
    /// Version of the specification: major, minor.
    pub fn version(&self) -> (u8, u8) {
        self.version
    }

    /// Codecs that answered.
    pub fn codecs(&self) -> &[Codec] {
        &self.patchbay.codecs
    }

    /// All routes, outputs first.
    pub fn routes(&self) -> &[Route] {
        &self.patchbay.routes
    }

    /// Connected pins without a route, and the reasons: 16 at most.
    pub fn unserved(&self) -> &[UnservedPin] {
        &self.patchbay.unserved
    }

    /// Whether several streams can start in the same link frame.
    pub fn has_linked_start(&self) -> bool {
        self.ssync.is_some()
    }

    /// Address bits that DMA handles correctly, 32 to 64. The driver refuses memory beyond.
    pub fn address_bits(&self) -> u8 {
        self.capabilities.address_bits
    }

    /// Whether commands use the rings in memory instead of the immediate registers.
    pub fn uses_command_rings(&self) -> bool {
        self.commands.uses_rings()
    }

    /// The wall clock: 24 MHz, modulo 2^32 (178.9 s).
    pub fn wall_clock(&mut self) -> u32 {
        reg::WALCLK.read(&mut self.registers)
    }

    /// Sets the position source of streams [taken](Self::take_stream) from now on.
    pub fn set_position_choice(&mut self, choice: PositionChoice) {
        self.position_choice = choice;
    }

    /// A free tag and descriptor: one that has failed only if there is no other.
    fn free_stream(&self, direction: Direction) -> Option<(u8, usize)> {
        let used = self.slots.iter().filter_map(|slot| slot.tag).filter(|(of, _)| *of == direction);
        let used = used.fold(0_u16, |bits, (_, tag)| bits | 1_u16.wrapping_shl(u32::from(tag)));
        // Tag 0 is every converter's default, so no stream uses it.
        let is_used = |tag: u8| used & 1_u16.wrapping_shl(u32::from(tag)) != 0;
        // A converter whose codec doesn't answer may still have the tag of a stream that has ended.
        let tag = (1..=15_u8).find(|tag| !is_used(*tag) && !self.patchbay.may_have(direction, *tag))?;
        let own = match direction {
            Direction::Input => DescriptorKind::Input,
            Direction::Output => DescriptorKind::Output,
        };
        let free = |kind, has_failed| {
            let is_it = |slot: &Slot<G>| slot.kind == kind && !slot.is_taken && slot.has_failed == has_failed;
            self.slots.iter().position(is_it)
        };
        let index = [false, true].into_iter().find_map(|has_failed| {
            free(own, has_failed).or_else(|| free(DescriptorKind::Bidirectional, has_failed))
        })?;
        Some((tag, index))
    }

    /// Whether [`take_stream`](Self::take_stream) has one.
    pub fn has_stream(&self, direction: Direction) -> bool {
        self.free_stream(direction).is_some()
    }

    /// Takes a free stream descriptor and a tag; `None` if all are taken.
    ///
    /// Return it with [`give_back`](Self::give_back); a dropped one stays taken.
    pub fn take_stream(&mut self, direction: Direction) -> Option<Stream<Reset<R, D, G>>> {
        let (tag, index) = self.free_stream(direction)?;
        let slot = self.slots.get_mut(index)?;
        slot.is_taken = true;
        slot.tag = Some((direction, tag));
        Some(Stream::new(Descriptor {
            // Below 30.
            index: index as u8,
            direction,
            is_bidirectional: slot.kind == DescriptorKind::Bidirectional,
            tag,
            address_bits: self.capabilities.address_bits,
            registers: self.registers.clone(),
            delay: self.delay.clone(),
            list: slot.list.clone(),
            positions: Some(self.positions.clone()),
            position_choice: match self.position_choice {
                PositionChoice::Auto => self.traits.positions,
                chosen => chosen,
            },
            ssync: self.ssync,
            wall_clock_moves: self.wall_clock_moves,
            restarts: self.restarts,
            has_failed: false,
        }))
    }

    /// Gives a stream descriptor back. One that doesn't come out of reset is taken again when there is no other.
    pub fn give_back(&mut self, stream: Stream<Reset<R, D, G>>) {
        self.restarts |= stream.restarts();
        if let Some(slot) = self.slots.get_mut(usize::from(stream.index())) {
            slot.is_taken = false;
            slot.tag = None;
            slot.has_failed = stream.has_failed();
        }
    }

    /// Reads and acknowledges the causes of an interrupt until nothing is pending.
    ///
    /// While a cause is pending, some controllers repeat their message with every write. The
    /// number of rounds is bounded.
    pub fn handle_interrupt(&mut self) -> InterruptReport {
        let mut report = InterruptReport::default();
        for _ in 0..INTERRUPT_ROUNDS {
            let r = &mut self.registers;
            let enabled = reg::INTCTL.read(r);
            let status = reg::INTSTS.read(r);
            if status == u32::MAX {
                // Log once: without an interrupt, the platform calls again and again.
                if !core::mem::replace(&mut self.gone_logged, true) {
                    log::error!("controller is gone: INTSTS reads as ones");
                }
                break;
            }
            let pending = status & enabled & !reg::INT_GLOBAL;
            if pending == 0 {
                report.is_clean = true;
                break;
            }
            let streams = pending & reg::INT_STREAMS;
            if streams != 0 {
                // The stream reads, counts and acknowledges errors; until then its interrupt is
                // off.
                reg::INTCTL.write(r, enabled & !streams);
                report.streams |= streams;
            }
            if pending & reg::INT_CONTROLLER != 0 {
                let codecs = reg::STATESTS.read(r) & reg::STATESTS_CODECS;
                if codecs != 0 {
                    reg::STATESTS.write(r, codecs);
                    report.codecs |= codecs;
                }
                let corb = reg::CORBSTS.read(r);
                if corb != 0 {
                    reg::CORBSTS.write(r, corb);
                    log::error!("CORB memory error");
                }
                self.commands.drain();
            }
        }
        report
    }
}

fn allocate<M: DmaMemory>(
    memory: &mut M,
    address_bits: u8,
    what: &'static str,
    bytes: usize,
) -> Result<M::Region, BringUpError> {
    // Lists, rings and the position buffer are all aligned to 128 bytes (3.3.18, 3.3.32, 3.3.42).
    let region = memory.allocate(bytes, 128).ok_or(BringUpError::NoMemory(what))?;
    let address = region.device_address();
    if is_beyond(address_bits, address, bytes as u64) {
        return Err(BringUpError::MemoryTooHigh { address });
    }
    Ok(region)
}
