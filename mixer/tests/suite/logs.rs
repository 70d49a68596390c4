//! What a guest can do to the log: write a few lines.

use std::cell::Cell;

use audioback::card::{Card, PortMode, StreamParams};
use mixer::{Cost, Limits};
use sndif::format::SampleFormat;

use crate::support::memory::Buffer;
use crate::support::rig::{LIMITS, OUT, Rig};

thread_local! {
    static LINES: Cell<u32> = const { Cell::new(0) };
}

/// Counts warnings and errors by thread, as each test has one.
struct Counter;

impl log::Log for Counter {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.set(LINES.get() + 1);
        }
    }

    fn flush(&self) {}
}

#[test]
fn opens_beyond_the_budget_are_one_line_until_one_fits() {
    static COUNTER: Counter = Counter;
    log::set_logger(&COUNTER).expect("no other test has a logger");
    log::set_max_level(log::LevelFilter::Warn);
    const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };
    let mut rig = Rig::with(PortMode::Shared, Limits { cost: Cost(96_000), ..LIMITS });
    let buffer = Buffer::new(8_192);
    for lines in 1..=2 {
        let one = rig.open(OUT, &S32, &buffer);
        for _ in 0..100 {
            assert!(rig.mixer.open(OUT, &S32, buffer.clone()).is_err());
            assert_eq!(LINES.get(), lines);
        }
        rig.mixer.close(one).expect("closed");
    }
}
