//! Unwraps a counter that wraps at the buffer's end.

use crate::spec::registers::WALL_CLOCK_HZ;

/// A stream's position.
///
/// The controller counts within the buffer; the wall clock tells how many whole buffers have
/// passed. Of all positions at that place in the buffer, the one nearest to the expected position
/// counts. So poll a stream at least once a buffer. On hardware, counter and clock differ by at
/// most a few frames. There, once in half the wall clock's period (89 s) would do.
///
/// A position never goes back. It is at most 64 ms ahead of the wall clock's limit since RUN was
/// set. A counter beyond that, or outside the buffer, is rejected, and the position follows the
/// clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Position {
    /// Bytes since START: whole frames, monotone, not wrapped at the buffer's end. Output: through
    /// the link, as far as the controller tells. Input: arrived in memory.
    pub bytes: u64,
    /// The wall clock at this reading: 24 MHz, modulo 2^32.
    pub wall_clock: u32,
}

/// Largest accepted lead of a counter over the wall clock, in milliseconds.
///
/// On hardware the same clock drives both, and they differ by a frame or two. QEMU fills its own
/// buffers first: it leads by 31 ms, and by up to 43 ms (8192 bytes) on a busy host.
pub(crate) const SLACK_MS: u32 = 64;

/// The result of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Bytes since START.
    Bytes(u64),
    /// The reading is impossible, or the counter went back.
    Unlikely,
}

/// Unwraps a stream's position; see [`Position`].
///
/// The expected position is the last accepted one plus the time since. A constant lead or lag
/// (QEMU's) does not add up. Counter and clock may jitter against each other by less than half a
/// buffer. If the counter goes back, the position stands still.
///
/// Without a wall clock, every step counts as less than a buffer, forwards.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    buffer_bytes: u32,
    frame_bytes: u32,
    rate_hz: u32,
    slack_bytes: u64,
    /// Place in the buffer at which the descriptor list starts.
    origin: u32,
    /// Wall clock at the last poll; `None` if it is unreliable.
    wall_clock: Option<u32>,
    /// Position and ticks at the last RUN: the wall clock's limit counts from there.
    started_at: u64,
    started_ticks: u64,
    /// The last accepted position, and ticks since.
    anchor: u64,
    anchor_ticks: u64,
    reported: u64,
    anomalies: u32,
}

impl Tracker {
    /// For a buffer of `buffer_bytes`, a multiple of `frame_bytes`; both are above 0.
    pub(crate) fn new(buffer_bytes: u32, frame_bytes: u32, rate_hz: u32, wall_clock: Option<u32>) -> Self {
        let mut tracker = Self {
            buffer_bytes: buffer_bytes.max(1),
            frame_bytes: frame_bytes.max(1),
            rate_hz,
            slack_bytes: 0,
            origin: 0,
            wall_clock,
            started_at: 0,
            started_ticks: 0,
            anchor: 0,
            anchor_ticks: 0,
            reported: 0,
            anomalies: 0,
        };
        tracker.slack_bytes = tracker.bytes_in(u64::from(WALL_CLOCK_HZ / 1000 * SLACK_MS));
        tracker
    }

    /// Bytes that go through the link in `ticks`, in whole frames.
    fn bytes_in(&self, ticks: u64) -> u64 {
        const HZ: u64 = WALL_CLOCK_HZ as u64;
        let rate = u64::from(self.rate_hz);
        // Whole seconds first: neither product can overflow before 2^64 bytes have passed.
        let seconds = (ticks / HZ).saturating_mul(rate);
        let rest = (ticks % HZ).saturating_mul(rate) / HZ;
        seconds.saturating_add(rest).saturating_mul(u64::from(self.frame_bytes))
    }

    fn whole_frames(&self, bytes: u64) -> u64 {
        bytes.saturating_sub(bytes.checked_rem(u64::from(self.frame_bytes)).unwrap_or(0))
    }

    fn place(&self, bytes: u64) -> u64 {
        bytes.checked_rem(u64::from(self.buffer_bytes)).unwrap_or(0)
    }

    fn pass_time(&mut self, wall_clock: u32) {
        let Some(before) = self.wall_clock else { return };
        let elapsed = u64::from(wall_clock.wrapping_sub(before));
        self.wall_clock = Some(wall_clock);
        self.started_ticks = self.started_ticks.saturating_add(elapsed);
        self.anchor_ticks = self.anchor_ticks.saturating_add(elapsed);
    }

    /// Takes a reading: `counter` is bytes from the start of the descriptor list.
    pub(crate) fn update(&mut self, counter: u32, wall_clock: u32) -> Reading {
        self.pass_time(wall_clock);
        let (expected, limit) = match self.wall_clock {
            Some(_) => (
                self.anchor.saturating_add(self.bytes_in(self.anchor_ticks)),
                self.started_at
                    .saturating_add(self.bytes_in(self.started_ticks))
                    .saturating_add(self.slack_bytes),
            ),
            // With half a buffer as the expectation, any counter gives the place less than a
            // buffer past the anchor.
            None => (self.anchor.saturating_add(u64::from(self.buffer_bytes) / 2), u64::MAX),
        };
        match self.nearest(counter, expected) {
            Nearest::Outside => self.disbelieve(expected),
            Nearest::At(position) if position > limit => self.disbelieve(expected),
            Nearest::At(position) => {
                self.anchor = position;
                self.anchor_ticks = 0;
                self.reported = self.reported.max(position);
                Reading::Bytes(position)
            }
            // It stands still; the clock counts from the last accepted position.
            Nearest::Behind => Reading::Unlikely,
        }
    }

    fn disbelieve(&mut self, expected: u64) -> Reading {
        self.anomalies = self.anomalies.saturating_add(1);
        if self.wall_clock.is_some() {
            self.reported = self.reported.max(self.whole_frames(expected));
        }
        Reading::Unlikely
    }

    /// The last accepted reading, in bytes since START.
    ///
    /// It is less than the reported position while a restarted list plays some bytes again.
    pub(crate) fn counted(&self) -> u64 {
        self.anchor
    }

    /// The position nearest to `expected`, not before the anchor, with `counter` as its place in
    /// the buffer.
    fn nearest(&self, counter: u32, expected: u64) -> Nearest {
        if counter > self.buffer_bytes {
            return Nearest::Outside;
        }
        let buffer = u64::from(self.buffer_bytes);
        // A counter at the very end has wrapped already. It may tear inside a frame.
        let place = self.whole_frames(self.place(u64::from(self.origin).saturating_add(u64::from(counter))));
        let here = self.place(self.anchor);
        let ahead = if place >= here {
            place.saturating_sub(here)
        } else {
            buffer.saturating_sub(here).saturating_add(place)
        };
        // anchor + ahead + n * buffer nearest to expected; n = -1 would be before the anchor.
        let first = self.anchor.saturating_add(ahead);
        let reach = expected.saturating_add(buffer / 2);
        match reach.checked_sub(first) {
            None => Nearest::Behind,
            Some(room) => {
                let buffers = room.checked_div(buffer).unwrap_or(0);
                Nearest::At(first.saturating_add(buffers.saturating_mul(buffer)))
            }
        }
    }

    /// RUN was set again and the counter continued.
    pub(crate) fn resume(&mut self, wall_clock: u32) {
        self.wall_clock = self.wall_clock.map(|_| wall_clock);
        self.started_at = self.anchor;
        self.started_ticks = 0;
        self.anchor_ticks = 0;
    }

    /// RUN was set again and the counter restarted at 0.
    ///
    /// The descriptor list now starts at `origin` in the buffer, at or before the place where it
    /// stopped.
    pub(crate) fn resume_from(&mut self, origin: u32, wall_clock: u32) {
        let back = self.place(self.anchor).saturating_sub(u64::from(origin));
        self.anchor = self.anchor.saturating_sub(back);
        self.origin = origin;
        self.resume(wall_clock);
    }

    /// The place in the buffer where the stream stopped.
    pub(crate) fn place_in_buffer(&self) -> u32 {
        // Below `buffer_bytes`.
        self.place(self.anchor) as u32
    }

    pub(crate) fn buffer_bytes(&self) -> u32 {
        self.buffer_bytes
    }

    pub(crate) fn reported(&self) -> u64 {
        self.reported
    }

    pub(crate) fn anomalies(&self) -> u32 {
        self.anomalies
    }
}

enum Nearest {
    At(u64),
    Behind,
    Outside,
}
