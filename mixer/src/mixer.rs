//! The mixer: ports, buses, and the table of streams.

use alloc::boxed::Box;
use alloc::vec::Vec;

use audioback::card::{
    Card, CardError, Direction, MAX_RATES, OpenFailure, Port, PortIndex, PortMode, PortSetup, StillRunning,
    StreamParams, StreamPosition,
};
use hyper::{BackOff, MappedBuffer, Nanos, SampleMemory};

use crate::backing::{Backing, Ring};
use crate::budget::{Budget, Cost};
use crate::bus::{Bus, BusPlace, BusStats, LINGER, Track};
use crate::bus_params::bus_params;
use crate::converters::Converters;
use crate::cycle::Cycle;
use crate::gain::VOLUME;
use crate::layout::{self, Layout};
use crate::lead::Lead;
use crate::scratch::Scratch;
use crate::sums::Sums;
use crate::table::{Content, Table};
use crate::{fan_out, playback};

/// The rates that a shared port offers: those of HD Audio, and 5,512 Hz.
const RATES_HZ: [u32; MAX_RATES] =
    [5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// A turn may come this part of a quantum before it is due.
const EARLY: u64 = 8;

/// The shortest ring of a bus. It holds the lead, what monitors have yet to hear, and a late turn.
const RING_MIN: Nanos = Nanos(40_000_000);

/// The wait between tries to close a bus that doesn't stop.
pub(crate) const RETRY: BackOff = BackOff::new(Nanos(100_000_000), Nanos(10_000_000_000));

/// Bounds of a [`Mixer`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams that can be open at a time, direct ones and voices. One takes 3 KiB.
    pub streams: u16,
    /// Voices of another rate than their bus's that can be open at a time. One takes 33 KiB more.
    pub converters: u16,
    /// Work of all voices together.
    pub cost: Cost,
    /// The longest time between the moment when [`poll`](Card::poll) is due and the call that is allowed for. Voices are
    /// later by it at first, and by less once a bus has seen how late its turns are.
    pub lateness: Nanos,
}

/// Many streams on each shared port of a card `C`.
///
/// `B` are guests' buffers. `R` are rings of the domain's own pages, one for each bus.
pub struct Mixer<C: Card<Backing<B, R>>, B: SampleMemory, R: SampleMemory> {
    pub(crate) card: C,
    /// By the ports of the card below.
    pub(crate) setups: Box<[PortSetup]>,
    /// The card's ports, then the monitors.
    pub(crate) ports: Box<[Port]>,
    /// The output that each monitor hears.
    monitored: Box<[PortIndex]>,
    pub(crate) buses: Box<[BusPlace<C::Stream, R>]>,
    /// The sums of each bus.
    pub(crate) sums: Box<[Sums]>,
    pub(crate) table: Table<C::Stream, B>,
    pub(crate) converters: Converters,
    pub(crate) scratch: Box<Scratch>,
    pub(crate) budget: Budget,
    pub(crate) lateness: Nanos,
    /// Ports whose amplifiers can't do what the administrator wants, which the log says.
    pub(crate) logged_ports: u64,
}

/// Where a port of the mixer leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// The port of the card below.
    pub(crate) port: PortIndex,
    pub(crate) mode: PortMode,
    /// The port hears what that output plays.
    pub(crate) is_monitor: bool,
}

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// A mixer on a card whose streams are all closed. A port without a setup is direct.
    ///
    /// Each output has a monitor, in the order of the outputs. While the output is direct, its monitor
    /// can't be opened.
    pub fn new(card: C, rings: impl IntoIterator<Item = R>, setups: &[PortSetup], limits: Limits) -> Self {
        let below = card.ports();
        let setups: Box<[PortSetup]> =
            (0..below.len()).map(|index| setups.get(index).copied().unwrap_or_default()).collect();
        let mut ports: Vec<Port> =
            below.iter().zip(&setups).map(|(port, setup)| offered(port, setup.mode)).collect();
        let mut monitored = Vec::new();
        for (index, port) in
            (0..=u8::MAX).zip(below).filter(|(_, port)| port.direction == Direction::Playback)
        {
            monitored.push(PortIndex(index));
            ports.push(Port {
                direction: Direction::Capture,
                is_monitor: true,
                ..offered(port, PortMode::Shared)
            });
        }
        let buses: Box<[_]> = rings.into_iter().map(|ring| BusPlace::Free(Ring::new(ring))).collect();
        Self {
            card,
            setups,
            ports: ports.into(),
            monitored: monitored.into(),
            sums: buses.iter().map(|_| Sums::new()).collect(),
            buses,
            table: Table::new(limits.streams),
            converters: Converters::new(limits.converters),
            scratch: Scratch::new(),
            budget: Budget::new(limits.cost),
            lateness: limits.lateness,
            logged_ports: 0,
        }
    }

    /// Puts the administrator's setups in force, for streams that are opened from now on.
    pub(crate) fn set_up_ports(&mut self, setups: &[PortSetup]) {
        let Self { card, setups: own, ports, .. } = self;
        let mut changed = 0u64;
        for ((((own, port), below), setup), index) in
            own.iter_mut().zip(ports).zip(card.ports()).zip(setups).zip(0u32..)
        {
            if own.mode != setup.mode {
                *port = offered(below, setup.mode);
            }
            if own.trim != setup.trim {
                changed |= 1u64.checked_shl(index).unwrap_or_default();
            }
            *own = *setup;
        }
        for port in (0..64).filter(|port| changed >> port & 1 != 0) {
            self.apply_port_trim(PortIndex(port));
        }
    }

    /// The card below, for what the seam doesn't show.
    pub fn card(&mut self) -> &mut C {
        &mut self.card
    }

    /// The counts of a port's bus, if it has one.
    pub fn bus_stats(&self, port: PortIndex) -> Option<BusStats> {
        self.buses
            .iter()
            .filter_map(BusPlace::open)
            .find(|bus| bus.track.port == port)
            .map(|bus| bus.track.stats)
    }

    /// The parameters of a port's bus, if it has one: rate in Hz and channels.
    pub fn bus_shape(&self, port: PortIndex) -> Option<(u32, u8)> {
        let bus = self.buses.iter().filter_map(BusPlace::open).find(|bus| bus.track.port == port)?;
        Some((bus.track.layout.rate_hz, bus.track.layout.channels.count() as u8))
    }

    /// The work that the open voices may cause.
    pub fn cost(&self) -> Cost {
        self.budget.used()
    }

    pub(crate) fn source(&self, port: PortIndex) -> Option<Source> {
        let index = usize::from(port.0);
        if let Some(setup) = self.setups.get(index) {
            return Some(Source { port, mode: setup.mode, is_monitor: false });
        }
        let output = *self.monitored.get(index.checked_sub(self.setups.len())?)?;
        let mode = self.setups.get(usize::from(output.0))?.mode;
        Some(Source { port: output, mode, is_monitor: true })
    }

    /// The bus of a port, by its place.
    pub(crate) fn bus_of(&self, port: PortIndex) -> Option<usize> {
        self.buses.iter().position(|place| place.open().is_some_and(|bus| bus.track.port == port))
    }

    /// The layout of a port's bus, or of the one that it would get for a first voice.
    pub(crate) fn bus_layout(&self, port: PortIndex, first: &StreamParams) -> Option<Layout> {
        match self.bus_of(port).and_then(|place| self.buses.get(place)?.open()) {
            Some(bus) => Some(bus.track.layout),
            None => Layout::of(&self.params_for(port, first)?),
        }
    }

    fn params_for(&self, port: PortIndex, first: &StreamParams) -> Option<StreamParams> {
        let index = usize::from(port.0);
        let below = self.card.ports().get(index)?;
        bus_params::<Backing<B, R>, C>(&self.card, port, below, self.setups.get(index)?, first)
    }

    /// The place of a port's bus. Opens one for this first voice if there is none.
    pub(crate) fn join_bus(&mut self, port: PortIndex, first: &StreamParams) -> Result<usize, CardError> {
        if let Some(place) = self.bus_of(port) {
            return Ok(place);
        }
        let params = self.params_for(port, first).ok_or(CardError::Unsupported)?;
        let layout = Layout::of(&params).ok_or(CardError::Unsupported)?;
        let direction = self.card.ports().get(usize::from(port.0)).ok_or(CardError::NoSuchPort)?.direction;
        let frame_bytes = layout.frame_bytes();
        let index = self.free_ring(&layout).ok_or(CardError::Busy)?;
        self.mix_ahead();
        let place = self.buses.get_mut(index).ok_or(CardError::Busy)?;
        let BusPlace::Free(mut ring) = core::mem::replace(place, BusPlace::Lost) else {
            return Err(CardError::Busy);
        };
        ring.fit(frame_bytes);
        let cycle = Cycle::new(ring.size_bytes(), frame_bytes);
        let (left, result) = match (cycle, self.card.open(port, &params, Backing::Bus(ring))) {
            (Some(cycle), Ok(stream)) => (
                BusPlace::Open(Bus {
                    stream,
                    track: Track::new(port, direction, layout, cycle, self.lateness),
                }),
                Ok(index),
            ),
            (None, Ok(stream)) => (BusPlace::Stuck(stream, RETRY), Err(CardError::BadBuffer)),
            (_, Err(OpenFailure::Refused { error, buffer: Backing::Bus(ring) })) => {
                (BusPlace::Free(ring), Err(error))
            }
            (_, Err(OpenFailure::Refused { error, .. })) => (BusPlace::Lost, Err(error)),
            (_, Err(OpenFailure::Stuck { error, stream })) => (BusPlace::Stuck(stream, RETRY), Err(error)),
        };
        *place = left;
        result
    }

    /// The place of a ring for a bus of this layout.
    pub(crate) fn free_ring(&self, layout: &Layout) -> Option<usize> {
        let frame_bytes = layout.frame_bytes();
        self.buses.iter().position(|place| {
            matches!(place, BusPlace::Free(ring) if Cycle::new(ring.size_for(frame_bytes), frame_bytes)
                .is_some_and(|cycle| cycle.frames() >= layout.frames_in(RING_MIN.0)))
        })
    }

    /// The administrator's setup of a port of the card below.
    pub(crate) fn setup(&self, port: PortIndex) -> Option<&PortSetup> {
        self.setups.get(usize::from(port.0))
    }

    /// How far ahead a playback bus is mixed.
    pub(crate) fn lead(&self, track: &Track, index: usize) -> Lead {
        let quantum = playback::quantum_of(track, index, &self.table);
        Lead::new(&track.layout, quantum, track.allowance.get())
    }

    /// One turn of a bus that runs. `None`: it doesn't, or not any more.
    pub(crate) fn advance(&mut self, index: usize) -> Option<StreamPosition> {
        self.advance_with(index, Nanos(0))
    }

    /// One turn, in which announced frames are mixed so far ahead, if the lead isn't more.
    pub(crate) fn advance_with(&mut self, index: usize, ahead: Nanos) -> Option<StreamPosition> {
        let track = self.buses.get(index)?.open().map(|bus| &bus.track).filter(|track| track.is_running)?;
        let lead = self.lead(track, index).with_ahead(track.layout.frames_in(ahead.0));
        let Self { card, buses, sums, table, scratch, .. } = self;
        let (bus, sums) = (buses.get_mut(index)?.open_mut()?, sums.get_mut(index)?);
        let turn = match bus.track.direction {
            Direction::Playback => playback::advance(card, bus, sums, index, table, scratch, lead),
            Direction::Capture => fan_out::advance(card, bus, index, table, scratch),
        };
        match turn {
            Ok(position) => Some(position),
            Err(error) => {
                log::error!("the bus of port {} has failed: {error:?}", bus.track.port.0);
                self.halt(index);
                None
            }
        }
    }

    /// Stops a bus. Voices that run on it break off.
    pub(crate) fn halt(&mut self, index: usize) {
        let Some(bus) = self.buses.get_mut(index).and_then(BusPlace::open_mut) else { return };
        // The others are mixed ahead of each wait. One that fails then is halted before this one, and none twice.
        bus.track.is_running = false;
        self.break_joining(index);
        self.mix_ahead();
        let Self { card, buses, table, .. } = self;
        let Some(bus) = buses.get_mut(index).and_then(BusPlace::open_mut) else { return };
        if let Err(error) = card.stop(&mut bus.stream) {
            // The next start, or the close, tries again.
            bus.track.may_still_run = true;
            log::error!("the bus of port {} does not stop: {error:?}", bus.track.port.0);
        }
        table.voices_mut().filter(|voice| voice.bus == index).for_each(|voice| voice.note_halt());
    }

    /// When a bus is to be looked after next. `None`: nothing is to be done for it.
    pub(crate) fn bus_due(&self, index: usize) -> Option<Nanos> {
        match self.buses.get(index)? {
            BusPlace::Stuck(_, tries) => Some(tries.due(Nanos(0)).unwrap_or(Nanos(0))),
            BusPlace::Open(bus) if bus.track.is_running => Some(bus.track.due),
            BusPlace::Open(_) => Some(Nanos(0)).filter(|_| !self.has_voices(index)),
            BusPlace::Free(_) | BusPlace::Lost => None,
        }
    }

    /// Looks after a bus.
    pub(crate) fn attend(&mut self, index: usize, now: Nanos) {
        // The domain may be awake for something else. Then a turn that is almost due saves it a wake-up.
        let spare_ns = match self.buses.get(index).and_then(BusPlace::open) {
            Some(bus) if bus.track.is_running && bus.track.joining.is_none() => bus.track.quantum.0 / EARLY,
            _ => 0,
        };
        if self.bus_due(index).is_none_or(|due| due.0 > now.0.saturating_add(spare_ns)) {
            return;
        }
        let (is_running, is_idle) = self.turn(index, now);
        self.attend_joining(index, now);
        if is_running && is_idle {
            self.halt(index);
        }
        if (!is_running || is_idle) && !self.has_voices(index) {
            self.close_bus(index, now);
        }
    }

    /// One turn of a bus, by time. Returns whether it runs, and whether nobody has used it for long.
    fn turn(&mut self, index: usize, now: Nanos) -> (bool, bool) {
        if let Some(bus) = self.buses.get_mut(index).and_then(BusPlace::open_mut) {
            bus.track.allowance.turn(now);
        }
        let Some(position) = self.advance(index) else { return (false, false) };
        let Self { buses, table, .. } = self;
        let Some(bus) = buses.get_mut(index).and_then(BusPlace::open_mut) else { return (false, false) };
        bus.track.note_fifo_errors(position.fifo_errors);
        bus.track.quantum = playback::quantum_of(&bus.track, index, table);
        bus.track.due = Nanos(now.0.saturating_add(bus.track.quantum.0));
        // A stream on its way to it is no voice yet.
        let is_used = bus.track.joining.is_some() || table.voices().any(|voice| voice.is_running_on(index));
        if bus.track.used_at.is_none() || is_used {
            bus.track.used_at = Some(now);
        }
        let is_idle = bus.track.used_at.is_some_and(|used_at| now.0.saturating_sub(used_at.0) >= LINGER.0);
        (true, is_idle)
    }

    /// Whether a voice is open on a bus, also one that doesn't run.
    pub(crate) fn has_voices(&self, index: usize) -> bool {
        let bus = self.buses.get(index).and_then(BusPlace::open);
        self.table.voices().any(|voice| voice.bus == index)
            || bus.is_some_and(|bus| bus.track.joining.is_some())
    }

    /// Gives a bus's port and ring back.
    pub(crate) fn close_bus(&mut self, index: usize, now: Nanos) {
        self.mix_ahead();
        let Some(place) = self.buses.get_mut(index) else { return };
        let (stream, mut tries) = match core::mem::replace(place, BusPlace::Lost) {
            BusPlace::Open(Bus { stream, .. }) => (stream, RETRY),
            BusPlace::Stuck(stream, tries) => (stream, tries),
            other => {
                *place = other;
                return;
            }
        };
        *place = match self.card.close(stream) {
            Ok(Backing::Bus(ring)) => BusPlace::Free(ring),
            Ok(Backing::Guest(_)) => BusPlace::Lost,
            Err(StillRunning(stream)) => {
                tries.failed(now);
                BusPlace::Stuck(stream, tries)
            }
        };
    }

    /// The place of a port's direct stream in the table.
    pub(crate) fn direct_of(&self, port: PortIndex) -> Option<usize> {
        let is_it =
            |content: &Content<C::Stream, B>| matches!(content, Content::Direct(one) if one.port == port);
        self.table.contents().position(is_it)
    }
}

/// The abilities that a port offers in a mode.
fn offered(port: &Port, mode: PortMode) -> Port {
    match mode {
        PortMode::Direct => *port,
        // A direct stream has the amplifiers, and a voice does the same by arithmetic: the range is theirs.
        PortMode::Auto => Port { volume: port.volume, ..offered(port, PortMode::Shared) },
        PortMode::Shared => Port {
            formats: layout::formats(),
            rates_hz: RATES_HZ,
            channels_min: 1,
            channels_max: 8,
            volume: Some(VOLUME),
            ..*port
        },
    }
}
