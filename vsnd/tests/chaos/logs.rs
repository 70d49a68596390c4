//! The log lines of all sources in this thread: each test runs in a thread of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

/// Lines that are kept for the report of a failure.
const KEPT: usize = 40;

#[derive(Default)]
struct Lines {
    /// Since the last call of [`take_count`].
    count: u32,
    last: VecDeque<String>,
}

thread_local! {
    static LINES: RefCell<Lines> = RefCell::default();
}

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // The hypervisor's lines are about broken rules, also those of guests, and are no lines of the image.
        if record.target().starts_with("hypervisor_model") {
            return;
        }
        LINES.with_borrow_mut(|lines| {
            lines.count += 1;
            lines.last.push_back(format!("{} {}: {}", record.level(), record.target(), record.args()));
            if lines.last.len() > KEPT {
                lines.last.pop_front();
            }
        });
    }

    fn flush(&self) {}
}

/// Begins anew for this thread.
pub fn begin() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Collector).expect("the only logger");
        log::set_max_level(LevelFilter::Info);
    });
    LINES.take();
}

/// Lines since the last call.
pub fn take_count() -> u32 {
    LINES.with_borrow_mut(|lines| std::mem::take(&mut lines.count))
}

/// The last lines.
pub fn last() -> Vec<String> {
    LINES.with_borrow(|lines| lines.last.iter().cloned().collect())
}
