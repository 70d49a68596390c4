//! Log lines and machine lines. They go to the serial port and to port 0xe9, or to the console that Xen gives a domain.

use core::fmt::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};
use spin::Once;

use crate::arch::port::DEBUG_CONSOLE;
use crate::arch::{self, Exit, serial};
use crate::clock::TscClock;

static CLOCK: Once<TscClock> = Once::new();

static SINK: Once<&'static dyn LineSink> = Once::new();

/// A console that takes whole lines.
pub trait LineSink: Sync {
    /// Writes a line. False if the sink is busy with another line: this one goes the raw way then.
    fn write_line(&self, text: fmt::Arguments<'_>) -> bool;
    /// Writes lines that a fault has left no way to repeat. Does what it can.
    fn write_last_words(&self, words: &dyn fmt::Display);
    /// Waits a bounded time until all lines are read.
    fn drain(&self);
}

/// Writes to the serial port and to port 0xe9. It has no state and takes no lock: an epitaph can be written from anywhere.
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

/// From now on lines go to `sink`. A second call does nothing.
pub fn attach(sink: &'static dyn LineSink) {
    SINK.call_once(|| sink);
}

fn line(text: fmt::Arguments<'_>) {
    if SINK.get().is_some_and(|sink| sink.write_line(text)) {
        return;
    }
    // The writer never fails. A `Display` that does spoils its own line only.
    let _ = writeln!(RawWriter, "{text}");
}

/// Repeats an epitaph on the attached console; it was written the raw way already.
pub fn last_words(words: &dyn fmt::Display) {
    if let Some(sink) = SINK.get() {
        sink.write_last_words(words);
    }
}

/// Waits a bounded time until the attached console has passed all lines on.
pub fn drain() {
    if let Some(sink) = SINK.get() {
        sink.drain();
    }
}

struct Console;

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let us = CLOCK.get().map_or(0, |clock| clock.now_ns() / 1_000);
        let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
        line(format_args!(
            "[{seconds:5}.{micros:06}] {:5} {}: {}",
            record.level(),
            record.target(),
            record.args()
        ));
    }

    fn flush(&self) {}
}

/// Turns the console on, at level info. All times are 0 until there is a clock.
pub fn init() {
    serial::init();
    // Fails only on a second call, when this logger is set already.
    let _ = log::set_logger(&Console);
    log::set_max_level(LevelFilter::Info);
}

/// From now on lines carry the time since entry.
pub fn set_clock(clock: TscClock) {
    CLOCK.call_once(|| clock);
}

/// The clock, once it runs.
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

/// How the image has ended.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// All went well.
    Pass,
    /// It failed, and why.
    Fail(fmt::Arguments<'a>),
}

/// Writes the verdict and ends the image.
pub fn exit(verdict: Verdict<'_>) -> ! {
    let how = match verdict {
        Verdict::Pass => {
            report!("verdict pass");
            Exit::Pass
        }
        Verdict::Fail(why) => {
            // The log line carries the time, which tells how long the image took to fail.
            log::error!("{why}");
            report!("verdict fail {why}");
            Exit::Fail
        }
    };
    drain();
    arch::exit(how)
}
