//! What the back end needs of a sound card.

use sndif::format::{FormatSet, SampleFormat};

/// One output or input of the card: `0..ports().len()`, stable while the card lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortIndex(pub u8);

/// Which way samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a guest to the link.
    Playback,
    /// From the link to a guest.
    Capture,
}

/// An output or input of the card, and all that it can do: see also [`Card::supports`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Playback or capture.
    pub direction: Direction,
    /// Sample formats that DMA can serve without any conversion.
    pub formats: FormatSet,
    /// Frame rates, ascending, in Hz; `0` marks unused places at the end.
    pub rates_hz: [u32; MAX_RATES],
    /// Fewest channels, at least 1.
    pub channels_min: u8,
    /// Most channels.
    pub channels_max: u8,
    /// Smallest buffer, in octets.
    pub buffer_bytes_min: u32,
    /// Largest buffer, in octets: a page a descriptor, 1 MiB at most.
    pub buffer_bytes_max: u32,
}

impl Port {
    /// What both this port and `wanted` have: formats, rates, channels and buffer sizes. The direction is this port's.
    #[must_use]
    pub fn narrowed_to(&self, wanted: &Self) -> Self {
        let mut rates_hz = [0; MAX_RATES];
        let both = self.rates_hz.into_iter().filter(|rate| wanted.rates_hz.contains(rate));
        rates_hz.iter_mut().zip(both).for_each(|(place, rate)| *place = rate);
        Self {
            direction: self.direction,
            formats: self.formats.intersect(wanted.formats),
            rates_hz,
            channels_min: self.channels_min.max(wanted.channels_min),
            channels_max: self.channels_max.min(wanted.channels_max),
            buffer_bytes_min: self.buffer_bytes_min.max(wanted.buffer_bytes_min),
            buffer_bytes_max: self.buffer_bytes_max.min(wanted.buffer_bytes_max),
        }
    }
}

/// Rates in [`Port::rates_hz`]: a converter can state twelve (HDA specification 1.0a, 7.3.4.7 "PCM"), of which eleven can be
/// put on the link: 384 kHz has no encoding in SDnFMT (3.3.41).
pub const MAX_RATES: usize = 12;

/// What a stream is opened with. Judged before it gets here, and judged again by the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamParams {
    /// Frames a second.
    pub rate_hz: u32,
    /// Format of one sample.
    pub format: SampleFormat,
    /// Samples in a frame.
    pub channels: u8,
}

/// Where a running stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPosition {
    /// Octets since START, whole frames, monotone, never wrapped at the buffer. Playback: gone out on the link, as
    /// far as the hardware tells. Capture: arrived in memory.
    pub bytes: u64,
    /// FIFO errors since START: underruns on playback, overruns on capture.
    pub fifo_errors: u32,
    /// Descriptor errors since START: the stream has stopped if this isn't 0.
    pub descriptor_errors: u32,
}

/// Why the card refused, or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardError {
    /// There is no such port.
    NoSuchPort,
    /// Every stream descriptor or converter that could serve this port is taken.
    Busy,
    /// The port can't do this rate, format or number of channels.
    Unsupported,
    /// The buffer can't be described to the controller: too many pages, a length or an address that doesn't fit.
    BadBuffer,
    /// Not in this state: started twice, resumed without a pause.
    WrongState,
    /// The hardware didn't do as it should; the driver has logged which register.
    Hardware,
}

/// A stream that could not be stopped: RUN still reads 1. Its buffer stays with it, mapped, for as long as that is so.
#[derive(Debug)]
pub struct StillRunning<S>(pub S);

/// A sound card that plays from and records into buffers of type `B`.
///
/// A buffer is handed over at [`open`](Self::open) and comes back only from [`close`](Self::close), when the
/// controller is known not to touch it any more: so an early unmap doesn't compile.
pub trait Card<B> {
    /// An open stream: it owns a stream descriptor, a converter and the buffer.
    type Stream;

    /// All outputs and inputs.
    fn ports(&self) -> &[Port];
    /// Whether a stream with these parameters could be opened on this port, if nothing else were going on. A port's
    /// rates, formats and channels need not all go together.
    fn supports(&self, port: PortIndex, params: &StreamParams) -> bool;
    /// Whether a stream could be opened on this port now: nobody has it, nor what it shares with others. A hint, so that pages
    /// aren't mapped in vain; [`open`](Self::open) decides.
    fn is_free(&self, port: PortIndex) -> bool;
    /// Sets a stream up: format, route, descriptor list. It doesn't run yet. A failure gives the buffer back.
    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<Self::Stream, (CardError, B)>;
    /// Starts at the buffer's first frame; position counts from 0.
    fn start(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Stops DMA where it is; [`resume`](Self::resume) goes on from there.
    fn pause(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Goes on after a pause; position goes on too.
    fn resume(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Stops DMA and forgets the position. Returns the last position. Allowed in any state.
    fn stop(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError>;
    /// Where the stream is now. Must be called at least once a buffer while it runs.
    fn position(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError>;
    /// Ends a stream in any state and gives the buffer back, once RUN has read back 0.
    fn close(&mut self, stream: Self::Stream) -> Result<B, StillRunning<Self::Stream>>;
}
