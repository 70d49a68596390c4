//! Errors for people about requests that aren't sent or are refused.

use audiofront::{ConnectError, MAX_BUFFER_BYTES, OpenError, RequestError, StreamConfig, VolumeError};

use crate::error::{Error, ErrorKind};

/// A stream of this `unique-id` can't be connected.
pub(super) fn not_connected(unique_id: &str, error: ConnectError) -> Error {
    let what = match error {
        ConnectError::NoPage => "pages can't be granted: the limit of the module xen-gntalloc is reached",
        ConnectError::NoChannel => "no event channel is free",
        ConnectError::NotPublished => "the transport's nodes can't be written",
    };
    Error::new(ErrorKind::Other, format!("stream {unique_id}: {what}"))
}

/// The request `what` can't be sent.
pub(super) fn not_sent(what: &str, error: RequestError) -> Error {
    match error {
        RequestError::RingFull => Error::new(ErrorKind::Busy, format!("{what}: 32 requests are under way")),
        RequestError::WrongState(state) => {
            Error::new(ErrorKind::Unsupported, format!("{what}: the stream is {state:?}"))
        }
    }
}

/// OPEN can't be sent. `trouble`: the kernel's reason for refusing pages.
pub(super) fn not_opened(
    config: &StreamConfig,
    trouble: Option<rustix::io::Errno>,
    error: OpenError,
) -> Error {
    let StreamConfig { format, channels, buffer_bytes, .. } = config;
    match error {
        OpenError::Request(error) => not_sent("OPEN", error),
        OpenError::BadFrame => {
            Error::new(ErrorKind::Unsupported, format!("{format:?} with {channels} channels has no frames"))
        }
        OpenError::BadBufferSize => Error::new(
            ErrorKind::Unsupported,
            format!(
                "a buffer of {buffer_bytes} bytes: it must be whole frames, and {MAX_BUFFER_BYTES} bytes at most"
            ),
        ),
        OpenError::NoPages => {
            let why = trouble.map_or(String::new(), |errno| format!(": {errno}"));
            Error::new(ErrorKind::Other, format!("no pages for a buffer of {buffer_bytes} bytes{why}"))
                .advice("raise the limit of pages: echo N > /sys/module/xen_gntalloc/parameters/limit")
        }
    }
}

/// The volume request `what` can't be sent.
pub(super) fn not_adjusted(what: &str, error: VolumeError) -> Error {
    match error {
        VolumeError::Request(error) => not_sent(what, error),
        VolumeError::Channels => Error::new(
            ErrorKind::Unsupported,
            format!("{what}: the stream has too many channels for it, or too small a buffer"),
        ),
        VolumeError::UnderWay => Error::new(ErrorKind::Busy, format!("{what}: another request is under way")),
    }
}
