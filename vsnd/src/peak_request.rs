//! A request of the administrator for the peaks of a port, by a number, and its answer.
//!
//! ```text
//! snddom/port/output-0/peak         7
//! snddom/state/port/output-0/peak   number=7 frames=48000 peak_mdb=-6021,-inf
//! ```

use core::fmt;

use audioback::card::{PortPeaks, PortState};
use hyper::Nanos;

use crate::due::after;
use crate::port_use::mode_word;

/// Time for a second of frames to pass, late turns included.
const MEASURE_NS: u64 = 1_050_000_000;

/// A request for the peaks of a port.
#[derive(Debug)]
pub(crate) struct PeakRequest {
    number: u32,
    /// The time at which the answer is taken from the card. `None`: it is known.
    until: Option<Nanos>,
    peaks: Option<PortPeaks>,
    /// The answer is being written.
    is_sent: bool,
}

impl PeakRequest {
    /// A request at this time. Without a measurement the answer is that there is none.
    pub(crate) fn new(number: u32, is_measured: bool, now: Nanos) -> Self {
        Self { number, until: is_measured.then_some(after(now, MEASURE_NS)), peaks: None, is_sent: false }
    }

    /// The time at which the answer is taken from the card.
    pub(crate) fn until(&self) -> Option<Nanos> {
        self.until
    }

    /// Takes the answer.
    pub(crate) fn answer(&mut self, peaks: Option<PortPeaks>) {
        self.until = None;
        self.peaks = peaks;
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.until.is_none()
    }

    /// Notes that the answer is being written.
    pub(crate) fn on_sent(&mut self) {
        self.is_sent = true;
    }

    /// Whether the answer is the one that was written.
    pub(crate) fn is_sent(&self) -> bool {
        self.is_sent
    }

    /// The answer, for a port of this state.
    pub(crate) fn line(&self, state: PortState) -> impl fmt::Display {
        Line { number: self.number, peaks: self.peaks, state }
    }
}

struct Line {
    number: u32,
    peaks: Option<PortPeaks>,
    state: PortState,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number={}", self.number)?;
        let Some(PortPeaks { frames, channels, levels_mdb }) = self.peaks else {
            return write!(f, " mode={}", mode_word(&self.state));
        };
        write!(f, " frames={frames} peak_mdb=")?;
        for (index, level) in levels_mdb.iter().take(channels.into()).enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match level {
                Some(level) => write!(f, "{level}")?,
                None => f.write_str("-inf")?,
            }
        }
        Ok(())
    }
}
