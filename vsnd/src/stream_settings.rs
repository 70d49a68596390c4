//! The settings of a guest's card, PCM device or stream, each inherited from the one before
//! (sndif.h, "Frontend XenBus Nodes").

use audioback::card::{MAX_RATES, Port};
use heapless::Vec;
use sndif::format::{FormatSet, SampleFormat};
use sndif::nodes;

use crate::excerpt::Excerpt;

/// Rates in a list: more than ALSA has.
const MAX_LISTED_RATES: usize = 32;

/// Largest number of channels that is taken for valid.
const CHANNELS_MAX: u32 = 4096;

/// Largest buffer that is taken for valid. The hardware has 1 MiB at most.
const BUFFER_BYTES_MAX: u32 = 64 << 20;

/// A setting that a card, a PCM device and a stream can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    SampleRates,
    SampleFormats,
    ChannelsMin,
    ChannelsMax,
    BufferSize,
}

/// The reason why a value is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSetting {
    /// Not a number, or one out of range.
    #[error("{0} is no number in the valid range")]
    Number(Excerpt),
    /// An item of a list of rates that isn't one.
    #[error("{0} is no rate")]
    Rate(Excerpt),
    /// An item of a list of formats that isn't one of the protocol's.
    #[error("{0} is no format")]
    Format(Excerpt),
    /// An empty list.
    #[error("the list is empty")]
    Empty,
    /// A list of too many items.
    #[error("the list has more than {MAX_LISTED_RATES} rates")]
    TooMany,
}

/// The settings of a card, a PCM device or a stream. `None`: not set.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamSettings {
    rates_hz: Option<Vec<u32, MAX_LISTED_RATES>>,
    formats: Option<FormatSet>,
    channels_min: Option<u8>,
    channels_max: Option<u8>,
    buffer_bytes_max: Option<u32>,
}

impl StreamSettings {
    /// Parses and stores a value.
    ///
    /// # Errors
    /// If it is invalid.
    pub(crate) fn set(&mut self, setting: Setting, value: &str) -> Result<(), BadSetting> {
        match setting {
            Setting::SampleRates => self.rates_hz = Some(rates(value)?),
            Setting::SampleFormats => self.formats = Some(formats(value)?),
            Setting::ChannelsMin => self.channels_min = Some(channels(value)?),
            Setting::ChannelsMax => self.channels_max = Some(channels(value)?),
            Setting::BufferSize => self.buffer_bytes_max = Some(within(value, BUFFER_BYTES_MAX)?),
        }
        Ok(())
    }

    /// Whether no number of channels lies between minimum and maximum.
    pub(crate) fn allows_no_channels(&self) -> bool {
        matches!((self.channels_min, self.channels_max), (Some(min), Some(max)) if min > max)
    }

    /// The abilities of a port that these settings allow.
    pub(crate) fn narrow(&self, port: &Port) -> Port {
        let mut rates_hz = [0; MAX_RATES];
        let allowed = |rate: &u32| self.rates_hz.as_ref().is_none_or(|rates| rates.contains(rate));
        let kept = port.rates_hz.iter().filter(|rate| **rate != 0 && allowed(rate));
        rates_hz.iter_mut().zip(kept).for_each(|(place, rate)| *place = *rate);
        port.narrowed_to(&Port {
            direction: port.direction,
            is_monitor: port.is_monitor,
            formats: self.formats.unwrap_or(FormatSet::ALL),
            rates_hz,
            channels_min: self.channels_min.unwrap_or(1),
            channels_max: self.channels_max.unwrap_or(u8::MAX),
            buffer_bytes_min: 0,
            buffer_bytes_max: self.buffer_bytes_max.unwrap_or(u32::MAX),
            volume: None,
        })
    }
}

/// Whether no stream can be opened with these abilities.
pub(crate) fn is_unusable(abilities: &Port) -> bool {
    abilities.formats.is_empty()
        || abilities.rates_hz.iter().all(|rate| *rate == 0)
        || abilities.channels_min > abilities.channels_max
        || abilities.buffer_bytes_min > abilities.buffer_bytes_max
}

fn rates(value: &str) -> Result<Vec<u32, MAX_LISTED_RATES>, BadSetting> {
    let mut rates = Vec::new();
    for item in nodes::list(value) {
        let rate = nodes::decimal(item).filter(|rate| *rate != 0);
        let rate = rate.ok_or_else(|| BadSetting::Rate(Excerpt::of(item)))?;
        if !rates.contains(&rate) {
            rates.push(rate).map_err(|_| BadSetting::TooMany)?;
        }
    }
    if rates.is_empty() { Err(BadSetting::Empty) } else { Ok(rates) }
}

fn formats(value: &str) -> Result<FormatSet, BadSetting> {
    let mut formats = FormatSet::EMPTY;
    for item in nodes::list(value) {
        let format = SampleFormat::from_name(item);
        formats.insert(format.ok_or_else(|| BadSetting::Format(Excerpt::of(item)))?);
    }
    if formats.is_empty() { Err(BadSetting::Empty) } else { Ok(formats) }
}

/// A number of channels, at most 255, which is more than a port has.
fn channels(value: &str) -> Result<u8, BadSetting> {
    within(value, CHANNELS_MAX).map(|channels| u8::try_from(channels).unwrap_or(u8::MAX))
}

/// A number from 1 to `max`.
fn within(value: &str, max: u32) -> Result<u32, BadSetting> {
    let number = nodes::decimal(value).filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| BadSetting::Number(Excerpt::of(value)))
}
