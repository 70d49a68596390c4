//! What the image says: log lines and machine lines, to the serial port and to port 0xe9.

use core::fmt::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};
use spin::Once;

use crate::arch::port::DEBUG_CONSOLE;
use crate::arch::{self, serial};
use crate::clock::TscClock;

/// Isa-debug-exit's value when all went well; QEMU's exit status is twice that, plus 1.
const EXIT_PASS: u8 = 0x10;
/// Isa-debug-exit's value when it did not.
const EXIT_FAIL: u8 = 0x11;

static CLOCK: Once<TscClock> = Once::new();

/// Writes as is. Has no state and takes no lock, so that an epitaph can be written from anywhere.
#[derive(Clone, Copy, Debug)]
pub struct RawWriter;

impl Write for RawWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for octet in text.bytes() {
            if octet == b'\n' {
                serial::send(b'\r');
            }
            serial::send(octet);
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
        // The writer never fails; a Display that does spoils its own line only.
        let _ = writeln!(
            RawWriter,
            "[{seconds:5}.{micros:06}] {:5} {}: {}",
            record.level(),
            record.target(),
            record.args()
        );
    }

    fn flush(&self) {}
}

/// Turns the console on, at level info and with all times 0 until there is a clock.
pub fn init() {
    serial::init();
    // Fails only if there is a logger already: this one.
    let _ = log::set_logger(&Console);
    log::set_max_level(LevelFilter::Info);
}

/// From now on lines carry the time since entry.
pub fn set_clock(clock: TscClock) {
    CLOCK.call_once(|| clock);
}

/// Writes a machine line; use [`report!`](crate::report).
pub fn report(args: fmt::Arguments<'_>) {
    // The writer never fails.
    let _ = writeln!(RawWriter, "@{args}");
}

/// Writes a line for machines: `@`, then what is formatted, with no time before it.
#[macro_export]
macro_rules! report {
    ($($arg:tt)*) => { $crate::console::report(format_args!($($arg)*)) };
}

/// How it all ended.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// As it should.
    Pass,
    /// Not so, and why.
    Fail(fmt::Arguments<'a>),
}

/// Writes the verdict and ends the image.
pub fn exit(verdict: Verdict<'_>) -> ! {
    match verdict {
        Verdict::Pass => {
            report!("verdict pass");
            arch::exit(EXIT_PASS)
        }
        Verdict::Fail(why) => {
            // With the time, which tells how long it took to come to that.
            log::error!("{why}");
            report!("verdict fail {why}");
            arch::exit(EXIT_FAIL)
        }
    }
}
