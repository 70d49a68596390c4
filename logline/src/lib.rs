//! Lines of the log, by the macros of the `log` crate, and to its logger. A record has a level, a target and a text; unlike
//! that crate's own it doesn't say in which file and line of the source it was made. In the image, where nobody reads
//! those, they are 100 octets for each line: 12 KiB in all.
//!
//! What a line formats is formatted only if its level is on, but the values are worked out before that is looked at.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;

pub use log_facade::{
    Level, LevelFilter, Log, Metadata, Record, SetLoggerError, logger, max_level, set_logger, set_max_level,
};

/// Hands a line to the logger; use [`error!`], [`warn!`], [`info!`] or [`debug!`].
// One copy for all lines: that is the point.
#[inline(never)]
pub fn line(level: Level, target: &str, text: fmt::Arguments<'_>) {
    if level <= max_level() {
        logger().log(&Record::builder().level(level).target(target).args(text).build());
    }
}

/// A line of the level named first; with `target: "name",` before the text, of that target, else of the module.
#[macro_export]
macro_rules! line {
    ($level:ident, target: $target:expr, $($text:tt)+) => {
        $crate::line($crate::Level::$level, $target, ::core::format_args!($($text)+))
    };
    ($level:ident, $($text:tt)+) => {
        $crate::line($crate::Level::$level, ::core::module_path!(), ::core::format_args!($($text)+))
    };
}

/// Something doesn't work.
#[macro_export]
macro_rules! error {
    ($($line:tt)+) => { $crate::line!(Error, $($line)+) };
}

/// Something isn't as it should be, and work goes on.
#[macro_export]
macro_rules! warn {
    ($($line:tt)+) => { $crate::line!(Warn, $($line)+) };
}

/// What people want to know.
#[macro_export]
macro_rules! info {
    ($($line:tt)+) => { $crate::line!(Info, $($line)+) };
}

/// What helps to find out why something isn't as it should be.
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::line!(Debug, $($line)+) };
}
