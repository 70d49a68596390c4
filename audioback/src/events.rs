//! When the front end hears where its stream is: the rules of CUR_POS.
//!
//! A CUR_POS event holds bytes since OPEN. Linux's front end takes differences of them, so the count goes on over
//! STOP and START; and it counts a period as over when *more* than a period has passed, so an event exactly on the
//! edge would wake it only every second time. Hence:
//!
//! - an event goes out at the first look that finds the stream past a period's edge, with the true position;
//! - one more goes before an answer to READ or WRITE if the stream has moved on by an eighth of a period, so that its
//!   pointer is fresh when it looks;
//! - at STOP the count is rounded up to a whole buffer, because the next START begins at the buffer's start;
//! - while the event page is full, nothing is sent and no id is used up; the newest position goes once there is room.
//!
//! This module decides; it sends nothing itself.

use hyper::Nanos;

/// Least distance between two looks at a stream: no choice of rate and period makes this domain spin.
pub const LOOK_INTERVAL_NS_MIN: u64 = 500_000;

/// Greatest distance between two looks at a running stream, far below the 179 s in which the wall clock wraps.
pub const LOOK_INTERVAL_NS_MAX: u64 = 100_000_000;

/// A part of the period: how far from the edge a look may come at most, and how old the front end's pointer may be when its
/// READ or WRITE is answered. 1.25 ms of a period of 10 ms.
const SLACK_DIVISOR: u64 = 8;

/// Decides which positions to post for one open stream.
#[derive(Clone, Copy, Debug)]
pub struct EventPacer {
    /// 0: the front end wants no events.
    period_bytes: u64,
    buffer_bytes: u64,
    frame_bytes: u64,
    rate_hz: u64,
    /// Bytes since OPEN at which the present run began: whole buffers.
    base_bytes: u64,
    /// What the front end was told last, bytes since OPEN.
    told_bytes: u64,
    /// An event was due and found the event page full.
    is_owed: bool,
    /// The front end is due an event once the count since OPEN is *greater* than this.
    edge_bytes: u64,
    /// How far past an edge a look is aimed at. Where the hardware's position moves in steps, a look at the time of the edge
    /// finds the stream before it; each one that does moves the aim, up to [`SLACK_DIVISOR`].
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
            told_bytes: 0,
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

    /// The count to post if an edge has been passed, now or since an event found no room.
    pub fn due(&self, run_bytes: u64) -> Option<u64> {
        let bytes = self.since_open(run_bytes);
        let is_past = bytes > self.edge_bytes || (self.is_owed && bytes > self.told_bytes);
        (self.period_bytes != 0 && is_past).then_some(bytes)
    }

    /// The count to post before a READ or WRITE is answered: the present one, if it is news.
    pub fn fresh(&self, run_bytes: u64) -> Option<u64> {
        let bytes = self.since_open(run_bytes);
        (self.period_bytes != 0 && bytes > self.told_bytes.saturating_add(self.slack_bytes()))
            .then_some(bytes)
    }

    /// Notes that `bytes` was posted.
    pub fn posted(&mut self, bytes: u64) {
        self.told_bytes = bytes;
        self.is_owed = false;
        self.pass(bytes);
    }

    /// Notes that `bytes` found no room. The newest count goes at the first look that finds some; looks don't come
    /// closer together for it, since nobody says when a front end takes its events.
    pub fn found_no_room(&mut self, bytes: u64) {
        self.is_owed = true;
        self.pass(bytes);
    }

    /// Moves the edge to or past `bytes`: a position right on an edge has not passed it yet.
    fn pass(&mut self, bytes: u64) {
        self.edge_bytes = bytes.checked_next_multiple_of(self.period_bytes).unwrap_or(u64::MAX);
        if self.edge_bytes == 0 {
            self.edge_bytes = self.period_bytes;
        }
    }

    /// Ends a run at `run_bytes`: the next begins at a whole buffer. Returns the count to post, if it is news.
    pub fn stop(&mut self, run_bytes: u64) -> Option<u64> {
        let bytes =
            self.since_open(run_bytes).checked_next_multiple_of(self.buffer_bytes).unwrap_or(u64::MAX);
        self.base_bytes = bytes;
        (self.period_bytes != 0 && bytes > self.told_bytes).then_some(bytes)
    }

    /// The count at which the run begins that START is about to begin, if the front end doesn't know it: STOP found the
    /// event page full. It would take the first position of this run for a leap.
    pub fn begin(&self) -> Option<u64> {
        (self.period_bytes != 0 && self.base_bytes > self.told_bytes).then_some(self.base_bytes)
    }

    /// How long until the next look is worth while, from a look that found `run_bytes`: one frame past the next edge, and as
    /// much more as it took lately; or a quarter of the buffer; within the bounds above.
    pub fn next_look(&mut self, run_bytes: u64) -> Nanos {
        let quarter = (self.buffer_bytes / 4).max(self.frame_bytes);
        let ahead = if self.period_bytes == 0 {
            quarter
        } else {
            let past_edge = self.edge_bytes.saturating_add(self.frame_bytes);
            let left = past_edge.saturating_sub(self.since_open(run_bytes));
            let slack = self.slack_bytes();
            if left < slack {
                // Just short of it: the next edge is looked for a little later.
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
