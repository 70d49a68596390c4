//! A PCM definition's fields, and the program's error handler.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use super::abi::{self, SndConfig};
use crate::card::Failure;
use crate::settings::Value;

/// Shows an error through the program's handler; by default on standard error.
pub(super) fn report(message: &str) {
    // Messages contain no zero byte. One would end the text.
    let text: Vec<u8> = message.bytes().take_while(|byte| *byte != 0).collect();
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: alsa-lib's variable always holds a handler.
    let handler = unsafe { abi::snd_lib_error.0.get().read_volatile() };
    let (file, function) = (c"snddom".as_ptr(), c"pcm".as_ptr());
    let (line, errno): (c_int, c_int) = (0, 0);
    // SAFETY: a format of printf(3) and its one string. All pointers live until the handler
    // returns.
    unsafe { handler(file, line, function, errno, c"%s".as_ptr(), text.as_ptr()) };
}

/// Shows a failure and returns its number.
pub(super) fn report_failure(failure: &Failure) -> c_int {
    report(&failure.message);
    -failure.errno.raw_os_error()
}

/// The fields of a definition.
///
/// # Safety
/// `config` is a compound node of ALSA's configuration.
pub(super) unsafe fn fields(config: *const SndConfig) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    // SAFETY: a compound node.
    let mut place = unsafe { abi::snd_config_iterator_first(config) };
    // SAFETY: a compound node.
    let end = unsafe { abi::snd_config_iterator_end(config) };
    while place != end {
        // SAFETY: a place before the end.
        let entry = unsafe { abi::snd_config_iterator_entry(place) };
        // SAFETY: a node of the configuration.
        if let Some(name) = unsafe { text(entry, abi::snd_config_get_id) } {
            // SAFETY: a node of the configuration.
            fields.push((name, unsafe { value(entry) }));
        }
        // SAFETY: a place before the end.
        place = unsafe { abi::snd_config_iterator_next(place) };
    }
    fields
}

/// # Safety
/// `entry` is a node of ALSA's configuration.
unsafe fn value(entry: *const SndConfig) -> Value {
    let mut integer = 0;
    // SAFETY: a node; the result's place is ours.
    if unsafe { abi::snd_config_get_integer(entry, &mut integer) } == 0 {
        return Value::Integer(integer);
    }
    // SAFETY: a node.
    unsafe { text(entry, abi::snd_config_get_string) }.map_or(Value::Other, Value::Text)
}

/// # Safety
/// `entry` is a node of ALSA's configuration.
unsafe fn text(
    entry: *const SndConfig,
    get: unsafe extern "C" fn(*const SndConfig, *mut *const c_char) -> c_int,
) -> Option<String> {
    let mut text = ptr::null();
    // SAFETY: a node; the result's place is ours.
    if unsafe { get(entry, &mut text) } != 0 || text.is_null() {
        return None;
    }
    // SAFETY: alsa-lib's string lives as long as the node. It is copied here.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
