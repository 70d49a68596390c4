//! The states of a stream on the wire.

/// The state of a stream, defined by the requests on its ring and their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// Not open: it has no buffer.
    Closed,
    /// OPEN is sent. The buffer exists and can be filled.
    Opening,
    /// Open.
    Open,
    /// CLOSE is sent. The buffer belongs to the back end until it answers.
    Closing,
    /// The back end's ring indices are impossible. No more requests or answers pass: disconnect.
    Broken,
}
