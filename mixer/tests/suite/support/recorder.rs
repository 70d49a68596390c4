//! A guest that records everything.

use audioback::card::{Card, PortIndex, StreamParams};
use hyper::{MappedBuffer, SampleMemory};
use mixer::MixerStream;
use sndif::format::SampleFormat;

use super::memory::Buffer;
use super::rig::{Rig, TestMixer};

pub struct Recorder {
    pub stream: MixerStream,
    pub buffer: Buffer,
    /// The samples since START.
    pub heard: Vec<i32>,
    channels: u64,
}

impl Recorder {
    /// A stream whose samples have 32 bits.
    pub fn open(rig: &mut Rig, port: PortIndex, params: &StreamParams) -> Self {
        assert_eq!(params.format, SampleFormat::S32Le);
        let buffer = Buffer::new(4_096 * 4 * u32::from(params.channels));
        let stream = rig.open(port, params, &buffer);
        Self { stream, buffer, heard: Vec::new(), channels: params.channels.into() }
    }

    /// Takes what has arrived.
    pub fn drain(&mut self, mixer: &mut TestMixer) {
        let bytes = mixer.position(&mut self.stream).expect("a position").bytes;
        assert!(bytes.is_multiple_of(4 * self.channels));
        let size = u64::from(self.buffer.size_bytes());
        while (self.heard.len() as u64) < bytes / 4 {
            let mut word = [0; 4];
            self.buffer.read((self.heard.len() as u64 * 4 % size) as u32, &mut word);
            self.heard.push(i32::from_le_bytes(word));
        }
    }
}
