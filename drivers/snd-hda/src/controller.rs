//! The controller: bringing it up, its interrupts, and who may use which stream descriptor and converter.

use embedded_hal::delay::DelayNs;
use heapless::Vec;

use crate::capabilities::{Capabilities, DescriptorKind};
use crate::codec::{self, Codec, CodecPort, Findings, PinDevice, Route, UnservedPin};
use crate::command::{CommandError, CommandPort, Rings, Unsolicited, high, low};
use crate::dma::{Direction, DmaMemory, DmaRegion};
use crate::error::BringUpError;
use crate::jacks::JackPolicy;
use crate::registers::{ReadWrite, Register, Registers};
use crate::reset::{find_ssync, wake};
use crate::sort::insertion_sort;
use crate::spec::registers as reg;
use crate::spec::verbs::{CodecAddress, NodeId, Verb};
use crate::stream::{Descriptor, LIST_BYTES, PositionChoice, Reset, Stream};
use crate::traits::{ControllerTraits, is_beyond};
use crate::{MAX_DETOURS, MAX_ROUTES, MAX_UNSERVED};

/// Stream descriptors: GCAP can't name more than 15 + 15 + 31, INTCTL has 30 bits.
pub(crate) const DESCRIPTORS_MAX: usize = 30;
/// Codecs on a link: STATESTS has 15 bits.
const CODECS_MAX: usize = 15;
/// What may be spent asleep on asking all codecs what they have, in microseconds. A response takes two link frames
/// (3.4): 42 us. So the largest codec, with thousands of verbs, takes a fraction of a second.
pub(crate) const DISCOVERY_LIMIT_US: u32 = 3_000_000;
/// Rounds in which interrupts are looked for before giving up.
const INTERRUPT_ROUNDS: u32 = 16;

/// A route, by its place in [`Controller::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteIndex(pub u8);

/// What an interrupt was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterruptReport {
    /// Streams with an error, a bit each by [`Stream::index`]: poll them. Their interrupt is shut until then.
    pub streams: u32,
    /// Codecs that came or woke, a bit each.
    pub codecs: u16,
    /// Nothing is pending any more.
    pub is_clean: bool,
}

/// A stream descriptor that waits to be used, or is in use.
struct Slot<G> {
    list: G,
    kind: DescriptorKind,
    is_taken: bool,
    /// The tag, while it is taken.
    tag: Option<(Direction, u8)>,
}

/// An HDA controller that has been brought up, with its codecs.
///
/// See the [crate's guide](crate) for the way from here to a stream.
pub struct Controller<R: Registers, D: DelayNs, G: DmaRegion> {
    pub(crate) registers: R,
    pub(crate) delay: D,
    version: (u8, u8),
    pub(crate) capabilities: Capabilities,
    ssync: Option<Register<u32, ReadWrite>>,
    wall_clock_moves: bool,
    /// Learned by a stream that was given back: see [`Stream::resume`].
    restarts: bool,
    positions: G,
    traits: ControllerTraits,
    position_choice: PositionChoice,
    pub(crate) commands: CommandPort<R, D, G>,
    slots: Vec<Slot<G>, DESCRIPTORS_MAX>,
    pub(crate) codecs: Vec<Codec, CODECS_MAX>,
    pub(crate) routes: Vec<Route, MAX_ROUTES>,
    /// Ways for recordings that follow a plug.
    pub(crate) detours: Vec<Route, MAX_DETOURS>,
    unserved: Vec<UnservedPin, MAX_UNSERVED>,
    pub(crate) jack_policy: JackPolicy,
    /// How many unsolicited responses had been lost when jacks were looked at last.
    pub(crate) unsolicited_lost: u32,
    /// That the controller is gone was logged.
    pub(crate) gone_logged: bool,
}

impl<R, D, G> Controller<R, D, G>
where
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    /// Resets the controller and the link, sets up commands, and asks every codec what it has.
    ///
    /// All memory that the driver will ever need is allocated here. What the function's PCI side needs (power state
    /// D0, memory decoding, bus mastering) has been done.
    ///
    /// # Errors
    /// [`BringUpError`] says what is missing; every wait is bounded. Codecs that don't answer are skipped, if
    /// another one has a route.
    pub fn bring_up<M>(registers: R, memory: &mut M, delay: D) -> Result<Self, BringUpError>
    where
        M: DmaMemory<Region = G>,
    {
        Self::bring_up_with(ControllerTraits::default(), registers, memory, delay)
    }

    /// The same for a controller of which something is known.
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
            let _ = slots.push(Slot { list, kind, is_taken: false, tag: None });
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
            codecs: Vec::new(),
            routes: Vec::new(),
            detours: Vec::new(),
            unserved: Vec::new(),
            jack_policy: JackPolicy::default(),
            unsolicited_lost: 0,
            gone_logged: false,
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

    /// Has positions written to memory, and interrupts raised. Streams add their own bits when they start.
    pub(crate) fn open_for_streams(&mut self) {
        let (at, r) = (self.positions.device_address(), &mut self.registers);
        reg::DPUBASE.write(r, high(at));
        reg::DPLBASE.write(r, low(at) | reg::DPLBASE_ENABLE);
        reg::INTCTL.write(r, reg::INT_GLOBAL | reg::INT_CONTROLLER);
    }

    fn discover(&mut self, present: u16) -> Result<(), BringUpError> {
        self.commands.limit_sleep(Some(DISCOVERY_LIMIT_US));
        let mut findings = Findings::default();
        let mut failure = self.ask_codecs(present, &mut findings);
        if self.codecs.is_empty() && self.commands.uses_rings() {
            log::warn!("no codec answers through the rings; immediate commands instead");
            self.commands.use_immediate();
            // If that is no better, the rings' error is the one to tell.
            let again = self.ask_codecs(present, &mut findings);
            failure = failure.filter(|_| again.is_some());
        }
        self.commands.limit_sleep(None);
        Findings { routes: self.routes, detours: self.detours, unserved: self.unserved } = findings;
        if self.routes.is_empty() {
            return Err(failure.map_or(BringUpError::NoRoute, BringUpError::NoAnswer));
        }
        // Outputs first, displays last of them; the order among each is the codecs' and their routes'.
        insertion_sort(&mut self.routes, |route| {
            let is_display = route.device() == PinDevice::Display;
            (route.direction() == Direction::Input, is_display, route.codec, route.order)
        });
        for at in 0..self.routes.len() {
            let (before, rest) = self.routes.split_at_mut(at);
            let Some(route) = rest.first_mut() else { break };
            let same = before.iter().filter(|other| other.name.is_like(&route.name)).count();
            // At most `MAX_ROUTES`.
            route.name.number = (same as u8).saturating_add(1);
            log::info!("{route}");
            let mut link = CodecPort { port: &mut self.commands, delay: &mut self.delay, codec: route.codec };
            // Who doesn't answer is in the log.
            let _ = codec::connect::shut(&mut link, route);
        }
        self.watch_jacks();
        Ok(())
    }

    /// Asks every codec; returns the first failure.
    fn ask_codecs(&mut self, present: u16, findings: &mut Findings) -> Option<CommandError> {
        let mut failure = None;
        for address in (0..CODECS_MAX as u8).filter(|n| present & 1_u16.wrapping_shl(u32::from(*n)) != 0) {
            let Some(address) = CodecAddress::new(address) else { continue };
            let mut link = CodecPort { port: &mut self.commands, delay: &mut self.delay, codec: address };
            let before = (findings.routes.len(), findings.detours.len(), findings.unserved.len());
            match codec::discover(&mut link, address, findings) {
                Ok(codec) => {
                    log::info!(
                        "codec {}: {:08x}, {} widgets, {} routes",
                        address.get(),
                        codec.vendor_id,
                        codec.widgets,
                        findings.routes.len().saturating_sub(before.0)
                    );
                    // As many as there are addresses.
                    let _ = self.codecs.push(codec);
                }
                Err(error) => {
                    findings.routes.truncate(before.0);
                    findings.detours.truncate(before.1);
                    findings.unserved.truncate(before.2);
                    failure = failure.or(Some(error));
                }
            }
        }
        failure
    }

    /// Version of the specification: major, minor.
    pub fn version(&self) -> (u8, u8) {
        self.version
    }

    /// Codecs that answered.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// All ways between a converter and a pin, outputs first.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Pins that something is connected to and that have no route, and why: 16 of them at most.
    pub fn unserved(&self) -> &[UnservedPin] {
        &self.unserved
    }

    /// Whether several streams can start in the same link frame.
    pub fn has_linked_start(&self) -> bool {
        self.ssync.is_some()
    }

    /// Bits of an address that its DMA gets right, 32 to 64: memory beyond is refused.
    pub fn address_bits(&self) -> u8 {
        self.capabilities.address_bits
    }

    /// Whether commands go through the rings in memory, not through the immediate registers.
    pub fn uses_command_rings(&self) -> bool {
        self.commands.uses_rings()
    }

    /// The wall clock: 24 MHz, modulo 2^32 (178.9 s).
    pub fn wall_clock(&mut self) -> u32 {
        reg::WALCLK.read(&mut self.registers)
    }

    /// Says where the positions of streams that are [taken](Self::take_stream) from now on come from.
    pub fn set_position_choice(&mut self, choice: PositionChoice) {
        self.position_choice = choice;
    }

    /// A stream descriptor that nobody uses, and a tag; `None` when all are taken. Give it back with
    /// [`give_back`](Self::give_back); one that is dropped stays taken.
    pub fn take_stream(&mut self, direction: Direction) -> Option<Stream<Reset<R, D, G>>> {
        let used = self.slots.iter().filter_map(|slot| slot.tag).filter(|(of, _)| *of == direction);
        let used = used.fold(0_u16, |bits, (_, tag)| bits | 1_u16.wrapping_shl(u32::from(tag)));
        // Tag 0 is every converter's default: never a stream's.
        let tag = (1..=15_u8).find(|tag| used & 1_u16.wrapping_shl(u32::from(*tag)) == 0)?;
        let own = match direction {
            Direction::Input => DescriptorKind::Input,
            Direction::Output => DescriptorKind::Output,
        };
        let free = |kind| self.slots.iter().position(|slot| slot.kind == kind && !slot.is_taken);
        let index = free(own).or_else(|| free(DescriptorKind::Bidirectional))?;
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
        }))
    }

    /// Gives a stream descriptor back.
    pub fn give_back(&mut self, stream: Stream<Reset<R, D, G>>) {
        self.restarts |= stream.restarts();
        if let Some(slot) = self.slots.get_mut(usize::from(stream.index())) {
            slot.is_taken = false;
            slot.tag = None;
        }
    }

    /// Sends any verb to a codec and returns the response.
    ///
    /// # Errors
    /// [`CommandError`] if there is none.
    pub fn command(&mut self, codec: CodecAddress, node: NodeId, verb: Verb) -> Result<u32, CommandError> {
        self.commands.send(codec, node, verb)
    }

    /// The oldest unsolicited response that nobody has taken. 16 are kept.
    pub fn take_unsolicited(&mut self) -> Option<Unsolicited> {
        self.commands.take_unsolicited()
    }

    /// Unsolicited responses that were lost because nobody took them in time.
    pub fn unsolicited_lost(&self) -> u32 {
        self.commands.unsolicited_lost()
    }

    /// Finds out what an interrupt was about and acknowledges it, until nothing is pending: some controllers send
    /// their message again with every write while something is. Bounded.
    pub fn handle_interrupt(&mut self) -> InterruptReport {
        let mut report = InterruptReport::default();
        for _ in 0..INTERRUPT_ROUNDS {
            let r = &mut self.registers;
            let enabled = reg::INTCTL.read(r);
            let status = reg::INTSTS.read(r);
            if status == u32::MAX {
                // Once: where there is no interrupt, the platform asks again and again.
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
                // Errors are the stream's to read, count and acknowledge; until then its interrupt is shut.
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
                self.commands.drain(None);
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
    // Lists, rings and the position buffer are all aligned to 128 octets (3.3.18, 3.3.32, 3.3.42).
    let region = memory.allocate(bytes, 128).ok_or(BringUpError::NoMemory(what))?;
    let address = region.device_address();
    if is_beyond(address_bits, address, bytes as u64) {
        return Err(BringUpError::MemoryTooHigh { address });
    }
    Ok(region)
}
