//! Two guests on one output, from their front ends to the converter, by the protocol.

use audioback::card::{Card, PortIndex};
use audioback::card::{PortMode, PortSetup};
use audioback::device::Device;
use audioback::rights::Policy;
use audioback::stream::StreamConfig;
use audiofront::{StreamConfig as OpenConfig, StreamFront};
use hyper::{DomainId, Hypervisor, Nanos};
use hypervisor_model::guest::{Done, GuestStream, Observer, Order, Task};
use hypervisor_model::hda_pages::Pages;
use hypervisor_model::{BackEnd, Limits as WorldLimits, MappedPages, MemoryHypervisor};
use mixer::Mixer;
use snd_hda_model::{Bench, Codec, Profile};
use sndif::Direction;
use sndif::format::SampleFormat;

use crate::exact::encode;
use crate::link::{Hardware, ModelClock, hardware};
use crate::support::memory::Buffer;
use crate::support::noise;
use crate::support::rig::LIMITS;

const DRIVER: DomainId = DomainId(7);

type WholeMixer = Mixer<Hardware, MappedPages, Buffer>;
type Back<'a> = BackEnd<'a, Pages>;

#[derive(Default)]
struct Log {
    done: Vec<(usize, Done)>,
}

impl Observer for Log {
    fn started(&mut self, _: usize, _: Nanos) {}
    fn position(&mut self, stream: usize, _: Nanos, frames: u64, expected: u64) {
        // 10 ms of events, and what a turn is late.
        assert!(
            frames.abs_diff(expected) < 1_000,
            "stream {stream}: {frames} frames, {expected} by the clock"
        );
    }
    fn recorded(&mut self, _: usize, _: &[u8]) {}
    fn done(&mut self, stream: usize, done: Done) {
        self.done.push((stream, done));
    }
}

/// A second of noise on one side.
fn noise_on(side: u64, format: SampleFormat, bits: u32) -> (Vec<i32>, &'static [u8]) {
    let samples: Vec<i32> = (0..48_000)
        .map(|frame| (noise(side, frame) | 1 << 31 >> 1) as i32 >> (32 - bits) << (32 - bits))
        .collect();
    let bytes: Vec<u8> = samples
        .iter()
        .flat_map(|sample| {
            let mut frame = [0, 0];
            frame[side as usize] = *sample;
            frame.into_iter().flat_map(|sample| encode(format, sample)).collect::<Vec<_>>()
        })
        .collect();
    (samples, bytes.leak())
}

#[test]
fn two_guests_play_on_one_output_and_neither_loses_a_frame() {
    for mode in [PortMode::Shared, PortMode::Auto] {
        let model = Bench::new(Profile::hardware()).codec(0, Codec::any_format(2)).build();
        let world = MemoryHypervisor::new(Pages(model.memory()), WorldLimits::for_streams(2));
        let (card, rings) = hardware(&model);
        let setups = [PortSetup { mode, ..PortSetup::default() }; 2];
        let mut mixer: WholeMixer = Mixer::new(card, rings, &setups, LIMITS);
        let mut back = world.back_end(DRIVER);
        let abilities = Card::<<Back<'_> as Hypervisor>::Buffer>::ports(&mixer)[0];
        let configs = [StreamConfig { port: PortIndex(0), abilities }];
        let formats = [(SampleFormat::S32Le, 32), (SampleFormat::S16Be, 16)];
        let played = [0, 1].map(|side| noise_on(side as u64, formats[side].0, formats[side].1));

        let mut devices = Vec::new();
        let mut guests = Vec::new();
        for (index, ((_, bytes), (format, bits))) in played.iter().zip(formats).enumerate() {
            let domain = DomainId(3 + index as u16);
            let ports = Card::<MappedPages>::ports(&mixer);
            let mut device: Device<Back<'_>, WholeMixer> =
                Device::new(domain, Policy::default(), ports, &configs).expect("a device");
            let front = StreamFront::connect(world.front_end(domain, DRIVER, 0), Direction::Playback)
                .expect("a front");
            device.connect(&mut back, &[*front.nodes()], None, Nanos(0)).expect("connected");
            devices.push(device);
            let frame_bytes = bits / 4;
            let config = OpenConfig {
                rate_hz: 48_000,
                format,
                channels: 2,
                buffer_bytes: 4_800 * frame_bytes,
                period_bytes: 480 * frame_bytes,
            };
            let order = Order { config, task: Task::Play(bytes) };
            guests.push(GuestStream::new(index, front, order).expect("a guest"));
        }

        let mut log = Log::default();
        while !guests.iter().all(GuestStream::is_done) {
            let clock = ModelClock(model.delay());
            let now = Nanos(model.now_ns());
            assert!(now.0 < 4_000_000_000, "they never end");
            let mut next = now.0 + 1_000_000;
            for (guest, device) in guests.iter_mut().zip(&mut devices) {
                guest.poll(now, &mut log).expect("no error");
                let due = device.poll(&mut back, &mut mixer, &clock);
                next = next.min(due.map_or(next, |due| due.0));
            }
            mixer.poll(now, true);
            let due = Card::<_>::next_due(&mixer);
            next = next.min(due.map_or(next, |due| due.0));
            model.advance_ns(next.saturating_sub(model.now_ns()).max(20_000));
            model.refill_access_budget(100_000);
        }
        assert_eq!(log.done.len(), 2);
        assert!(
            log.done.iter().all(|(_, done)| done.xrun_frames == 0 && done.frames == 48_000),
            "{:?}",
            log.done
        );

        let heard = model.played(0, 2);
        for (side, (samples, _)) in played.iter().enumerate() {
            let words: Vec<i32> = heard.samples().iter().skip(side).step_by(2).copied().collect();
            let first = words.iter().position(|word| *word != 0).expect("it is heard");
            assert_eq!(words[first..first + 100], samples[..100], "{mode:?}, side {side}");
            let lasting =
                words[first..].iter().zip(samples).take_while(|(word, sample)| word == sample).count();
            assert_eq!(lasting, samples.len(), "{mode:?}, side {side}");
        }
        assert_eq!(world.violation_count(), 0, "{:?}", world.violations());
        assert_eq!(
            mixer.bus_stats(PortIndex(0)).map(|stats| (stats.late_turns, stats.clipped_frames)),
            Some((0, 0))
        );
        for device in &mut devices {
            device.close(&mut back, &mut mixer);
        }
        assert_eq!(world.mapped_pages(), 0);
        drop(devices);
        mixer.poll(Nanos(model.now_ns()), true);
        mixer.poll(Nanos(model.now_ns() + 2_000_000_000), true);
    }
}
