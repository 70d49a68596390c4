//! A card that does nothing, and allocates nothing.

use audioback::card::{
    Card, CardError, CardSettings, LinkedStart, OpenFailure, Port, PortIndex, PortLabel, PortSet,
    StillRunning, StreamParams, StreamPosition,
};
use hyper::Nanos;
use mixer::Backing;
use sndif::format::SampleFormat;

use super::memory::Buffer;

/// A card that allocates nothing. Its streams play 48 frames a millisecond of the time that polls tell.
pub struct SilentCard {
    ports: [Port; 1],
    now: Nanos,
}

impl SilentCard {
    pub fn new(port: Port) -> Self {
        Self { ports: [port], now: Nanos(0) }
    }
}

pub struct SilentStream {
    buffer: Backing<Buffer, Buffer>,
}

impl Card<Backing<Buffer, Buffer>> for SilentCard {
    type Stream = SilentStream;
    fn configure(&mut self, _: &CardSettings) {}
    fn poll(&mut self, now: Nanos, _: bool) -> bool {
        self.now = now;
        false
    }

    fn next_due(&self) -> Option<Nanos> {
        None
    }
    fn restore(&mut self) -> Result<(), CardError> {
        Ok(())
    }
    fn ports(&self) -> &[Port] {
        &self.ports
    }
    fn port_name(&self, _: PortIndex) -> Option<PortLabel> {
        None
    }
    fn is_plugged(&self, _: PortIndex) -> Option<bool> {
        None
    }
    fn supports(&self, _: PortIndex, params: &StreamParams) -> bool {
        params.rate_hz == 48_000 && params.format == SampleFormat::S32Le
    }
    fn is_free(&self, _: PortIndex) -> bool {
        true
    }
    fn open(
        &mut self,
        _: PortIndex,
        _: &StreamParams,
        buffer: Backing<Buffer, Buffer>,
    ) -> Result<SilentStream, OpenFailure<Backing<Buffer, Buffer>, SilentStream>> {
        Ok(SilentStream { buffer })
    }
    fn open_beside(
        &mut self,
        _: &Self::Stream,
        buffer: Backing<Buffer, Buffer>,
    ) -> Result<Self::Stream, OpenFailure<Backing<Buffer, Buffer>, Self::Stream>> {
        Err(OpenFailure::Refused { error: CardError::Unsupported, buffer })
    }

    fn start_beside(&mut self, _: &mut Self::Stream, _: &mut Self::Stream) -> Result<(), CardError> {
        Err(CardError::WrongState)
    }

    fn take_port(&mut self, _: &mut Self::Stream, _: &mut Self::Stream) -> Result<(), CardError> {
        Err(CardError::WrongState)
    }

    fn set_reach(&mut self, _: &mut SilentStream, _: PortSet) {}
    fn set_link_wanted(&mut self, _: &mut SilentStream, _: bool) {}
    fn set_period(&mut self, _: &mut SilentStream, _: u32) {}
    fn note_written(&mut self, _: &mut SilentStream, _: u64) -> u64 {
        0
    }
    fn buffer<'a>(&'a self, stream: &'a SilentStream) -> Option<&'a Backing<Buffer, Buffer>> {
        Some(&stream.buffer)
    }
    fn set_volume(&mut self, _: &mut SilentStream, _: u8, _: i32) -> Result<(), CardError> {
        Ok(())
    }
    fn volume(&self, _: &SilentStream, _: u8) -> Result<i32, CardError> {
        Ok(0)
    }
    fn set_mute(&mut self, _: &mut SilentStream, _: u8, _: bool) -> Result<(), CardError> {
        Ok(())
    }
    fn start(&mut self, _: &mut SilentStream) -> Result<(), CardError> {
        Ok(())
    }
    fn start_together(&mut self, _: &mut [&mut SilentStream]) -> Result<LinkedStart, CardError> {
        Ok(LinkedStart::SameFrame)
    }
    fn pause(&mut self, _: &mut SilentStream) -> Result<(), CardError> {
        Ok(())
    }
    fn resume(&mut self, _: &mut SilentStream) -> Result<(), CardError> {
        Ok(())
    }
    fn stop(&mut self, _: &mut SilentStream) -> Result<StreamPosition, CardError> {
        Ok(StreamPosition::default())
    }
    fn position(&mut self, _: &mut SilentStream) -> Result<StreamPosition, CardError> {
        Ok(StreamPosition { bytes: self.now.0 * 48 / 1_000_000 * 8, ..StreamPosition::default() })
    }
    fn close(&mut self, stream: SilentStream) -> Result<Backing<Buffer, Buffer>, StillRunning<SilentStream>> {
        Ok(stream.buffer)
    }
}
