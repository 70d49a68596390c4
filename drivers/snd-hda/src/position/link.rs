//! Frames at the link, by the link's own clock.

use super::TICKS_PER_LINK_FRAME;
use super::bracket::Bracket;
use super::cadence::Cadence;

/// Largest lag of a moving counter behind the clock. It may move in steps of 10 ms, and QEMU's for
/// capture is 17 ms late.
const LAG_TICKS_MAX: u64 = 64 * TICKS_PER_MS;
/// Largest accepted lead of a counter over the clock.
const LEAD_TICKS_MAX: u64 = 66 * TICKS_PER_MS;
/// Longest time until the next poll.
const HORIZON_TICKS: u64 = 100 * TICKS_PER_MS;
const TICKS_PER_MS: u64 = 24_000;
/// Consecutive polls in agreement with the clock before a counter is accepted again.
const LOOKS_TO_BELIEVE: u8 = 8;
/// Polls right after a block that must find the counter exact before it is used as exact.
const LOOKS_TO_BE_EXACT: u8 = 24;
/// Polls before it counts as inexact: at 8 kHz one in six is right after a block.
const LOOKS_TO_BECOME_EXACT: u8 = 255;
/// Fraction of a tick that is the unit of time.
const TICK_PARTS: u64 = 256;
/// Frame 0 in this file's counts: lost frames at the start precede it.
const FRAME_0: u64 = 1 << 40;

/// The source of a position at the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LinkSource {
    /// A counter of the controller that agrees with the clock.
    Counter,
    /// The wall clock since START: the counter is unreliable, or may not count the link.
    WallClock,
}

/// A place at the link, and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkCount {
    /// Frames through the link since START, never less than before.
    pub frames: u64,
    /// The place's time, past or future: 256ths of a tick of the wall clock.
    pub tick_parts: u64,
    /// Largest error in ticks, until the next poll within 100 ms. It excludes frames lost since
    /// the last poll.
    pub error_ticks: u64,
    /// The part of the error that is the link's cadence: half of its ripple.
    pub ripple_ticks: u64,
    /// The reference of the count.
    pub source: LinkSource,
    /// The counter has kept to the clock.
    pub is_held: bool,
    /// The time of frame 0 at the link, in ticks; `None` after a pause.
    ///
    /// It is constant if [`source`](Self::source) is the wall clock because only RUN tells it.
    pub start_ticks: Option<u64>,
    /// Ticks from a start of the link's cadence to `tick_parts`, if the stream's first link frame
    /// is known.
    ///
    /// The count can then be followed through the cadence.
    pub cadence_ticks: Option<u64>,
    /// Breaks in the count since START.
    pub breaks: u32,
}

/// Holds a stream's place at the link: a pure function of what was read.
///
/// Frames travel in their [`Cadence`] from a link frame's start on. That link frame is unknown at
/// first. After a pause or a loss, so is the first frame. Both are kept as intervals. An SSYNC
/// release determines the link frame: the next one. Otherwise each counter reading limits how late
/// the start was, because a counter shows only frames that have travelled. A counter proven exact
/// also limits how early it was.
///
/// Without SSYNC, only a counter that moves block by block is known to count the link. QEMU's
/// counts fetched frames, and one that moves in steps may. Such a counter isn't followed. The
/// result is the line from the link frame after RUN, and it doesn't move. The bound also covers
/// the counter while it keeps the link's rate, within 64 ms of the line. A counter further ahead
/// is rejected. One further behind has lost frames, and the count breaks.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkTracker {
    cadence: Cadence,
    /// The start of the first link frame since the last RUN: minimum, and maximum if known.
    start: (u64, Option<u64>),
    /// The first frame there, from [`FRAME_0`] on.
    base: (u64, u64),
    /// Link frames start at multiples of their ticks.
    ///
    /// This no longer holds if the number of wall clock wraps is unknown: 2^32 is no multiple of
    /// 500.
    is_on_grid: bool,
    /// The count still refers to frame 0.
    is_first_run: bool,
    /// Ticks at the stop, while paused.
    stopped: Option<u64>,
    /// Known by SSYNC or an edge, not only by the counter's limits.
    is_start_known: bool,
    /// The counter moved block by block, so it counts the link.
    counts_link: bool,
    /// The counter's largest lead over the possible, in ticks, since they last agreed.
    ahead_ticks: u64,
    is_believed: bool,
    has_moved: bool,
    looks_agreed: u8,
    looks_exact: u8,
    /// The last two polls: a loss shows at the latest one poll after it.
    last_looks: (u64, u64),
    last_frames: u64,
    breaks: u32,
}

impl LinkTracker {
    /// For a stream started within `bracket`, by SSYNC's release if `is_synchronized`, else by
    /// RUN.
    ///
    /// `is_on_grid` says that the extended wall clock counts from the controller's reset: link
    /// frames start at multiples of 500.
    pub fn new(cadence: Cadence, bracket: Bracket, is_synchronized: bool, is_on_grid: bool) -> Self {
        let mut tracker = Self {
            cadence,
            start: (0, None),
            base: (FRAME_0, FRAME_0),
            is_on_grid,
            is_first_run: true,
            stopped: None,
            is_start_known: false,
            counts_link: false,
            ahead_ticks: 0,
            is_believed: true,
            has_moved: false,
            looks_agreed: 0,
            looks_exact: 0,
            last_looks: (bracket.after, bracket.after),
            last_frames: 0,
            breaks: 0,
        };
        tracker.run(bracket, is_synchronized, is_on_grid);
        tracker
    }

    /// The stream runs since `bracket`, for the first time or again.
    pub fn run(&mut self, bracket: Bracket, is_synchronized: bool, is_on_grid: bool) {
        let (first, last) = bracket.next_link_frames(is_on_grid);
        self.start = (first, is_synchronized.then_some(last));
        self.is_on_grid = is_on_grid;
        self.stopped = None;
        self.last_looks = (bracket.after, bracket.after);
        self.is_start_known = is_synchronized;
    }

    /// The start, if known to the tick.
    fn pinned_start(&self) -> Option<u64> {
        self.start.1.filter(|latest| *latest == self.start.0)
    }

    fn is_base_known(&self) -> bool {
        self.base.0 == self.base.1
    }

    /// Whether everything knowable is known.
    pub fn is_exact(&self) -> bool {
        self.is_base_known() && self.pinned_start().is_some()
    }

    /// Whether a poll should also read the wall clock before the counter, because it could teach
    /// something.
    pub fn wants_bracket(&self) -> bool {
        let may_be_exact = self.looks_exact < LOOKS_TO_BE_EXACT && self.looks_agreed < LOOKS_TO_BECOME_EXACT;
        !self.is_exact() || may_be_exact
    }

    /// Whether the start is known by SSYNC's release or by an edge of the counter, and not only by RUN.
    pub fn is_start_known(&self) -> bool {
        self.is_start_known || self.counts_link
    }

    /// A poll at `now` asked for errors, but not for the counter's place at the link.
    pub fn pass(&mut self, now: u64) {
        self.last_looks = (self.last_looks.1, now);
    }

    /// Whether the counter has moved.
    pub fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// Whether the counter is accepted as a position.
    pub fn is_believed(&self) -> bool {
        self.is_believed
    }

    /// Takes a reading made within `bracket`: `frames` since START, not wrapped.
    ///
    /// `lead_frames` is its largest lead over the link (frames that DMA has fetched).
    pub fn observe(&mut self, frames: u64, lead_frames: u64, bracket: Bracket) {
        let frames = frames.saturating_sub(lead_frames).saturating_add(FRAME_0);
        let Bracket { before, after } = bracket;
        self.last_looks = (self.last_looks.1, after);
        self.has_moved |= frames > self.base.0;
        let most = self.base.1.saturating_add(self.cadence.frames_at(after.saturating_sub(self.start.0)));
        if frames > most {
            self.lead(frames.saturating_sub(most));
            return;
        }
        let latest = self.start.1.unwrap_or(after);
        let least = self.base.0.saturating_add(self.cadence.whole_blocks_at(before.saturating_sub(latest)));
        if least.saturating_sub(frames) > self.cadence.frames_at(LAG_TICKS_MAX) {
            if !self.is_start_known {
                self.breaks = self.breaks.wrapping_add(1);
            }
            self.disbelieve();
            return;
        }
        self.agree();
        self.not_later(frames, after);
        if lead_frames == 0 {
            self.judge_exactness(frames, bracket);
        }
    }

    /// An impossible reading: the counter is broken, or was misread.
    pub fn disbelieve(&mut self) {
        self.looks_agreed = 0;
        self.looks_exact = 0;
        self.is_believed = false;
        if !self.is_start_known {
            // Its bound on the start is just as bad.
            self.start.1 = None;
        }
    }

    fn agree(&mut self) {
        self.looks_agreed = self.looks_agreed.saturating_add(1);
        if self.looks_agreed >= LOOKS_TO_BELIEVE {
            self.is_believed = true;
            self.ahead_ticks = 0;
        }
    }

    /// The counter is ahead of the clock's limit.
    fn lead(&mut self, ahead_frames: u64) {
        if self.is_start_known() {
            // The counter is wrong.
            self.ahead_ticks = self.ahead_ticks.max(self.cadence.ticks_of_frames(ahead_frames));
            self.disbelieve();
        } else {
            // The stream began at once.
            self.start.1 = Some(self.start.0);
            self.agree();
        }
    }

    /// Limits the start from above, or the base from below, by `frames` at `after`, if that is
    /// possible.
    fn not_later(&mut self, frames: u64, after: u64) {
        if let Some(start) = self.pinned_start() {
            let travelled = self.cadence.frames_at(after.saturating_sub(start));
            self.base.0 = self.base.0.max(frames.saturating_sub(travelled).min(self.base.1));
        } else if let Some(shown) = frames.checked_sub(self.base.1).filter(|shown| *shown > 0) {
            let latest = self.on_boundary(after.saturating_sub(self.cadence.ticks_until(shown)), false);
            self.start.1 = Some(self.start.1.map_or(latest, |known| known.min(latest)).max(self.start.0));
        }
    }

    /// Limits the start from below, or the base from above, by blocks that the counter doesn't
    /// show at `before`.
    fn not_earlier(&mut self, frames: u64, before: u64) {
        if let Some(start) = self.pinned_start() {
            let travelled = self.cadence.whole_blocks_at(before.saturating_sub(start));
            let base = frames.saturating_sub(travelled);
            if before >= start && base >= self.base.0 {
                self.base.1 = self.base.1.min(base);
            }
        } else if let Some(shown) = frames.checked_sub(self.base.0) {
            let next = self.cadence.link_frames_for(shown.saturating_add(1));
            let since = next.saturating_mul(TICKS_PER_LINK_FRAME);
            let earliest = self.on_boundary(before.saturating_sub(since).saturating_add(1), true);
            if self.start.1.is_none_or(|latest| earliest <= latest) {
                self.start.0 = self.start.0.max(earliest);
            }
        }
    }

    /// Tests whether the counter shows every block once it has travelled, and uses that once
    /// proven.
    fn judge_exactness(&mut self, frames: u64, bracket: Bracket) {
        if self.looks_exact >= LOOKS_TO_BE_EXACT {
            self.not_earlier(frames, bracket.before);
        }
        let Some(start) = self.pinned_start().filter(|_| self.is_base_known()) else { return };
        let (before, after) = (bracket.before.saturating_sub(start), bracket.after.saturating_sub(start));
        let shown = frames.saturating_sub(self.base.0);
        let travelled = self.cadence.whole_blocks_at(before);
        // Test only right after a block: elsewhere a counter that is a link frame late shows the
        // same.
        let is_fresh = self.cadence.whole_blocks_at(before.saturating_sub(TICKS_PER_LINK_FRAME)) < travelled;
        if shown < travelled {
            self.looks_exact = 0;
        } else if is_fresh && before / TICKS_PER_LINK_FRAME == after / TICKS_PER_LINK_FRAME {
            self.looks_exact = self.looks_exact.saturating_add(1);
        }
    }

    /// LPIB advanced within `bracket`, by one block, to `frames` since START.
    ///
    /// It may move in steps and show a block late. A value that it shows as it moves is the link's
    /// progress.
    pub fn edge(&mut self, frames: u64, bracket: Bracket) {
        let frames = frames.saturating_add(FRAME_0);
        let most =
            self.base.1.saturating_add(self.cadence.frames_at(bracket.after.saturating_sub(self.start.0)));
        if frames > most {
            return;
        }
        self.has_moved = true;
        self.is_start_known = true;
        self.counts_link = true;
        self.agree();
        self.not_later(frames, bracket.after);
        self.not_earlier(frames, bracket.before);
    }

    /// The nearest link frame start, up or down, if starts fall on them.
    fn on_boundary(&self, ticks: u64, up: bool) -> u64 {
        if !self.is_on_grid {
            return ticks;
        }
        let down = ticks / TICKS_PER_LINK_FRAME;
        let link_frames = if up { ticks.div_ceil(TICKS_PER_LINK_FRAME) } else { down };
        link_frames.saturating_mul(TICKS_PER_LINK_FRAME)
    }

    /// The stream reported a FIFO error by the time `now`.
    ///
    /// Frames were lost since the poll before the last, at most as many as fit in that time.
    pub fn lose(&mut self, now: u64) {
        self.breaks = self.breaks.wrapping_add(1);
        let room =
            now.saturating_sub(self.last_looks.0).saturating_add(2_u64.saturating_mul(TICKS_PER_LINK_FRAME));
        let lost = self.cadence.frames_at(room).saturating_add(self.cadence.block_frames());
        self.base.0 = self.base.0.saturating_sub(lost);
    }

    /// The stream was stopped within `bracket`: SSYNC held it, or RUN was cleared and read 0.
    ///
    /// The counter shows `frames` now, if it could be read.
    pub fn pause(&mut self, bracket: Bracket, frames: Option<u64>) {
        let (first, last) = bracket.next_link_frames(self.is_on_grid);
        let travelled = |at: u64, start: u64| self.cadence.frames_at(at.saturating_sub(start));
        let latest = self.start.1.unwrap_or(first);
        let mut base = (
            self.base.0.saturating_add(travelled(first, latest)),
            self.base.1.saturating_add(travelled(last, self.start.0)),
        );
        if let Some(frames) = frames.filter(|_| self.is_believed || !self.has_moved) {
            let frames = frames.saturating_add(FRAME_0);
            let is_exact = self.looks_exact >= LOOKS_TO_BE_EXACT && (base.0..=base.1).contains(&frames);
            if is_exact {
                base = (frames, frames);
            } else {
                base.0 = base.0.max(frames.min(base.1));
            }
        }
        self.base = base;
        self.is_first_run = false;
        self.stopped = Some(last);
    }

    /// The stream runs again from frame `base` since START, with a new descriptor list.
    pub fn resume_at(&mut self, base: u64, bracket: Bracket, is_synchronized: bool, is_on_grid: bool) {
        let base = base.saturating_add(FRAME_0);
        self.base = (base, base);
        self.run(bracket, is_synchronized, is_on_grid);
    }

    /// The place at the link at wall clock `now`.
    pub fn count(&mut self, now: u64) -> LinkCount {
        let parts_per_frame = self.cadence.parts_per_frame();
        let parts_per_tick = self.cadence.parts_per_tick();
        let spread_frames = self.base.1.saturating_sub(self.base.0);
        let latest = self.start.1.unwrap_or_else(|| now.max(self.start.0));
        let mut start_error = latest.saturating_sub(self.start.0);
        let mut base_error = self.cadence.ticks_of_frames(spread_frames);
        // The middles of the ranges, or the result of RUN. Twice the start avoids rounding.
        let is_told = self.is_start_known();
        let (base, twice_start, half) = if is_told {
            start_error = start_error.div_ceil(2);
            base_error = base_error.div_ceil(2).saturating_add(self.ahead_ticks);
            // A base of a half frame stands for its middle.
            let half = if spread_frames & 1 == 0 { 0 } else { parts_per_frame / 2 };
            (self.base.0.midpoint(self.base.1), self.start.0.saturating_add(latest), half)
        } else {
            base_error = base_error.saturating_add(LEAD_TICKS_MAX);
            (self.base.1, self.start.0.saturating_mul(2), 0)
        };
        if self.start.1.is_none() {
            // The stream may not begin before the next poll.
            start_error = start_error.saturating_add(HORIZON_TICKS);
        }
        let is_kept = self.is_believed && is_told && self.start.1.is_some();
        let mut count = LinkCount {
            frames: base,
            tick_parts: now.saturating_mul(TICK_PARTS),
            error_ticks: base_error.saturating_add(1),
            ripple_ticks: 0,
            source: if is_kept { LinkSource::Counter } else { LinkSource::WallClock },
            is_held: is_kept && self.has_moved,
            start_ticks: None,
            cadence_ticks: None,
            breaks: self.breaks,
        };
        if self.stopped.is_none() {
            let ripple = self.cadence.ripple_parts() / 2;
            count.ripple_ticks = self.cadence.ticks_of_parts(ripple);
            count.error_ticks =
                count.error_ticks.saturating_add(start_error).saturating_add(count.ripple_ticks);
            let twice_now = now.saturating_mul(2);
            let fixed = ripple.saturating_add(half);
            if let Some(twice_ticks) = twice_now.checked_sub(twice_start) {
                let parts = twice_ticks.saturating_mul(parts_per_tick / 2).saturating_add(fixed);
                count.frames = base.saturating_add(parts.checked_div(parts_per_frame).unwrap_or(0));
                let rest = parts.checked_rem(parts_per_frame).unwrap_or(0);
                let ago = rest.saturating_mul(TICK_PARTS).checked_div(parts_per_tick).unwrap_or(0);
                count.tick_parts = count.tick_parts.saturating_sub(ago);
                if self.is_exact() {
                    // The frame may precede a start just now, by at most a period.
                    let ticks = (count.tick_parts / TICK_PARTS).saturating_add(self.cadence.period_ticks());
                    count.cadence_ticks = ticks.checked_sub(self.start.0);
                }
            } else {
                // The stream has not begun.
                count.tick_parts = twice_start.saturating_mul(TICK_PARTS / 2);
                let early = fixed.saturating_mul(TICK_PARTS).checked_div(parts_per_tick).unwrap_or(0);
                count.tick_parts = count.tick_parts.saturating_sub(early);
            }
            count.start_ticks = self.is_first_run.then_some(twice_start / 2);
        }
        if count.frames < self.last_frames {
            let back = self.last_frames.saturating_sub(count.frames);
            count.frames = self.last_frames;
            count.cadence_ticks = None;
            count.error_ticks = count.error_ticks.saturating_add(self.cadence.ticks_of_frames(back));
        }
        self.last_frames = count.frames;
        count.frames = count.frames.saturating_sub(FRAME_0);
        count
    }
}
