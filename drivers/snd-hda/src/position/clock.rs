//! The link's clock in the system's time.

use super::bracket::Bracket;
use crate::spec::registers::WALL_CLOCK_HZ;

/// Nominal length of a tick, in nanoseconds with 32 fractional bits.
const NOMINAL_Q32: u64 = (1_000_000_000 << 32) / WALL_CLOCK_HZ as u64;
/// Largest difference of the two clocks' rates, in parts per 10^9: +-500 ppm, and some margin.
const DRIFT_PPB: u64 = 600_000;
/// Largest change of their ratio, in parts per 10^9 a second. A quartz changes by at most 1 ppm a
/// kelvin.
const WANDER_PPB_PER_S: u64 = 100;
/// Largest change since the measurement, at any age.
const WANDER_PPB_MAX: u64 = 25_000;
/// Smaller changes don't widen the ratio yet, to lose nothing by rounding.
const WANDER_STEP_NS: u64 = 10_000_000;
/// Baseline of the measured rate: between one and two of these. Longer ones would see more of the
/// wander.
const BASELINE_NS: u64 = 8_000_000_000;
/// After this time a better reading replaces the first: slow readings are made in groups.
const BURST_NS: u64 = 50_000_000;
/// A tick, rounded up: a wall clock reading holds for all of it.
const TICK_NS: u64 = 42;
/// Longest time until the next poll.
const HORIZON_NS: u64 = 100_000_000;
/// Longest measured span that fits another number of wall clock wraps.
const BLIND_NS: u64 = 86_400_000_000_000;

/// A span of the system's time that contains an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClockSpan {
    /// The earliest time.
    pub earliest_ns: u64,
    /// The latest time.
    pub latest_ns: u64,
}

impl ClockSpan {
    /// Its middle.
    pub fn middle_ns(self) -> u64 {
        self.earliest_ns.midpoint(self.latest_ns)
    }

    /// Half its width, rounded up.
    pub fn half_width_ns(self) -> u64 {
        self.latest_ns.saturating_sub(self.earliest_ns).div_ceil(2)
    }
}

/// A tick of the wall clock and when it began.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    ticks: u64,
    span: ClockSpan,
}

/// The controller's 24 MHz wall clock, extended to 64 bits, in the system's time.
///
/// It takes readings of the wall clock, each between two of the system's. Each says that a tick
/// began within a span. The clock keeps an interval of that time, and one of the tick's length.
/// Each reading narrows both. So its results hold while the two clocks stay within 600 ppm of each
/// other and their ratio changes by less than 0.1 ppm a second. Contradictory readings restart it
/// and increase [`generation`](Self::generation).
#[derive(Clone, Debug, Default)]
pub struct LinkClock {
    /// The newest reading, narrowed by all earlier ones.
    anchor: Option<Anchor>,
    /// Two older readings: the rate counts from the first, and the second replaces it in time.
    bases: Option<(Anchor, Anchor)>,
    /// Length of a tick: minimum and maximum.
    tick_q32: (u64, u64),
    /// The time up to which the bounds allow for the wander.
    widened_ns: u64,
    generation: u32,
}

impl LinkClock {
    /// A clock without readings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a reading of WALCLK made between system times `before_ns` and `after_ns`; returns it
    /// extended to 64 bits.
    ///
    /// Call it at least every 89 s. Once a day suffices if the system's clock shows how often
    /// WALCLK wrapped.
    pub fn observe(&mut self, before_ns: u64, wall_clock: u32, after_ns: u64) -> u64 {
        let seen = ClockSpan {
            // The read tick may have begun a tick's length earlier.
            earliest_ns: before_ns.saturating_sub(TICK_NS),
            latest_ns: after_ns.max(before_ns),
        };
        let Some(anchor) = self.anchor else {
            self.start_over(Anchor { ticks: wall_clock.into(), span: seen });
            return wall_clock.into();
        };
        self.widen(seen.latest_ns);
        let passed_ns = seen.middle_ns().saturating_sub(anchor.span.middle_ns());
        let ticks = anchor.ticks.saturating_add(ticks_since(anchor.ticks, wall_clock, passed_ns));
        let expected = self.span_from(anchor, ticks.saturating_mul(TICK_PARTS));
        let both = ClockSpan {
            earliest_ns: expected.earliest_ns.max(seen.earliest_ns),
            latest_ns: expected.latest_ns.min(seen.latest_ns),
        };
        if both.earliest_ns > both.latest_ns || passed_ns > BLIND_NS {
            self.generation = self.generation.wrapping_add(1);
            self.start_over(Anchor { ticks, span: seen });
            return ticks;
        }
        let anchor = Anchor { ticks, span: both };
        self.anchor = Some(anchor);
        self.measure(anchor);
        ticks
    }

    fn start_over(&mut self, anchor: Anchor) {
        self.anchor = Some(anchor);
        self.bases = Some((anchor, anchor));
        self.tick_q32 = (scaled(NOMINAL_Q32, DRIFT_PPB, false), scaled(NOMINAL_Q32, DRIFT_PPB, true));
        self.widened_ns = anchor.span.latest_ns;
    }

    /// Allows for the rate's possible change.
    fn widen(&mut self, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.widened_ns);
        if passed_ns < WANDER_STEP_NS {
            return;
        }
        self.widened_ns = now_ns;
        let ppb = wander_ppb(passed_ns);
        self.tick_q32 = (
            scaled(self.tick_q32.0, ppb, false).max(scaled(NOMINAL_Q32, DRIFT_PPB, false)),
            scaled(self.tick_q32.1, ppb, true).min(scaled(NOMINAL_Q32, DRIFT_PPB, true)),
        );
    }

    /// Narrows the rate to the range that the baseline allows.
    fn measure(&mut self, now: Anchor) {
        let Some((base, next)) = self.bases else { return };
        let baseline_ns = now.span.latest_ns.saturating_sub(base.span.earliest_ns);
        let ticks = now.ticks.saturating_sub(base.ticks);
        // Half a day of nanoseconds has 2^46, which leaves 18 of 64 bits for a fraction. For
        // seconds it is 24.
        let bits = if baseline_ns < 1 << 39 { 24_u32 } else { 16 };
        let shift = 32_u32.saturating_sub(bits);
        let divided = |ns: u64| ns.checked_shl(bits).and_then(|ns| ns.checked_div(ticks));
        let least_ns = now.span.earliest_ns.saturating_sub(base.span.latest_ns);
        if let (Some(least), Some(most)) = (divided(least_ns), divided(baseline_ns)) {
            let least_q32 = least.wrapping_shl(shift);
            let most_q32 = most.saturating_add(1).wrapping_shl(shift);
            let ppb = wander_ppb(baseline_ns);
            let (low, high) = self.tick_q32;
            let cut = (low.max(scaled(least_q32, ppb, false)), high.min(scaled(most_q32, ppb, true)));
            // Readings that agree on the time can disagree on the rate only by rounding.
            if cut.0 <= cut.1 {
                self.tick_q32 = cut;
            }
        }
        if now.span.earliest_ns.saturating_sub(next.span.earliest_ns) >= BASELINE_NS {
            self.bases = Some((next, now));
        } else if baseline_ns < BURST_NS && now.span.half_width_ns() < base.span.half_width_ns() {
            self.bases = Some((now, now));
        }
    }

    /// The time of a wall clock value in 256ths of a tick, by one reading and the rate.
    fn span_from(&self, anchor: Anchor, tick_parts: u64) -> ClockSpan {
        let (low, high) = self.tick_q32;
        let at = anchor.ticks.saturating_mul(TICK_PARTS);
        if tick_parts >= at {
            let parts = tick_parts.saturating_sub(at);
            ClockSpan {
                earliest_ns: anchor.span.earliest_ns.saturating_add(times(parts, low)),
                latest_ns: anchor.span.latest_ns.saturating_add(times(parts, high)).saturating_add(1),
            }
        } else {
            let parts = at.saturating_sub(tick_parts);
            ClockSpan {
                earliest_ns: anchor.span.earliest_ns.saturating_sub(times(parts, high).saturating_add(1)),
                latest_ns: anchor.span.latest_ns.saturating_sub(times(parts, low)),
            }
        }
    }

    /// The time of an extended wall clock value in 256ths of a tick. Best near the last reading.
    /// `None` before the first.
    pub fn span_of(&self, tick_parts: u64) -> Option<ClockSpan> {
        self.anchor.map(|anchor| self.span_from(anchor, tick_parts))
    }

    /// Bounds of the extended wall clock at a time not before the last reading.
    ///
    /// `None` if the number of wraps is unknown, or the last reading is more than two seconds old.
    pub fn ticks_at(&self, now_ns: u64) -> Option<Bracket> {
        let anchor = self.anchor.filter(|_| self.generation == 0)?;
        let passed = |since_ns: u64, tick_q32: u64| {
            let ns = now_ns.saturating_sub(since_ns);
            if ns < 1 << 31 { ns.wrapping_shl(32).checked_div(tick_q32) } else { None }
        };
        let (low, high) = self.tick_q32;
        Some(Bracket {
            before: anchor.ticks.saturating_add(passed(anchor.span.latest_ns, high)?),
            after: anchor.ticks.saturating_add(passed(anchor.span.earliest_ns, low)?).saturating_add(1),
        })
    }

    /// Largest error of the last reading's assumed start. `None` before the first.
    pub fn error_ns(&self) -> Option<u64> {
        self.anchor.map(|anchor| anchor.span.half_width_ns())
    }

    /// The 64-bit reading nearest to the last one with these low 32 bits.
    pub fn extended(&self, wall_clock: u32) -> u64 {
        let last = self.anchor.map_or(0, |anchor| anchor.ticks);
        // Truncation is intended: the low half.
        let ahead = wall_clock.wrapping_sub(last as u32).cast_signed();
        last.saturating_add_signed(ahead.into())
    }

    /// Length of a tick in nanoseconds with 32 fractional bits: the middle of its range.
    pub fn ns_per_tick_q32(&self) -> u64 {
        self.tick_q32.0.midpoint(self.tick_q32.1)
    }

    /// Largest error of a prediction with [`ns_per_tick_q32`](Self::ns_per_tick_q32) after 100 ms,
    /// including the wander in that time.
    pub fn error_ahead_ns(&self) -> u64 {
        let half_q32 = self.tick_q32.1.saturating_sub(self.tick_q32.0).div_ceil(2);
        // 100 ms have 2.4 * 10^6 ticks.
        let ticks = u64::from(WALL_CLOCK_HZ / 10).saturating_mul(TICK_PARTS);
        let wander_ns = HORIZON_NS.saturating_mul(wander_ppb(HORIZON_NS)) / 1_000_000_000;
        times(ticks, half_q32).saturating_add(wander_ns).saturating_add(2)
    }

    /// Number of times that readings contradicted each other.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

/// Fraction of a tick that is the unit of time.
const TICK_PARTS: u64 = 256;

/// Ticks between the extended reading `before` and the reading `wall_clock` about `passed_ns`
/// later.
///
/// The number of wraps is the best fit.
fn ticks_since(before: u64, wall_clock: u32, passed_ns: u64) -> u64 {
    // Truncation is intended: the low half.
    let low = u64::from(wall_clock.wrapping_sub(before as u32));
    // 24 ticks in 1000 ns.
    let about = (passed_ns / 1000).saturating_mul(24);
    let wraps = about.saturating_sub(low).saturating_add(1 << 31) >> 32;
    low.saturating_add(wraps.wrapping_shl(32))
}

/// 256ths of a tick times nanoseconds a tick, rounded down.
fn times(tick_parts: u64, tick_q32: u64) -> u64 {
    // 64 bits each.
    let ns = u128::from(tick_parts).wrapping_mul(u128::from(tick_q32)) >> 40;
    u64::try_from(ns).unwrap_or(u64::MAX)
}

/// The largest change of the clocks' ratio in a time.
fn wander_ppb(ns: u64) -> u64 {
    (ns.div_ceil(1_000_000_000 / WANDER_PPB_PER_S)).min(WANDER_PPB_MAX)
}

/// A rate changed by parts per 10^9, up or down, rounded outwards.
fn scaled(rate_q32: u64, ppb: u64, up: bool) -> u64 {
    // Rates have 38 bits, of which 12 are dropped, and parts 20 bits.
    let change = (rate_q32 >> 12).saturating_mul(ppb) / (1_000_000_000 >> 12);
    let change = change.saturating_add(1);
    if up { rate_q32.saturating_add(change) } else { rate_q32.saturating_sub(change) }
}
