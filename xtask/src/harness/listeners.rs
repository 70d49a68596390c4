//! The two listeners that the emulator calls (its ui/dbus-display1.xml describes the interfaces).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Microphone, Traffic};
use crate::wav::FRAME_BYTES;

/// What the emulator says about a stream when it opens it.
struct StreamFormat {
    bits: u8,
    signed: bool,
    float: bool,
    rate_hz: u32,
    channels: u8,
    big_endian: bool,
}

impl StreamFormat {
    /// Complains when it isn't stereo of signed 16 bits at the rate that was asked for: then octets would be converted.
    fn judge(&self, rate_hz: u32, traffic: &mut Traffic) {
        let StreamFormat { bits, signed, float, rate_hz: rate, channels, big_endian } = *self;
        let ours =
            (bits, signed, float, channels, big_endian) == (16, true, false, 2, false) && rate == rate_hz;
        if !ours && traffic.complaint.is_none() {
            traffic.complaint = Some(format!(
                "the emulator opened a stream of {channels} channels, {bits} bits, {rate} Hz (signed {signed}, float {float}, \
                 big endian {big_endian}), not stereo, 16 bits, {rate_hz} Hz"
            ));
        }
    }
}

fn lock(traffic: &Mutex<Traffic>) -> MutexGuard<'_, Traffic> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Feeds the emulated input.
pub(super) struct Input {
    microphone: Microphone,
    cable: Mutex<Cable>,
    rate_hz: u32,
    traffic: Arc<Mutex<Traffic>>,
}

impl Input {
    pub(super) fn new(microphone: Microphone, rate_hz: u32, traffic: Arc<Mutex<Traffic>>) -> Input {
        Input { microphone, cable: Mutex::default(), rate_hz, traffic }
    }
}

/// A cable from the output to the input: how far along the output is what the input hears.
#[derive(Default)]
struct Cable {
    heard_octets: usize,
    flows: bool,
}

impl Cable {
    /// What is played comes in pieces of 1024 frames, what is heard goes in pieces of 10 ms: so much has to be there
    /// before it flows, and it flows until there is not enough.
    const AHEAD_OCTETS: usize = 4096 * FRAME_BYTES;

    /// The input hears what is under way on the cable, and nothing older.
    fn turn_on(&mut self, played: &[u8]) {
        *self = Cable { heard_octets: played.len().saturating_sub(Cable::AHEAD_OCTETS), flows: false };
    }

    fn read(&mut self, played: &[u8], octets: usize) -> Vec<u8> {
        let ahead = played.get(self.heard_octets..).unwrap_or_default();
        self.flows = ahead.len() >= if self.flows { octets } else { Cable::AHEAD_OCTETS.max(octets) };
        match ahead.get(..octets) {
            Some(heard) if self.flows => {
                self.heard_octets += octets;
                heard.to_vec()
            }
            _ => vec![0; octets],
        }
    }
}

// Calls are answered one after the other, in their order.
#[zbus::interface(name = "org.qemu.Display1.AudioInListener", spawn = false)]
impl Input {
    #[expect(clippy::too_many_arguments, reason = "the emulator's interface has it so")]
    fn init(
        &self,
        _id: u64,
        bits: u8,
        is_signed: bool,
        is_float: bool,
        freq: u32,
        nchannels: u8,
        _bytes_per_frame: u32,
        _bytes_per_second: u32,
        be: bool,
    ) {
        StreamFormat {
            bits,
            signed: is_signed,
            float: is_float,
            rate_hz: freq,
            channels: nchannels,
            big_endian: be,
        }
        .judge(self.rate_hz, &mut lock(&self.traffic));
    }

    fn fini(&self, _id: u64) {}

    fn set_enabled(&self, _id: u64, enabled: bool) {
        if enabled {
            let traffic = lock(&self.traffic);
            self.cable.lock().unwrap_or_else(PoisonError::into_inner).turn_on(&traffic.played);
        }
    }

    fn set_volume(&self, _id: u64, _mute: bool, _volume: Vec<u8>) {}

    /// The emulator asks every 10 ms of virtual time, for as much as would fit. It's given just those 10 ms, for whatever
    /// it has more than that it drops when its ring is full.
    fn read(&self, _id: u64, size: u64) -> Vec<u8> {
        let tick_frames = u64::from(self.rate_hz / 100);
        let frames = tick_frames.min(size / FRAME_BYTES as u64);
        let mut traffic = lock(&self.traffic);
        let from = traffic.fed_frames;
        traffic.fed_frames += frames;
        match &self.microphone {
            Microphone::Hears(source) => {
                (from..from + frames).flat_map(|index| source.frame(index)).collect()
            }
            Microphone::HearsTheOutput => {
                // At most what was asked for, which is a usize there, too.
                let octets = frames as usize * FRAME_BYTES;
                let mut cable = self.cable.lock().unwrap_or_else(PoisonError::into_inner);
                cable.read(&traffic.played, octets)
            }
        }
    }
}

/// Hears the emulated output.
pub(super) struct Output {
    rate_hz: u32,
    traffic: Arc<Mutex<Traffic>>,
}

impl Output {
    pub(super) fn new(rate_hz: u32, traffic: Arc<Mutex<Traffic>>) -> Output {
        Output { rate_hz, traffic }
    }
}

#[zbus::interface(name = "org.qemu.Display1.AudioOutListener", spawn = false)]
impl Output {
    #[expect(clippy::too_many_arguments, reason = "the emulator's interface has it so")]
    fn init(
        &self,
        _id: u64,
        bits: u8,
        is_signed: bool,
        is_float: bool,
        freq: u32,
        nchannels: u8,
        _bytes_per_frame: u32,
        _bytes_per_second: u32,
        be: bool,
    ) {
        StreamFormat {
            bits,
            signed: is_signed,
            float: is_float,
            rate_hz: freq,
            channels: nchannels,
            big_endian: be,
        }
        .judge(self.rate_hz, &mut lock(&self.traffic));
    }

    fn fini(&self, _id: u64) {}

    fn set_enabled(&self, _id: u64, _enabled: bool) {}

    fn set_volume(&self, _id: u64, _mute: bool, _volume: Vec<u8>) {}

    fn write(&self, _id: u64, data: Vec<u8>) {
        lock(&self.traffic).played.extend(data);
    }
}

#[cfg(test)]
mod tests {
    use super::Cable;

    #[test]
    fn a_cable_gives_back_what_is_under_way_and_what_follows() {
        const AHEAD: usize = Cable::AHEAD_OCTETS;
        let played: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let mut cable = Cable::default();
        cable.turn_on(&played[..AHEAD + 1_000]);
        assert_eq!(cable.read(&played[..AHEAD + 1_000], 1_920), played[1_000..2_920]);
        // It flows until it runs dry, and then again when enough is there; nothing is lost.
        assert_eq!(cable.read(&played[..4_840], 1_920), played[2_920..4_840]);
        assert_eq!(cable.read(&played[..4_840], 1_920), [0; 1_920]);
        assert_eq!(cable.read(&played[..6_760], 1_920), [0; 1_920]);
        assert_eq!(cable.read(&played, 1_920), played[4_840..6_760]);
    }

    #[test]
    fn a_cable_on_which_nothing_was_played_is_silent() {
        let mut cable = Cable::default();
        cable.turn_on(&[]);
        assert_eq!(cable.read(&[], 1_920), [0; 1_920]);
        assert_eq!(cable.read(&[1; 4_096], 1_920), [0; 1_920]);
    }
}
