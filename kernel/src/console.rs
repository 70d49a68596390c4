//! Log lines and machine lines. They go to the serial port and port 0xe9, or to the domain's Xen
//! console.

use core::fmt::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};
use spin::{Mutex, Once};

use crate::arch::port::DEBUG_CONSOLE;
use crate::arch::serial;
use crate::clock::TscClock;
use crate::log_budget::{LogBudget, Verdict};

static CLOCK: Once<TscClock> = Once::new();

static SINK: Once<&'static dyn LineSink> = Once::new();

/// A console that accepts whole lines.
pub trait LineSink: Sync {
    /// Writes a line. Returns false if the sink is busy with another line; that line then goes to
    /// the raw writer.
    fn write_line(&self, text: fmt::Arguments<'_>) -> bool;
    /// Writes final lines as far as possible. A fault leaves no way to retry.
    fn write_last_words(&self, words: &dyn fmt::Display);
    /// Waits a bounded time until the reader has taken all lines.
    fn drain(&self);
}

/// Writes to the serial port and port 0xe9. It has no state and takes no lock, so an epitaph can
/// use it anywhere.
#[derive(Clone, Copy, Debug)]
pub struct RawWriter;

impl Write for RawWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                serial::send(b'\r');
            }
            serial::send(byte);
        }
        DEBUG_CONSOLE.write_all(text.as_bytes());
        Ok(())
    }
}

impl RawWriter {
    /// Writes a line.
    pub fn line(mut self, text: &str) {
        // The writer never fails.
        let _ = writeln!(self, "{text}");
    }
}

/// Sends all further lines to `sink`. A second call does nothing.
pub fn attach(sink: &'static dyn LineSink) {
    SINK.call_once(|| sink);
}

fn line(text: fmt::Arguments<'_>) {
    if SINK.get().is_some_and(|sink| sink.write_line(text)) {
        return;
    }
    // The writer never fails. A `Display` that fails spoils only its own line.
    let _ = writeln!(RawWriter, "{text}");
}

/// Repeats an epitaph on the attached console, after the raw writer.
pub fn last_words(words: &dyn fmt::Display) {
    if let Some(sink) = SINK.get() {
        sink.write_last_words(words);
    }
}

/// Waits a bounded time until the attached console has delivered all lines.
pub fn drain() {
    if let Some(sink) = SINK.get() {
        sink.drain();
    }
}

/// The budgets of lines that are on by default. Who asks for more gets all of it.
static BUDGET: Mutex<LogBudget> = Mutex::new(LogBudget::new());

struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let now_ns = CLOCK.get().map_or(0, TscClock::now_ns);
        let target = record.target();
        let judged = if record.level() <= Level::Info { BUDGET.try_lock() } else { None };
        let verdict = judged.map(|mut budget| budget.judge(target, record.level(), now_ns));
        let us = now_ns / 1_000;
        let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
        let write = |level: Level, text: fmt::Arguments<'_>| {
            line(format_args!("[{seconds:5}.{micros:06}] {level:5} {target}: {text}"));
        };
        match verdict {
            Some(Verdict::Drop) => return,
            Some(Verdict::Write { dropped: dropped @ 1.., .. }) => {
                write(Level::Warn, format_args!("{dropped} lines were dropped, as there were too many"));
            }
            _ => {}
        }
        write(record.level(), *record.args());
        if let Some(Verdict::Write { dropped: 0, is_last: true }) = verdict {
            write(Level::Warn, format_args!("too many lines; from here on one each ten seconds"));
        }
    }

    fn flush(&self) {}
}

/// Enables the console at level info. All times are 0 until a clock is set.
pub fn init() {
    serial::init();
    // Fails only on a second call, when this logger is already set.
    let _ = log::set_logger(&Console);
    log::set_max_level(LevelFilter::Info);
}

/// Stamps all further lines with the time since entry.
pub fn set_clock(clock: TscClock) {
    CLOCK.call_once(|| clock);
}

/// The clock, once set.
pub fn clock() -> Option<&'static TscClock> {
    CLOCK.get()
}

/// Writes a machine line; use [`report!`](crate::report).
pub fn report(args: fmt::Arguments<'_>) {
    line(format_args!("@{args}"));
}

/// Writes a line for machines: `@` and the formatted text, without a time.
#[macro_export]
macro_rules! report {
    ($($arg:tt)*) => { $crate::console::report(format_args!($($arg)*)) };
}
