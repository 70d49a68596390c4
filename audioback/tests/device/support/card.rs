//! A sound card without a controller: it does what the trait promises, and what tests tell it.

use std::cell::RefCell;
use std::rc::Rc;

use audioback::card::{
    Card, CardError, CardSettings, Direction, LinkPosition, LinkedStart, MAX_RATES, OpenFailure, Port,
    PortIndex, PortLabel, PortSet, StillRunning, StreamParams, StreamPosition, Trim, VolumeRange,
};
use hyper::{MappedBuffer, Nanos};
use sndif::format::{FormatSet, SampleFormat};

/// What the tests turn, and what they look at.
#[derive(Debug, Default)]
pub struct Controls {
    /// Position that the running stream is at.
    pub position: StreamPosition,
    /// RUN reads 1 however often it is cleared.
    pub run_sticks: bool,
    /// The next open fails with this.
    pub open_fails: Option<CardError>,
    /// A start on this port fails.
    pub start_fails_on: Option<usize>,
    /// The time from which on an OPEN finds its moment.
    pub open_due: Nanos,
    /// Another device has all ports.
    pub others_have_ports: bool,
    /// What has gone out when a stream that was started is looked at for the first time.
    pub bytes_at_start: u64,
    /// What is at the link when a stream has been started.
    pub link_at_start: Option<LinkPosition>,
    /// Times that a position was asked for.
    pub looks: u64,
    /// What was done, in order.
    pub calls: Vec<String>,
    /// Nothing is noted, and so nothing allocated.
    pub keeps_no_notes: bool,
    /// The ports that a stream was last told.
    pub reach: Option<PortSet>,
    /// What was last said of whether anybody wants to know what is at the link.
    pub link_wanted: Option<bool>,
    /// The period that was last told.
    pub period_frames: Option<u32>,
    /// The bytes that were last told as written.
    pub written_bytes: Option<u64>,
    /// The answer to that: bytes that came too late.
    pub late_bytes: u64,
    /// The administrator's gain that was last told.
    pub trim: Option<Trim>,
    /// Page addresses of the last buffer opened.
    pub pages: Vec<u64>,
    /// What the amplifiers of each port are set to, by channel.
    pub volumes: [[i32; 2]; 2],
    pub muted: [[bool; 2]; 2],
    /// The amplifiers of this channel don't answer.
    pub volume_fails_on: Option<u8>,
}

/// What the amplifiers of a fake card can do.
pub const VOLUME: VolumeRange =
    VolumeRange { min_mdb: -64_000, max_mdb: 6_000, step_mdb: 500, can_mute: true };

/// The card: one playback and one capture port, each for one stream at a time.
pub struct FakeCard {
    pub controls: Rc<RefCell<Controls>>,
    ports: [Port; 2],
    taken: [bool; 2],
}

pub struct FakeStream<B> {
    port: usize,
    running: bool,
    paused: bool,
    buffer: B,
}

impl FakeCard {
    pub fn new() -> Self {
        let mut formats = FormatSet::EMPTY;
        formats.insert(SampleFormat::S16Le);
        let mut rates_hz = [0; MAX_RATES];
        rates_hz[0] = 48_000;
        let playback = Port {
            direction: Direction::Playback,
            formats,
            rates_hz,
            is_monitor: false,
            channels_min: 2,
            channels_max: 2,
            buffer_bytes_min: 256,
            buffer_bytes_max: 1 << 20,
            volume: Some(VOLUME),
        };
        let capture = Port { direction: Direction::Capture, ..playback };
        Self { controls: Rc::default(), ports: [playback, capture], taken: [false; 2] }
    }

    /// The same card, whose amplifiers can do this.
    pub fn with_volume(volume: Option<VolumeRange>) -> Self {
        let mut card = Self::new();
        card.ports.iter_mut().for_each(|port| port.volume = volume);
        card
    }

    /// The same card, whose input is a monitor.
    pub fn with_monitor() -> Self {
        let mut card = Self::new();
        card.ports[1].is_monitor = true;
        card
    }

    fn note(&self, call: impl ToString) {
        let mut controls = self.controls.borrow_mut();
        if !controls.keeps_no_notes {
            controls.calls.push(call.to_string());
        }
    }
}

impl<B: MappedBuffer> Card<B> for FakeCard {
    type Stream = FakeStream<B>;

    fn configure(&mut self, _: &CardSettings) {}

    fn poll(&mut self, _: Nanos, _: bool) -> bool {
        false
    }

    fn next_due(&self) -> Option<Nanos> {
        None
    }

    fn restore(&mut self) -> Result<(), CardError> {
        Ok(())
    }

    fn port_name(&self, _: PortIndex) -> Option<PortLabel> {
        None
    }

    fn is_plugged(&self, _: PortIndex) -> Option<bool> {
        None
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn supports(&self, _: PortIndex, _: &StreamParams) -> bool {
        true
    }

    fn is_free(&self, port: PortIndex) -> bool {
        !self.taken[usize::from(port.0)] && !self.controls.borrow().others_have_ports
    }

    fn open_due(&mut self, _: PortIndex) -> Nanos {
        self.controls.borrow().open_due
    }

    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<FakeStream<B>, OpenFailure<B, FakeStream<B>>> {
        let index = usize::from(port.0);
        let failure = self.controls.borrow_mut().open_fails.take();
        if let Some(error) = failure {
            if self.controls.borrow().run_sticks {
                let stream = FakeStream { port: index, running: false, paused: false, buffer };
                return Err(OpenFailure::Stuck { error, stream });
            }
            return Err(OpenFailure::Refused { error, buffer });
        }
        if self.taken[index] {
            return Err(OpenFailure::Refused { error: CardError::Busy, buffer });
        }
        self.taken[index] = true;
        self.note(format_args!("open {index} {} {}", params.rate_hz, buffer.size_bytes()));
        let mut controls = self.controls.borrow_mut();
        if !controls.keeps_no_notes {
            controls.pages = buffer.page_addresses().to_vec();
        }
        drop(controls);
        Ok(FakeStream { port: index, running: false, paused: false, buffer })
    }

    fn open_beside(
        &mut self,
        _: &Self::Stream,
        buffer: B,
    ) -> Result<Self::Stream, OpenFailure<B, Self::Stream>> {
        Err(OpenFailure::Refused { error: CardError::Unsupported, buffer })
    }

    fn start_beside(&mut self, _: &mut Self::Stream, _: &mut Self::Stream) -> Result<(), CardError> {
        Err(CardError::WrongState)
    }

    fn take_port(&mut self, _: &mut Self::Stream, _: &mut Self::Stream) -> Result<(), CardError> {
        Err(CardError::WrongState)
    }

    fn set_reach(&mut self, _: &mut FakeStream<B>, ports: PortSet) {
        self.controls.borrow_mut().reach = Some(ports);
    }

    fn set_link_wanted(&mut self, _: &mut FakeStream<B>, is_wanted: bool) {
        self.controls.borrow_mut().link_wanted = Some(is_wanted);
    }

    fn set_period(&mut self, _: &mut FakeStream<B>, period_frames: u32) {
        self.controls.borrow_mut().period_frames = Some(period_frames);
    }

    fn note_written(&mut self, _: &mut FakeStream<B>, bytes: u64) -> u64 {
        self.controls.borrow_mut().written_bytes = Some(bytes);
        self.controls.borrow().late_bytes
    }

    fn buffer<'a>(&'a self, stream: &'a FakeStream<B>) -> Option<&'a B> {
        Some(&stream.buffer)
    }

    fn set_volume(&mut self, stream: &mut FakeStream<B>, channel: u8, mdb: i32) -> Result<(), CardError> {
        let mut controls = self.controls.borrow_mut();
        if controls.volume_fails_on == Some(channel) {
            return Err(CardError::Hardware);
        }
        let can = self.ports[stream.port].volume.expect("a port with amplifiers");
        assert!(can.step_mdb != 0 && (can.min_mdb..=can.max_mdb).contains(&mdb), "{mdb} of {can:?}");
        let steps = (f64::from(mdb - can.min_mdb) / f64::from(can.step_mdb)).round() as i32;
        controls.volumes[stream.port][usize::from(channel)] = can.min_mdb + steps * can.step_mdb as i32;
        Ok(())
    }

    fn volume(&self, stream: &FakeStream<B>, channel: u8) -> Result<i32, CardError> {
        Ok(self.controls.borrow().volumes[stream.port][usize::from(channel)])
    }

    fn set_mute(&mut self, stream: &mut FakeStream<B>, channel: u8, is_muted: bool) -> Result<(), CardError> {
        assert!(self.ports[stream.port].volume.is_some_and(|can| can.can_mute), "it can't be muted");
        self.controls.borrow_mut().muted[stream.port][usize::from(channel)] = is_muted;
        Ok(())
    }

    fn set_trim(&mut self, _: &mut FakeStream<B>, trim: Trim) {
        self.controls.borrow_mut().trim = Some(trim);
    }

    fn start(&mut self, stream: &mut FakeStream<B>) -> Result<(), CardError> {
        self.note("start");
        let mut controls = self.controls.borrow_mut();
        controls.position = StreamPosition::default();
        if controls.start_fails_on == Some(stream.port) {
            return Err(CardError::Hardware);
        }
        controls.position.bytes = controls.bytes_at_start;
        controls.position.link = controls.link_at_start;
        drop(controls);
        stream.running = true;
        Ok(())
    }

    fn start_together(&mut self, streams: &mut [&mut FakeStream<B>]) -> Result<LinkedStart, CardError> {
        for index in 0..streams.len() {
            if let Err(error) = self.start(streams[index]) {
                for started in &mut streams[..index] {
                    self.stop(started).expect("a stream that has just started stops");
                }
                return Err(error);
            }
        }
        Ok(LinkedStart::BackToBack)
    }

    fn pause(&mut self, stream: &mut FakeStream<B>) -> Result<(), CardError> {
        self.note("pause");
        stream.running = false;
        stream.paused = true;
        Ok(())
    }

    fn resume(&mut self, stream: &mut FakeStream<B>) -> Result<(), CardError> {
        self.note("resume");
        stream.running = true;
        stream.paused = false;
        Ok(())
    }

    fn stop(&mut self, stream: &mut FakeStream<B>) -> Result<StreamPosition, CardError> {
        self.note("stop");
        if self.controls.borrow().run_sticks {
            return Err(CardError::Hardware);
        }
        stream.running = false;
        Ok(self.controls.borrow().position)
    }

    fn position(&mut self, stream: &mut FakeStream<B>) -> Result<StreamPosition, CardError> {
        assert!(stream.running || stream.paused, "the position of a stream that doesn't run");
        self.controls.borrow_mut().looks += 1;
        Ok(self.controls.borrow().position)
    }

    fn close(&mut self, stream: FakeStream<B>) -> Result<B, StillRunning<FakeStream<B>>> {
        self.note("close");
        if self.controls.borrow().run_sticks {
            return Err(StillRunning(stream));
        }
        self.taken[stream.port] = false;
        Ok(stream.buffer)
    }
}
