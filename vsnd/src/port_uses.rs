//! The use of each port, what was published of it, and requests for its peaks.
//!
//! The card is asked when a stream does something else, and once a second while a bus runs. A monitor is part of its output.

use alloc::boxed::Box;

use audioback::card::{PortIndex, PortPeaks, PortState};
use audioback::rights::Right;
use hyper::Nanos;

use crate::due::{after, earlier};
use crate::guest_set::GuestSet;
use crate::peak_request::PeakRequest;
use crate::port_name::PortName;
use crate::port_use::PortUse;
use crate::status::Ready;
use crate::stream_use::StreamUse;

/// Interval between two writes of a bus's counters.
const COUNTERS_INTERVAL_NS: u64 = 1_000_000_000;

/// What the streams of a port do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Activity {
    /// OPENs so far, of all its streams.
    opens: u32,
    open: u16,
    running: u16,
    listeners: GuestSet,
}

impl Activity {
    fn add(&mut self, stream: &StreamUse, is_listening: bool) {
        self.opens = self.opens.wrapping_add(stream.opens);
        self.open = self.open.saturating_add(stream.is_open.into());
        self.running = self.running.saturating_add(stream.is_running.into());
        if is_listening && stream.is_running {
            self.listeners.insert(stream.guest);
        }
    }
}

/// An output or input.
#[derive(Debug)]
pub(crate) struct PortLine {
    port: PortIndex,
    pub(crate) name: PortName,
    activity: Activity,
    /// The activity while it is being counted.
    counted: Activity,
    /// The use as of the last look.
    pub(crate) port_use: PortUse,
    /// What is being written, or was written last.
    sent: PortUse,
    /// What is in xenstore. Without a node the port is idle.
    published: PortUse,
    published_at: Nanos,
    pub(crate) peak_request: Option<PeakRequest>,
}

impl PortLine {
    /// Takes its use as it is now.
    fn look(&mut self, state: Option<PortState>) {
        // Without a mixer all streams are direct.
        let direct = || if self.activity.open > 0 { PortState::Direct } else { PortState::Idle };
        self.port_use.state = state.unwrap_or_else(direct);
        self.update_listeners();
    }

    /// Takes the guests that listen now. One that has stopped before it was published stays until it is.
    fn update_listeners(&mut self) {
        let mut listeners = self.activity.listeners.clone();
        listeners.add_unknown(&self.port_use.listeners, &self.published.listeners);
        self.port_use.listeners = listeners;
    }

    /// The time at which it is to be published. `None`: it is.
    fn due(&self, now: Nanos) -> Option<Nanos> {
        if self.port_use == self.published {
            None
        } else if self.port_use.differs_beyond_counters(&self.published) {
            Some(now)
        } else {
            Some(after(self.published_at, COUNTERS_INTERVAL_NS))
        }
    }
}

/// The part of a port in the lines.
#[derive(Clone, Copy, Debug)]
struct Place {
    line: usize,
    /// Its streams hear what passes there.
    listens: bool,
}

/// The use of each output and input.
#[derive(Debug)]
pub(crate) struct PortUses {
    lines: Box<[PortLine]>,
    /// By the card's ports.
    places: Box<[Option<Place>]>,
    /// The line that was published last.
    last: usize,
    /// The time of the next look at buses that run.
    look_at: Option<Nanos>,
}

impl PortUses {
    /// All of these ports are idle. They are all ports of the card that have names, in its order.
    pub(crate) fn new(ports: impl Iterator<Item = (PortIndex, PortName)> + Clone) -> Self {
        let lines: Box<[PortLine]> = ports
            .clone()
            .filter(|(_, name)| name.right != Right::Hear)
            .map(|(port, name)| PortLine {
                port,
                name,
                activity: Activity::default(),
                counted: Activity::default(),
                port_use: PortUse::default(),
                sent: PortUse::default(),
                published: PortUse::default(),
                published_at: Nanos(0),
                peak_request: None,
            })
            .collect();
        let place = |name: PortName| {
            // Monitors are numbered as their outputs.
            let right = if name.right == Right::Hear { Right::Play } else { name.right };
            let line = lines.iter().position(|line| line.name == PortName { right, ..name })?;
            Some(Place { line, listens: name.right != Right::Play })
        };
        let places = ports.map(|(_, name)| place(name)).collect();
        Self { places, lines, last: 0, look_at: None }
    }

    /// Takes what all streams do now, and looks at the ports if that has changed or if it is time.
    ///
    /// `state` is the card's state of a port.
    pub(crate) fn update(
        &mut self,
        streams: impl Iterator<Item = StreamUse>,
        state: impl Fn(PortIndex) -> Option<PortState>,
        now: Nanos,
    ) {
        self.lines.iter_mut().for_each(|line| line.counted = Activity::default());
        for stream in streams {
            let place = self.places.get(usize::from(stream.port.0)).copied().flatten();
            if let Some(Place { line, listens }) = place
                && let Some(line) = self.lines.get_mut(line)
            {
                line.counted.add(&stream, listens);
            }
        }
        let has_changed = self.lines.iter().any(|line| line.counted != line.activity);
        if !has_changed && self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.look_at = None;
        for line in &mut self.lines {
            core::mem::swap(&mut line.activity, &mut line.counted);
            line.look(state(line.port));
            if line.port_use.moves() {
                self.look_at = Some(after(now, COUNTERS_INTERVAL_NS));
            }
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&PortLine> {
        self.lines.get(index)
    }

    /// The index of the next port that is to be published. Ports take turns.
    pub(crate) fn next(&self, now: Nanos) -> Ready<usize> {
        let peaks_due = |line: &PortLine| line.peak_request.as_ref().and_then(PeakRequest::until);
        let mut next = self.lines.iter().filter_map(peaks_due).chain(self.look_at).min();
        let first = self.last.saturating_add(1);
        let (before, behind) = self.lines.split_at_checked(first).unwrap_or((&self.lines, &[]));
        for (index, line) in (first..).zip(behind).chain((0..).zip(before)) {
            match line.due(now) {
                Some(due) if due <= now => return Ok(index),
                due => next = earlier(next, due),
            }
        }
        Err(next)
    }

    /// Notes that a port's use is being written.
    pub(crate) fn on_sent(&mut self, index: usize) {
        if let Some(line) = self.lines.get_mut(index) {
            line.sent.clone_from(&line.port_use);
            self.last = index;
        }
    }

    /// Takes a request for the peaks of a port. `is_measured`: the card has begun to measure.
    pub(crate) fn on_peak_request(&mut self, port: PortIndex, number: u32, is_measured: bool, now: Nanos) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.port == port) {
            line.peak_request = Some(PeakRequest::new(number, is_measured, now));
        }
    }

    /// Takes the peaks that are due from the card.
    pub(crate) fn take_peaks(&mut self, mut take: impl FnMut(PortIndex) -> Option<PortPeaks>, now: Nanos) {
        for line in &mut self.lines {
            let request = line.peak_request.as_mut();
            if let Some(request) = request.filter(|request| request.until().is_some_and(|until| until <= now))
            {
                let peaks = take(line.port);
                if peaks.is_none() {
                    // The bus is gone. The answer says what the port is now.
                    self.look_at = Some(now);
                }
                request.answer(peaks);
            }
        }
    }

    /// The index of the first port whose peaks are to be published.
    pub(crate) fn first_peaks(&self) -> Option<usize> {
        let is_answered = |line: &PortLine| line.peak_request.as_ref().is_some_and(PeakRequest::is_answered);
        self.lines.iter().position(is_answered)
    }

    /// Notes that a port's peaks are being written.
    pub(crate) fn on_peaks_sent(&mut self, index: usize) {
        if let Some(request) = self.lines.get_mut(index).and_then(|line| line.peak_request.as_mut()) {
            request.on_sent();
        }
    }

    /// Notes that the peaks that were sent last of a port are published, or left out.
    pub(crate) fn on_peaks_published(&mut self, index: usize) {
        if let Some(line) = self.lines.get_mut(index) {
            // Meanwhile there may be another request.
            line.peak_request.take_if(|request| request.is_sent());
        }
    }

    /// Notes that what was sent last of a port is published.
    pub(crate) fn on_published(&mut self, index: usize, now: Nanos) {
        if let Some(line) = self.lines.get_mut(index) {
            line.published.clone_from(&line.sent);
            line.published_at = now;
            line.update_listeners();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use audioback::card::BusState;
    use hyper::DomainId;

    use super::*;

    const MS: u64 = 1_000_000;
    const OUTPUT: PortIndex = PortIndex(0);
    const INPUT: PortIndex = PortIndex(1);
    const MONITOR: PortIndex = PortIndex(2);

    fn uses() -> PortUses {
        let names = [Right::Play, Right::Record, Right::Hear].map(|right| PortName { right, number: 0 });
        PortUses::new((0..).map(PortIndex).zip(names))
    }

    fn running(guest: u16, port: PortIndex) -> StreamUse {
        StreamUse { guest: DomainId(guest), port, opens: 1, is_open: true, is_running: true }
    }

    fn paused(guest: u16, port: PortIndex) -> StreamUse {
        StreamUse { is_running: false, ..running(guest, port) }
    }

    /// Publishes the next line that is due.
    fn publish(uses: &mut PortUses, now: Nanos) -> Option<String> {
        let index = uses.next(now).ok()?;
        uses.on_sent(index);
        uses.on_published(index, now);
        let line = uses.get(index)?;
        Some(alloc::format!("{} {}", line.name, line.sent.line(line.name.right)))
    }

    #[test]
    fn nothing_is_due_while_nobody_has_a_port() {
        let mut uses = uses();
        uses.update([].into_iter(), |_| Some(PortState::Idle), Nanos(5));
        assert_eq!(uses.next(Nanos(5)), Err(None));
    }

    #[test]
    fn each_guest_that_listens_is_named_as_long_as_it_does() {
        let mut uses = uses();
        let all = (0..32).map(|guest| running(32_000 - guest, INPUT));
        uses.update(all.chain([paused(7, INPUT), running(9, OUTPUT)]), |_| None, Nanos(0));
        let line = publish(&mut uses, Nanos(0)).unwrap_or_default();
        assert_eq!(line.matches(',').count(), 31);
        assert!(line.starts_with("input-0 mode=direct recorded_by=31969,31970,"), "{line}");
        assert!(line.ends_with(",32000"), "{line}");
        assert_eq!(publish(&mut uses, Nanos(0)).as_deref(), Some("output-0 mode=direct"));
        assert_eq!(uses.next(Nanos(0)), Err(None));
        uses.update([running(3, INPUT), running(4, MONITOR)].into_iter(), |_| None, Nanos(1));
        assert_eq!(publish(&mut uses, Nanos(1)).as_deref(), Some("input-0 mode=direct recorded_by=3"));
        assert_eq!(publish(&mut uses, Nanos(1)).as_deref(), Some("output-0 mode=direct heard_by=4"));
        uses.update([paused(3, INPUT)].into_iter(), |_| None, Nanos(2));
        assert_eq!(publish(&mut uses, Nanos(2)).as_deref(), Some("input-0 mode=direct"));
        assert_eq!(publish(&mut uses, Nanos(2)).as_deref(), Some("output-0 mode=idle"));
    }

    #[test]
    fn a_guest_that_stops_before_it_is_published_is_published_all_the_same() {
        let mut uses = uses();
        uses.update([running(3, INPUT)].into_iter(), |_| None, Nanos(0));
        uses.update([paused(3, INPUT)].into_iter(), |_| None, Nanos(1));
        uses.update([].into_iter(), |_| None, Nanos(2));
        assert_eq!(publish(&mut uses, Nanos(2)).as_deref(), Some("input-0 mode=idle recorded_by=3"));
        assert_eq!(publish(&mut uses, Nanos(2)).as_deref(), Some("input-0 mode=idle"));
        assert_eq!(uses.next(Nanos(2)), Err(None));
        // And while the write is under way.
        uses.update([running(3, INPUT)].into_iter(), |_| None, Nanos(3));
        let index = uses.next(Nanos(3)).unwrap_or(usize::MAX);
        uses.on_sent(index);
        uses.update([running(4, INPUT)].into_iter(), |_| None, Nanos(4));
        uses.update([].into_iter(), |_| None, Nanos(5));
        uses.on_published(index, Nanos(6));
        assert_eq!(publish(&mut uses, Nanos(6)).as_deref(), Some("input-0 mode=idle recorded_by=4"));
        assert_eq!(publish(&mut uses, Nanos(6)).as_deref(), Some("input-0 mode=idle"));
    }

    #[test]
    fn a_running_bus_is_looked_at_and_its_counters_are_due_once_a_second() {
        let mut uses = uses();
        let bus = BusState { is_running: true, voices: 1, running: 1, ..BusState::default() };
        let clipped = |clipped_frames| {
            move |port| (port == OUTPUT).then_some(PortState::Shared(BusState { clipped_frames, ..bus }))
        };
        let stream = || [running(3, OUTPUT)].into_iter();
        uses.update(stream(), clipped(0), Nanos(0));
        assert!(publish(&mut uses, Nanos(0)).is_some());
        assert_eq!(uses.next(Nanos(0)), Err(Some(Nanos(1_000 * MS))), "for a look");
        uses.update(stream(), clipped(1), Nanos(999 * MS));
        assert_eq!(uses.next(Nanos(999 * MS)), Err(Some(Nanos(1_000 * MS))), "nothing has changed");
        uses.update(stream(), clipped(2), Nanos(1_000 * MS));
        let line = publish(&mut uses, Nanos(1_000 * MS)).unwrap_or_default();
        assert!(line.contains(" clipped_frames=2 "), "{line}");
        // A stream that comes is published at once, and counters with it.
        uses.update(stream().chain(stream()), clipped(3), Nanos(1_001 * MS));
        assert_eq!(uses.next(Nanos(1_001 * MS)), Err(Some(Nanos(2_000 * MS))), "the card says one voice");
        // It stops, and so nothing is due any more.
        let stopped = |_| Some(PortState::Shared(BusState { is_running: false, ..bus }));
        uses.update(stream(), stopped, Nanos(2_100 * MS));
        while publish(&mut uses, Nanos(2_100 * MS)).is_some() {}
        assert_eq!(uses.next(Nanos(2_100 * MS)), Err(None));
    }

    #[test]
    fn ports_take_turns() {
        let mut uses = uses();
        let mut published = Vec::new();
        for round in 0..20 {
            let streams = [running(round, INPUT), running(3, OUTPUT)].into_iter();
            uses.update(
                streams,
                |_| Some(PortState::Shared(BusState { voices: round, ..BusState::default() })),
                Nanos(0),
            );
            let index = uses.next(Nanos(0)).unwrap_or(usize::MAX);
            published.push(index);
            uses.on_sent(index);
            uses.on_published(index, Nanos(0));
        }
        assert_eq!(published.iter().filter(|index| **index == 0).count(), 10);
        assert!(published.windows(2).all(|two| two.first() != two.last()), "{published:?}");
    }

    #[test]
    fn the_longest_line_fits() {
        let bus = BusState {
            rate_hz: u32::MAX,
            channels: u8::MAX,
            is_running: true,
            voices: u16::MAX,
            running: u16::MAX,
            lead: Nanos(1_000_000_000),
            clipped_frames: u64::MAX,
            late_turns: u32::MAX,
            fifo_errors: u32::MAX,
        };
        let mut listeners = GuestSet::default();
        (0..100).for_each(|guest| listeners.insert(DomainId(32_000 + guest)));
        let line = PortUse { state: PortState::Shared(bus), listeners }.line(Right::Play).to_string();
        assert!(line.len() <= 448, "{}: {line}", line.len());
    }
}
