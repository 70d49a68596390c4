//! A stream's limits: from the back end's answer, and as ALSA's constraints.

use sndif::format::SampleFormat;
use sndif::hw_params::{HwParams, Interval};

use crate::card::Limits;

/// Converts a query's answer, in frames, to limits in bytes. The frame size isn't chosen yet.
pub fn in_bytes(can: &HwParams, rates_hz: Vec<u32>, buffer_bytes_max: u32) -> Limits {
    let (mut sample_min, mut sample_max) = (u32::MAX, 1);
    for bytes in can.formats.iter().filter_map(|format| format.bytes_per_sample()) {
        sample_min = sample_min.min(bytes);
        sample_max = sample_max.max(bytes);
    }
    let frame_min = sample_min.saturating_mul(can.channels.min.max(1));
    let frame_max = sample_max.saturating_mul(can.channels.max);
    let buffer_max = can.buffer_frames.max.saturating_mul(frame_min).min(buffer_bytes_max);
    Limits {
        formats: can.formats,
        rates_hz,
        rate_hz: can.rates,
        channels: can.channels,
        buffer_bytes: Interval { min: can.buffer_frames.min.saturating_mul(frame_max), max: buffer_max },
        period_bytes: Interval { min: can.period_frames.min.saturating_mul(frame_min), max: buffer_max / 2 },
    }
}

/// The values that one parameter may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Only these values.
    List(Vec<u32>),
    /// All from the first to the last.
    Range(u32, u32),
}

/// Constraints of one stream, each on its own. The stream checks combinations when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// `SND_PCM_FORMAT_*`
    pub formats: Constraint,
    /// Samples in a frame.
    pub channels: Constraint,
    /// Frames a second.
    pub rates: Constraint,
    /// Bytes in a period.
    pub period_bytes: Constraint,
    /// Bytes in the buffer.
    pub buffer_bytes: Constraint,
    /// Whole periods in the buffer.
    pub periods: Constraint,
}

/// With one period the application would write where DMA reads.
const MIN_PERIODS: u32 = 2;
/// The same limit as ALSA's own drivers for PCI cards.
const MAX_PERIODS: u32 = 1024;

impl Constraints {
    /// The constraints of a stream. `None` if no configuration can open it.
    pub fn of(limits: &Limits) -> Option<Self> {
        let formats: Vec<u32> = playable(limits).map(|format| format.code().into()).collect();
        let rates: Vec<u32> =
            limits.rates_hz.iter().copied().filter(|rate| limits.rate_hz.contains(*rate)).collect();
        let rates = if limits.rates_hz.is_empty() { range(limits.rate_hz, 1)? } else { list(rates)? };
        Some(Self {
            formats: list(formats)?,
            channels: range(limits.channels, 1)?,
            rates,
            period_bytes: range(limits.period_bytes, 1)?,
            buffer_bytes: range(limits.buffer_bytes, 1)?,
            periods: Constraint::Range(MIN_PERIODS, MAX_PERIODS),
        })
    }
}

/// The format with ALSA's number (`SND_PCM_FORMAT_*`). The protocol uses ALSA's numbers, up to its
/// last known format.
pub fn format_of(alsa: i32) -> Option<SampleFormat> {
    u8::try_from(alsa).ok().and_then(SampleFormat::from_code)
}

/// Formats with a known sample size.
fn playable(limits: &Limits) -> impl Iterator<Item = SampleFormat> {
    let all = SampleFormat::all();
    all.filter(|format| limits.formats.contains(*format) && format.bytes_per_sample().is_some())
}

fn list(values: Vec<u32>) -> Option<Constraint> {
    (!values.is_empty()).then_some(Constraint::List(values))
}

fn range(interval: Interval, least: u32) -> Option<Constraint> {
    let min = interval.min.max(least);
    (min <= interval.max).then_some(Constraint::Range(min, interval.max))
}

#[cfg(test)]
mod tests {
    use sndif::format::{FormatSet, SampleFormat};
    use sndif::hw_params::{HwParams, Interval};

    use super::{Constraint, Constraints, format_of, in_bytes};
    use crate::card::Limits;

    fn limits() -> Limits {
        Limits {
            formats: FormatSet::of(&[SampleFormat::S16Le, SampleFormat::S32Le, SampleFormat::Mpeg]),
            rates_hz: vec![44_100, 48_000, 384_000],
            rate_hz: Interval { min: 8_000, max: 192_000 },
            channels: Interval { min: 0, max: 8 },
            buffer_bytes: Interval { min: 128, max: 65_536 },
            period_bytes: Interval { min: 64, max: 32_768 },
        }
    }

    #[test]
    fn what_the_stream_has_is_what_alsa_is_told() {
        let constraints = Constraints::of(&limits()).unwrap();
        // SND_PCM_FORMAT_S16_LE and SND_PCM_FORMAT_S32_LE.
        assert_eq!(constraints.formats, Constraint::List(vec![2, 10]));
        assert_eq!(constraints.rates, Constraint::List(vec![44_100, 48_000]));
        assert_eq!(constraints.channels, Constraint::Range(1, 8));
        assert_eq!(constraints.buffer_bytes, Constraint::Range(128, 65_536));
        assert_eq!(constraints.period_bytes, Constraint::Range(64, 32_768));
    }

    #[test]
    fn without_a_list_all_rates_of_the_range() {
        let constraints = Constraints::of(&Limits { rates_hz: Vec::new(), ..limits() }).unwrap();
        assert_eq!(constraints.rates, Constraint::Range(8_000, 192_000));
    }

    #[test]
    fn a_stream_that_can_do_nothing_has_no_constraints() {
        let none = Interval { min: 2, max: 1 };
        for limits in [
            Limits { formats: FormatSet::of(&[SampleFormat::Gsm]), ..limits() },
            Limits { rates_hz: vec![384_000], ..limits() },
            Limits { rates_hz: Vec::new(), rate_hz: none, ..limits() },
            Limits { channels: Interval { min: 0, max: 0 }, ..limits() },
            Limits { buffer_bytes: none, ..limits() },
            Limits { period_bytes: none, ..limits() },
        ] {
            assert_eq!(Constraints::of(&limits), None, "{limits:?}");
        }
    }

    #[test]
    fn formats_have_alsas_numbers() {
        // pcm.h: SND_PCM_FORMAT_S8, _S16_LE, _S24_LE, _S32_LE, _FLOAT_LE, _MU_LAW; 31 is _SPECIAL,
        // 32 _S24_3LE.
        let pairs = [
            (0, SampleFormat::S8),
            (2, SampleFormat::S16Le),
            (6, SampleFormat::S24Le),
            (10, SampleFormat::S32Le),
            (14, SampleFormat::F32Le),
            (20, SampleFormat::MuLaw),
        ];
        for (alsa, format) in pairs {
            assert_eq!(format_of(alsa), Some(format));
        }
        for alsa in [-1, 31, 32, 258] {
            assert_eq!(format_of(alsa), None);
        }
    }

    fn can() -> HwParams {
        // The answer of a stereo to 7.1 port with 16 and 32 bit, for 64 KiB.
        HwParams {
            formats: FormatSet::of(&[SampleFormat::S16Le, SampleFormat::S32Le]),
            rates: Interval { min: 44_100, max: 192_000 },
            channels: Interval { min: 2, max: 8 },
            buffer_frames: Interval { min: 4, max: 16_384 },
            period_frames: Interval { min: 64, max: 16_384 },
        }
    }

    #[test]
    fn frames_are_told_in_bytes_that_fit_every_frame() {
        let limits = in_bytes(&can(), vec![48_000], 1 << 20);
        assert_eq!(limits.buffer_bytes, Interval { min: 4 * 32, max: 65_536 });
        assert_eq!(limits.period_bytes, Interval { min: 64 * 4, max: 32_768 });
        assert!(Constraints::of(&limits).is_some());
    }

    #[test]
    fn the_domains_file_may_say_less_than_the_port_can() {
        let limits = in_bytes(&can(), vec![48_000], 8_192);
        assert_eq!(limits.buffer_bytes.max, 8_192);
        assert_eq!(limits.period_bytes.max, 4_096);
    }

    #[test]
    fn what_a_back_end_may_answer_does_no_harm() {
        for odd in [u32::MAX, 0] {
            let any = Interval { min: odd, max: u32::MAX };
            let limits = in_bytes(
                &HwParams {
                    formats: FormatSet(u64::MAX),
                    rates: any,
                    channels: any,
                    buffer_frames: any,
                    period_frames: any,
                },
                Vec::new(),
                1 << 20,
            );
            assert!(limits.buffer_bytes.max <= 1 << 20);
        }
        let nothing = HwParams { formats: FormatSet::EMPTY, ..can() };
        assert_eq!(Constraints::of(&in_bytes(&nothing, Vec::new(), 1 << 20)), None);
    }
}
