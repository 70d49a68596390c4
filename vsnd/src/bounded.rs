//! Texts and lists of fixed capacity, for contents that fit by construction.

use core::fmt::{Arguments, Write};

use heapless::{String, Vec};

/// A formatted text. The capacity holds the longest; a longer one is cut, which the log says.
pub(crate) fn format<const BYTES: usize>(text: Arguments<'_>) -> String<BYTES> {
    let mut formatted = String::new();
    if formatted.write_fmt(text).is_err() {
        log::error!("a text of more than {BYTES} bytes was cut");
    }
    formatted
}

/// Appends to a list that has room. An item too many is dropped, which the log says.
pub(crate) fn append<T, const ITEMS: usize>(list: &mut Vec<T, ITEMS>, item: T) {
    if list.push(item).is_err() {
        log::error!("a list of {ITEMS} items had no room for another");
    }
}
