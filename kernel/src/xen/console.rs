//! The domain's Xen console, read by a daemon in dom0.

use core::fmt::{self, Write};

use hyper::EventChannel;
use spin::{Mutex, Once};
use xen_guest::console::{Console, MAX_LINE_BYTES};
use xen_guest::hypercalls::Hypercalls;
use xen_sys::console::ConsoleRing;

use crate::console::{self, LineSink};

/// Checks by [`XenConsole::drain`] whether the daemon has read everything, one each
/// [`DRAIN_INTERVAL_NS`].
const DRAIN_TRIES: u32 = 100;
const DRAIN_INTERVAL_NS: u64 = 1_000_000;

/// The only console. An empty `Once` is all zeros, so it takes no room in the image's file.
static XEN_CONSOLE: Once<XenConsole> = Once::new();

struct XenConsole {
    console: Mutex<Console<'static>>,
    channel: EventChannel,
    hypercalls: &'static Hypercalls,
}

/// Sends all further lines to `ring` and notifies the daemon through `channel`. A second call does
/// nothing.
pub(super) fn attach(ring: &'static ConsoleRing, channel: EventChannel, hypercalls: &'static Hypercalls) {
    let console = XEN_CONSOLE.call_once(|| XenConsole {
        console: Mutex::new(Console::attach(ring)),
        channel,
        hypercalls,
    });
    console::attach(console);
}

/// Moves queued lines into the ring as far as it has room.
pub(super) fn flush() {
    let Some(console) = XEN_CONSOLE.get() else { return };
    if console.console.lock().flush() {
        console.notify();
    }
}

impl XenConsole {
    fn notify(&self) {
        self.hypercalls.notify(self.channel);
    }
}

impl LineSink for XenConsole {
    fn write_line(&self, text: fmt::Arguments<'_>) -> bool {
        let Some(mut console) = self.console.try_lock() else { return false };
        if console.line(text) {
            self.notify();
        }
        true
    }

    fn write_last_words(&self, words: &dyn fmt::Display) {
        // Makes room for the epitaph's lines.
        self.drain();
        // An interrupted writer never releases the lock.
        let Some(mut console) = self.console.try_lock() else { return };
        // The writer never fails.
        let _ = write!(LineCutter { console: &mut console, line: heapless::String::new() }, "{words}");
        drop(console);
        self.drain();
    }

    fn drain(&self) {
        let Some(clock) = console::clock() else { return };
        for _ in 0..DRAIN_TRIES {
            let Some(mut console) = self.console.try_lock() else { return };
            console.flush();
            self.notify();
            if console.is_drained() {
                return;
            }
            drop(console);
            // The daemon may share this processor.
            let until_ns = clock.now_ns().saturating_add(DRAIN_INTERVAL_NS);
            while clock.now_ns() < until_ns {
                self.hypercalls.yield_now();
            }
        }
    }
}

/// Cuts text into lines for Xen's console.
struct LineCutter<'a> {
    console: &'a mut Console<'static>,
    line: heapless::String<MAX_LINE_BYTES>,
}

impl Write for LineCutter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character == '\n' {
                self.console.line(format_args!("{}", self.line));
                self.line.clear();
            } else {
                // Cuts off the rest of a line that is too long.
                let _ = self.line.push(character);
            }
        }
        Ok(())
    }
}
