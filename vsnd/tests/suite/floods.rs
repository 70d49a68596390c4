//! Lines in the log while hardware fails and a guest asks for it again and again.

use audiofront::{EventPort, Transport};
use hyper::DomainId;
use snd_hda_model::Faults;
use sndif::Direction::Playback;

use crate::support::*;

#[path = "../../../kernel/src/log_budget.rs"]
mod log_budget;

use log_budget::{BURST_LINES, LogBudget, Verdict};

/// The image's console, as far as it counts lines.
struct Console {
    budget: LogBudget,
    /// Lines that the parts of the image have said.
    said: u32,
    /// Lines that the console has written, with those about dropped ones.
    written: u32,
}

impl Console {
    fn new() -> Self {
        Self { budget: LogBudget::new(), said: 0, written: 0 }
    }

    fn take_lines(&mut self, rig: &Rig) {
        for (source, level) in logs::take_sources() {
            self.said += 1;
            self.written += match self.budget.judge(&source, level, rig.now().0) {
                Verdict::Drop => 0,
                Verdict::Write { dropped: 0, is_last: false } => 1,
                // It says that lines were dropped, or that the next ones are.
                Verdict::Write { .. } => 2,
            };
        }
    }
}

/// Sends a request, if it fits the stream's state. Returns whether it is on its way.
type Ask = fn(&mut Front) -> bool;

/// All that a guest can do with a stream, as fast as it is answered.
const ASKS: [Ask; 4] = [
    |front| front.open(&OPEN_CONFIG).is_ok(),
    |front| front.start().is_ok(),
    |front| front.stop().is_ok(),
    |front| front.close().is_ok(),
];

/// Lines said and written in so many seconds, while a guest asks for all of that each `pace_ms`.
fn lines(
    (seconds, pace_ms): (u64, u64),
    set_fault: impl Fn(&mut Faults),
    prepare: impl Fn(&mut Rig, &Front),
) -> Console {
    let mut rig = Rig::with(codecs(2));
    let mut front = rig.guest_with(4, &[(0, 0, Playback, "output-1")]).remove(0);
    for ask in &ASKS[..2] {
        assert!(ask(&mut front));
        rig.settle();
        while front.poll().is_some() {}
    }
    logs::keep_sources();
    let mut console = Console::new();
    rig.model.edit_faults(set_fault);
    prepare(&mut rig, &front);
    let end = rig.now().0 + seconds * 1_000 * MS;
    while rig.now().0 < end {
        for ask in ASKS {
            if ask(&mut front) {
                rig.settle();
                while front.poll().is_some() {}
            }
        }
        rig.advance(pace_ms * MS);
        console.take_lines(&rig);
    }
    console
}

/// A burst of one source at one level, and the line that says so.
const BURST: u32 = BURST_LINES + 1;

/// Asserts that the console writes so many lines at most in [`lines`]. Returns how many were said.
fn assert_written(
    most: u32,
    time: (u64, u64),
    set_fault: impl Fn(&mut Faults),
    prepare: impl Fn(&mut Rig, &Front),
) -> u32 {
    let console = lines(time, set_fault, prepare);
    assert!(console.written <= most, "{} lines written of {}", console.written, console.said);
    console.said
}

#[test]
fn a_guest_that_starts_a_stream_whose_fifo_is_never_ready_again_and_again_fills_no_log() {
    // The driver says it each time: one source at one level.
    let said = assert_written(BURST + 2, (10, 1), |faults| faults.fifo_never_ready = u32::MAX, |_, _| {});
    assert!(said > 1_000, "{said} lines are no flood");
}

#[test]
fn a_guest_that_opens_a_stream_of_a_silent_codec_again_and_again_fills_no_log() {
    assert_written(50, (10, 1), |faults| faults.silent_codecs = 2, |_, _| {});
}

#[test]
fn a_guest_that_closes_a_stream_that_does_not_stop_again_and_again_fills_no_log() {
    assert_written(15, (10, 1), |faults| faults.stuck_run = u32::MAX, |_, _| {});
}

#[test]
fn a_guest_that_starts_a_stream_with_its_channel_closed_again_and_again_fills_no_log() {
    let seconds = 150;
    let close = |rig: &mut Rig, front: &Front| {
        let port = EventPort(front.nodes().event_channel);
        rig.world.front_end(DomainId(4), DRIVER, 0).close_channel(port);
    };
    // It is said once a second. One line each ten seconds is written besides the burst, with the number of dropped ones.
    let most = BURST + 2 * seconds as u32 / 10;
    let said = assert_written(most, (seconds, 20), |_| {}, close);
    assert!(said > most, "{said} lines are no flood");
}
