//! What a direct stream plays, played by its bus at the same time.

use hyper::{Nanos, SampleMemory};
use pcm::{Gain, mix};

use crate::cycle::Cycle;
use crate::layout::Layout;
use crate::lead::Lead;
use crate::scratch::{Work, head};
use crate::sums::Sums;

/// A direct stream on its way to a bus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joining {
    /// The direct stream's place in the table.
    pub(crate) place: usize,
    pub(crate) step: Step,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The phase isn't known yet.
    Begun { since: Option<Nanos> },
    /// The bus plays what the direct stream plays.
    Mirror(Mirror),
    /// The bus records what the direct stream would. That had so many frames at the link before.
    Turned { link_frames: u64 },
}

/// What the bus plays of the direct stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mirror {
    /// The first bus frame that is mirrored, and the one after the last.
    pub(crate) from: u64,
    pub(crate) next: u64,
    /// The direct stream's frame that is at the link with bus frame 0.
    pub(crate) offset: u64,
    /// Each frame of both is at the link at the same time, and not only nearly.
    pub(crate) is_exact: bool,
    /// The codec didn't say that its converter is on the bus. It is asked again then.
    pub(crate) again: Option<Nanos>,
}

impl Mirror {
    /// Adds what the direct stream plays from `buffer` to the sums, as far as `lead` says and before `full`. The guest has said it
    /// wrote so many bytes. Returns the frames that changed.
    #[allow(clippy::too_many_arguments, reason = "parts of one mixer, borrowed one by one")]
    pub(crate) fn add(
        &mut self,
        buffer: &impl SampleMemory,
        layout: &Layout,
        written_bytes: Option<u64>,
        sums: &mut Sums,
        work: &mut Work,
        fetched: u64,
        full: u64,
        lead: Lead,
    ) -> Option<(u64, u64)> {
        let cycle = Cycle::new(buffer.size_bytes(), layout.frame_bytes())?;
        if self.next < fetched {
            // This turn is late: begin anew.
            (self.from, self.next) = (fetched, fetched);
        }
        let written = written_bytes.map(|bytes| cycle.frames_in(bytes));
        let announced = written.map(|frames| frames.saturating_sub(self.offset));
        let (first, end) = (self.next, lead.end(fetched, announced).min(full));
        while self.next < end {
            let sums = sums.add(self.next, end);
            let frames = layout.channels.frames(sums.len());
            let frame = self.next.saturating_add(self.offset);
            let there = written.map_or(u64::MAX, |written| written.saturating_sub(frame)).min(frames as u64);
            let bytes = head(&mut work.bytes, layout.bytes(there as usize));
            let lap = layout.bytes(usize::try_from(cycle.frames()).unwrap_or(usize::MAX)).max(1);
            let mut from = frame;
            for part in bytes.chunks_mut(lap) {
                cycle.read(buffer, from, part);
                from = from.saturating_add(cycle.frames());
            }
            mix::add_encoded(layout.format, Gain::UNITY, bytes, sums);
            self.next = self.next.saturating_add(frames.max(1) as u64);
        }
        (first < end).then_some((first, end))
    }

    /// Notes what the hardware had fetched when this turn was mixed: what is mirrored begins behind that.
    pub(crate) fn note_fetched(&mut self, fetched: u64) {
        self.from = self.from.max(fetched.min(self.next));
    }
}
