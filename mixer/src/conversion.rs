//! The way of frames between two layouts: rate, then channels.

use pcm::{ChannelMap, Progress, Rates, Sample, Wide, mix};

use crate::converters::{Converters, RateConverter};
use crate::layout::Layout;

/// Converts frames from one layout to another. The formats aren't its business.
#[derive(Debug)]
pub(crate) struct Conversion {
    rates: Rates,
    /// `None`: both rates are equal.
    converter: Option<RateConverter>,
    /// `None`: both have the same channels.
    map: Option<ChannelMap>,
}

impl Conversion {
    /// `None`: no converter is left, or the rates are too far apart for its memory.
    pub(crate) fn new(from: &Layout, to: &Layout, converters: &mut Converters) -> Option<Self> {
        let rates = Rates::new(from.rate_hz, to.rate_hz)?;
        let converter =
            if from.rate_hz == to.rate_hz { None } else { Some(converters.take(rates, from.channels)?) };
        let map = (from.channels != to.channels)
            .then(|| ChannelMap::standard(from.channels, to.channels).attenuated());
        Some(Self { rates, converter, map })
    }

    /// Gives the converter back.
    pub(crate) fn retire(self, converters: &mut Converters) {
        if let Some(converter) = self.converter {
            converters.give(converter);
        }
    }

    /// Whether the memory of a converter is enough.
    pub(crate) fn is_possible(from: &Layout, to: &Layout) -> bool {
        Rates::new(from.rate_hz, to.rate_hz)
            .is_some_and(|rates| from.rate_hz == to.rate_hz || Converters::can(rates, from.channels))
    }

    /// Whether frames stay as they are.
    pub(crate) fn is_identity(&self) -> bool {
        self.converter.is_none() && self.map.is_none()
    }

    /// Whether the rates are equal.
    pub(crate) fn keeps_rate(&self) -> bool {
        self.converter.is_none()
    }

    /// Input frames that the first `outputs` output frames need.
    pub(crate) fn inputs_for(&self, outputs: u64) -> u64 {
        let Some(last) = outputs.checked_sub(1) else { return 0 };
        let (input, output) = self.rates.ratio();
        let position =
            u128::from(last).saturating_mul(input.into()).checked_div(output.into()).unwrap_or_default();
        let position = u64::try_from(position).unwrap_or(u64::MAX);
        position.saturating_add(self.rates.delay_frames().into()).saturating_add(1)
    }

    /// Output frames for which so many input frames are enough.
    pub(crate) fn outputs_of(&self, inputs: u64) -> u64 {
        let Some(positions) = inputs.checked_sub(self.rates.delay_frames().into()).filter(|left| *left > 0)
        else {
            return 0;
        };
        let (input, output) = self.rates.ratio();
        // The last output is before input `positions`.
        let scaled = u128::from(positions).saturating_mul(output.into()).saturating_sub(1);
        let last = scaled.checked_div(input.into()).unwrap_or_default();
        u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// The next input frame is a first one.
    pub(crate) fn reset(&mut self) {
        if let Some(converter) = &mut self.converter {
            converter.reset();
        }
    }

    /// Converts the rate, until `input` or `output` ends. `output` has the channels of the input.
    pub(crate) fn convert(&mut self, input: &[Sample], channels: usize, output: &mut [Wide]) -> Progress {
        match &mut self.converter {
            Some(converter) => converter.process(input, output),
            None => {
                output.fill(0);
                let frames = mix::add(input, output).checked_div(channels).unwrap_or_default();
                Progress { input_frames: frames, output_frames: frames }
            }
        }
    }

    /// The frames with the channels of the output. `mapped` is memory for them.
    pub(crate) fn map<'a>(&self, frames: &'a [Wide], mapped: &'a mut [Wide]) -> &'a [Wide] {
        let Some(map) = &self.map else { return frames };
        let done = map.apply(frames, mapped);
        mapped.get(..done.saturating_mul(map.outputs().count())).unwrap_or_default()
    }
}
