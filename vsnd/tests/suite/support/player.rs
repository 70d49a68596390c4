//! An application at work in a guest.

use hyper::Nanos;
use hypervisor_model::FrontEnd;
use hypervisor_model::guest::{Done, GuestStream, Observer, StreamError};
use hypervisor_model::hda_pages::Pages;

/// An application at work in a guest.
pub struct Player {
    pub stream: Option<GuestStream<FrontEnd<'static, Pages>>>,
    pub error: Option<StreamError>,
    pub heard: Heard,
}

/// The events that an application has seen.
#[derive(Default)]
pub struct Heard {
    pub recorded: Vec<u8>,
    pub done: Option<Done>,
    pub frames: u64,
}

impl Observer for Heard {
    fn started(&mut self, _: usize, _: Nanos) {}

    fn position(&mut self, _: usize, _: Nanos, frames: u64, _: u64) {
        assert!(frames >= self.frames, "a position that goes back: {} to {frames}", self.frames);
        self.frames = frames;
    }

    fn recorded(&mut self, _: usize, samples: &[u8]) {
        self.recorded.extend(samples);
    }

    fn done(&mut self, _: usize, done: Done) {
        self.done = Some(done);
    }
}

impl Player {
    pub fn is_over(&self) -> bool {
        self.error.is_some() || self.stream.as_ref().is_none_or(GuestStream::is_done)
    }
}
