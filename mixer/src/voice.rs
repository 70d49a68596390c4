//! One stream of a guest on a bus.

mod succession;

use audioback::card::{Direction, PortIndex, PortSet, StreamParams, StreamPosition};
use hyper::{Nanos, SampleMemory};
use pcm::{Sample, Wide, mix};

use crate::budget::Cost;
use crate::conversion::Conversion;
use crate::converters::Converters;
use crate::cycle::Cycle;
use crate::gain::VoiceGain;
use crate::layout::Layout;
use crate::position::{Begun, Timeline};
use crate::quantum;
use crate::scratch::{BLOCK_FRAMES, Work, head};

/// The bus of a voice that has lost its own.
pub(crate) const NO_BUS: usize = usize::MAX;

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It can start.
    Ready,
    /// It runs.
    Running,
    /// It can go on.
    Paused,
    /// Its bus has failed under it. Pause and resume, or stop and start, bring it back.
    Broken,
}

/// Which way the frames go, and where from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the guest to the bus.
    Play,
    /// From the bus to the guest: what the hardware records, or what an output plays.
    Record,
}

impl Way {
    pub(crate) const fn of(direction: Direction) -> Self {
        match direction {
            Direction::Playback => Self::Play,
            Direction::Capture => Self::Record,
        }
    }
}

/// A voice. Its buffer is reached by bulk copies only, and each frame once.
#[derive(Debug)]
pub(crate) struct Voice<B> {
    pub(crate) bus: usize,
    /// The port that it was opened on: its bus's, or a monitor.
    pub(crate) port: PortIndex,
    /// The ports that its owner may use.
    pub(crate) reach: PortSet,
    pub(crate) way: Way,
    pub(crate) state: State,
    pub(crate) gain: VoiceGain,
    /// The span between its events, if told.
    pub(crate) period: Option<Nanos>,
    period_frames: u32,
    pub(crate) cost: Cost,
    pub(crate) params: StreamParams,
    pub(crate) timeline: Timeline,
    /// The first bus frame of the last turn's, if it had announced any.
    pub(crate) mixed_from: u64,
    layout: Layout,
    bus_layout: Layout,
    buffer: B,
    cycle: Cycle,
    conversion: Conversion,
    is_link_wanted: bool,
    /// Frames taken from the buffer, or put into it, since the timeline's origin.
    moved: u64,
    /// Bytes since START that the guest says it wrote. `None`: it says nothing.
    written_bytes: Option<u64>,
    /// Breaks of the run that were heard: the bus was late.
    fifo_errors: u32,
    generation: u32,
    /// The bus's generation at the last look.
    bus_generation: Option<u32>,
    /// The bus frame of frame 0.
    first_frame: u64,
    begun: Begun,
    /// The bus has stopped since the pause, so its count says nothing of this voice any more.
    is_settled: bool,
    last: StreamPosition,
}

impl<B: SampleMemory> Voice<B> {
    /// A voice that can start. The buffer is given back if it isn't whole frames, or if there is no
    /// converter.
    pub(crate) fn new(
        bus: usize,
        way: Way,
        params: StreamParams,
        (layout, bus_layout): (Layout, Layout),
        buffer: B,
        converters: &mut Converters,
    ) -> Result<Self, B> {
        let (from, to) = if way == Way::Play { (&layout, &bus_layout) } else { (&bus_layout, &layout) };
        let Some(cycle) = Cycle::new(buffer.size_bytes(), layout.frame_bytes()) else { return Err(buffer) };
        let Some(conversion) = Conversion::new(from, to, converters) else { return Err(buffer) };
        Ok(Self {
            bus,
            port: PortIndex(u8::MAX),
            reach: PortSet::NONE,
            way,
            state: State::Ready,
            gain: VoiceGain::new(layout.channels),
            period: None,
            period_frames: 0,
            cost: Cost::of(&layout, &bus_layout),
            params,
            timeline: Timeline::new(&layout, &bus_layout),
            mixed_from: 0,
            layout,
            bus_layout,
            buffer,
            cycle,
            conversion,
            is_link_wanted: true,
            moved: 0,
            written_bytes: None,
            fifo_errors: 0,
            generation: 0,
            bus_generation: None,
            first_frame: 0,
            begun: Begun::default(),
            is_settled: false,
            last: StreamPosition::default(),
        })
    }

    pub(crate) fn buffer(&self) -> &B {
        &self.buffer
    }

    /// Ends the voice. Its buffer and its converter go back to their owners.
    pub(crate) fn retire(self, converters: &mut Converters) -> B {
        self.conversion.retire(converters);
        self.buffer
    }

    pub(crate) fn set_period(&mut self, period_frames: u32) {
        self.period_frames = period_frames;
        self.period = quantum::period(period_frames, self.layout.rate_hz);
    }

    pub(crate) fn period_frames(&self) -> u32 {
        self.period_frames
    }

    pub(crate) fn is_link_wanted(&self) -> bool {
        self.is_link_wanted
    }

    pub(crate) fn written_bytes(&self) -> Option<u64> {
        self.written_bytes
    }

    pub(crate) fn set_link_wanted(&mut self, is_wanted: bool) {
        self.is_link_wanted = is_wanted;
    }

    /// The rate of a change of the gain, 0 if nobody hears it.
    pub(crate) fn ramp_hz(&self) -> u32 {
        match (self.state, self.way) {
            (State::Running, Way::Play) => self.bus_layout.rate_hz,
            (State::Running, Way::Record) => self.layout.rate_hz,
            _ => 0,
        }
    }

    pub(crate) fn is_running_on(&self, bus: usize) -> bool {
        self.bus == bus && self.state == State::Running
    }

    pub(crate) fn plays_on(&self, bus: usize) -> bool {
        self.is_running_on(bus) && self.way == Way::Play
    }

    pub(crate) fn records_from(&self, bus: usize) -> bool {
        self.is_running_on(bus) && self.way == Way::Record
    }

    /// Notes what the guest says it wrote. The number may be absurd: it only limits what is read. Returns how many of the new
    /// bytes come too late, as silence was mixed in their place.
    pub(crate) fn note_written(&mut self, bytes: u64) -> u64 {
        let Some(told) = self.written_bytes.replace(self.written_bytes.unwrap_or_default().max(bytes)) else {
            // What was taken until now was taken written or not.
            return 0;
        };
        if self.way == Way::Record || self.state == State::Ready {
            return 0;
        }
        let taken_bytes = self.moved_frames().saturating_mul(self.cycle.frame_bytes().into());
        let late_bytes = bytes.min(taken_bytes).saturating_sub(told);
        if late_bytes > 0 {
            self.fifo_errors = self.fifo_errors.saturating_add(1);
        }
        late_bytes
    }

    /// The bus frame up to which the guest has announced its frames. `None`: it announces nothing.
    pub(crate) fn announced(&self) -> Option<u64> {
        let written = self.cycle.frames_in(self.written_bytes?).saturating_sub(self.timeline.base_frames());
        let left = self.conversion.outputs_of(written).saturating_sub(self.timeline.done());
        Some(self.timeline.next().saturating_add(left))
    }

    /// Begins a run: its first frame is bus frame `start`.
    pub(crate) fn begin(&mut self, start: u64) {
        self.restart_at(start, 0);
        self.state = State::Running;
        self.is_settled = false;
        self.first_frame = start;
        self.fifo_errors = 0;
        self.begun = Begun::default();
        self.bus_generation = None;
        self.last = StreamPosition::default();
    }

    /// The bus frame up to which its frames are mixed or recorded in this run of the bus, so that it can't begin earlier.
    pub(crate) fn end(&self) -> u64 {
        if self.is_settled { 0 } else { self.timeline.next() }
    }

    /// Goes on after a pause, with bus frame `start`.
    pub(crate) fn resume(&mut self, start: u64) {
        self.timeline.resume(start);
        self.state = State::Running;
        if core::mem::take(&mut self.is_settled) {
            // Another run of the bus can't improve it.
            self.begun.keep();
        }
        self.bus_generation = None;
    }

    /// Ends the run. Frames that are mixed are still heard.
    pub(crate) fn stop(&mut self) {
        self.state = State::Ready;
        self.written_bytes = None;
        self.last = StreamPosition::default();
    }

    /// Its run has failed under it.
    pub(crate) fn break_off(&mut self) {
        self.state = State::Broken;
    }

    /// Its bus has stopped. A run breaks off, and a paused one keeps its position.
    pub(crate) fn note_halt(&mut self) {
        self.is_settled = true;
        if self.state == State::Running {
            self.break_off();
        }
    }

    /// Counts anew from bus frame `start` on.
    fn restart_at(&mut self, start: u64, base_frames: u64) {
        self.timeline.begin(start, base_frames);
        self.conversion.reset();
        self.moved = 0;
        self.generation = self.generation.wrapping_add(1);
    }

    /// Leaves out the bus frames before `frame`: they are past. The count goes on with time. Returns whether it had frames for
    /// them.
    pub(crate) fn skip_to(&mut self, frame: u64) -> bool {
        let missed = frame.saturating_sub(self.timeline.next());
        if missed == 0 {
            return false;
        }
        // Where it has announced nothing it is dry, and not late.
        let is_late = self.announced().is_none_or(|end| end > self.timeline.next());
        if is_late || self.way == Way::Record {
            self.fifo_errors = self.fifo_errors.saturating_add(1);
        }
        self.timeline.advance(missed);
        if self.conversion.keeps_rate() {
            self.moved = self.moved.saturating_add(missed);
        } else {
            // The converter's phase is gone. It begins again with a whole frame.
            self.restart_at(frame, self.timeline.frames_done());
        }
        is_late
    }

    /// Notes what the hardware had fetched when the frames of this turn were mixed. Returns whether some came too late.
    pub(crate) fn note_fetched(&mut self, fetched: u64) -> bool {
        let is_late = self.mixed_from < fetched.min(self.timeline.next());
        if is_late {
            self.fifo_errors = self.fifo_errors.saturating_add(1);
        }
        is_late
    }

    /// Adds its next frames to a block of its bus.
    pub(crate) fn mix_into(&mut self, sum: &mut [Wide], work: &mut Work) {
        let frames = self.bus_layout.channels.frames(sum.len());
        if self.conversion.is_identity() && self.gain.is_unity() {
            let bytes = self.take(frames, &mut work.bytes);
            mix::add_encoded(self.layout.format, pcm::Gain::UNITY, bytes, sum);
        } else {
            let ended = self.timeline.done().saturating_add(frames as u64);
            // For a block it is less than 8 blocks of input.
            let mut wanted = self.conversion.inputs_for(ended).saturating_sub(self.moved);
            let converted = head(&mut work.converted, self.layout.samples(frames));
            converted.fill(0);
            let mut made = 0usize;
            loop {
                let chunk = wanted.min(BLOCK_FRAMES as u64) as usize;
                let samples = head(&mut work.samples, self.layout.samples(chunk));
                self.fetch(chunk, &mut work.bytes, samples);
                let room = converted.get_mut(self.layout.samples(made)..).unwrap_or_default();
                let progress = self.conversion.convert(samples, self.layout.channels.count(), room);
                made = made.saturating_add(progress.output_frames);
                wanted = wanted.saturating_sub(chunk as u64);
                if wanted == 0 {
                    break;
                }
            }
            self.gain.apply(converted);
            mix::add(self.conversion.map(converted, &mut work.mapped), sum);
        }
        self.timeline.advance(frames as u64);
    }

    /// Reads the guest's next frames. It returns fewer than `frames` where the guest has written no more.
    fn take<'a>(&mut self, frames: usize, bytes: &'a mut [u8]) -> &'a [u8] {
        let from = self.timeline.base_frames().saturating_add(self.moved);
        let written = self.written_bytes.map_or(u64::MAX, |bytes| self.cycle.frames_in(bytes));
        let there = written.saturating_sub(from).min(frames as u64) as usize;
        self.moved = self.moved.saturating_add(frames as u64);
        let bytes = head(bytes, self.layout.bytes(there));
        // A block can be longer than a short buffer.
        let lap = self.layout.bytes(usize::try_from(self.cycle.frames()).unwrap_or(usize::MAX));
        let mut frame = from;
        for part in bytes.chunks_mut(lap.max(1)) {
            self.cycle.read(&self.buffer, frame, part);
            frame = frame.saturating_add(self.cycle.frames());
        }
        bytes
    }

    /// Decodes the guest's next frames. Unwritten frames are silence.
    fn fetch(&mut self, frames: usize, bytes: &mut [u8], samples: &mut [Sample]) {
        let bytes = self.take(frames, bytes);
        let decoded = self.layout.format.decode(bytes, samples);
        samples.get_mut(decoded.samples..).unwrap_or_default().fill(0);
    }

    /// Puts the frames of its bus from the next one to `to` into its buffer.
    pub(crate) fn record(&mut self, ring: &impl SampleMemory, ring_cycle: &Cycle, to: u64, work: &mut Work) {
        // The hardware overwrites the oldest quarter of the ring meanwhile.
        let kept = ring_cycle.frames().saturating_sub(ring_cycle.frames() / 4);
        self.skip_to(to.saturating_sub(kept));
        while self.timeline.next() < to {
            let frames = to.saturating_sub(self.timeline.next()).min(BLOCK_FRAMES as u64) as usize;
            let bytes = head(&mut work.bytes, self.bus_layout.bytes(frames));
            ring_cycle.read(ring, self.timeline.next(), bytes);
            if self.conversion.is_identity()
                && self.gain.is_unity()
                && self.layout.format == self.bus_layout.format
            {
                self.put(frames, bytes);
            } else {
                let samples = head(&mut work.samples, self.bus_layout.samples(frames));
                self.bus_layout.format.decode(bytes, samples);
                self.convert_and_put(frames, work);
            }
            self.timeline.advance(frames as u64);
        }
    }

    /// Puts the decoded frames of a block of its bus into its buffer.
    fn convert_and_put(&mut self, frames: usize, work: &mut Work) {
        let Work { bytes, samples, converted, mapped } = work;
        let mut rest = samples.get(..self.bus_layout.samples(frames)).unwrap_or_default();
        let room = head(converted, self.bus_layout.samples(BLOCK_FRAMES));
        // A block makes 35 blocks at most.
        loop {
            let progress = self.conversion.convert(rest, self.bus_layout.channels.count(), room);
            let made = head(room, self.bus_layout.samples(progress.output_frames));
            let mapped_samples = self.layout.samples(progress.output_frames);
            if self.conversion.map(made, mapped).len() == mapped_samples {
                // The gain is that of the voice's channels.
                let frames = if self.bus_layout.channels == self.layout.channels {
                    made
                } else {
                    head(mapped, mapped_samples)
                };
                self.gain.apply(frames);
                let encoded = self.layout.format.encode(self.layout.channels, frames, bytes);
                let length = encoded.samples.saturating_mul(self.layout.format.bytes_per_sample());
                self.put(progress.output_frames, bytes.get(..length).unwrap_or_default());
            }
            rest = rest.get(self.bus_layout.samples(progress.input_frames)..).unwrap_or_default();
            // It takes all input before it makes nothing.
            if progress.output_frames == 0 {
                break;
            }
        }
    }

    /// Writes the guest's next frames.
    fn put(&mut self, frames: usize, bytes: &[u8]) {
        let lap = self.layout.bytes(usize::try_from(self.cycle.frames()).unwrap_or(usize::MAX));
        let mut frame = self.timeline.base_frames().saturating_add(self.moved);
        for part in bytes.chunks(lap.max(1)) {
            self.cycle.write(&self.buffer, frame, part);
            frame = frame.saturating_add(self.cycle.frames());
        }
        self.moved = self.moved.saturating_add(frames as u64);
    }

    /// Frames since START that are taken from the buffer, or in it.
    fn moved_frames(&self) -> u64 {
        self.timeline.base_frames().saturating_add(self.moved)
    }

    /// The position without a look at the bus.
    pub(crate) fn last_position(&self) -> StreamPosition {
        match self.state {
            State::Ready => StreamPosition::default(),
            State::Running | State::Paused => self.last,
            // To the back end it is a run that the hardware has ended.
            State::Broken => StreamPosition { descriptor_errors: 1, ..self.last },
        }
    }

    /// The position, by that of its bus, whose frames have so many bytes.
    pub(crate) fn look(&mut self, bus: &StreamPosition) -> StreamPosition {
        if self.is_settled {
            return self.last_position();
        }
        let passed = bus.bytes.checked_div(self.bus_layout.frame_bytes().into()).unwrap_or_default();
        let frames = match self.way {
            // A gap in the mixing is no gap in time, so this may be ahead of what was taken.
            Way::Play if self.state == State::Running => self.timeline.frames_at(passed).unwrap_or_default(),
            Way::Play => self.timeline.frames_at(passed).unwrap_or_default().min(self.timeline.frames_done()),
            Way::Record => self.moved_frames(),
        };
        let bytes = frames.saturating_mul(self.cycle.frame_bytes().into());
        self.last = StreamPosition {
            bytes: self.last.bytes.max(bytes),
            fifo_errors: self.fifo_errors,
            descriptor_errors: 0,
            link: bus.link.filter(|_| self.is_link_wanted).map(|link| {
                if self.bus_generation.replace(link.generation).is_some_and(|old| old != link.generation) {
                    self.generation = self.generation.wrapping_add(1);
                }
                let mut told = self.timeline.link(&link, self.state == State::Running);
                self.begun.tell(&link, self.bus_layout.rate_hz, self.first_frame, &mut told);
                told.generation = self.generation;
                let moved = self.moved_frames();
                let apart = match self.way {
                    Way::Play => moved.saturating_sub(told.link_frames),
                    Way::Record => told.link_frames.saturating_sub(moved),
                };
                told.dma_lead_frames = u32::try_from(apart).unwrap_or(u32::MAX);
                told
            }),
        };
        self.last
    }
}
