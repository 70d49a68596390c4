//! The two listeners that the emulator calls (its ui/dbus-display1.xml describes the interfaces).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Source, Traffic};
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
    source: Source,
    rate_hz: u32,
    traffic: Arc<Mutex<Traffic>>,
}

impl Input {
    pub(super) fn new(source: Source, rate_hz: u32, traffic: Arc<Mutex<Traffic>>) -> Input {
        Input { source, rate_hz, traffic }
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

    fn set_enabled(&self, _id: u64, _enabled: bool) {}

    fn set_volume(&self, _id: u64, _mute: bool, _volume: Vec<u8>) {}

    /// The emulator asks every 10 ms of virtual time, for as much as would fit. It's given just those 10 ms, for whatever
    /// it has more than that it drops when its ring is full.
    fn read(&self, _id: u64, size: u64) -> Vec<u8> {
        let tick_frames = u64::from(self.rate_hz / 100);
        let frames = tick_frames.min(size / FRAME_BYTES as u64);
        let mut traffic = lock(&self.traffic);
        let from = traffic.fed_frames;
        traffic.fed_frames += frames;
        (from..from + frames).flat_map(|index| self.source.frame(index)).collect()
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
