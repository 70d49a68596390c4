//! How far ahead of what the hardware has fetched voices are mixed.

use hyper::Nanos;

use crate::layout::Layout;

/// What a turn may be late for a voice that has announced no frames beyond it.
pub(crate) const LEAST_LATENESS: Nanos = Nanos(900_000);

/// The lead of a bus in its frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lead {
    /// Frames that are mixed at this turn, announced or not: at the next one they may be too late.
    least: u64,
    /// Frames that are mixed of a voice that announces none.
    usual: u64,
    /// Frames that are mixed if they are announced.
    most: u64,
}

impl Lead {
    /// The lead for turns a quantum apart. `allowance` is what is needed beyond that, and announced frames have twice as much.
    pub(crate) fn new(bus: &Layout, quantum: Nanos, allowance: Nanos) -> Self {
        let frames = |extra: Nanos| bus.frames_in(quantum.0.saturating_add(extra.0)).saturating_add(1);
        let usual = frames(allowance);
        // Announced frames are there anyway.
        let most = frames(Nanos(allowance.0.saturating_mul(2)));
        Self { least: frames(LEAST_LATENESS).min(usual), usual, most }
    }

    /// The same, but for announced frames so many at least.
    pub(crate) fn with_ahead(self, frames: u64) -> Self {
        Self { most: self.most.max(frames), ..self }
    }

    /// Frames that are mixed ahead at most.
    pub(crate) fn most_frames(&self) -> u64 {
        self.most
    }

    /// The bus frame up to which a voice is mixed that has announced its frames up to `announced`, if it announces any.
    pub(crate) fn end(&self, fetched: u64, announced: Option<u64>) -> u64 {
        let from = |frames: u64| fetched.saturating_add(frames);
        announced.map_or(from(self.usual), |end| end.clamp(from(self.least), from(self.most)))
    }
}
