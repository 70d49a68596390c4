//! A sound card without a controller: it does what the trait promises, and what tests tell it.

use std::cell::RefCell;
use std::rc::Rc;

use audioback::card::{
    Card, CardError, Direction, LinkPosition, MAX_RATES, Port, PortIndex, StillRunning, StreamParams,
    StreamPosition,
};
use audioback::hypervisor::MappedBuffer;
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
    /// What is at the link when a stream has been started.
    pub link_at_start: Option<LinkPosition>,
    /// Times that a position was asked for.
    pub looks: u64,
    /// What was done, in order.
    pub calls: Vec<String>,
    /// Nothing is noted, and so nothing allocated.
    pub keeps_no_notes: bool,
    /// What was last said of whether anybody wants to know what is at the link.
    pub link_wanted: Option<bool>,
    /// Page addresses of the last buffer opened.
    pub pages: Vec<u64>,
}

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
            channels_min: 2,
            channels_max: 2,
            buffer_bytes_min: 256,
            buffer_bytes_max: 1 << 20,
        };
        let capture = Port { direction: Direction::Capture, ..playback };
        Self { controls: Rc::default(), ports: [playback, capture], taken: [false; 2] }
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

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn supports(&self, _: PortIndex, _: &StreamParams) -> bool {
        true
    }

    fn is_free(&self, port: PortIndex) -> bool {
        !self.taken[usize::from(port.0)]
    }

    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<FakeStream<B>, (CardError, B)> {
        let index = usize::from(port.0);
        if let Some(error) = self.controls.borrow_mut().open_fails.take() {
            return Err((error, buffer));
        }
        if self.taken[index] {
            return Err((CardError::Busy, buffer));
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

    fn set_link_wanted(&mut self, _: &mut FakeStream<B>, is_wanted: bool) {
        self.controls.borrow_mut().link_wanted = Some(is_wanted);
    }

    fn start(&mut self, stream: &mut FakeStream<B>) -> Result<(), CardError> {
        self.note("start");
        let mut controls = self.controls.borrow_mut();
        controls.position = StreamPosition::default();
        if controls.start_fails_on == Some(stream.port) {
            return Err(CardError::Hardware);
        }
        controls.position.link = controls.link_at_start;
        drop(controls);
        stream.running = true;
        Ok(())
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
