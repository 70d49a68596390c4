//! The time between two readings of `measure` in `testbed/rig/lib.sh`.

use anyhow::{Result, ensure};

use crate::rig::Figures;

/// Two looks at the same counters: pairs `from_NAME=...` and `to_NAME=...`.
pub(super) struct Span<'a>(pub(super) &'a Figures);

impl Span<'_> {
    /// The growth of a counter.
    ///
    /// # Errors
    /// It isn't there twice, or has shrunk.
    pub(super) fn grown(&self, name: &str) -> Result<f64> {
        let figures = self.0;
        let at = |prefix| figures.value::<u64>(&format!("{prefix}_{name}"));
        let (from, to) = (at("from")?, at("to")?);
        ensure!(to >= from, "{}: {name} has shrunk, from {from} to {to}", figures.name);
        // Far below 2^52.
        Ok((to - from) as f64)
    }

    /// The growth of a counter a second. `clock` counts nanoseconds.
    ///
    /// # Errors
    /// As [`grown`](Self::grown); or no time has passed.
    pub(super) fn per_second(&self, name: &str, clock: &str) -> Result<f64> {
        let ns = self.grown(clock)?;
        ensure!(ns > 0.0, "{}: no time has passed", self.0.name);
        Ok(self.grown(name)? * 1e9 / ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_by_the_second() {
        let text = "from_time_ns=1000 from_turns=5 to_time_ns=500001000 to_turns=155 from_x=3 to_x=2";
        let figures = Figures { name: "a".to_owned(), text: text.to_owned() };
        let span = Span(&figures);
        assert_eq!(span.grown("turns").expect("there"), 150.0);
        assert_eq!(span.per_second("turns", "time_ns").expect("there"), 300.0);
        for name in ["x", "none"] {
            assert!(span.grown(name).is_err(), "{name}");
        }
        let still = Figures { text: "from_t=1 to_t=1 from_a=1 to_a=1".to_owned(), ..figures };
        assert!(Span(&still).per_second("a", "t").is_err());
    }
}
