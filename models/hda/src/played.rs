//! The frames that a converter received.

/// The frames that a converter received, each with its link frame.
#[derive(Clone, Debug, Default)]
pub struct Played {
    frames: Vec<PlayedFrame>,
    samples: Vec<i32>,
}

#[derive(Clone, Copy, Debug)]
struct PlayedFrame {
    link_frame: u64,
    first_sample: usize,
    channels: usize,
}

impl Played {
    /// Frames received.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether nothing was received.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// All samples, interleaved, sign-extended at their depth: a 24-bit sample is its container
    /// shifted right by 8.
    pub fn samples(&self) -> &[i32] {
        &self.samples
    }

    /// The samples of frame `index`, one for each channel of the converter.
    pub fn frame(&self, index: usize) -> &[i32] {
        let frame = self.frames[index];
        &self.samples[frame.first_sample..frame.first_sample + frame.channels]
    }

    /// The link frame that carried frame `index`: WALCLK, extended past its wraps, divided by 500.
    pub fn link_frame(&self, index: usize) -> u64 {
        self.frames[index].link_frame
    }

    pub(crate) fn push(&mut self, link_frame: u64, samples: impl Iterator<Item = i32>) {
        let first_sample = self.samples.len();
        self.samples.extend(samples);
        let channels = self.samples.len() - first_sample;
        self.frames.push(PlayedFrame { link_frame, first_sample, channels });
    }

    /// The `nth` frame in a link frame.
    pub(crate) fn at_link_frame(&self, link_frame: u64, nth: usize) -> Option<&[i32]> {
        // Searches from the end, because a loop-back needs the latest frames.
        let end = self.frames.iter().rposition(|frame| frame.link_frame == link_frame)?;
        let start = self.frames[..=end].iter().rposition(|frame| frame.link_frame != link_frame);
        let index = start.map_or(0, |before| before + 1) + nth;
        (index <= end).then(|| self.frame(index))
    }
}
