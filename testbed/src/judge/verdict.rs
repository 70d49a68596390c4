//! The result of a test.

use std::fmt;

/// The result of a test, from best to worst; of several, the worst counts.
///
/// The words and their order are those of the Xen Test Framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Every condition holds.
    Success,
    /// The test could not be carried out: a tool is missing, a file can't be written.
    Error,
    /// A condition doesn't hold.
    Failure,
    /// The image crashed, was killed at a time limit, or ended without a word.
    Crash,
}

impl Verdict {
    /// The worst of all; success when there is none.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Success)
    }

    /// Whether it counts among the failed.
    pub fn is_bad(self) -> bool {
        self > Verdict::Success
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Success => "success",
            Verdict::Error => "error",
            Verdict::Failure => "failure",
            Verdict::Crash => "CRASH",
        })
    }
}

/// A verdict with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// One line that says why.
    pub detail: String,
}

impl Finding {
    /// A condition doesn't hold.
    pub fn failure(detail: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Failure, detail: detail.into() }
    }

    /// The image crashed.
    pub fn crash(detail: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Crash, detail: detail.into() }
    }

    /// The test could not be carried out.
    pub fn error(detail: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Error, detail: detail.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verdict, self.detail)
    }
}

/// Trouble around a test is an error, never a failure of its subject.
impl From<anyhow::Error> for Finding {
    fn from(error: anyhow::Error) -> Finding {
        Finding::error(format!("{error:#}"))
    }
}

/// Returns a failure from a test case when a condition doesn't hold.
#[cfg(feature = "test")]
macro_rules! ensure {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err($crate::judge::verdict::Finding::failure(format!($($reason)+)));
        }
    };
}
#[cfg(feature = "test")]
pub(crate) use ensure;

#[cfg(test)]
mod tests {
    use super::Verdict::{self, Crash, Error, Failure, Success};

    #[test]
    fn the_worst_wins() {
        assert_eq!(Verdict::worst([Success, Failure, Error]), Failure);
        assert_eq!(Verdict::worst([Crash, Failure]), Crash);
        assert_eq!(Verdict::worst([]), Success);
    }

    #[test]
    fn a_test_that_could_not_run_is_no_success() {
        assert!(Error.is_bad() && Failure.is_bad() && Crash.is_bad());
        assert!(!Success.is_bad());
    }
}
