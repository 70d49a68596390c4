//! The peaks of what passes a bus, while somebody asks for them.

use core::slice;

use audioback::card::{MAX_PEAK_CHANNELS, PortPeaks};
use hyper::SampleMemory;
use pcm::Peak;

use crate::cycle::Cycle;
use crate::layout::Layout;
use crate::scratch::{BLOCK_FRAMES, Work, head};

/// The peaks of a second of a bus.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Frames that are still to be measured.
    left: u64,
    frames: u64,
    peaks: [Peak; MAX_PEAK_CHANNELS],
}

impl Meter {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self { left: layout.rate_hz.into(), frames: 0, peaks: [Peak::default(); MAX_PEAK_CHANNELS] }
    }

    /// Measures the frames of the bus's ring from frame `from` to `to`.
    ///
    /// Kept out of the turn, which is seldom asked for it.
    #[cold]
    #[inline(never)]
    pub(crate) fn measure(
        &mut self,
        ring: &impl SampleMemory,
        (layout, cycle): (&Layout, &Cycle),
        from: u64,
        to: u64,
        work: &mut Work,
    ) {
        // The hardware overwrites the oldest quarter of the ring meanwhile.
        let kept = cycle.frames().saturating_sub(cycle.frames() / 4);
        let mut at = to.saturating_sub(kept).max(from);
        let end = to.min(at.saturating_add(self.left));
        while at < end {
            let count = end.saturating_sub(at).min(BLOCK_FRAMES as u64);
            let bytes = head(&mut work.bytes, layout.bytes(count as usize));
            cycle.read(ring, at, bytes);
            let samples = head(&mut work.samples, layout.samples(count as usize));
            layout.format.decode(bytes, samples);
            for frame in samples.chunks_exact(layout.channels.count()) {
                for (peak, sample) in self.peaks.iter_mut().zip(frame) {
                    *peak = (*peak).max(Peak::of(slice::from_ref(sample)));
                }
            }
            at = at.saturating_add(count);
            self.left = self.left.saturating_sub(count);
            self.frames = self.frames.saturating_add(count);
        }
    }

    pub(crate) fn peaks(&self, layout: &Layout) -> PortPeaks {
        PortPeaks {
            frames: self.frames,
            channels: layout.channels.count() as u8,
            levels_mdb: self.peaks.map(|peak| peak.level().map(|level| level.0)),
        }
    }
}
