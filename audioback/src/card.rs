//! What the back end needs of a sound card.

use sndif::control_page::Cadence;
use sndif::format::{FormatSet, SampleFormat};
pub use sndif::nodes::VolumeRange;

use hyper::Nanos;

/// One output or input of the card: `0..ports().len()`, stable while the card lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortIndex(pub u8);

/// What people call a port: `Rear Line Out`. 40 octets at most.
pub type PortLabel = heapless::String<40>;

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
    /// What the amplifiers on its path can do, the same for each channel; `None`: there are none that could be used for that.
    pub volume: Option<VolumeRange>,
}

impl Port {
    /// What both this port and `wanted` have: formats, rates, channels and buffer sizes. Direction and volume are this port's.
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
            volume: self.volume,
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
    /// What is at the link, and when: `None` before the first START, and on a card that can't tell.
    pub link: Option<LinkPosition>,
}

/// A frame at the link, with the time at which it was there and the bound of what may be wrong with that.
///
/// At system time `t` not before [`time`](Self::time), and until the next look,
/// `link_frames + (t - time) / frame length` frames have gone through the link, within [`error_ns`](Self::error_ns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPosition {
    /// Frames through the link since START: out to the converter on playback, in from it on capture. Monotone, never
    /// wrapped at the buffer, goes on over pause and resume.
    pub link_frames: u64,
    /// When that was so.
    pub time: Nanos,
    /// The measured length of a frame, in nanoseconds of the system's clock with 32 fractional bits.
    pub ns_per_frame_q32: u64,
    /// Half width of the window around `time` in which `link_frames` was reached. True, not likely: whatever the card
    /// knows of its own uncertainty is in it.
    pub error_ns: u32,
    /// How the position was come by.
    pub lock: PositionLock,
    /// Which of the hardware's counters was found to be worth following.
    pub source: PositionSource,
    /// Playback: frames that DMA has fetched beyond the link. Capture: frames off the link that aren't in memory yet.
    pub dma_lead_frames: u32,
    /// The converter's own delay in frames, where the codec states it, else 0. Not part of any other field.
    pub codec_delay_frames: u32,
    /// Frame 0 at the link, in the system's clock.
    pub start_time: Nanos,
    /// Frame 0 at the link, in the controller's 24 MHz wall clock, extended to 64 bits.
    pub start_wall_ticks: u64,
    /// How to follow the link from here on more closely than by a straight line, if that is known: within half a link frame of
    /// `time`, so that whoever does stays within `error_ns`.
    pub cadence: Option<Cadence>,
    /// Breaks in the count since the stream was opened: each START, and each time that the count could not be continued.
    pub generation: u32,
}

/// How a [`LinkPosition`] was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionLock {
    /// The hardware's counter alone: its steps are in the error.
    Coarse,
    /// The link's clock, to which the counter has been seen to keep.
    Locked,
}

/// The counter of the hardware that a [`LinkPosition`] was held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionSource {
    /// SDnLPIB.
    Link,
    /// The DMA position buffer.
    Memory,
    /// None that could be believed, or shown to count what is at the link: the wall clock since START.
    WallClock,
}

/// How streams were started together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkedStart {
    /// All in the same link frame.
    SameFrame,
    /// One right after the other: the card has nothing better.
    BackToBack,
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
    /// What people call a port; `None` if they have no word for it. No two ports have the same name.
    fn port_name(&self, port: PortIndex) -> Option<PortLabel> {
        let _ = port;
        None
    }
    /// Whether something is plugged into the port's jack; `None` if it has none, or none that can tell. Of each port this is
    /// told always or never.
    fn is_plugged(&self, port: PortIndex) -> Option<bool> {
        let _ = port;
        None
    }
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
    /// Whether anybody wants to know [what is at the link](StreamPosition::link) of this stream: so it is until said otherwise.
    /// Where nobody does, a card saves the work.
    fn set_link_wanted(&mut self, stream: &mut Self::Stream, is_wanted: bool) {
        let _ = (stream, is_wanted);
    }
    /// The buffer of a stream, from [`open`](Self::open) until [`close`](Self::close). `None`: the card can't tell, and then the
    /// stream's volume can't be changed.
    fn buffer(_stream: &Self::Stream) -> Option<&B> {
        None
    }
    /// Sets a channel's volume to what comes nearest, in steps of 0.001 dB, muted or not. A stream is opened at 0 dB, or what comes
    /// nearest, and not muted. Only for ports whose [`volume`](Port::volume) has steps, as is [`volume`](Self::volume).
    fn set_volume(&mut self, stream: &mut Self::Stream, channel: u8, mdb: i32) -> Result<(), CardError> {
        let _ = (stream, channel, mdb);
        Err(CardError::Unsupported)
    }
    /// A channel's volume, muted or not.
    fn volume(&self, stream: &Self::Stream, channel: u8) -> Result<i32, CardError> {
        let _ = (stream, channel);
        Err(CardError::Unsupported)
    }
    /// Mutes a channel, or ends that. Only for ports that [can](VolumeRange::can_mute).
    fn set_mute(&mut self, stream: &mut Self::Stream, channel: u8, is_muted: bool) -> Result<(), CardError> {
        let _ = (stream, channel, is_muted);
        Err(CardError::Unsupported)
    }
    /// Starts at the buffer's first frame; position counts from 0.
    fn start(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Starts streams that are open and don't run, as [`start`](Self::start) does, in the same link frame where the card can.
    /// On an error none of them runs.
    fn start_together(&mut self, streams: &mut [&mut Self::Stream]) -> Result<LinkedStart, CardError> {
        let mut started = 0usize;
        let mut result = Ok(LinkedStart::BackToBack);
        for stream in streams.iter_mut() {
            if let Err(error) = self.start(stream) {
                result = Err(error);
                break;
            }
            started = started.saturating_add(1);
        }
        if result.is_err() {
            for stream in streams.iter_mut().take(started) {
                // One that doesn't stop says so again when it is closed.
                let _ = self.stop(stream);
            }
        }
        result
    }
    /// Stops DMA where it is; [`resume`](Self::resume) goes on from there.
    fn pause(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Goes on after a pause; position goes on too.
    fn resume(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Stops DMA and forgets the position. Returns the last position. Allowed in any state.
    fn stop(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError>;
    /// Where the stream is now. Must be called at least once a buffer while it runs, or once in 10 ms if it says what is at
    /// the link. A stream that is paused has a position, too.
    fn position(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError>;
    /// Ends a stream in any state and gives the buffer back, once RUN has read back 0.
    fn close(&mut self, stream: Self::Stream) -> Result<B, StillRunning<Self::Stream>>;
}
