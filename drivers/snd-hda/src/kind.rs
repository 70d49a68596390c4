//! Kinds of failures.

/// The kind of an error, for code that treats all errors of a kind alike. Every error of this crate has a `kind()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ErrorKind {
    /// Hardware that is needed isn't there: controller, codec, stream descriptor or route.
    Missing,
    /// Hardware did not respond in time.
    Timeout,
    /// There is no memory, or none that the controller's DMA reaches.
    Memory,
    /// Something is in use.
    Busy,
    /// The hardware can't do it.
    Unsupported,
    /// The caller asked for something that makes no sense.
    Invalid,
}
