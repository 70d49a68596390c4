//! Violations: breaches of the specification's rules, and DMA to forbidden memory.

use std::fmt;

/// A rule of the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// An access at an offset where no register begins, or with another width than the register's.
    AccessWidth,
    /// A write to a register that is read-only.
    ReadOnly,
    /// A write of ones to reserved bits.
    ReservedBits,
    /// A write while the controller is held in reset, or before CRST has read back 1.
    InReset,
    /// CRST was cleared for less than 100 us (4.2.2).
    ResetTooShort,
    /// CRST was cleared while a stream, CORB or RIRB was running (4.2.2).
    ResetWhileRunning,
    /// STATESTS was read, or a verb sent, less than 521 us after CRST became 1 (4.3).
    CodecsNotReady,
    /// A ring's address, size or read pointer was changed while its DMA runs (4.4.1, 4.4.2).
    RingRunning,
    /// The immediate command interface was used while CORB runs, or while it was busy (4.4.3).
    ImmediateCommand,
    /// A stream's registers were changed while it runs, or in stream reset (4.5.3).
    StreamRunning,
    /// CBL was changed after RUN and without a stream reset between (3.3.38).
    BufferLengthNeedsReset,
    /// The stream was started with a wrong set-up: tag 0, fewer than two descriptors, no or a
    /// reserved format.
    StreamSetUp,
    /// A descriptor list, or one of its entries, breaks alignment, length or reserved bits, or
    /// doesn't add up to CBL.
    DescriptorList,
    /// Two running streams of a direction carry the same tag.
    TagShared,
    /// Streams together take more than OUTPAY or INPAY words of a link frame.
    Overload,
    /// Stream and converter that share a tag disagree about the format.
    FormatMismatch,
    /// Two input converters drive the same channel of the same tag.
    ChannelCollision,
    /// The DMA position buffer's address was changed while a stream runs.
    PositionBufferRunning,
    /// An address above 4 GiB, and GCAP says the controller has 32 bits.
    AddressTooWide,
    /// A converter was set to an unsupported format.
    ConverterFormat,
    /// A pin was enabled in a direction, or given a bias voltage, that it doesn't have.
    PinControl,
    /// A missing amplifier was set, or an amplifier was set to a missing step.
    Amplifier,
    /// DMA touched memory that was forbidden at that moment.
    Dma,
}

/// A breach of a rule, with its time and details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Virtual system time.
    pub at_ns: u64,
    /// The broken rule.
    pub rule: Rule,
    /// The access or engine behind it, with the values.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} ns: {:?}: {}", self.at_ns, self.rule, self.detail)
    }
}

/// Violations that are kept; further ones are only counted.
const KEPT: usize = 64;

/// The violations so far.
#[derive(Default)]
pub(crate) struct Violations {
    kept: Vec<Violation>,
    dropped: usize,
    strict: bool,
}

impl Violations {
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    /// Records a breach of the specification's rules, unless the profile isn't strict about them.
    pub(crate) fn rule(&mut self, at_ns: u64, rule: Rule, detail: impl FnOnce() -> String) {
        if self.strict {
            self.record(at_ns, rule, detail());
        }
    }

    /// Records DMA to forbidden memory. Every profile is strict about that.
    pub(crate) fn dma(&mut self, at_ns: u64, detail: String) {
        self.record(at_ns, Rule::Dma, detail);
    }

    fn record(&mut self, at_ns: u64, rule: Rule, detail: String) {
        if self.kept.iter().any(|seen| seen.rule == rule && seen.detail == detail) {
            return;
        }
        if self.kept.len() < KEPT {
            self.kept.push(Violation { at_ns, rule, detail });
        } else {
            self.dropped += 1;
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Violation> {
        self.dropped = 0;
        std::mem::take(&mut self.kept)
    }

    /// A list for people; `None` without violations.
    pub(crate) fn report(&self) -> Option<String> {
        if self.kept.is_empty() {
            return None;
        }
        let mut text = String::from("the driver broke rules of the hardware:");
        for violation in &self.kept {
            text.push_str(&format!("\n  {violation}"));
        }
        if self.dropped > 0 {
            text.push_str(&format!("\n  and {} more", self.dropped));
        }
        Some(text)
    }
}
