//! The times and contents of CUR_POS events.
//!
//! A CUR_POS event holds bytes since OPEN. Linux's front end takes the difference of two events, so the count continues over
//! STOP and START. It sees the end of a period only *after* the edge, so an event on the edge would wake it every second
//! period. Hence:
//!
//! - The first look past a period's edge sends an event with the true position.
//! - An answer to READ or WRITE follows an event if the stream has moved by an eighth of a period. So the pointer is fresh.
//! - STOP rounds the count up to a whole buffer, because the next START begins at the buffer's start.
//! - A full event page receives nothing and uses up no id. The newest position follows once it has room.
//!
//! This module sends nothing itself.

use hyper::Nanos;

/// Shortest interval between two looks at a stream, so that no rate and period keeps this domain busy.
pub const LOOK_INTERVAL_NS_MIN: u64 = 500_000;

/// Longest interval between two looks at a running stream, far below the 179 s of a wrap of the wall clock.
pub const LOOK_INTERVAL_NS_MAX: u64 = 100_000_000;

/// This part of a period is the greatest distance of a look from the edge, and the greatest age of the front end's pointer at an
/// answer to READ or WRITE: 1.25 ms of a period of 10 ms.
const SLACK_DIVISOR: u64 = 8;

/// Selects the positions to post for one open stream.
#[derive(Clone, Copy, Debug)]
pub struct EventPacer {
    /// 0: no events.
    period_bytes: u64,
    buffer_bytes: u64,
    frame_bytes: u64,
    rate_hz: u64,
    /// Start of the present run in bytes since OPEN: whole buffers.
    base_bytes: u64,
    /// The last posted count, in bytes since OPEN.
    posted_bytes: u64,
    /// An event was due while the event page was full.
    is_owed: bool,
    /// An event is due once the count since OPEN is *greater* than this.
    edge_bytes: u64,
    /// Distance of the planned look from the edge. If the hardware's position moves in steps then a look at the edge comes too early.
    /// Each early look increases the distance, up to [`SLACK_DIVISOR`].
    margin_bytes: u64,
}

impl EventPacer {
    /// For a stream just opened. `rate_hz` and `frame_bytes` are at least 1; `period_bytes` may be 0.
    pub fn new(rate_hz: u32, frame_bytes: u32, buffer_bytes: u32, period_bytes: u32) -> Self {
        Self {
            period_bytes: period_bytes.into(),
            buffer_bytes: u64::from(buffer_bytes.max(1)),
            frame_bytes: u64::from(frame_bytes.max(1)),
            rate_hz: u64::from(rate_hz.max(1)),
            base_bytes: 0,
            posted_bytes: 0,
            is_owed: false,
            edge_bytes: period_bytes.into(),
            margin_bytes: 0,
        }
    }

    const fn slack_bytes(&self) -> u64 {
        self.period_bytes / SLACK_DIVISOR
    }

    /// Bytes since OPEN for a position of `run_bytes` since START. 2^64 bytes are 95,000 years of the fastest stream.
    const fn since_open(&self, run_bytes: u64) -> u64 {
        self.base_bytes.saturating_add(run_bytes)
    }

    /// The count to post if the stream is past an edge, or if an event found no room before.
    pub fn due(&self, run_bytes: u64) -> Option<u64> {
        let bytes = self.since_open(run_bytes);
        let is_past = bytes > self.edge_bytes || (self.is_owed && bytes > self.posted_bytes);
        (self.period_bytes != 0 && is_past).then_some(bytes)
    }

    /// The count to post before the answer to a READ or WRITE, if the front end's pointer is old.
    pub fn fresh(&self, run_bytes: u64) -> Option<u64> {
        let bytes = self.since_open(run_bytes);
        (self.period_bytes != 0 && bytes > self.posted_bytes.saturating_add(self.slack_bytes()))
            .then_some(bytes)
    }

    /// Notes that `bytes` was posted.
    pub fn posted(&mut self, bytes: u64) {
        self.posted_bytes = bytes;
        self.is_owed = false;
        self.pass(bytes);
    }

    /// Notes that `bytes` found no room. The first look that finds room posts the newest count. Looks do not become more
    /// frequent, because no event tells when the front end has read the page.
    pub fn found_no_room(&mut self, bytes: u64) {
        self.is_owed = true;
        self.pass(bytes);
    }

    /// Moves the edge to or past `bytes`. A position on the edge has not passed it.
    fn pass(&mut self, bytes: u64) {
        self.edge_bytes = bytes.checked_next_multiple_of(self.period_bytes).unwrap_or(u64::MAX);
        if self.edge_bytes == 0 {
            self.edge_bytes = self.period_bytes;
        }
    }

    /// Ends a run at `run_bytes`. The next one begins at a whole buffer. Returns the count to post, if it is new.
    pub fn stop(&mut self, run_bytes: u64) -> Option<u64> {
        let bytes =
            self.since_open(run_bytes).checked_next_multiple_of(self.buffer_bytes).unwrap_or(u64::MAX);
        self.base_bytes = bytes;
        (self.period_bytes != 0 && bytes > self.posted_bytes).then_some(bytes)
    }

    /// The count at the begin of the next run, if STOP found the event page full. Without it the front end would see a jump.
    pub fn begin(&self) -> Option<u64> {
        (self.period_bytes != 0 && self.base_bytes > self.posted_bytes).then_some(self.base_bytes)
    }

    /// Time to the next look after one that found `run_bytes`: one frame and the margin past the next edge, or a quarter of
    /// the buffer, within the bounds above.
    pub fn next_look(&mut self, run_bytes: u64) -> Nanos {
        let quarter = (self.buffer_bytes / 4).max(self.frame_bytes);
        let ahead = if self.period_bytes == 0 {
            quarter
        } else {
            let past_edge = self.edge_bytes.saturating_add(self.frame_bytes);
            let left = past_edge.saturating_sub(self.since_open(run_bytes));
            let slack = self.slack_bytes();
            if left < slack {
                // This look came just before the edge.
                self.margin_bytes = self.margin_bytes.saturating_add(slack / 4).min(slack);
            }
            left.saturating_add(self.margin_bytes).min(quarter)
        };
        // `ahead` is at most a quarter of 1 MiB: times 10^9 it stays below 2^48.
        let span_ns = ahead
            .saturating_mul(1_000_000_000)
            .div_ceil(self.rate_hz.saturating_mul(self.frame_bytes).max(1));
        Nanos(span_ns.clamp(LOOK_INTERVAL_NS_MIN, LOOK_INTERVAL_NS_MAX))
    }
}
