//! Conversion of a stream of frames from one rate to another.

use crate::channels::Channels;
use crate::filter::Filter;
use crate::prototype::CROSSINGS;
use crate::rates::Rates;
use crate::signal::{Sample, Signal, Wide};

/// Frames that fit behind the converter's window, so that it moves its memory seldom.
const SLACK_FRAMES: usize = 128;

/// Coefficients that are computed in one go: a wing of a conversion whose rate rises, or falls from 48 to 44.1 kHz.
const CHUNK_TAPS: usize = 44;

/// Converts a stream of interleaved frames from one rate to another.
///
/// Output frame `n` is the input's band-limited signal at input position `n * input / output - delay`, in exact
/// fractions: positions never drift. Silence precedes the first input frame.
///
/// `WORDS` is the memory for input frames in samples of 4 bytes; [`words`](Self::words) says how many a conversion
/// needs. [`MOST_WORDS`] are enough for all of them.
///
/// # Cost
/// An output frame takes twice the delay as many multiplications for each channel. It takes as many again to compute
/// the coefficients, unless the rate rises and the ratio's output part divides 320, as for 44.1 to 48 kHz.
///
/// # Quality
/// [QUALITY.md](https://docs.rs/crate/snddom-pcm/latest/source/QUALITY.md) has the measured figures of all pairs:
/// at least 100 dB from signal to noise and distortion, and to images and aliases, up to 0.907 of the lower Nyquist
/// frequency. Aliases of the band around that frequency stay above 0.907 of it.
///
/// Where an output frame coincides with an input frame and the rate doesn't fall, it has its samples bit for bit.
/// Elsewhere an output exceeds full scale where the input's signal does so between its frames: outputs are [`Wide`],
/// and no sample exceeds 3.5 times full scale.
///
/// ```
/// use pcm::{Channels, Converter, Rates, Start, Wide};
///
/// let rates = Rates::new(24_000, 48_000).unwrap();
/// const WORDS: usize = 256;
/// let mut converter: Converter<WORDS> = Converter::new(rates, Channels::MONO, Start::Aligned).unwrap();
/// assert_eq!(converter.delay_frames(), 0);
///
/// let mut output: [Wide; 16] = [0; 16];
/// let done = converter.process(&[1 << 30; 48], &mut output);
/// assert_eq!((done.input_frames, done.output_frames), (48, 16));
/// // Every second output frame is an input frame.
/// assert_eq!(output[2], 1 << 46);
/// ```
#[derive(Clone, Debug)]
pub struct Converter<const WORDS: usize> {
    rates: Rates,
    channels: Channels,
    start: Start,
    filter: Filter,
    /// Frames from the first one of the window on.
    memory: [Sample; WORDS],
    /// Frames in the memory.
    held_frames: usize,
    /// The window's first frame in the memory.
    first_frame: usize,
    /// The next output frame is `numerator / output` after the window's middle.
    numerator: u32,
}

/// Words of memory that every conversion of 8 channels fits in.
pub const MOST_WORDS: usize = {
    // The greatest ratio has the longest filter.
    match Rates::new(Rates::HIGHEST_HZ, Rates::LOWEST_HZ) {
        Some(rates) => (rates.window_frames() + SLACK_FRAMES) * Channels::MAX.count(),
        None => 0,
    }
};

/// Where a converter's output begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// The first output frame comes with the first input frame. The signal is late by
    /// [`delay_frames`](Rates::delay_frames) of the input, and begins with the filter's ringing ahead of it.
    Delayed,
    /// The first output frame is the first input frame. It comes when `delay_frames` more input frames have come.
    Aligned,
}

/// Frames that a call took and made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Input frames taken.
    pub input_frames: usize,
    /// Output frames made.
    pub output_frames: usize,
}

impl<const WORDS: usize> Converter<WORDS> {
    /// Words of memory that a conversion needs.
    pub const fn words(rates: Rates, channels: Channels) -> usize {
        // At most 2,916 frames of 8 channels.
        (rates.window_frames() + SLACK_FRAMES) * channels.count()
    }

    /// A converter that has heard silence so far. `None` if it has too few words of memory.
    pub fn new(rates: Rates, channels: Channels, start: Start) -> Option<Self> {
        if Self::words(rates, channels) > WORDS {
            return None;
        }
        let mut converter = Self {
            rates,
            channels,
            start,
            filter: Filter::new(rates),
            memory: [0; WORDS],
            held_frames: 0,
            first_frame: 0,
            numerator: 0,
        };
        converter.reset();
        Some(converter)
    }

    /// Forgets the stream: the next input frame is a first one.
    pub fn reset(&mut self) {
        let window = self.rates.window_frames();
        self.memory.fill(0);
        self.first_frame = 0;
        self.numerator = 0;
        self.held_frames = match self.start {
            Start::Delayed => window.saturating_sub(1),
            Start::Aligned => (window / 2).saturating_sub(1),
        };
    }

    /// The rates.
    pub const fn rates(&self) -> Rates {
        self.rates
    }

    /// The channels of a frame.
    pub const fn channels(&self) -> Channels {
        self.channels
    }

    /// Input frames by which the output is late, exactly: input frame `k` is heard at output position
    /// `(k + delay) * output / input`. It is 0 for [`Start::Aligned`].
    pub const fn delay_frames(&self) -> u32 {
        match self.start {
            Start::Delayed => self.rates.delay_frames(),
            Start::Aligned => 0,
        }
    }

    /// Takes input frames and makes output frames, until one of them runs out.
    ///
    /// All whole frames of `input` are taken, unless `output` is full. Samples that are no whole frame are left alone.
    /// The output is the same for any division of the input and the output into calls.
    pub fn process(&mut self, input: &[Sample], output: &mut [Wide]) -> Progress {
        if self.rates.window_frames() == 0 {
            return self.copy(input, output);
        }
        let count = self.channels.count();
        let mut progress = Progress::default();
        let mut input = input;
        let mut output = output.chunks_exact_mut(count);
        loop {
            while self.has_window() {
                let Some(frame) = output.next() else { return progress };
                self.emit(frame);
                // Frames are counted that are in slices.
                progress.output_frames = progress.output_frames.wrapping_add(1);
            }
            let taken = self.take(input);
            if taken == 0 {
                return progress;
            }
            progress.input_frames = progress.input_frames.wrapping_add(taken);
            input = input.get(self.samples(taken)..).unwrap_or_default();
        }
    }

    /// Equal rates need no filter.
    fn copy(&self, input: &[Sample], output: &mut [Wide]) -> Progress {
        let frames = self.channels.frames(input.len().min(output.len()));
        for (to, from) in output.iter_mut().zip(input).take(self.samples(frames)) {
            *to = from.to_wide();
        }
        Progress { input_frames: frames, output_frames: frames }
    }

    /// The samples of so many frames. All frames here are in the memory or in a slice, so that the product fits.
    fn samples(&self, frames: usize) -> usize {
        frames.wrapping_mul(self.channels.count())
    }

    /// Frames that the memory is used for: those of a window, and the slack. They fit by the check in `new`.
    fn capacity_frames(&self) -> usize {
        self.filter.taps().wrapping_add(SLACK_FRAMES)
    }

    /// Whether all frames that the next output frame needs are held.
    fn has_window(&self) -> bool {
        self.first_frame.wrapping_add(self.filter.taps()) <= self.held_frames
    }

    /// Takes frames as far as the memory goes. Returns their number: not 0 while there are some and the window lacks
    /// some.
    fn take(&mut self, input: &[Sample]) -> usize {
        if self.held_frames == self.capacity_frames() {
            self.move_to_start();
        }
        let room_frames = self.capacity_frames().saturating_sub(self.held_frames);
        let frames = room_frames.min(self.channels.frames(input.len()));
        let held_frames = self.held_frames.wrapping_add(frames);
        let room = self.samples(self.held_frames)..self.samples(held_frames);
        let samples = self.samples(frames);
        let (Some(room), Some(input)) = (self.memory.get_mut(room), input.get(..samples)) else {
            return 0;
        };
        for (to, from) in room.iter_mut().zip(input) {
            *to = *from;
        }
        self.held_frames = held_frames;
        frames
    }

    /// Moves the window to the memory's start, which makes room: the window is less than the memory.
    ///
    /// It is seldom, for the slack has to fill again.
    fn move_to_start(&mut self) {
        let held = self.samples(self.first_frame)..self.samples(self.held_frames);
        // The check tells the compiler what holds anyway.
        if held.start <= held.end && held.end <= WORDS {
            self.memory.copy_within(held, 0);
        }
        self.held_frames = self.held_frames.saturating_sub(self.first_frame);
        self.first_frame = 0;
    }

    /// Makes the next output frame, and moves the window to the one after it.
    fn emit(&mut self, frame: &mut [Wide]) {
        match self.channels.count() {
            1 => self.convolve::<1>(frame),
            2 => self.convolve::<2>(frame),
            3 => self.convolve::<3>(frame),
            4 => self.convolve::<4>(frame),
            5 => self.convolve::<5>(frame),
            6 => self.convolve::<6>(frame),
            7 => self.convolve::<7>(frame),
            _ => self.convolve::<8>(frame),
        }
        let (input, output) = self.rates.parts();
        // Both are 192,000 at most. The window moves by 35 frames at most, and has frames behind it for that.
        let position = self.numerator.wrapping_add(input.get());
        self.first_frame = self.first_frame.wrapping_add((position / output) as usize);
        self.numerator = position % output;
    }

    /// Sums the window's frames times their coefficients.
    fn convolve<const CHANNELS: usize>(&self, frame: &mut [Wide]) {
        let window = self.memory.get(self.samples(self.first_frame)..).unwrap_or_default();
        let (frames, _) = window.as_chunks::<CHANNELS>();
        let frames = frames.get(..self.filter.taps()).unwrap_or_default();
        let (before, after) = frames.split_at_checked(self.filter.wing()).unwrap_or_default();
        let [left, right] = self.filter.distances(self.numerator);
        let mut sums = [0i64; CHANNELS];
        self.add_wing(&mut sums, left, before, |frames| frames.iter().rev());
        self.add_wing(&mut sums, right, after, |frames| frames.iter());
        for (output, sum) in frame.iter_mut().zip(sums) {
            *output = self.filter.output(sum);
        }
    }

    /// Adds the frames of one side times their coefficients. `outwards` puts frames in order from the position.
    #[inline(always)]
    fn add_wing<'a, const CHANNELS: usize, I: Iterator<Item = &'a [Sample; CHANNELS]>>(
        &self,
        sums: &mut [i64; CHANNELS],
        distance: u32,
        frames: &'a [[Sample; CHANNELS]],
        outwards: impl Fn(&'a [[Sample; CHANNELS]]) -> I,
    ) {
        if let Some(row) = self.filter.row(distance) {
            // A loop of a known length needs no check in it.
            let Some(frames) = frames.first_chunk::<CROSSINGS>() else { return };
            for (coefficient, frame) in row.iter().zip(outwards(frames)) {
                add_products(sums, frame, i64::from(*coefficient));
            }
            return;
        }
        let mut frames = outwards(frames);
        // Coefficients are words of 64 bits, though 32 hold them. A compiler for SSE2 would take its vectors for
        // products of 32 bits, and they are slower than one by one.
        let mut coefficients = [0i64; CHUNK_TAPS];
        let wing = self.filter.wing();
        for skipped in (0..wing).step_by(CHUNK_TAPS) {
            let count = wing.saturating_sub(skipped).min(CHUNK_TAPS);
            let coefficients = coefficients.get_mut(..count).unwrap_or_default();
            self.filter.fill(distance, skipped, coefficients);
            for (coefficient, frame) in coefficients.iter().zip(frames.by_ref()) {
                add_products(sums, frame, *coefficient);
            }
        }
    }
}

/// Adds a frame times a coefficient to the sum of each channel.
#[inline(always)]
fn add_products<const CHANNELS: usize>(
    sums: &mut [i64; CHANNELS],
    frame: &[Sample; CHANNELS],
    coefficient: i64,
) {
    for (sum, sample) in sums.iter_mut().zip(frame) {
        // Magnitudes of coefficients add up to less than 4, and samples have 31 bits: no sum overflows.
        *sum = sum.wrapping_add(i64::from(*sample).wrapping_mul(coefficient));
    }
}
