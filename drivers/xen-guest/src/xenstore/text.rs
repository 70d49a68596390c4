//! Checks of texts to and from xenstore.

use xen_sys::xs_wire::{ABSOLUTE_PATH_MAX_BYTES, RELATIVE_PATH_MAX_BYTES};

use super::error::BadText;

/// Longest token of a watch. The limit is this crate's; xenstore has none.
pub const MAX_TOKEN_BYTES: usize = 128;

/// A path that xenstore accepts (docs/misc/xenstore.txt).
///
/// It is absolute, relative to this domain's home `/local/domain/DOMID`, or a special one to watch
/// such as `@releaseDomain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path<'a>(&'a str);

impl<'a> Path<'a> {
    /// Checks a path.
    ///
    /// # Errors
    /// Xenstore doesn't accept the path.
    pub fn new(path: &'a str) -> Result<Self, BadText> {
        let limit = if path.starts_with('/') { ABSOLUTE_PATH_MAX_BYTES } else { RELATIVE_PATH_MAX_BYTES };
        if path.is_empty() {
            return Err(BadText::Empty);
        }
        if path.len() > limit {
            return Err(BadText::TooLong);
        }
        if path.bytes().any(|byte| byte == 0) {
            return Err(BadText::Nul);
        }
        let may_be = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'_' | b'@');
        if !path.bytes().all(may_be) {
            return Err(BadText::Character);
        }
        if path.as_bytes().windows(2).any(|pair| pair == b"//") || (path.len() > 1 && path.ends_with('/')) {
            return Err(BadText::Slashes);
        }
        Ok(Self(path))
    }

    /// The path's text.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// Checks a value to write: any text without NUL. The whole message's check covers its length.
pub(super) fn value(value: &str) -> Result<&str, BadText> {
    if value.bytes().any(|byte| byte == 0) { Err(BadText::Nul) } else { Ok(value) }
}

/// Checks a watch's token.
pub(super) fn token(token: &str) -> Result<&str, BadText> {
    if token.len() > MAX_TOKEN_BYTES { Err(BadText::TooLong) } else { value(token) }
}

/// The text in a payload, without one NUL at its end: some writers include that.
pub(super) fn received(payload: &[u8]) -> Result<&str, BadText> {
    let text = payload.strip_suffix(&[0]).unwrap_or(payload);
    if text.contains(&0) {
        return Err(BadText::Nul);
    }
    core::str::from_utf8(text).map_err(|_| BadText::Encoding)
}
