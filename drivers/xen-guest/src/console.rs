//! Lines to the domain's console (`xl console`), by its ring (io/console.h).

use core::fmt::{self, Write};
use core::sync::atomic::Ordering;

use heapless::String;
use xen_sys::console::{ConsoleRing, OUT_BYTES};

/// Longest line in octets; the rest of a longer one is cut off.
pub const MAX_LINE_BYTES: usize = 512;

/// Octets for the line that says how many were lost.
const NOTICE_BYTES: usize = 48;

/// The console's end in this domain. It never waits: a line for which there is no room is dropped and counted.
#[derive(Debug)]
pub struct Console<'a> {
    ring: &'a ConsoleRing,
    out_prod: u32,
    lost_lines: u64,
    /// Lines lost since a notice was last written.
    untold_lines: u64,
}

impl<'a> Console<'a> {
    /// Goes on where the ring is.
    pub fn attach(ring: &'a ConsoleRing) -> Self {
        let out_prod = ring.out_prod.load(Ordering::Relaxed);
        Self { ring, out_prod, lost_lines: 0, untold_lines: 0 }
    }

    /// Writes a line, whole or not at all. Returns whether it was written: then the console's daemon is to be sent an event.
    pub fn line(&mut self, text: fmt::Arguments<'_>) -> bool {
        let mut line = Line(String::new());
        // Fails when it is full, and keeps what fits.
        let _ = line.write_fmt(text);
        if self.untold_lines > 0 {
            let mut notice = String::<NOTICE_BYTES>::new();
            let _ = write!(notice, "[{} lines lost]", self.untold_lines);
            if self.push(&[notice.as_bytes(), b"\r\n", line.0.as_bytes(), b"\r\n"]) {
                self.untold_lines = 0;
                return true;
            }
        }
        // Where there is room for the line but not for the notice as well, the notice can wait.
        let written = self.push(&[line.0.as_bytes(), b"\r\n"]);
        if !written {
            self.lost_lines = self.lost_lines.saturating_add(1);
            self.untold_lines = self.untold_lines.saturating_add(1);
        }
        written
    }

    /// Lines dropped so far.
    pub fn lost_lines(&self) -> u64 {
        self.lost_lines
    }

    /// Puts all pieces into the ring, or none.
    fn push(&mut self, pieces: &[&[u8]]) -> bool {
        let used = self.out_prod.wrapping_sub(self.ring.out_cons.load(Ordering::Acquire)) as usize;
        // An index that makes no sense makes no room.
        let room = OUT_BYTES.saturating_sub(used);
        let needed = pieces.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
        if needed > room {
            return false;
        }
        for octet in pieces.iter().flat_map(|piece| piece.iter()) {
            // The size is a power of two, so that the index may wrap.
            if let Some(cell) = self.ring.output.get(self.out_prod as usize % OUT_BYTES) {
                cell.store(*octet, Ordering::Relaxed);
            }
            self.out_prod = self.out_prod.wrapping_add(1);
        }
        self.ring.out_prod.store(self.out_prod, Ordering::Release);
        true
    }
}

/// A line being made: what could move the cursor or end the line early is shown as a question mark.
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
