//! What the image says: log lines and machine lines, to the console that Xen gives the domain; where there is none, and
//! until there is one, to the serial port and to port 0xe9.

use core::fmt::{self, Write};

use hyper::EventChannel;
use log::{LevelFilter, Log, Metadata, Record};
use spin::{Mutex, MutexGuard, Once};
use xen_sys::console::ConsoleRing;

use crate::arch::port::DEBUG_CONSOLE;
use crate::arch::{self, Exit, serial, xen};
use crate::clock::TscClock;

static CLOCK: Once<TscClock> = Once::new();

/// The console that Xen gives the domain, and the channel to its daemon. A `Once` that is empty is all zeros: it takes no
/// room in the image's file.
static XEN_CONSOLE: Once<Mutex<XenConsole>> = Once::new();

type XenConsole = (xen_guest::console::Console<'static>, EventChannel);

/// How long the end of the image waits for the console's daemon to take what is left, in steps of a millisecond.
const DRAIN_TRIES: u32 = 100;

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

/// From now on lines go to Xen's console. There is one: a second call does nothing.
pub fn attach(ring: &'static ConsoleRing, channel: EventChannel) {
    XEN_CONSOLE.call_once(|| Mutex::new((xen_guest::console::Console::attach(ring), channel)));
}

/// The console, if there is one that nobody is writing to.
fn try_xen_console() -> Option<MutexGuard<'static, XenConsole>> {
    XEN_CONSOLE.get()?.try_lock()
}

/// The console's daemon has made room, perhaps: hands it what is left.
pub fn flush() {
    let Some(console) = XEN_CONSOLE.get() else { return };
    let (console, channel) = &mut *console.lock();
    if console.flush()
        && let Some(hypervisor) = xen::handle()
    {
        hypervisor.notify(*channel);
    }
}

/// Writes a line. One that is written while another is being written goes the raw way.
fn line(text: fmt::Arguments<'_>) {
    if let Some(mut guard) = try_xen_console() {
        let (console, channel) = &mut *guard;
        if console.line(text)
            && let Some(hypervisor) = xen::handle()
        {
            hypervisor.notify(*channel);
        }
        return;
    }
    // The writer never fails; a Display that does spoils its own line only.
    let _ = writeln!(RawWriter, "{text}");
}

/// Says on Xen's console, too, what was said the raw way because nothing could be relied on. Does what it can.
pub fn last_words(words: &dyn fmt::Display) {
    // Room for them, where somebody has filled it up.
    drain();
    // Whoever held it will never go on.
    let Some(mut guard) = try_xen_console() else { return };
    let (console, _) = &mut *guard;
    // The writer never fails.
    let _ = write!(LineWriter { console, line: heapless::String::new() }, "{words}");
    drop(guard);
    drain();
}

/// Cuts what is written into lines for Xen's console.
struct LineWriter<'a> {
    console: &'a mut xen_guest::console::Console<'static>,
    line: heapless::String<{ xen_guest::console::MAX_LINE_BYTES }>,
}

impl Write for LineWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character == '\n' {
                self.console.line(format_args!("{}", self.line));
                self.line.clear();
            } else {
                // What doesn't fit is cut off.
                let _ = self.line.push(character);
            }
        }
        Ok(())
    }
}

/// Waits a little for the console's daemon to take what is left.
pub fn drain() {
    let (Some(hypervisor), Some(clock)) = (xen::handle(), CLOCK.get()) else { return };
    for _ in 0..DRAIN_TRIES {
        let Some(mut guard) = try_xen_console() else { return };
        let (console, channel) = &mut *guard;
        console.flush();
        hypervisor.notify(*channel);
        if console.is_drained() {
            return;
        }
        drop(guard);
        // Others run meanwhile: the daemon, where there is one processor for all.
        let until = clock.now_ns().saturating_add(1_000_000);
        while clock.now_ns() < until {
            hypervisor.yield_now();
        }
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
    line(format_args!("@{args}"));
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
    let how = match verdict {
        Verdict::Pass => {
            report!("verdict pass");
            Exit::Pass
        }
        Verdict::Fail(why) => {
            // With the time, which tells how long it took to come to that.
            log::error!("{why}");
            report!("verdict fail {why}");
            Exit::Fail
        }
    };
    drain();
    arch::exit(how)
}
