//! What an interrupt told.

/// The causes of an interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InterruptReport {
    /// Streams with an error, a bit each by [`Stream::index`](crate::Stream::index). Their interrupt stays off until
    /// they are polled.
    pub streams: u32,
    /// Codecs that appeared or woke, a bit each.
    pub codecs: u16,
    /// Nothing is pending any more.
    pub is_clean: bool,
}
