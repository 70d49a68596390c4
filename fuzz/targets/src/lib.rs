//! Fuzz targets: what an enemy can hand to snddom, as functions of bytes.
//!
//! Each public module has a function `run`. It takes any bytes, makes them into what the enemy controls, and panics when
//! a promise is broken. The fuzzer's programs (`fuzz/programs/`) and the replay of the corpora (`tests/corpora.rs`)
//! call the same functions.
#![forbid(unsafe_code)]

mod bytes;
#[doc(hidden)]
pub mod fake_card;
mod pool;

pub mod codec_answers;
pub mod codec_dump;
pub mod control_page;
pub mod device_requests;
pub mod front_directory;
pub mod page_directory;
pub mod store_wire;
pub mod wav;

/// A target: its name, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by name.
pub const ALL: [Target; 8] = [
    ("codec-answers", codec_answers::run),
    ("codec-dump", codec_dump::run),
    ("control-page", control_page::run),
    ("device-requests", device_requests::run),
    ("front-directory", front_directory::run),
    ("page-directory", page_directory::run),
    ("store-wire", store_wire::run),
    ("wav", wav::run),
];
