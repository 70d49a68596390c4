//! The sound card as the back end uses it.

pub use sndif::Direction;
pub use sndif::control_page::{Cadence, PositionLock, PositionSource};
use sndif::format::{FormatSet, SampleFormat};
pub use sndif::nodes::VolumeRange;
pub use sndif::op::LinkedStart;

use hyper::Nanos;

pub use crate::port_peaks::{MAX_PEAK_CHANNELS, PortPeaks};
pub use crate::port_set::{PortIndex, PortSet};
pub use crate::port_state::{BusState, PortState};
pub use crate::trim::Trim;

/// A port's name for users: `Rear Line Out`. 40 bytes at most.
pub type PortLabel = heapless::String<40>;

/// The abilities of an output or input. [`Card::supports`] says which of them go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Playback or capture.
    pub direction: Direction,
    /// It hears what an output plays. Such a port is an input, behind all others, and needs [a right of its
    /// own](crate::rights::Right::Hear).
    pub is_monitor: bool,
    /// Sample formats that need no conversion.
    pub formats: FormatSet,
    /// Frame rates, ascending, in Hz; `0` marks unused places at the end.
    pub rates_hz: [u32; MAX_RATES],
    /// Fewest channels, at least 1.
    pub channels_min: u8,
    /// Most channels.
    pub channels_max: u8,
    /// Smallest buffer, in bytes.
    pub buffer_bytes_min: u32,
    /// Largest buffer, in bytes: a page a descriptor, 1 MiB at most.
    pub buffer_bytes_max: u32,
    /// The abilities of the amplifiers on its path, equal for all channels. `None`: there are no suitable amplifiers.
    pub volume: Option<VolumeRange>,
}

impl Port {
    /// The formats, rates, channels and buffer sizes that this port and `wanted` have in common. All else is this port's.
    #[must_use]
    pub fn narrowed_to(&self, wanted: &Self) -> Self {
        let mut rates_hz = [0; MAX_RATES];
        let both = self.rates_hz.into_iter().filter(|rate| wanted.rates_hz.contains(rate));
        rates_hz.iter_mut().zip(both).for_each(|(place, rate)| *place = rate);
        Self {
            direction: self.direction,
            is_monitor: self.is_monitor,
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

/// Parameters of an open. The back end checks them, and the card checks them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamParams {
    /// Frames per second.
    pub rate_hz: u32,
    /// Format of one sample.
    pub format: SampleFormat,
    /// Samples in a frame.
    pub channels: u8,
}

/// Position and errors of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPosition {
    /// Bytes since START, whole frames, monotone, never wrapped at the buffer. Playback: gone out on the link, as
    /// far as the hardware tells. Capture: arrived in memory.
    pub bytes: u64,
    /// FIFO errors since START: underruns on playback, overruns on capture.
    pub fifo_errors: u32,
    /// Descriptor errors since START: the stream has stopped if this isn't 0.
    pub descriptor_errors: u32,
    /// The position at the link. `None` before the first START, and on a card that cannot tell.
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
    /// The time of `link_frames`.
    pub time: Nanos,
    /// The measured length of a frame, in nanoseconds of the system's clock with 32 fractional bits.
    pub ns_per_frame_q32: u64,
    /// Half width of the window around `time` in which `link_frames` was reached. True, not likely: whatever the card
    /// knows of its own uncertainty is in it.
    pub error_ns: u32,
    /// How precisely the position is known.
    pub lock: PositionLock,
    /// The counter that the position follows.
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

/// Why a card refused or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardError {
    /// The card has no such port.
    NoSuchPort,
    /// No stream descriptor or converter for this port is free.
    Busy,
    /// The port does not support this rate, format or number of channels.
    Unsupported,
    /// The controller cannot use the buffer: too many pages, or a length or an address out of range.
    BadBuffer,
    /// The stream is in the wrong state: a second start, or a resume without a pause.
    WrongState,
    /// The hardware failed. The card has logged the register or the command.
    Hardware,
}

/// A stream that the hardware does not stop: RUN still reads 1. Its buffer stays mapped until [`Card::close`] succeeds.
#[derive(Debug)]
pub struct StillRunning<S>(pub S);

/// Why a stream could not be opened, and where its buffer is now.
#[derive(Debug)]
pub enum OpenFailure<B, S> {
    /// The card does not touch the buffer.
    Refused {
        /// The reason.
        error: CardError,
        /// The buffer that [`Card::open`] was given.
        buffer: B,
    },
    /// RUN reads 1, so the card may still touch the buffer.
    Stuck {
        /// The reason.
        error: CardError,
        /// Holds the buffer. Only [`Card::close`] accepts it.
        stream: S,
    },
}

impl<B, S> OpenFailure<B, S> {
    /// The reason.
    pub fn error(&self) -> CardError {
        match self {
            Self::Refused { error, .. } | Self::Stuck { error, .. } => *error,
        }
    }
}

/// The counter that stream positions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PositionChoice {
    /// The one that suits the controller and the direction best.
    #[default]
    Auto,
    /// The counter at the link (SDnLPIB).
    Link,
    /// The DMA position buffer in memory.
    Memory,
}

/// Reaction of open streams to a plug in a jack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JackPolicy {
    /// The stream moves from the built-in device to the plugged one.
    #[default]
    Move,
    /// The stream plays on both.
    Both,
    /// The stream stays on the port where it was opened.
    Stay,
}

/// How streams use a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortMode {
    /// One stream, whose buffer the hardware reads or writes. The next one is refused.
    Direct,
    /// Any number of streams, mixed.
    Shared,
    /// Direct while a stream is alone and the hardware takes its parameters, else mixed.
    #[default]
    Auto,
}

/// The administrator's settings of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortSetup {
    /// How streams use it.
    pub mode: PortMode,
    /// The rate in Hz at which it mixes. `None`: the first stream's, or 48 kHz.
    pub rate_hz: Option<u32>,
    /// The gain of all its streams, on top of each one's [own](Card::set_trim). It applies at once.
    pub trim: Trim,
}

/// Ports that have a [`PortSetup`]. Those behind them are direct.
pub const MAX_PORT_SETUPS: usize = 32;

/// Settings of a card that can change while streams run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CardSettings {
    /// Applies to streams that are opened later.
    pub position_source: PositionChoice,
    /// Applies to all streams at once.
    pub jack_policy: JackPolicy,
    /// By port. Mode and rate apply to streams that are opened later; a port keeps its mixer until its last stream is closed. A
    /// card without a mixer has direct ports only, without trims.
    pub ports: [PortSetup; MAX_PORT_SETUPS],
}

/// A sound card that plays from and records into buffers of type `B`.
///
/// [`open`](Self::open) takes the buffer. Only [`close`](Self::close) gives it back, once the controller no longer touches it.
/// An unmap before that does not compile.
pub trait Card<B> {
    /// An open stream. It owns a stream descriptor, a converter and the buffer.
    type Stream;

    /// Applies settings. Unchanged values have no effect.
    fn configure(&mut self, settings: &CardSettings);
    /// Handles the card's interrupt and the messages of its codecs. The cost without news is a few register reads.
    ///
    /// `is_interrupted` is true if the interrupt came since the last poll, or if nobody can tell. Returns whether
    /// [`is_plugged`](Self::is_plugged) has changed for at least one port.
    fn poll(&mut self, now: Nanos, is_interrupted: bool) -> bool;
    /// The latest time of the next poll. `None`: the card waits for its interrupt only. Any other call may change it.
    fn next_due(&self) -> Option<Nanos>;
    /// Whether the hardware has lost its state, as after a loss of power, and is there: [`restore`](Self::restore) brings it back.
    fn has_lost_state(&mut self) -> bool {
        false
    }
    /// Brings the hardware back to its state from before a power loss.
    ///
    /// Streams stop, as after a power loss. A stream that ran reports a descriptor error until it is started again, or paused and
    /// resumed. A stream that did not run is as before. The generation of each [`LinkPosition`] changes.
    ///
    /// # Errors
    /// [`CardError::Hardware`] if the controller or a codec does not come back; the card's log says which.
    fn restore(&mut self) -> Result<(), CardError>;
    /// All outputs and inputs. Their number and directions do not change; [`configure`](Self::configure) may change what they
    /// are able to do.
    fn ports(&self) -> &[Port];
    /// The name of a port, as users know it. No two ports have the same one. `None`: it has no name.
    fn port_name(&self, port: PortIndex) -> Option<PortLabel>;
    /// Whether a plug is in the port's jack. `None`: the port has no jack, or its jack cannot tell. A port is either
    /// always or never `None`.
    fn is_plugged(&self, port: PortIndex) -> Option<bool>;
    /// The use of a port now. `None`: the card has no mixer, or the port is a monitor, which is its output's.
    fn port_state(&self, _port: PortIndex) -> Option<PortState> {
        None
    }
    /// Begins to measure the peaks of what passes the port's link, for a second. Returns whether there is something to measure:
    /// a direct stream's samples are never read.
    fn measure_peaks(&mut self, _port: PortIndex) -> bool {
        false
    }
    /// Ends the measurement. `None`: there is none, as the port is no mixer's any more.
    fn take_peaks(&mut self, _port: PortIndex) -> Option<PortPeaks> {
        None
    }
    /// Whether an idle card could open this port with these parameters. A port need not support all
    /// combinations of its rates, formats and channels.
    fn supports(&self, port: PortIndex, params: &StreamParams) -> bool;
    /// Whether the port, and everything it shares with others, is free now. [`open`](Self::open) decides; this
    /// only avoids mapping pages in vain.
    fn is_free(&self, port: PortIndex) -> bool;
    /// The time from which on [`open`](Self::open) of this port finds the right moment soon. It has to meet one where it moves
    /// another stream without a gap, at rates whose frames don't come evenly. Earlier it is done as well, but everybody
    /// waits for the moment. Any other call may change it.
    fn open_due(&mut self, _port: PortIndex) -> Nanos {
        Nanos(0)
    }
    /// Sets up a stream: format, route, descriptor list. The stream does not run yet, its volume is the value next to
    /// 0 dB, and no channel is muted.
    ///
    /// # Errors
    /// [`OpenFailure`] holds the buffer.
    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<Self::Stream, OpenFailure<B, Self::Stream>>;
    /// Sets up a stream on the port of another one that is open, with the same parameters. The port stays the other's: what the
    /// new stream plays goes nowhere, and it records nothing, until it [takes the port](Self::take_port).
    ///
    /// # Errors
    /// [`OpenFailure`] holds the buffer. [`CardError::Unsupported`]: the card can't do it.
    fn open_beside(
        &mut self,
        other: &Self::Stream,
        buffer: B,
    ) -> Result<Self::Stream, OpenFailure<B, Self::Stream>>;
    /// The time from which on [`open_beside`](Self::open_beside) and [`start_beside`](Self::start_beside) find the right moment
    /// soon.
    fn beside_due(&mut self, _other: &mut Self::Stream) -> Nanos {
        Nanos(0)
    }
    /// Starts a stream that was opened [beside](Self::open_beside) another one that runs. If the card can, all frames of both are
    /// in the same link frames. At rates whose frames don't come evenly that is possible at some moments only: a call that is
    /// [early](Self::beside_due) waits for one, 3.4 ms at most, and starts it at another one if none comes in that time.
    fn start_beside(&mut self, other: &mut Self::Stream, beside: &mut Self::Stream) -> Result<(), CardError>;
    /// Gives the port of `from` to `to`, which was [opened beside](Self::open_beside) it and runs. Both run on. The port's volume
    /// and mute stay as they are. Where both play the same frames at the same time, nobody hears when it takes effect.
    ///
    /// # Errors
    /// [`CardError::WrongState`]: nothing has happened. [`CardError::Hardware`]: the codec did not answer, and the port is `to`'s;
    /// until another call succeeds, either stream may be heard, or record.
    fn take_port(&mut self, from: &mut Self::Stream, to: &mut Self::Stream) -> Result<(), CardError>;

    /// The ports that the stream's owner may use for its direction. The stream follows plugs to no other port than these and its
    /// own. One that has followed a plug elsewhere returns at once. Until it is told, a stream stays on its own port.
    fn set_reach(&mut self, stream: &mut Self::Stream, ports: PortSet);

    /// Whether the stream's [link position](StreamPosition::link) is used. Enabled by default; a card does less work without it.
    fn set_link_wanted(&mut self, stream: &mut Self::Stream, is_wanted: bool);
    /// Tells the frames between two events that the front end asked for; 0 if it asked for none. It says how soon a frame
    /// that is written late must still be heard.
    fn set_period(&mut self, stream: &mut Self::Stream, period_frames: u32);
    /// Tells the bytes that the front end says it has written, counted from the buffer's first frame of this run. They may be
    /// told before the start; they never decrease until the next stop. Playback only.
    ///
    /// Returns how many of the bytes that are new come too late: silence is played in their place. 0 where the hardware plays
    /// whatever it finds.
    fn note_written(&mut self, stream: &mut Self::Stream, bytes: u64) -> u64;
    /// The buffer of an open stream. `None`: the card cannot tell, so the stream's volume cannot change.
    fn buffer<'a>(&'a self, stream: &'a Self::Stream) -> Option<&'a B>;
    /// Sets the volume of a channel to the value next to `mdb`, in units of 0.001 dB. The mute stays as it is.
    /// Only for ports whose [`volume`](Port::volume) has steps.
    ///
    /// # Errors
    /// [`CardError::Unsupported`] changes nothing. After any other error a card of hardware sets it once its codec answers.
    fn set_volume(&mut self, stream: &mut Self::Stream, channel: u8, mdb: i32) -> Result<(), CardError>;
    /// The volume of a channel in units of 0.001 dB, whether muted or not. Only for ports whose [`volume`](Port::volume) has steps.
    fn volume(&self, stream: &Self::Stream, channel: u8) -> Result<i32, CardError>;
    /// Mutes a channel or ends the mute. Only for ports that [can](VolumeRange::can_mute).
    ///
    /// # Errors
    /// [`CardError::Unsupported`] changes nothing. After any other error a card of hardware sets it once its codec answers.
    fn set_mute(&mut self, stream: &mut Self::Stream, channel: u8, is_muted: bool) -> Result<(), CardError>;
    /// Sets the administrator's gain of a stream, on top of its volume and mute, which stay as they are: [`volume`](Self::volume)
    /// doesn't show it. 0 dB after [`open`](Self::open). A stream that is muted here and can't be doesn't run: it stops with a
    /// descriptor error, and its start fails. A card without a mixer ignores it.
    fn set_trim(&mut self, _stream: &mut Self::Stream, _trim: Trim) {}
    /// Starts at the buffer's first frame. The position counts from 0.
    fn start(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Starts open streams that do not run, in the same link frame if the card can. After an error none of them runs.
    fn start_together(&mut self, streams: &mut [&mut Self::Stream]) -> Result<LinkedStart, CardError>;
    /// Stops DMA and keeps the position for [`resume`](Self::resume).
    fn pause(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Continues from the position of the pause.
    fn resume(&mut self, stream: &mut Self::Stream) -> Result<(), CardError>;
    /// Stops DMA in any state and returns the last position. The next start counts from 0.
    fn stop(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError>;
    /// The position of a running or paused stream. A running stream needs this call at least once a buffer, and every 10 ms
    /// if its link position is wanted.
    fn position(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError>;
    /// Ends a stream in any state. Returns the buffer once RUN has read 0.
    fn close(&mut self, stream: Self::Stream) -> Result<B, StillRunning<Self::Stream>>;
}
