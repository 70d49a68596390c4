//! SIGINT and SIGTERM, checked between two steps of a command.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A signal asks for the end.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) u8);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

/// The signals since `watch`.
pub(crate) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// From now on the first signal is only noted; a second one ends the process.
    pub(crate) fn watch() -> Result<Self> {
        let came = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 128 + signal, again.clone())
                .and_then(|_| flag::register(signal, again.clone()))
                .and_then(|_| flag::register_usize(signal, came.clone(), signal.unsigned_abs() as usize))
                .context("signals can't be watched")?;
        }
        Ok(Self(came))
    }

    /// An error if one has come.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Interrupted(signal as u8).into()),
        }
    }
}
