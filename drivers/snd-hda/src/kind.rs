//! Kinds of failures.

/// The kind of an error, for code that handles all errors of a kind alike. Every error has a
/// `kind()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ErrorKind {
    /// Required hardware is missing: controller, codec, stream descriptor or route.
    Missing,
    /// Hardware did not respond in time.
    Timeout,
    /// No memory is left, or it is beyond the controller's DMA reach.
    Memory,
    /// The resource is in use.
    Busy,
    /// The hardware doesn't support the request.
    Unsupported,
    /// The caller's request is invalid.
    Invalid,
}
