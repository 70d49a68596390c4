//! Nothing is allocated once the mixer is made.

use audioback::card::{Card, CardError, CardPoll, CardSettings, LinkedStart, OpenFailure, Port, PortIndex};
use audioback::card::{PortLabel, StillRunning, StreamParams, StreamPosition};
use hyper::Nanos;
use mixer::{Backing, Mixer, Mode, PortSetup};
use sndif::format::SampleFormat;

use crate::support::memory::Buffer;
use crate::support::rig::{LIMITS, OUT, params, port};

/// A card that allocates nothing: time passes by its count of looks.
struct Silent([Port; 1]);

struct SilentStream {
    buffer: Backing<Buffer, Buffer>,
    frames: u64,
}

impl Card<Backing<Buffer, Buffer>> for Silent {
    type Stream = SilentStream;
    fn configure(&mut self, _: &CardSettings) {}
    fn poll(&mut self, _: Nanos, _: bool) -> CardPoll {
        CardPoll::default()
    }
    fn restore(&mut self) -> Result<(), CardError> {
        Ok(())
    }
    fn ports(&self) -> &[Port] {
        &self.0
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
        Ok(SilentStream { buffer, frames: 0 })
    }
    fn set_link_wanted(&mut self, _: &mut SilentStream, _: bool) {}
    fn set_period(&mut self, _: &mut SilentStream, _: u32) {}
    fn note_written(&mut self, _: &mut SilentStream, _: u64) {}
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
    fn position(&mut self, stream: &mut SilentStream) -> Result<StreamPosition, CardError> {
        stream.frames += 100;
        Ok(StreamPosition { bytes: stream.frames * 8, ..StreamPosition::default() })
    }
    fn close(&mut self, stream: SilentStream) -> Result<Backing<Buffer, Buffer>, StillRunning<SilentStream>> {
        Ok(stream.buffer)
    }
}

#[test]
fn opening_running_and_closing_voices_allocates_nothing() {
    let card = Silent([port(audioback::card::Direction::Playback)]);
    let setup = PortSetup { mode: Mode::Shared, rate_hz: None };
    let mut mixer = Mixer::new(card, [Buffer::new(1 << 18)], &[setup], LIMITS);
    let buffers = [(); 3].map(|()| Buffer::new(9_600));
    let info = allocation_counter::measure(|| {
        let all = [
            (OUT, params(48_000, SampleFormat::S32Le, 2)),
            (OUT, params(44_100, SampleFormat::S16Le, 6)),
            (PortIndex(1), params(96_000, SampleFormat::F32Le, 1)),
        ];
        let mut buffers = buffers.into_iter();
        let mut streams = all.map(|(port, params)| {
            mixer
                .open(port, &params, buffers.next().expect("three"))
                .map_err(|failure| failure.error())
                .expect("open")
        });
        streams.iter_mut().for_each(|stream| mixer.start(stream).expect("started"));
        for turn in 0..200 {
            mixer.poll(Nanos(turn * 5_000_000), false);
            for stream in &mut streams {
                mixer.set_volume(stream, 0, -(turn as i32) * 100).expect("a volume");
                mixer.position(stream).expect("a position");
            }
        }
        for stream in streams {
            // The buffers are freed outside.
            std::mem::forget(mixer.close(stream));
        }
        mixer.poll(Nanos(1 << 40), false);
        mixer.poll(Nanos(1 << 41), false);
    });
    assert_eq!(info.count_total, 0);
}
