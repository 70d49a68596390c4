//! The log lines of a test, which are those of its thread.

use std::cell::RefCell;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl Log for ThreadLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(format!("{} {}", record.level(), record.args())));
    }

    fn flush(&self) {}
}

/// Takes the lines since the last call. The first call of the process begins the record.
pub fn take() -> Vec<String> {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&ThreadLog).expect("the only logger");
        log::set_max_level(LevelFilter::Warn);
    });
    LINES.take()
}
