//! The filter of the rate converter: coefficients for any position between two input frames.
//!
//! One prototype serves all pairs of rates. Between its points, its values are interpolated in a straight line, as in
//! J. O. Smith and P. Gossett, "A flexible sampling-rate conversion method", ICASSP 1984. Where the rate falls, the
//! prototype is stretched by the ratio, so that its edge is at the lower Nyquist frequency.

use core::num::{NonZeroU32, NonZeroU64};

use crate::prototype::{CROSSINGS, PHASES, PROTOTYPE};
use crate::rates::Rates;
use crate::signal::WIDE_BITS;

/// Bits of a coefficient below 1, before [`Filter::shift`].
pub const COEFFICIENT_BITS: u32 = 30;

/// Bits of the weight between two points of the prototype.
const WEIGHT_BITS: u32 = 32;

/// Bits of [`Filter::reciprocal`].
const RECIPROCAL_BITS: u32 = 40;

/// The filter of a pair of rates.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Coefficients on each side of a position.
    wing: usize,
    /// Output frames of the ratio: positions are multiples of `1 / output`.
    output: NonZeroU32,
    /// Units that the prototype's points are divided in: the greater part of the ratio.
    units: NonZeroU32,
    /// 2^40 divided by `units`, rounded down.
    reciprocal: u64,
    /// Points of the prototype from one coefficient to the next: whole ones, and units.
    step: (u32, u32),
    /// Bits that coefficients are shifted down by, so that a stretched prototype's sum stays below 4.
    shift: u32,
    /// The factor of sums in steps of 2^-62, which makes the gain 1: from 1 to below 2.
    scale: i64,
}

/// A place on the prototype: whole points, and units.
#[derive(Clone, Copy)]
struct Place {
    point: u32,
    unit: u32,
}

impl Filter {
    /// The filter for a conversion.
    pub fn new(rates: Rates) -> Self {
        let (input, output) = rates.parts();
        let units = input.max(output);
        // The power of two at or above the ratio.
        let shift = (input.get() - 1)
            .checked_div(output.get())
            .and_then(u32::checked_ilog2)
            .map_or(0, |bits| bits.wrapping_add(1));
        // Parts of the ratio have 18 bits, and the shift is at most 6: 55 bits. The quotient is below 2^32.
        let whole = u64::from(output.get()).wrapping_shl(shift.wrapping_add(31)) / u64::from(input.get());
        let scale = if shift == 0 { 1 << 62 } else { (whole << 31).cast_signed() };
        let points = output.get().wrapping_mul(PHASES as u32);
        Self {
            wing: rates.delay_frames() as usize,
            output,
            units,
            reciprocal: (1 << RECIPROCAL_BITS) / u64::from(units.get()),
            step: (points / units, points % units),
            shift,
            scale,
        }
    }

    /// Coefficients of one position: those of a wing to each side.
    pub const fn taps(&self) -> usize {
        self.wing.wrapping_mul(2)
    }

    /// Coefficients on each side of a position.
    pub const fn wing(&self) -> usize {
        self.wing
    }

    /// The distances of a position from the nearest frames before and after it, if it is `numerator / output` after
    /// the one. They are in parts of `1 / output`.
    pub const fn distances(&self, numerator: u32) -> [u32; 2] {
        [numerator, self.output.get().saturating_sub(numerator)]
    }

    /// A wing whose coefficients are points of the prototype, from the position outwards.
    ///
    /// These are all wings of most pairs of the 44.1 kHz and the 48 kHz kind where the rate rises.
    pub fn row(&self, distance: u32) -> Option<&'static [i32; CROSSINGS]> {
        let Place { point, unit } = self.place(distance);
        if self.shift == 0 && unit == 0 { PROTOTYPE.get(point as usize) } else { None }
    }

    /// Fills in coefficients of a wing, from the position outwards, without the first `skipped`.
    pub fn fill(&self, distance: u32, skipped: usize, coefficients: &mut [i64]) {
        let start = self.place(distance);
        if self.shift == 0 {
            self.fill_unstretched(start, skipped, coefficients);
        } else {
            self.fill_stretched(start, skipped, coefficients);
        }
    }

    /// The place on the prototype at `distance / output` from its centre.
    fn place(&self, distance: u32) -> Place {
        // The distance is at most 192,000.
        let points = distance.wrapping_mul(PHASES as u32);
        Place { point: points / self.units, unit: points % self.units }
    }

    /// The prototype as it is: all coefficients of a wing are in one row, or between two.
    fn fill_unstretched(&self, at: Place, skipped: usize, coefficients: &mut [i64]) {
        let row =
            |index: u32| PROTOTYPE.get(index as usize).and_then(|row| row.get(skipped..)).unwrap_or_default();
        // The last row has no next, and no point between: the distance is at most one crossing.
        let (values, nexts) = (row(at.point), row(at.point.wrapping_add(1)));
        let weight = self.weight(at.unit);
        for ((coefficient, value), next) in coefficients.iter_mut().zip(values).zip(nexts) {
            *coefficient = between(*value, *next, weight);
        }
    }

    /// The prototype stretched: coefficients are less than a crossing apart, and of as many phases.
    fn fill_stretched(&self, start: Place, skipped: usize, coefficients: &mut [i64]) {
        // In units, the prototype's end has 32 bits. A wing is 1,394 coefficients of less than 320 points.
        let units = |place: Place| {
            u64::from(place.point)
                .wrapping_mul(u64::from(self.units.get()))
                .wrapping_add(u64::from(place.unit))
        };
        let step = units(Place { point: self.step.0, unit: self.step.1 });
        let from = units(start).wrapping_add((skipped as u64).wrapping_mul(step));
        let end = units(Place { point: (PHASES * CROSSINGS) as u32, unit: 0 });
        // The prototype is 0 from its last crossing on.
        let rest = end.saturating_sub(from);
        let count = rest.wrapping_add(step.wrapping_sub(1)).checked_div(step).unwrap_or_default() as usize;
        let count = count.min(coefficients.len());
        let Some((coefficients, zeros)) = coefficients.split_at_mut_checked(count) else { return };
        zeros.fill(0);
        let from = Place {
            point: (from / NonZeroU64::from(self.units)) as u32,
            unit: (from % NonZeroU64::from(self.units)) as u32,
        };
        if from.unit == 0 && self.step.1 == 0 {
            self.fill_steps::<true>(from, coefficients);
        } else {
            self.fill_steps::<false>(from, coefficients);
        }
    }

    /// Fills in coefficients from a place on. `ON_POINTS` says that all of them are points of the prototype.
    fn fill_steps<const ON_POINTS: bool>(&self, from: Place, coefficients: &mut [i64]) {
        /// Values in all rows but the last, in which no point begins.
        const VALUES: usize = PHASES * CROSSINGS;
        let values = PROTOTYPE.as_flattened();
        // Points go down the rows, and from the last of them to the next value of the first.
        let point = from.point as usize;
        let mut index = (point % PHASES * CROSSINGS).wrapping_add(point / PHASES);
        let mut unit = from.unit;
        let (step, step_units, units) = (self.step.0 as usize * CROSSINGS, self.step.1, self.units.get());
        let shift = self.shift & 31;
        let half = 1 << (shift.wrapping_sub(1) & 31);
        for coefficient in coefficients {
            let value = values.get(index).copied().unwrap_or_default();
            let value = if ON_POINTS {
                i64::from(value)
            } else {
                let next = values.get(index.wrapping_add(CROSSINGS)).copied().unwrap_or_default();
                between(value, next, self.weight(unit))
            };
            *coefficient = value.wrapping_add(half) >> shift;
            // A step is less than a crossing, so that one carry at each place is enough.
            index = index.wrapping_add(step);
            if !ON_POINTS {
                unit = unit.wrapping_add(step_units);
                if unit >= units {
                    unit = unit.wrapping_sub(units);
                    index = index.wrapping_add(CROSSINGS);
                }
            }
            if index >= VALUES {
                index = index.wrapping_sub(VALUES - 1);
            }
        }
    }

    /// Units as a part of a point, in steps of 2^-32.
    fn weight(&self, unit: u32) -> i64 {
        // Units are below the divisor of 2^40, so that the product is below 2^40.
        (u64::from(unit).wrapping_mul(self.reciprocal) >> (RECIPROCAL_BITS - WEIGHT_BITS)) as i64
    }

    /// A sum of products with coefficients, rounded to the nearest step of 2^-47 of full scale, ties up.
    pub fn output(&self, sum: i64) -> i64 {
        // Samples have 31 bits below full scale, and coefficients 30: 61, and 62 of the scale.
        const SHIFT: u32 = 31 + COEFFICIENT_BITS + 62 - WIDE_BITS;
        let product = i128::from(sum).wrapping_mul(i128::from(self.scale));
        (product.wrapping_add(1 << (SHIFT - 1)) >> SHIFT) as i64
    }
}

/// A value of the straight line from `value` to `next`.
fn between(value: i32, next: i32, weight: i64) -> i64 {
    // Neighbours differ by less than 2^24, and a weight is below 2^32.
    let way = i64::from(next.wrapping_sub(value)).wrapping_mul(weight);
    i64::from(value).wrapping_add(way.wrapping_add(1 << (WEIGHT_BITS - 1)) >> WEIGHT_BITS)
}
