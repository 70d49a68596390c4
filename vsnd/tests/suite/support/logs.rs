//! The log lines of this test alone: each test runs in a thread of its own.

use std::cell::{Cell, RefCell};
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    /// Lines of all sources, if the test wants them.
    static SOURCES: RefCell<Vec<(String, Level)>> = const { RefCell::new(Vec::new()) };
    static KEEPS_SOURCES: Cell<bool> = const { Cell::new(false) };
}

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // The hypervisor's lines are about broken rules, also those of guests, and are no lines of the image.
        if KEEPS_SOURCES.get() && !record.target().starts_with("hypervisor_model") {
            SOURCES.with_borrow_mut(|lines| lines.push((record.target().to_owned(), record.level())));
        }
        if record.target().contains("vsnd") || record.target().contains("audioback") {
            LINES.with_borrow_mut(|lines| lines.push((record.level(), record.args().to_string())));
        }
    }

    fn flush(&self) {}
}

pub fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Collector).expect("the only logger");
        log::set_max_level(LevelFilter::Info);
    });
}

/// Lines from warnings up, since the last call.
pub fn take_warnings() -> Vec<String> {
    let lines = LINES.take();
    lines.into_iter().filter(|(level, _)| *level <= Level::Warn).map(|(_, line)| line).collect()
}

/// Bytes in the lines since the last call of [`take_warnings`].
pub fn bytes_kept() -> usize {
    LINES.with_borrow(|lines| lines.iter().map(|(_, line)| line.len()).sum())
}

/// Lines of any level since the last call of [`take_warnings`].
pub fn count_all() -> usize {
    LINES.with_borrow(|lines| lines.len())
}

/// From here on keeps the sources and levels of all lines.
pub fn keep_sources() {
    KEEPS_SOURCES.set(true);
    SOURCES.take();
}

/// Sources and levels of all lines since the last call.
pub fn take_sources() -> Vec<(String, Level)> {
    SOURCES.take()
}
