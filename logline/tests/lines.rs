//! What arrives at the logger.

use std::sync::Mutex;

use logline::{Level, LevelFilter, Log, Metadata, Record};

static LINES: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

struct Collector;

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_owned(), record.args().to_string());
        LINES.lock().expect("no test panics with it").push(line);
    }

    fn flush(&self) {}
}

#[test]
fn a_line_has_a_level_a_target_and_a_text() {
    logline::set_logger(&Collector).expect("the only logger");
    logline::set_max_level(LevelFilter::Info);
    let value = 7;
    logline::error!("one");
    logline::warn!("{value} and {}", 8);
    logline::info!(target: "elsewhere", "{value:#x}");
    logline::debug!("not at this level");
    logline::set_max_level(LevelFilter::Debug);
    logline::debug!(target: "elsewhere", "at this one");
    let expected = [
        (Level::Error, "lines", "one"),
        (Level::Warn, "lines", "7 and 8"),
        (Level::Info, "elsewhere", "0x7"),
        (Level::Debug, "elsewhere", "at this one"),
    ];
    let lines = LINES.lock().expect("no test panics with it");
    let lines: Vec<_> = lines.iter().map(|(level, target, text)| (*level, &**target, &**text)).collect();
    assert_eq!(lines, expected);
}
