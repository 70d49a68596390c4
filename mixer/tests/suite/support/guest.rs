//! A guest that plays: it keeps its buffer filled, and says so.

use audioback::card::{Card, PortIndex, StreamParams};
use hyper::{MappedBuffer, SampleMemory};
use mixer::MixerStream;

use super::memory::Buffer;
use super::rig::{Rig, TestMixer};

/// Encoded bytes of a frame.
pub type Frames = Box<dyn Fn(u64) -> Vec<u8>>;

pub struct Guest {
    pub stream: MixerStream,
    pub buffer: Buffer,
    pub frame_bytes: u64,
    /// Frames written since START.
    pub written: u64,
    /// Frames that it has to play. Later ones aren't written.
    pub total: u64,
    frames: Frames,
}

impl Guest {
    pub fn open(rig: &mut Rig, port: PortIndex, params: &StreamParams, frames: Frames) -> Self {
        Self::with_buffer(rig, port, params, 8_192, frames)
    }

    pub fn with_buffer(
        rig: &mut Rig,
        port: PortIndex,
        params: &StreamParams,
        buffer_frames: u32,
        frames: Frames,
    ) -> Self {
        let frame_bytes = params.format.bytes_per_sample().expect("a sample") * u32::from(params.channels);
        let buffer = Buffer::new(buffer_frames * frame_bytes);
        let stream = rig.open(port, params, &buffer);
        let mut guest =
            Self { stream, buffer, frame_bytes: frame_bytes.into(), written: 0, total: u64::MAX, frames };
        rig.mixer.set_period(&mut guest.stream, 480);
        guest.refill(&mut rig.mixer);
        guest
    }

    /// Writes as far as its buffer goes, and tells it.
    pub fn refill(&mut self, mixer: &mut TestMixer) {
        let size = u64::from(self.buffer.size_bytes());
        let at = mixer.position(&mut self.stream).expect("a position").bytes / self.frame_bytes;
        let to = (at + size / self.frame_bytes).min(self.total);
        while self.written < to {
            let offset = self.written * self.frame_bytes % size;
            let there = ((size - offset) / self.frame_bytes).min(to - self.written);
            let mut bytes = Vec::with_capacity((there * self.frame_bytes) as usize);
            (self.written..self.written + there)
                .for_each(|frame| bytes.extend_from_slice(&(self.frames)(frame)));
            self.buffer.write(offset as u32, &bytes);
            self.written += there;
        }
        mixer.note_written(&mut self.stream, self.written * self.frame_bytes);
    }
}
