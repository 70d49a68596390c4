//! Maps the guest's clock to Xen's by echoes, as NTP maps two computers' clocks.
//!
//! A request leaves at `sent` and its echo is found at `heard`, both by the guest's clock. In
//! between, at `taken` by Xen's system time, the back end takes it off the ring
//! ([`Slot::echo`](sndif::control_page::Slot::echo)). This order holds for any split of the delay
//! between both ways.
//!
//! Each echo therefore bounds the clocks' difference by an interval. Intervals widen as the clocks
//! drift, and the true difference lies in all of them.
//!
//! A guest that reads Xen's clock itself, as kernels do, doesn't need this.

/// Largest rate difference of the clocks before any measurement, in parts per 10^9.
pub const DRIFT_MAX_PPB: u32 = 500_000;

/// Largest later change of a measured drift, in parts per 10^9.
pub const WANDER_PPB: u32 = 5_000;

/// Longest distance of the echoes that measure the drift, in nanoseconds. Then a new measurement
/// begins.
const BASELINE_NS: u64 = 100_000_000_000;

const BILLION: i128 = 1_000_000_000;

/// Most nanoseconds of the faster clock in a second of the slower one.
const FASTEST: i128 = BILLION + DRIFT_MAX_PPB as i128;

/// Why an echo was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEcho {
    /// Received before it was sent.
    Backwards,
    /// Received before an echo that was already added.
    OutOfOrder,
    /// No drift within [`DRIFT_MAX_PPB`] fits this echo and the earlier ones: a clock was set, or
    /// the back end is wrong. The map restarts with this echo.
    Contradiction,
}

/// A time with its error bound, either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded {
    /// Nanoseconds.
    pub time_ns: u64,
    /// Half width in nanoseconds of the interval that contains the true time.
    pub error_ns: u64,
}

/// A range, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    low: i128,
    high: i128,
}

impl Range {
    /// The common part. `None`: the ranges don't overlap.
    fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low <= both.high).then_some(both)
    }

    const fn around_zero(half: i128) -> Self {
        Self { low: half.saturating_neg(), high: half }
    }

    const fn widened(self, by: i128) -> Self {
        Self { low: self.low.saturating_sub(by), high: self.high.saturating_add(by) }
    }
}

/// The range of the clocks' difference, system time less guest's, at a guest's time.
#[derive(Clone, Copy, Debug)]
struct Fix {
    guest_ns: u64,
    offset: Range,
}

impl Fix {
    /// The difference at `guest_ns`, if the drift lies in `drift_ppb`.
    fn aged(&self, guest_ns: u64, drift_ppb: Range) -> Range {
        let span = i128::from(guest_ns).saturating_sub(self.guest_ns.into());
        let (least, most) =
            if span < 0 { (drift_ppb.high, drift_ppb.low) } else { (drift_ppb.low, drift_ppb.high) };
        // Round outwards: the lower bound down, the upper bound up.
        let low = span.saturating_mul(least).checked_div_euclid(BILLION).unwrap_or(0);
        let high =
            span.saturating_mul(most).saturating_add(BILLION - 1).checked_div_euclid(BILLION).unwrap_or(0);
        Range { low: self.offset.low.saturating_add(low), high: self.offset.high.saturating_add(high) }
    }
}

/// A map from the guest's clock to Xen's system time, with a bound.
#[derive(Clone, Debug)]
pub struct ClockMap {
    last: Option<Fix>,
    /// Start of the drift's measurement.
    base: Option<Fix>,
    drift_ppb: Range,
}

impl Default for ClockMap {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockMap {
    /// An empty map.
    pub const fn new() -> Self {
        Self { last: None, base: None, drift_ppb: Range::around_zero(DRIFT_MAX_PPB as i128) }
    }

    /// Adds an echo: sent and received by the guest's clock, taken by Xen's, all in nanoseconds.
    ///
    /// # Errors
    /// See [`BadEcho`].
    pub fn add(&mut self, sent_ns: u64, heard_ns: u64, taken_ns: u64) -> Result<(), BadEcho> {
        let round_trip = heard_ns.checked_sub(sent_ns).ok_or(BadEcho::Backwards)?;
        if self.last.is_some_and(|last| heard_ns < last.guest_ns) {
            return Err(BadEcho::OutOfOrder);
        }
        // At reception the system's clock showed at least `taken`, and at most `taken` plus the
        // time since sending.
        let passed = i128::from(round_trip).saturating_mul(FASTEST);
        let passed = passed.saturating_add(BILLION - 1).checked_div_euclid(BILLION).unwrap_or(0);
        let low = i128::from(taken_ns).saturating_sub(heard_ns.into());
        let fresh = Fix { guest_ns: heard_ns, offset: Range { low, high: low.saturating_add(passed) } };
        let Some(last) = self.last else {
            self.begin(fresh);
            return Ok(());
        };
        let Some(offset) = last.aged(heard_ns, self.drift_ppb).intersect(fresh.offset) else {
            self.begin(fresh);
            return Err(BadEcho::Contradiction);
        };
        let fix = Fix { guest_ns: heard_ns, offset };
        self.last = Some(fix);
        self.measure(fix);
        Ok(())
    }

    fn begin(&mut self, fix: Fix) {
        *self = Self { last: Some(fix), base: Some(fix), ..Self::new() };
    }

    /// Narrows the drift by the change of the difference since the measurement began.
    fn measure(&mut self, fix: Fix) {
        let Some(mut base) = self.base else { return };
        // The new fix also narrows the first one, whose echo may have been slow.
        if let Some(offset) = fix.aged(base.guest_ns, self.drift_ppb).intersect(base.offset) {
            base.offset = offset;
            self.base = Some(base);
        }
        let span = fix.guest_ns.saturating_sub(base.guest_ns);
        let rate = |change: i128, rounds_up: i128| {
            let change = change.saturating_mul(BILLION).saturating_add(rounds_up);
            change.checked_div_euclid(span.into())
        };
        let up = i128::from(span).saturating_sub(1);
        let low = rate(fix.offset.low.saturating_sub(base.offset.high), 0);
        let high = rate(fix.offset.high.saturating_sub(base.offset.low), up);
        if let (Some(low), Some(high)) = (low, high) {
            let measured = Range { low, high }.widened(WANDER_PPB.into());
            // Earlier knowledge has aged only as far as the clocks' wander allows.
            if let Some(both) = self.drift_ppb.intersect(measured) {
                self.drift_ppb = both;
            }
        }
        if span >= BASELINE_NS {
            self.base = Some(fix);
            let limit = Range::around_zero(DRIFT_MAX_PPB.into());
            self.drift_ppb = self.drift_ppb.widened(WANDER_PPB.into()).intersect(limit).unwrap_or(limit);
        }
    }

    /// Xen's system time at a guest's time, before or after the last echo. `None` before the first
    /// echo.
    pub fn to_system(&self, guest_ns: u64) -> Option<Bounded> {
        let offset = self.last?.aged(guest_ns, self.drift_ppb);
        let guest = i128::from(guest_ns);
        Some(bounded(guest.saturating_add(offset.low), guest.saturating_add(offset.high)))
    }

    /// The guest's time at a time of Xen's, such as for a sample at the link.
    pub fn to_guest(&self, system_ns: u64) -> Option<Bounded> {
        let last = self.last?;
        let system = i128::from(system_ns);
        // First ignore the drift, then correct by it there. The remaining error is the drift's part
        // of the drift's part of the way: below a part in 10^6 of that.
        let near = |offset: i128| u64::try_from(system.saturating_sub(offset)).unwrap_or(0);
        let guess = near(last.offset.low);
        let way = i128::from(guess.abs_diff(last.guest_ns));
        let slack = way.checked_div_euclid(1_000_000).unwrap_or(0).saturating_add(1);
        let slack = slack.saturating_add(
            last.offset.high.saturating_sub(last.offset.low).checked_div_euclid(1_000).unwrap_or(0),
        );
        let offset = last.aged(guess, self.drift_ppb).widened(slack);
        Some(bounded(system.saturating_sub(offset.high), system.saturating_sub(offset.low)))
    }

    /// Least and greatest rate by which Xen's clock is faster than the guest's, in parts per 10^9.
    pub fn drift_ppb(&self) -> (i32, i32) {
        let part = |value| i32::try_from(value).unwrap_or(0);
        (part(self.drift_ppb.low), part(self.drift_ppb.high))
    }
}

/// The middle of both ends, and its distance from them.
fn bounded(low: i128, high: i128) -> Bounded {
    let width = high.saturating_sub(low);
    let half = width.saturating_add(1).checked_div_euclid(2).unwrap_or(0);
    let clamp = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
    Bounded { time_ns: clamp(low.saturating_add(half)), error_ns: clamp(half) }
}
