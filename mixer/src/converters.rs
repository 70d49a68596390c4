//! The memory of rate converters, taken once.

use alloc::boxed::Box;
use alloc::vec::Vec;

use pcm::{Channels, Converter, Rates, Start};

/// Words of memory of a rate converter, 32 KiB. It is enough for 8 channels from 192 kHz to 44.1 kHz or from 48 kHz to
/// 5,512 Hz, and for two channels between any rates.
const WORDS: usize = 8192;

/// A rate converter with its memory. It stays where it is: a copy would fill the stack.
pub(crate) type RateConverter = Box<Converter<WORDS>>;

/// Converters that no voice has.
#[derive(Debug)]
pub(crate) struct Converters {
    free: Vec<RateConverter>,
}

impl Converters {
    pub(crate) fn new(count: u16) -> Self {
        let unused = Rates::new(Rates::HIGHEST_HZ, Rates::HIGHEST_HZ);
        let unused = unused.and_then(|rates| Converter::new(rates, Channels::MONO, Start::Aligned));
        let free = (0..count).filter_map(|_| unused.clone().map(Box::new));
        Self { free: free.collect() }
    }

    /// Whether one is left.
    pub(crate) fn has_one(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether the memory of a converter is enough for these.
    pub(crate) fn can(rates: Rates, channels: Channels) -> bool {
        Converter::<WORDS>::words(rates, channels) <= WORDS
    }

    /// A converter that has heard silence. `None`: none is left, or its memory isn't enough.
    pub(crate) fn take(&mut self, rates: Rates, channels: Channels) -> Option<RateConverter> {
        // Frame 0 comes out as frame 0: a position needs no correction by the filter's delay.
        let fresh = Converter::new(rates, channels, Start::Aligned)?;
        let mut taken = self.free.pop()?;
        *taken = fresh;
        Some(taken)
    }

    /// Takes a converter back.
    pub(crate) fn give(&mut self, converter: RateConverter) {
        // There is room: it was taken from here.
        self.free.push(converter);
    }
}
