//! Nothing is allocated once the mixer is made.

use audioback::card::{Card, Direction, PortIndex};
use audioback::card::{PortMode, PortSetup, PortState};
use hyper::Nanos;
use mixer::Mixer;
use sndif::format::SampleFormat;

use crate::support::memory::Buffer;
use crate::support::rig::{LIMITS, OUT, params, port};
use crate::support::silent_card::SilentCard;

#[test]
fn opening_running_and_closing_voices_allocates_nothing() {
    let card = SilentCard::new(port(Direction::Playback));
    let setup = PortSetup { mode: PortMode::Shared, ..PortSetup::default() };
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
        assert!(mixer.measure_peaks(OUT));
        for turn in 0..200 {
            assert!(matches!(mixer.port_state(OUT), Some(PortState::Shared(_))));
            mixer.poll(Nanos(turn * 5_000_000), false);
            for stream in &mut streams {
                mixer.set_volume(stream, 0, -(turn as i32) * 100).expect("a volume");
                mixer.position(stream).expect("a position");
            }
        }
        assert!(mixer.take_peaks(OUT).is_some_and(|peaks| peaks.frames > 0));
        for stream in streams {
            // The buffers are freed outside.
            std::mem::forget(mixer.close(stream));
        }
        mixer.poll(Nanos(1 << 40), false);
        mixer.poll(Nanos(1 << 41), false);
    });
    assert_eq!(info.count_total, 0);
}
