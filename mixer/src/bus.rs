//! A shared port's ring, which the hardware plays or records.

use audioback::card::{Card, CardError, Direction, PortIndex, PortSet, StreamPosition};
use hyper::{BackOff, Nanos};

use crate::allowance::Allowance;
use crate::backing::Ring;
use crate::cycle::Cycle;
use crate::layout::Layout;
use crate::meter::Meter;
use crate::mirror::{Joining, Mirror, Step};

/// A bus plays silence for a second after its last voice, so that the next one joins at once.
pub(crate) const LINGER: Nanos = Nanos(1_000_000_000);

/// Counts of a bus since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusStats {
    /// Frames in which a channel was beyond full scale.
    pub clipped_frames: u64,
    /// Turns that came too late for a voice.
    pub late_turns: u32,
    /// FIFO errors of the hardware.
    pub fifo_errors: u32,
}

/// A bus: the stream `S` of the card below, and what the mixer knows of it.
#[derive(Debug)]
pub(crate) struct Bus<S> {
    pub(crate) stream: S,
    pub(crate) track: Track,
}

impl<S> Bus<S> {
    /// The position of a bus that runs.
    ///
    /// # Errors
    /// It doesn't run any more.
    pub(crate) fn look<T, C: Card<T, Stream = S>>(
        &mut self,
        card: &mut C,
    ) -> Result<StreamPosition, CardError> {
        let position = card.position(&mut self.stream)?;
        if position.descriptor_errors == 0 { Ok(position) } else { Err(CardError::Hardware) }
    }
}

/// The layout of a bus, and how far it is.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) port: PortIndex,
    pub(crate) direction: Direction,
    pub(crate) layout: Layout,
    pub(crate) cycle: Cycle,
    pub(crate) is_running: bool,
    /// The hardware didn't stop it in time. It is to be stopped again before it starts.
    pub(crate) may_still_run: bool,
    /// Frames gone out to the link, or arrived in the ring, at the last look.
    pub(crate) passed: u64,
    /// The frames that the hardware had fetched at the last turn. `None`: there was none since the start.
    pub(crate) fetched_before: Option<u64>,
    /// The time between two turns.
    pub(crate) quantum: Nanos,
    /// What it is mixed ahead beyond the quantum.
    pub(crate) allowance: Allowance,
    /// When it is to be looked after next.
    pub(crate) due: Nanos,
    /// When a voice last ran. `None`: at no turn since the bus runs.
    pub(crate) used_at: Option<Nanos>,
    pub(crate) stats: BusStats,
    /// FIFO errors in the runs before this one.
    fifo_errors_before: u32,
    /// Measures peaks.
    pub(crate) meter: Option<Meter>,
    /// The ports that it may follow plugs to, as the card was told.
    pub(crate) reach: Option<PortSet>,
    /// The direct stream that is to become a voice.
    pub(crate) joining: Option<Joining>,
}

impl Track {
    pub(crate) fn new(
        port: PortIndex,
        direction: Direction,
        layout: Layout,
        cycle: Cycle,
        lateness: Nanos,
    ) -> Self {
        Self {
            port,
            direction,
            layout,
            cycle,
            is_running: false,
            may_still_run: false,
            passed: 0,
            fetched_before: None,
            quantum: Nanos(0),
            allowance: Allowance::new(lateness),
            due: Nanos(0),
            used_at: None,
            stats: BusStats::default(),
            fifo_errors_before: 0,
            meter: None,
            reach: None,
            joining: None,
        }
    }

    /// Begins to count from 0.
    pub(crate) fn rewind(&mut self) {
        self.passed = 0;
        self.fetched_before = None;
        self.allowance.reset();
        self.due = Nanos(0);
        self.used_at = None;
        self.fifo_errors_before = self.stats.fifo_errors;
    }

    /// Notes the FIFO errors of this run.
    pub(crate) fn note_fifo_errors(&mut self, of_run: u32) {
        self.stats.fifo_errors = self.fifo_errors_before.saturating_add(of_run);
    }

    /// Notes what the hardware has fetched at this turn, so that the next one is mixed far enough ahead.
    pub(crate) fn note_fetched(&mut self, fetched: u64) {
        if let Some(before) = self.fetched_before.replace(fetched) {
            let step = self.layout.span_of(fetched.saturating_sub(before));
            self.allowance.note(Nanos(step.0.saturating_sub(self.quantum.0)));
        }
    }

    /// What it plays of a direct stream, and that stream's place in the table.
    pub(crate) fn mirror_mut(&mut self) -> Option<(usize, &mut Mirror)> {
        match &mut self.joining {
            Some(Joining { place, step: Step::Mirror(mirror) }) => Some((*place, mirror)),
            _ => None,
        }
    }

    /// The frames of the allowance.
    pub(crate) fn allowance_frames(&self) -> u64 {
        self.layout.frames_in(self.allowance.get().0)
    }

    /// The frames that the hardware has fetched, at least.
    pub(crate) fn fetched(&self, position: &StreamPosition) -> u64 {
        let of_link = position
            .link
            .map(|link| link.link_frames.saturating_add(link.dma_lead_frames.into()))
            .unwrap_or_default();
        self.cycle.frames_in(position.bytes).max(of_link)
    }
}

/// A place for a bus.
#[allow(clippy::large_enum_variant, reason = "a bus stays in its place")]
#[derive(Debug)]
pub(crate) enum BusPlace<S, R> {
    /// No bus, and a ring for one.
    Free(Ring<R>),
    /// A bus.
    Open(Bus<S>),
    /// RUN still reads 1, so the hardware may touch the ring. The close is tried again.
    Stuck(S, BackOff),
    /// The card below has kept the ring.
    Lost,
}

impl<S, R> BusPlace<S, R> {
    pub(crate) fn open_mut(&mut self) -> Option<&mut Bus<S>> {
        match self {
            Self::Open(bus) => Some(bus),
            _ => None,
        }
    }

    pub(crate) fn open(&self) -> Option<&Bus<S>> {
        match self {
            Self::Open(bus) => Some(bus),
            _ => None,
        }
    }
}
