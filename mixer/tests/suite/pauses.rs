//! Pauses of voices, on the model of the hardware.

use audioback::card::{Card, CardSettings, PortMode};
use hyper::{MappedBuffer, SampleMemory};
use sndif::format::SampleFormat;

use crate::link::{IN, OUT, Rig};
use crate::support::memory::Buffer;
use crate::support::rig::{MILLISECOND, params};
use mixer::MixerStream;

const FRAME_BYTES: u64 = 8;

/// A guest with a short buffer, which writes what it is told room for: its frames count from 1 on.
struct Writer {
    stream: MixerStream,
    buffer: Buffer,
    written: u64,
}

impl Writer {
    fn refill(&mut self, rig: &mut Rig) {
        let size = u64::from(self.buffer.size_bytes());
        let at_bytes = rig.mixer.position(&mut self.stream).expect("a position").bytes;
        while self.written + FRAME_BYTES <= at_bytes + size {
            let word = (self.written / FRAME_BYTES) as i32 + 1;
            let frame: Vec<u8> = [word, -7].into_iter().flat_map(i32::to_le_bytes).collect();
            self.buffer.write((self.written % size) as u32, &frame);
            self.written += FRAME_BYTES;
        }
        rig.mixer.note_written(&mut self.stream, self.written);
    }

    fn pass(&mut self, rig: &mut Rig, ms: u64) {
        for _ in 0..ms {
            rig.pass(MILLISECOND);
            self.refill(rig);
        }
    }
}

/// What was mixed ahead of a pause is still heard, and the guest is told so, whenever it goes on. Its buffer is no longer than
/// what is mixed ahead twice, so it would run dry otherwise.
#[test]
fn pauses_that_end_at_once_cost_a_short_buffer_no_frame() {
    for paused_ms in [0, 1, 3, 6, 20, 39, 41, 60] {
        let mut rig = Rig::new([None; 2], PortMode::Shared);
        let mut settings = CardSettings::default();
        settings.ports[usize::from(OUT.0)].mode = PortMode::Shared;
        settings.ports[usize::from(IN.0)].mode = PortMode::Direct;
        rig.mixer.configure(&settings);
        let (stream, buffer) = rig.open(OUT, &params(48_000, SampleFormat::S32Le, 2), 60 * 48);
        let mut writer = Writer { stream, buffer, written: 0 };
        writer.refill(&mut rig);
        rig.mixer.start(&mut writer.stream).expect("started");
        writer.pass(&mut rig, 100);
        for _ in 0..4 {
            rig.mixer.pause(&mut writer.stream).expect("paused");
            rig.pass(paused_ms * MILLISECOND);
            rig.mixer.resume(&mut writer.stream).expect("resumed");
            // Somebody's request, before which all is mixed ahead.
            let (other, _) = rig.open(IN, &params(48_000, SampleFormat::S16Le, 2), 4_096);
            rig.mixer.close(other).expect("closed");
            writer.pass(&mut rig, 7);
        }
        writer.pass(&mut rig, 200);
        let position = rig.mixer.position(&mut writer.stream).expect("a position");
        assert_eq!(position.fifo_errors, 0, "{paused_ms} ms");
        let played = rig.model.played(0, 2);
        let words: Vec<i32> =
            (0..played.len()).map(|index| played.frame(index)[0]).filter(|word| *word != 0).collect();
        assert!(words.len() as u64 > 300 * 48, "{paused_ms} ms: {}", words.len());
        let jump = words.windows(2).find(|pair| pair[1] != pair[0] + 1);
        assert_eq!(jump, None, "{paused_ms} ms");
    }
}
