//! Channel maps: each output channel is a weighted sum of input channels.

use crate::channels::{Channels, Position};
use crate::signal::{Signal, Wide};

/// Coefficient 1.
const ONE: i64 = 1 << ChannelMap::FRACTION_BITS;

/// Half the power, -3 dB: the square root of 1/2, to the nearest 2^-30.
const HALF_POWER: i64 = 759_250_125;

/// The most channels of a frame.
const MOST: usize = 8;

/// A matrix that makes frames of one number of channels from frames of another.
///
/// ```
/// use pcm::{ChannelMap, Channels, Wide};
///
/// // The centre of 3 channels goes to both sides at -3 dB.
/// let map = ChannelMap::standard(Channels::new(3).unwrap(), Channels::STEREO);
/// let mut stereo: [Wide; 2] = [0; 2];
/// assert_eq!(map.apply(&[1 << 30, 0, 1 << 29], &mut stereo), 1);
/// assert_eq!(stereo.map(|wide| wide >> 40), [86, 22]); // of 128: 0.5 + 0.25 / sqrt(2), and 0.25 / sqrt(2)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelMap {
    inputs: Channels,
    outputs: Channels,
    /// By output, then by input. Those beyond the channels are 0.
    coefficients: [[i32; MOST]; MOST],
}

impl ChannelMap {
    /// Bits of a coefficient below 1.
    pub const FRACTION_BITS: u32 = 30;

    /// A map with these coefficients in steps of 2^-30, by output, then by input.
    ///
    /// They are from -2.0 to 2.0 - 2^-30. Those beyond the channels are ignored.
    pub fn new(inputs: Channels, outputs: Channels, coefficients: [[i32; 8]; 8]) -> Self {
        let mut map = Self { inputs, outputs, coefficients: [[0; MOST]; MOST] };
        for (to, from) in map.coefficients.iter_mut().zip(&coefficients).take(outputs.count()) {
            for (to, from) in to.iter_mut().zip(from).take(inputs.count()) {
                *to = *from;
            }
        }
        map
    }

    /// The standard map between the layouts of [`Channels::positions`].
    ///
    /// A channel whose position the output has goes there alone, at 1. The others go by these rules, one after another
    /// until the output has the position:
    ///
    /// | position | goes to | source |
    /// |---|---|---|
    /// | FC | FL and FR, at -3 dB | BS.775 |
    /// | RL, RR | FL, FR, at -3 dB | BS.775 |
    /// | FL, FR | mono, at -3 dB; FC thus at 0 dB | BS.775 |
    /// | RC | RL and RR, at -3 dB | keeps the power |
    /// | SL, SR | RL, RR, at -3 dB, and RL, RR of the same input too | keeps the power |
    /// | mono | FL and FR, at 0 dB | as ALSA's `plug`; bits stay |
    /// | LFE | nowhere | BS.775: it isn't needed for the programme |
    ///
    /// BS.775 is Recommendation ITU-R BS.775-3, annex 4, table 2. An output channel that gets nothing is silent: no
    /// surround is invented. -3 dB is the square root of 1/2. Outputs can exceed full scale, by 12.4 dB at most;
    /// [`attenuated`](Self::attenuated) prevents it.
    pub fn standard(inputs: Channels, outputs: Channels) -> Self {
        let mut map = Self::new(inputs, outputs, [[0; MOST]; MOST]);
        let sides_join_rears = inputs.positions().contains(&Position::SideLeft)
            && !outputs.positions().contains(&Position::SideLeft);
        for (input, position) in inputs.positions().iter().enumerate() {
            let weight = match position {
                Position::RearLeft | Position::RearRight if sides_join_rears => HALF_POWER,
                _ => ONE,
            };
            map.send(input, *position, weight);
        }
        map
    }

    /// Adds an input channel to the outputs that its position leads to.
    ///
    /// Each rule leads nearer to the front, so that three in a row are the most.
    fn send(&mut self, input: usize, position: Position, weight: i64) {
        if let Some(output) = self.outputs.positions().iter().position(|held| *held == position) {
            if let Some(coefficient) = self.coefficients.get_mut(output).and_then(|row| row.get_mut(input)) {
                // An input reaches an output by two ways at most, each of them below 1.
                *coefficient = coefficient.saturating_add(weight as i32);
            }
            return;
        }
        // Weights are 2^30 at most, so the product has 60 bits.
        let reduced = (weight.wrapping_mul(HALF_POWER) + ONE / 2) >> Self::FRACTION_BITS;
        let (to, weight): (&[Position], i64) = match position {
            Position::Mono => (&[Position::FrontLeft, Position::FrontRight], weight),
            Position::FrontCenter => (&[Position::FrontLeft, Position::FrontRight], reduced),
            Position::FrontLeft | Position::FrontRight => (&[Position::Mono], reduced),
            Position::RearLeft => (&[Position::FrontLeft], reduced),
            Position::RearRight => (&[Position::FrontRight], reduced),
            Position::SideLeft => (&[Position::RearLeft], reduced),
            Position::SideRight => (&[Position::RearRight], reduced),
            Position::RearCenter => (&[Position::RearLeft, Position::RearRight], reduced),
            Position::LowFrequency => (&[], 0),
        };
        for position in to {
            self.send(input, *position, weight);
        }
    }

    /// The same map, made quieter until no input at full scale takes an output beyond it.
    ///
    /// All coefficients shrink by the same factor: balance stays. A map that can't exceed full scale stays as it is.
    #[must_use]
    pub fn attenuated(mut self) -> Self {
        // 8 magnitudes of 31 bits have 34.
        let sums =
            self.coefficients.iter().map(|row| row.iter().map(|c| i64::from(c.unsigned_abs())).sum::<i64>());
        let most = sums.max().unwrap_or_default();
        if most > ONE {
            for coefficient in self.coefficients.iter_mut().flatten() {
                // A product of 31 and 30 bits, divided by more than 2^30: smaller than before. It rounds to 0.
                *coefficient = (i64::from(*coefficient) * ONE / most) as i32;
            }
        }
        self
    }

    /// Channels of an input frame.
    pub const fn inputs(&self) -> Channels {
        self.inputs
    }

    /// Channels of an output frame.
    pub const fn outputs(&self) -> Channels {
        self.outputs
    }

    /// The coefficients in steps of 2^-30, by output, then by input.
    pub const fn coefficients(&self) -> &[[i32; 8]; 8] {
        &self.coefficients
    }

    /// Whether frames pass as they are.
    pub fn is_identity(&self) -> bool {
        self.inputs == self.outputs
            && self.coefficients.iter().enumerate().take(self.outputs.count()).all(|(output, row)| {
                row.iter()
                    .enumerate()
                    .all(|(input, c)| i64::from(*c) == if input == output { ONE } else { 0 })
            })
    }

    /// Maps whole frames until `input` or `output` ends. Returns their number.
    ///
    /// Each output sample is rounded once, to 2^-47 of full scale, ties up. It saturates where a [`Wide`] ends; samples
    /// up to 2^12 times full scale stay below that.
    pub fn apply<S: Signal>(&self, input: &[S], output: &mut [Wide]) -> usize {
        let (inputs, outputs) = (self.inputs.count(), self.outputs.count());
        for (from, to) in input.chunks_exact(inputs).zip(output.chunks_exact_mut(outputs)) {
            for (sample, row) in to.iter_mut().zip(&self.coefficients) {
                let mut sum = 1i128 << (Self::FRACTION_BITS - 1);
                for (sample, coefficient) in from.iter().zip(row) {
                    // 8 products of 63 and 31 bits have 97.
                    sum =
                        sum.wrapping_add(i128::from(sample.to_wide()).wrapping_mul(i128::from(*coefficient)));
                }
                let wide = sum >> Self::FRACTION_BITS;
                *sample = wide.clamp(i128::from(Wide::MIN), i128::from(Wide::MAX)) as Wide;
            }
        }
        self.inputs.frames(input.len()).min(self.outputs.frames(output.len()))
    }
}
