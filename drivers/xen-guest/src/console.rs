//! Lines to the domain's console (`xl console`), through its ring (io/console.h).

use core::fmt::{self, Write};
use core::sync::atomic::Ordering;

use heapless::{Deque, String};
use xen_sys::console::{ConsoleRing, OUT_BYTES};

/// Longest line in bytes; longer ones are truncated.
pub const MAX_LINE_BYTES: usize = 512;

/// Space for the notice that counts lost lines.
const NOTICE_BYTES: usize = 48;

/// Bytes that wait while the daemon is behind.
///
/// An image that shares its processor with the daemon logs more at its start than the ring holds.
const OUTBOX_BYTES: usize = 8192;

/// This domain's end of the console. It never waits.
///
/// Bytes that don't fit in the ring wait for [`flush`](Self::flush). A line that doesn't fit there
/// either is dropped and counted.
#[derive(Debug)]
pub struct Console<'a> {
    ring: &'a ConsoleRing,
    out_prod: u32,
    outbox: Deque<u8, OUTBOX_BYTES>,
    /// Lines lost since the last notice.
    untold_lines: u64,
}

impl<'a> Console<'a> {
    /// Continues at the ring's indices.
    pub fn attach(ring: &'a ConsoleRing) -> Self {
        let out_prod = ring.out_prod.load(Ordering::Relaxed);
        Self { ring, out_prod, outbox: Deque::new(), untold_lines: 0 }
    }

    /// Writes a whole line or nothing. Returns whether the ring holds more than before: the
    /// console's daemon then needs an event.
    pub fn line(&mut self, text: fmt::Arguments<'_>) -> bool {
        let mut line = Line(String::new());
        // A full buffer fails, and keeps the start of the line.
        let _ = line.write_fmt(text);
        // Space may be free again.
        let flushed = self.flush();
        let mut notice = String::<NOTICE_BYTES>::new();
        if self.untold_lines > 0 {
            let _ = write!(notice, "[{} lines lost]\r\n", self.untold_lines);
        }
        let needed = notice.len().saturating_add(line.0.len()).saturating_add(2);
        if needed > OUTBOX_BYTES.saturating_sub(self.outbox.len()) {
            self.untold_lines = self.untold_lines.saturating_add(1);
            return flushed;
        }
        self.untold_lines = 0;
        for byte in notice.bytes().chain(line.0.bytes()).chain(*b"\r\n") {
            // The check above ensures space.
            let _ = self.outbox.push_back(byte);
        }
        self.flush() || flushed
    }

    /// Whether the daemon has taken everything.
    pub fn is_drained(&self) -> bool {
        self.outbox.is_empty() && self.ring.out_cons.load(Ordering::Acquire) == self.out_prod
    }

    /// Moves waiting bytes into the ring, as far as they fit. Returns whether any moved: the
    /// console's daemon then needs an event.
    pub fn flush(&mut self) -> bool {
        let used = self.out_prod.wrapping_sub(self.ring.out_cons.load(Ordering::Acquire)) as usize;
        // An invalid index makes no space.
        let room = OUT_BYTES.saturating_sub(used);
        let count = room.min(self.outbox.len());
        for _ in 0..count {
            let Some(byte) = self.outbox.pop_front() else { break };
            // The size is a power of two, so the index may wrap.
            if let Some(cell) = self.ring.output.get(self.out_prod as usize % OUT_BYTES) {
                cell.store(byte, Ordering::Relaxed);
            }
            self.out_prod = self.out_prod.wrapping_add(1);
        }
        if count > 0 {
            self.ring.out_prod.store(self.out_prod, Ordering::Release);
        }
        count > 0
    }
}

/// A line under construction. Control characters become question marks.
struct Line(String<MAX_LINE_BYTES>);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let shown = if character.is_control() { '?' } else { character };
            self.0.push(shown).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}
