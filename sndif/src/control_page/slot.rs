//! One stream's slot as plain data, and the positions and times that follow from it.

use super::cadence::Cadence;

/// Frequency of the controller's wall clock in Hz (HDA specification 1.0a, 3.3.16 "Wall Clock Counter").
pub const WALL_CLOCK_HZ: u32 = 24_000_000;

/// Words of a slot's fields, without the sequence number.
pub(super) const FIELD_WORDS: usize = 26;

/// The state of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum SlotState {
    /// No buffer.
    #[default]
    Closed = 0,
    /// A buffer, and no run.
    Open = 1,
    /// Running.
    Running = 2,
    /// Paused: it can go on.
    Paused = 3,
    /// The run failed. The position doesn't move any more.
    Failed = 4,
}

impl SlotState {
    const ALL: [Self; 5] = [Self::Closed, Self::Open, Self::Running, Self::Paused, Self::Failed];

    /// The state with this number, if there is one.
    pub fn from_code(code: u32) -> Option<Self> {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code)).copied()
    }
}

/// The quality of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum PositionLock {
    /// From one of the hardware's counters alone. [`Slot::error_ns`] includes the counter's steps.
    Coarse = 1,
    /// From the link's clock, to which the counter was seen to keep.
    Locked = 2,
}

impl PositionLock {
    /// The lock with this number. 0 and unknown numbers are `None`.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::Coarse),
            2 => Some(Self::Locked),
            _ => None,
        }
    }
}

/// The counter behind a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum PositionSource {
    /// The stream's link position, SDnLPIB.
    Link = 1,
    /// The DMA position buffer.
    Memory = 2,
    /// No credible counter: the wall clock since START.
    WallClock = 3,
}

impl PositionSource {
    /// The source with this number. 0 and unknown numbers are `None`.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::Link),
            2 => Some(Self::Memory),
            3 => Some(Self::WallClock),
            _ => None,
        }
    }
}

/// The time at which the back end took a request.
///
/// With the front end's times of the request and of this answer it relates two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The request's id.
    pub id: u16,
    /// Xen system time at which the back end took it off the ring.
    pub time_ns: u64,
}

/// A stream's slot. Times are Xen system time in nanoseconds. All values are claims of the back end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The stream's state.
    pub state: SlotState,
    /// Frames through the link since START: out to the converter, or in from it.
    ///
    /// The count never decreases, doesn't wrap at the buffer's end and goes on after a pause.
    pub link_frames: u64,
    /// The time at which `link_frames` was true.
    pub time_ns: u64,
    /// Measured length of a frame, in nanoseconds with 32 fractional bits.
    pub ns_per_frame_q32: u64,
    /// Error bound of `time_ns`, either way, with all known errors of the hardware's counters.
    pub error_ns: u32,
    /// Number of STARTs since OPEN, and of breaks in the frame count. Frame numbers of two generations aren't comparable.
    pub generation: u32,
    /// Playback: frames that DMA fetched ahead of the link. Capture: frames off the link that aren't in memory yet.
    pub dma_lead_frames: u32,
    /// The converter's delay if the codec states it, else 0. No other field includes it.
    pub codec_delay_frames: u32,
    /// The time at which frame 0 was at the link.
    pub start_time_ns: u64,
    /// The same in ticks of the controller's 24 MHz wall clock, extended to 64 bits: see
    /// [`start_distance_frames`](Self::start_distance_frames).
    pub start_wall_ticks: u64,
    /// Frames of this run that played before a WRITE announced them, or were overwritten before a READ; as far as known.
    pub xrun_frames: u64,
    /// Frames since START that WRITE or READ announced, as the back end understood them.
    pub appl_frames: u64,
    /// The id of the last request that the back end took off the stream's ring: see [`echo`](Self::echo).
    pub echo_id: u32,
    /// The quality of the position; `None` without a position, as before the first START.
    pub lock: Option<PositionLock>,
    /// The counter behind the position.
    pub source: Option<PositionSource>,
    /// The time at which it took that request; 0 before the first.
    pub echo_time_ns: u64,
    /// The link's steps, for more precision than a straight line: see [`carried_q16_at`](Self::carried_q16_at). `None` if
    /// unknown.
    pub cadence: Option<Cadence>,
}

impl Slot {
    /// Frames through the link at system time `now_ns`, rounded down; `None` without a position.
    ///
    /// The value is `link_frames + (now_ns - time_ns) / ns_per_frame` while the stream runs, else `link_frames`. A `now_ns`
    /// before `time_ns` counts backwards, down to 0.
    ///
    /// The error is at most `error_ns / ns_per_frame + 1` frames within one [refresh](super::REFRESH_INTERVAL_NS). Later the
    /// drift of the link's clock against its measured rate adds up. The fixed point rounds by less than a frame in a year.
    pub fn frames_at(&self, now_ns: u64) -> Option<u64> {
        self.lock?;
        if self.state != SlotState::Running {
            return Some(self.link_frames);
        }
        let since = self.frames_in(now_ns.abs_diff(self.time_ns))?;
        Some(if now_ns >= self.time_ns {
            self.link_frames.saturating_add(since)
        } else {
            self.link_frames.saturating_sub(since)
        })
    }

    /// Frames through the link at system time `now_ns`, with 16 fractional bits, in the link's own steps.
    ///
    /// A straight line is off by half a frame at 44.1 kHz, by 0.99 frames at 88.2 kHz and by 1.99 at 176.4 kHz, because the
    /// link carries two and four frames at once and then none. The steps need a [`Cadence`] and a position of the last
    /// quarter of an hour; without them it is a straight line. Only the error of the clocks
    /// remains if `now_ns` is known within half a link frame, 10 us. The error is at most `error_ns` either way.
    pub fn carried_q16_at(&self, now_ns: u64) -> Option<u64> {
        self.lock?;
        let frames_q16 = i128::from(self.link_frames) << 16;
        let since_q16 = if self.state == SlotState::Running {
            let span_q32 = i128::from(now_ns).saturating_sub(self.time_ns.into()) << 32;
            let is_near = now_ns.abs_diff(self.time_ns) >> 40 == 0;
            match self.cadence.filter(|_| is_near) {
                Some(cadence) => cadence.frames_since_q16(span_q32, self.ns_per_frame_q32)?,
                None => (span_q32 << 16).checked_div_euclid(self.ns_per_frame_q32.into())?,
            }
        } else {
            0
        };
        let carried = frames_q16.saturating_add(since_q16).max(0);
        Some(u64::try_from(carried).unwrap_or(u64::MAX))
    }

    /// The system time at which `frame` was or will be at the link of a running stream; `None` without a position.
    ///
    /// The value is `time_ns + (frame - link_frames) * ns_per_frame`, rounded down and saturated. The error is at most
    /// `error_ns`, and one nanosecond of rounding.
    pub fn time_of(&self, frame: u64) -> Option<u64> {
        self.lock?;
        let span =
            u128::from(frame.abs_diff(self.link_frames)).wrapping_mul(self.ns_per_frame_q32.into()) >> 32;
        let span = u64::try_from(span).unwrap_or(u64::MAX);
        Some(if frame >= self.link_frames {
            self.time_ns.saturating_add(span)
        } else {
            self.time_ns.saturating_sub(span)
        })
    }

    /// Whole frames in a span; `None` if the length of a frame is 0.
    fn frames_in(&self, span_ns: u64) -> Option<u64> {
        // Up to 4.3 s, the usual case, a division of 64 bits is enough.
        if span_ns >> 32 == 0 {
            return (span_ns << 32).checked_div(self.ns_per_frame_q32);
        }
        let frames = (u128::from(span_ns) << 32).checked_div(self.ns_per_frame_q32.into())?;
        Some(u64::try_from(frames).unwrap_or(u64::MAX))
    }

    /// Ticks of the wall clock from this stream's frame 0 to that of `other`; negative if `other` started first.
    ///
    /// Both streams must have a position and belong to one card. The value is constant while both keep their `generation`.
    pub const fn start_distance_ticks(&self, other: &Self) -> i64 {
        other.start_wall_ticks.wrapping_sub(self.start_wall_ticks).cast_signed()
    }

    /// The same in frames of `rate_hz`, rounded to the nearest.
    ///
    /// This stream's frame `n + distance` is at the link together with frame `n` of `other`. At 48 kHz, its fractions and its
    /// multiples up to 192 kHz, a frame is a whole number of ticks.
    pub fn start_distance_frames(&self, other: &Self, rate_hz: u32) -> i64 {
        let ticks = i128::from(self.start_distance_ticks(other));
        // 2^63 times 2^32, and half a second of ticks: far below 2^127.
        let scaled = ticks.saturating_mul(rate_hz.into());
        let half = i128::from(WALL_CLOCK_HZ / 2);
        let frames = scaled.saturating_add(half).checked_div_euclid(WALL_CLOCK_HZ.into()).unwrap_or(0);
        i64::try_from(frames).unwrap_or(if frames < 0 { i64::MIN } else { i64::MAX })
    }

    /// The last request that the back end took off this stream's ring; `None` before the first.
    pub fn echo(&self) -> Option<Echo> {
        let id = u16::try_from(self.echo_id).ok()?;
        (self.echo_time_ns != 0).then_some(Echo { id, time_ns: self.echo_time_ns })
    }

    /// The words after the sequence number, as they lie in the page.
    pub(super) fn to_words(self) -> [u32; FIELD_WORDS] {
        let mut words = [0; FIELD_WORDS];
        let mut put = |at: usize, values: &[u32]| {
            words.iter_mut().skip(at).zip(values).for_each(|(word, value)| *word = *value);
        };
        let lock = self.lock.map_or(0, |lock| lock as u32);
        let source = self.source.map_or(0, |source| source as u32);
        put(0, &[self.state as u32]);
        put(7, &[self.error_ns, self.generation, self.dma_lead_frames, self.codec_delay_frames]);
        put(19, &[self.echo_id, lock | source << 16]);
        put(23, &self.cadence.map_or([0; 3], Cadence::to_words));
        for (at, value) in [
            (1, self.link_frames),
            (3, self.time_ns),
            (5, self.ns_per_frame_q32),
            (11, self.start_time_ns),
            (13, self.start_wall_ticks),
            (15, self.xrun_frames),
            (17, self.appl_frames),
            (21, self.echo_time_ns),
        ] {
            put(at, &[value as u32, (value >> 32) as u32]);
        }
        words
    }

    /// The slot in these words, or the number of an unknown state.
    pub(super) fn from_words(words: &[u32; FIELD_WORDS]) -> Result<Self, u32> {
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        let wide = |at: usize| u64::from(word(at.saturating_add(1))) << 32 | u64::from(word(at));
        Ok(Self {
            state: SlotState::from_code(word(0)).ok_or(word(0))?,
            link_frames: wide(1),
            time_ns: wide(3),
            ns_per_frame_q32: wide(5),
            error_ns: word(7),
            generation: word(8),
            dma_lead_frames: word(9),
            codec_delay_frames: word(10),
            start_time_ns: wide(11),
            start_wall_ticks: wide(13),
            xrun_frames: wide(15),
            appl_frames: wide(17),
            echo_id: word(19),
            lock: PositionLock::from_code(word(20) as u16),
            source: PositionSource::from_code((word(20) >> 16) as u16),
            echo_time_ns: wide(21),
            cadence: Cadence::from_words([word(23), word(24), word(25)]),
        })
    }
}
