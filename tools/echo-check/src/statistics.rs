//! Statistics over restarts.

/// The range and mean of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

impl Spread {
    /// The spread of values; `None` without any.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values = values.into_iter();
        let first = values.next()?;
        let (mut min, mut max, mut sum, mut count) = (first, first, first, 1_u32);
        for value in values {
            min = min.min(value);
            max = max.max(value);
            sum += value;
            count += 1;
        }
        Some(Spread { min, max, mean: sum / f64::from(count) })
    }

    /// The highest less the lowest.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.max - self.min
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn of_values() {
        assert_eq!(Spread::of([]), None);
        let spread = Spread::of([2.0, -1.0, 5.0]).expect("values");
        assert_eq!((spread.min, spread.max, spread.mean, spread.width()), (-1.0, 5.0, 2.0, 6.0));
    }
}
