//! The abilities of a route as those of a port.

use audioback::card::{Direction, MAX_RATES, Port, StreamParams, VolumeRange};
use hyper::PAGE_SIZE_BYTES;
use snd_hda::{Format, GainRange, MAX_BUFFER_PAGES, Route, SampleBits};
use sndif::format::{FormatSet, SampleFormat};

/// Shortest buffer: two descriptors of 128 bytes each (HDA specification 1.0a, 3.3.39 and 3.6.3).
const BUFFER_BYTES_MIN: u32 = 256;

/// Longest buffer: a page a descriptor. 1 MiB.
const BUFFER_BYTES_MAX: u32 = (MAX_BUFFER_PAGES * PAGE_SIZE_BYTES) as u32;

/// Sample formats that need no conversion, with the bytes of their container.
///
/// HDA samples are left-justified and signed. S24_LE uses the low bytes, and 8-bit formats are
/// unsigned, so both are missing here.
const FORMATS: [(SampleFormat, u32); 2] = [(SampleFormat::S16Le, 2), (SampleFormat::S32Le, 4)];

/// The widest sample that the route's converter reads from this format's container.
fn sample_bits(route: &Route, format: SampleFormat) -> Option<SampleBits> {
    let (_, container_bytes) = FORMATS.into_iter().find(|(known, _)| *known == format)?;
    route.pcm().widest_in(container_bytes)
}

/// The link's format for a stream on this route, if its converter supports it.
pub(crate) fn format(route: &Route, params: &StreamParams) -> Option<Format> {
    Format::new(params.rate_hz, sample_bits(route, params.format)?, params.channels).ok()
}

/// Describes a route as a port. `supports` tells whether converter and link support a format.
pub(crate) fn describe(route: &Route, volume: Option<GainRange>, supports: impl Fn(Format) -> bool) -> Port {
    let channels_max = route.pcm().channels_max();
    let mut port = Port {
        direction: match route.direction() {
            snd_hda::Direction::Output => Direction::Playback,
            snd_hda::Direction::Input => Direction::Capture,
        },
        is_monitor: false,
        formats: FormatSet::EMPTY,
        rates_hz: [0; MAX_RATES],
        // A stereo converter plays a mono stream on one side only.
        channels_min: channels_max.min(2),
        channels_max,
        buffer_bytes_min: BUFFER_BYTES_MIN,
        buffer_bytes_max: BUFFER_BYTES_MAX,
        volume: volume.map(|range| VolumeRange {
            min_mdb: range.min_mdb,
            max_mdb: range.max_mdb,
            step_mdb: range.step_mdb.unsigned_abs(),
            can_mute: range.can_mute,
        }),
    };

    let rates = || route.pcm().rates().map(snd_hda::Rate::hz);
    for (format, _) in FORMATS {
        let can = |rate_hz| {
            let params = StreamParams { rate_hz, format, channels: port.channels_min };
            self::format(route, &params).is_some_and(&supports)
        };
        if rates().any(can) {
            port.formats.insert(format);
        }
    }
    for (place, rate_hz) in port.rates_hz.iter_mut().zip(rates()) {
        *place = rate_hz;
    }
    port
}
