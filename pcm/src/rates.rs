//! Rates of a conversion, and their exact ratio.

use core::num::NonZeroU32;

use crate::prototype::CROSSINGS;

/// An input rate, an output rate and their ratio in lowest terms.
///
/// Any two whole rates from 5,512 to 192,000 Hz will do. Of the rates of HD Audio and of the sound protocols that is
/// each pair: 5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176400 and 192000 Hz.
///
/// ```
/// use pcm::Rates;
///
/// let rates = Rates::new(44_100, 48_000).unwrap();
/// assert_eq!(rates.ratio(), (147, 160)); // 147 input frames last as long as 160 output frames
/// assert_eq!(rates.delay_frames(), 40);
/// assert_eq!(rates.output_frames(147), Some(160));
/// assert_eq!(rates.input_frames(160), Some(147));
/// assert_eq!(Rates::new(44_100, 1), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rates {
    /// Input frames that last as long as `output` output frames.
    input: NonZeroU32,
    output: NonZeroU32,
}

impl Rates {
    /// The lowest rate, in Hz.
    pub const LOWEST_HZ: u32 = 5_512;
    /// The highest rate, in Hz.
    pub const HIGHEST_HZ: u32 = 192_000;

    /// A conversion between these rates in Hz, if both are in range.
    pub const fn new(input_hz: u32, output_hz: u32) -> Option<Self> {
        const fn in_range(rate_hz: u32) -> bool {
            rate_hz >= Rates::LOWEST_HZ && rate_hz <= Rates::HIGHEST_HZ
        }
        if !in_range(input_hz) || !in_range(output_hz) {
            return None;
        }
        let divisor = greatest_common_divisor(input_hz, output_hz);
        let (Some(input), Some(output)) =
            (NonZeroU32::new(input_hz / divisor), NonZeroU32::new(output_hz / divisor))
        else {
            return None;
        };
        Some(Self { input, output })
    }

    /// Input frames and output frames that last equally long, in lowest terms.
    pub const fn ratio(self) -> (u32, u32) {
        (self.input.get(), self.output.get())
    }

    /// The ratio for divisions.
    pub(crate) const fn parts(self) -> (NonZeroU32, NonZeroU32) {
        (self.input, self.output)
    }

    /// The converter's delay in input frames, a whole number: 40, or more where the rate falls; 0 for equal rates.
    ///
    /// It is 40 times the input rate divided by the lower of both rates, rounded up.
    pub const fn delay_frames(self) -> u32 {
        let (input, output) = self.ratio();
        if input == output {
            return 0;
        }
        let lower = if input < output { self.input } else { self.output };
        // Parts are at most 192,000, so that the product and the sum have 24 bits.
        let product = input.wrapping_mul(CROSSINGS as u32);
        product.wrapping_add(lower.get() - 1) / lower.get()
    }

    /// Output frames that a converter has made of the first `input_frames` frames: the product with the ratio, rounded
    /// up. `None` if that has no 64 bits.
    ///
    /// It holds for [`Start::Delayed`](crate::Start::Delayed).
    pub const fn output_frames(self, input_frames: u64) -> Option<u64> {
        // 64 bits and 18.
        let frames =
            (input_frames as u128).wrapping_mul(self.output.get() as u128).div_ceil(self.input.get() as u128);
        if frames > u64::MAX as u128 { None } else { Some(frames as u64) }
    }

    /// Input frames that a converter needs for the first `output_frames` frames. `None` if that has no 64 bits.
    ///
    /// It holds for [`Start::Delayed`](crate::Start::Delayed); [`Start::Aligned`](crate::Start::Aligned) needs
    /// [`delay_frames`](Self::delay_frames) more, but for 0 output frames.
    pub const fn input_frames(self, output_frames: u64) -> Option<u64> {
        let Some(before_last) = output_frames.checked_sub(1) else { return Some(0) };
        // 64 bits and 18.
        let frames = (before_last as u128).wrapping_mul(self.input.get() as u128) / self.output.get() as u128;
        if frames >= u64::MAX as u128 { None } else { Some((frames as u64).wrapping_add(1)) }
    }

    /// Input frames that a converter holds beside those to come.
    pub(crate) const fn window_frames(self) -> usize {
        (self.delay_frames() as usize).wrapping_mul(2)
    }
}

/// Euclid's algorithm.
const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
