//! Xenstore's messages and ring (io/xs_wire.h; docs/misc/xenstore.txt, "Communication" and "Backend/kernel xenbus").

use core::sync::atomic::{AtomicU8, AtomicU32};

/// `XS_DIRECTORY`: path; answer: names, each followed by a NUL.
pub const DIRECTORY: u32 = 1;
/// `XS_READ`: path; answer: value.
pub const READ: u32 = 2;
/// `XS_WATCH`: path, token.
pub const WATCH: u32 = 4;
/// `XS_UNWATCH`: path, token.
pub const UNWATCH: u32 = 5;
/// `XS_TRANSACTION_START`: an empty string; answer: the transaction's number in decimal.
pub const TRANSACTION_START: u32 = 6;
/// `XS_TRANSACTION_END`: `T` to commit, `F` to drop.
pub const TRANSACTION_END: u32 = 7;
/// `XS_WRITE`: path, value.
pub const WRITE: u32 = 11;
/// `XS_RM`: path.
pub const RM: u32 = 13;
/// `XS_WATCH_EVENT`, from xenstored only: path, token.
pub const WATCH_EVENT: u32 = 15;
/// `XS_ERROR`, from xenstored only: an error's name.
pub const ERROR: u32 = 16;

/// `struct xsd_sockmsg`: the header of each message, little-endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// The message's type, `XS_*`.
    pub kind: u32,
    /// Number of the request, repeated in the answer; 0 for a watch event.
    pub req_id: u32,
    /// Number of the transaction; 0 outside of one.
    pub tx_id: u32,
    /// Bytes of payload.
    pub len: u32,
}
assert_layout!(Header, size 16, req_id at 4, tx_id at 8, len at 12);

/// Bytes of a header.
pub const HEADER_BYTES: usize = 16;
/// Most bytes of payload (`XENSTORE_PAYLOAD_MAX`).
pub const PAYLOAD_MAX_BYTES: usize = 4096;
/// Longest absolute path (`XENSTORE_ABS_PATH_MAX`), without the final NUL.
pub const ABSOLUTE_PATH_MAX_BYTES: usize = 3072;
/// Longest path relative to the domain's home (`XENSTORE_REL_PATH_MAX`), without the final NUL.
pub const RELATIVE_PATH_MAX_BYTES: usize = 2048;

/// Bytes of each ring (`XENSTORE_RING_SIZE`).
pub const RING_BYTES: usize = 1024;

/// `struct xenstore_domain_interface`. Indices count bytes and wrap at 2^32; the place in a ring is the index modulo
/// its size.
#[derive(Debug)]
#[repr(C)]
pub struct StoreRing {
    /// Requests.
    pub req: [AtomicU8; RING_BYTES],
    /// Answers and watch events.
    pub rsp: [AtomicU8; RING_BYTES],
    /// Written by xenstored.
    pub req_cons: AtomicU32,
    /// Written by the guest.
    pub req_prod: AtomicU32,
    /// Written by the guest.
    pub rsp_cons: AtomicU32,
    /// Written by xenstored.
    pub rsp_prod: AtomicU32,
    /// `XENSTORE_SERVER_FEATURE_*`.
    pub server_features: AtomicU32,
    /// `XENSTORE_CONNECTED` (0) or `XENSTORE_RECONNECT` (1).
    pub connection: AtomicU32,
    /// `XENSTORE_ERROR_*`.
    pub error: AtomicU32,
}
assert_layout!(
    StoreRing, size 2076,
    rsp at 1024, req_cons at 2048, req_prod at 2052, rsp_cons at 2056, rsp_prod at 2060, server_features at 2064,
    connection at 2068, error at 2072,
);

impl Default for StoreRing {
    fn default() -> Self {
        Self {
            req: [const { AtomicU8::new(0) }; RING_BYTES],
            rsp: [const { AtomicU8::new(0) }; RING_BYTES],
            req_cons: AtomicU32::new(0),
            req_prod: AtomicU32::new(0),
            rsp_cons: AtomicU32::new(0),
            rsp_prod: AtomicU32::new(0),
            server_features: AtomicU32::new(0),
            connection: AtomicU32::new(0),
            error: AtomicU32::new(0),
        }
    }
}
