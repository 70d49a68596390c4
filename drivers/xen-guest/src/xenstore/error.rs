//! Errors: one enum for each operation.

use core::fmt;

/// A text that xenstore doesn't accept, or bytes that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadText {
    /// It is empty.
    Empty,
    /// It is too long.
    TooLong,
    /// It contains a NUL.
    Nul,
    /// A path with a byte other than letters, digits and `-/_@`.
    Character,
    /// A path with two consecutive slashes, or a slash at its end.
    Slashes,
    /// It isn't UTF-8.
    Encoding,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError {
    /// An invalid value or token.
    BadText(BadText),
    /// The limit of pending requests or waiting bytes is reached: retry later.
    Full,
    /// The connection is broken.
    Broken,
}

/// Why the connection became unusable. xenstored, or the memory that it shares, is faulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokenStore {
    /// `req_cons` is ahead of `req_prod`, or more than a ring behind.
    RequestIndex,
    /// `rsp_prod` is more than a ring ahead of `rsp_cons`.
    ResponseIndex,
    /// A message with more than 4096 bytes of payload.
    TooLong(u32),
}

/// An invalid message that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// An answer without a pending request.
    Unasked(u32),
    /// An answer after its deadline.
    Late(u32),
    /// A watch event whose path or token isn't text.
    BadWatchEvent,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// xenstored refused.
    #[error("xenstored says {0:?}")]
    Refused(Refusal),
    /// No answer came before the deadline. The request may have taken effect.
    #[error("xenstored did not answer in time")]
    TimedOut,
    /// The answer doesn't fit the request.
    #[error("xenstored's answer makes no sense")]
    Garbled,
    /// The connection broke. The request may have taken effect.
    #[error("the connection to xenstored is broken: {0:?}")]
    Broken(BrokenStore),
}

macro_rules! refusals {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// An error that xenstored names (xs_wire.h, `xsd_errors`).
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Refusal {
            $(#[doc = concat!("`", $name, "`: ", $meaning, ".")]
            $variant,)*
            /// A name that the header doesn't have.
            Other,
        }

        impl Refusal {
            const NAMES: &[(&str, Self)] = &[$(($name, Self::$variant)),*];

            /// The error of that name.
            pub fn from_name(name: &[u8]) -> Self {
                let known = Self::NAMES.iter().find(|(known, _)| known.as_bytes() == name);
                known.map_or(Self::Other, |(_, refusal)| *refusal)
            }
        }
    };
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::NAMES.iter().find(|(_, known)| known == self);
        f.write_str(known.map_or("an error of no name", |(name, _)| name))
    }
}

refusals! {
    Invalid = "EINVAL", "the request makes no sense";
    Access = "EACCES", "this domain has no right to it";
    Exists = "EEXIST", "it is there already";
    IsDirectory = "EISDIR", "it is a directory";
    NoEntry = "ENOENT", "there is no such node";
    NoMemory = "ENOMEM", "out of memory";
    NoSpace = "ENOSPC", "a quota of this domain's is used up";
    Io = "EIO", "xenstored's own trouble";
    NotEmpty = "ENOTEMPTY", "not empty";
    NotImplemented = "ENOSYS", "no such request";
    ReadOnly = "EROFS", "read-only";
    Busy = "EBUSY", "busy, or as many transactions as there may be";
    Again = "EAGAIN", "another's change came between: do the transaction again";
    IsConnected = "EISCONN", "connected already";
    TooBig = "E2BIG", "it doesn't fit into a message, or a quota";
    Permission = "EPERM", "not permitted";
}
