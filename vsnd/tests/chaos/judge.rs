//! The judge: it knows which trouble excuses what, and keeps the first invariant that breaks.

use std::collections::BTreeMap;

use snd_hda_model::{Faults, LinkPositionFault};

use crate::logs;
use crate::world::MS;

/// The longest turn of the loop with healthy hardware, in virtual time.
const TURN_NS: u64 = 2 * MS;

/// With any fault of one codec or of one stream.
const TURN_WITH_FAULT_NS: u64 = 5 * MS;

/// While the controller is gone, or comes back: bring-up waits for the link and for all codecs.
const TURN_WITH_CONTROLLER_FAULT_NS: u64 = 150 * MS;

/// Bring-up after a loss of power sends no command after 3 s.
const RESTORE_NS: u64 = 3_200 * MS;

/// A right that is withdrawn ends the stream within this time, if xenstored is well.
const WITHDRAWN_NS: u64 = 20 * MS;

/// After trouble with xenstored: a request times out after two seconds, and tries have waits of up to five.
pub const STORE_RECOVERS_NS: u64 = 30_000 * MS;

/// A setting may show in what is answered for so long, if xenstored is well.
const SETTING_SHOWS_NS: u64 = 500 * MS;

/// A controller that has lost its state, and is well again, is brought up at the next try: after a minute at most.
const REVIVED_NS: u64 = 65_000 * MS;

/// After trouble with the hardware: tries to close a stream have waits of up to ten seconds.
const HARDWARE_RECOVERS_NS: u64 = 12_000 * MS;

/// What a lying counter has told may show for so long after it.
pub const LIES_SHOW_NS: u64 = 2_000 * MS;

/// The loop may have work without a break for so long.
const AWAKE_NS: u64 = 1_000 * MS;

/// Lines of all sources at once: what 32 devices say when they all go, as many others that waited for their places, and the rest.
const LINES_AT_ONCE: u64 = 100;
/// Lines in each further second.
const LINES_A_SECOND: u64 = 20;

/// Lines for what the administrator, the toolstack or the hardware does: each of six devices may say something.
const LINES_AN_ACT: u64 = 6;

/// Lines are counted in these parts.
const LINE: u64 = 1_000_000_000;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub invariant: &'static str,
    pub detail: String,
    pub at_ns: u64,
}

/// What was seen, for a report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub frames: u64,
    pub positions: u64,
    /// The longest turns: healthy, with a fault of a codec or a stream, with a controller's.
    pub longest_turn_ns: [u64; 3],
    pub most_lines_a_second: u32,
}

/// The kind of the hardware's worst fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    #[default]
    None,
    Codec,
    Stream,
    Controller,
}

/// Judges what happens.
pub struct Judge {
    failure: Option<Failure>,
    pub figures: Figures,
    pub trouble: Trouble,
    /// The last time at which the hardware had a fault.
    pub hardware_ns: Option<u64>,
    /// The last time at which the whole controller had one, or was not up again after it.
    pub controller_ns: Option<u64>,
    /// The last time at which the whole controller had one.
    controller_fault_ns: Option<u64>,
    pub store_ns: Option<u64>,
    /// The counters of positions have a fault: good guests are told late or wrong positions, and lose what they do on them.
    pub has_position_fault: bool,
    /// The counters lie, and don't show it.
    pub has_liar: bool,
    /// The last time at which they did.
    pub liar_ns: Option<u64>,
    awake_since_ns: Option<u64>,
    second: u64,
    lines: u32,
    /// What the log may say now.
    line_parts: u64,
    lines_ns: u64,
    /// Since when a guest hasn't the right to a port.
    pub denied: BTreeMap<(u16, u8), u64>,
    /// The last time at which some port was for one stream alone.
    pub direct_ns: Option<u64>,
    /// The last time at which rights changed, or a good guest lacked the one to its port.
    pub rights_ns: Option<u64>,
}

impl Judge {
    pub fn new(now_ns: u64) -> Self {
        Self {
            failure: None,
            figures: Figures::default(),
            trouble: Trouble::None,
            hardware_ns: None,
            controller_ns: None,
            controller_fault_ns: None,
            store_ns: None,
            has_position_fault: false,
            has_liar: false,
            liar_ns: None,
            awake_since_ns: Some(now_ns),
            second: 0,
            lines: 0,
            line_parts: LINES_AT_ONCE * LINE,
            lines_ns: now_ns,
            denied: BTreeMap::new(),
            direct_ns: None,
            rights_ns: None,
        }
    }

    pub fn failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    pub fn fail(&mut self, invariant: &'static str, at_ns: u64, detail: impl FnOnce() -> String) {
        if self.failure.is_none() {
            self.failure = Some(Failure { invariant, detail: detail(), at_ns });
        }
    }

    /// The hardware's faults are these from now on.
    pub fn on_faults(&mut self, faults: &Faults, now_ns: u64) {
        let stream = faults.stuck_run
            | faults.stream_reset_never_entered
            | faults.stream_reset_never_left
            | faults.fifo_never_ready;
        let before = self.trouble;
        self.trouble = if faults.off_the_bus
            || faults.reset_never_entered
            || faults.reset_never_left
            || faults.corb_dead
            || faults.rirb_dead
        {
            Trouble::Controller
        } else if stream != 0 || faults.run_clear_delay_link_frames > 0 {
            Trouble::Stream
        } else if faults.silent_codecs != 0 || faults.answer_late_frames > 0 {
            Trouble::Codec
        } else {
            Trouble::None
        };
        self.has_position_fault = faults.link_position != LinkPositionFault::None
            || faults.position_buffer_dead
            || faults.position_buffer_ahead_bytes > 0
            || faults.wall_clock_stopped;
        if self.has_liar {
            self.liar_ns = Some(now_ns);
        }
        self.has_liar = matches!(faults.link_position, LinkPositionFault::Garbage { .. })
            || faults.position_buffer_ahead_bytes > 0
            || faults.wall_clock_stopped;
        let worst = before.max(self.trouble);
        if worst > Trouble::None {
            self.hardware_ns = Some(now_ns);
        }
        if worst == Trouble::Controller {
            self.on_controller_trouble(now_ns);
        }
    }

    /// The hardware's faults are still there at this time.
    pub fn on_look(&mut self, now_ns: u64) {
        if self.trouble > Trouble::None {
            self.hardware_ns = Some(now_ns);
        }
        if self.trouble == Trouble::Controller {
            self.on_controller_trouble(now_ns);
        }
        if self.has_liar {
            self.liar_ns = Some(now_ns);
        }
    }

    /// The whole controller has a fault, or has lost its state.
    pub fn on_controller_trouble(&mut self, now_ns: u64) {
        let now_ns = Some(now_ns);
        (self.hardware_ns, self.controller_ns, self.controller_fault_ns) = (now_ns, now_ns, now_ns);
    }

    /// The domain takes the controller for one that has lost its state, and isn't up again.
    pub fn on_lost(&mut self, now_ns: u64) {
        if self.controller_fault_ns.is_some_and(|fault_ns| now_ns - fault_ns < REVIVED_NS) {
            self.controller_ns = Some(now_ns);
        }
    }

    /// A stream's hardware has failed once.
    pub fn on_blow(&mut self, now_ns: u64) {
        self.hardware_ns = Some(now_ns);
    }

    /// The administrator has changed rights.
    pub fn on_rights(&mut self, now_ns: u64) {
        self.rights_ns = Some(now_ns);
    }

    /// Whether what happened last at that time may still show.
    pub fn may_show(&self, since_ns: Option<u64>, now_ns: u64) -> bool {
        let store_is_slow = self.store_ns.is_some_and(|store_ns| now_ns - store_ns < STORE_RECOVERS_NS);
        let shows_ns = if store_is_slow { STORE_RECOVERS_NS } else { SETTING_SHOWS_NS };
        since_ns.is_some_and(|since_ns| now_ns - since_ns < shows_ns)
    }

    pub fn on_store_trouble(&mut self, now_ns: u64) {
        self.store_ns = Some(now_ns);
    }

    /// The kind of trouble that the hardware had lately.
    pub fn recent(&self, now_ns: u64) -> Trouble {
        let within = |since: Option<u64>| since.is_some_and(|since| now_ns - since < HARDWARE_RECOVERS_NS);
        if within(self.controller_ns) {
            Trouble::Controller
        } else if within(self.hardware_ns) {
            self.trouble.max(Trouble::Stream)
        } else {
            self.trouble
        }
    }

    pub fn on_turn(&mut self, took_ns: u64, (longest_ns, longest): (u64, &str), now_ns: u64) {
        let (kind, bound_ns) = match self.recent(now_ns) {
            // All streams have ended, and everybody waits for the controller.
            Trouble::Controller if longest == "restore" => (2, RESTORE_NS),
            Trouble::None => (0, TURN_NS),
            Trouble::Codec | Trouble::Stream => (1, TURN_WITH_FAULT_NS),
            Trouble::Controller => (2, TURN_WITH_CONTROLLER_FAULT_NS),
        };
        let most = &mut self.figures.longest_turn_ns[kind];
        *most = took_ns.max(*most);
        if took_ns > bound_ns {
            self.fail("a turn is short", now_ns, || {
                format!(
                    "it took {took_ns} ns, of which {longest} took {longest_ns}; the bound is {bound_ns} ns"
                )
            });
        }
    }

    /// The loop has had a turn, and goes on at once for this cause.
    pub fn on_loop(&mut self, cause: Option<&'static str>, now_ns: u64) {
        let Some(cause) = cause else {
            self.awake_since_ns = None;
            return;
        };
        let since_ns = *self.awake_since_ns.get_or_insert(now_ns);
        if now_ns - since_ns > AWAKE_NS {
            self.fail("the loop sleeps", now_ns, || {
                format!("it has had work since {since_ns} ns, now for {cause}")
            });
        }
    }

    /// Something happened that may be worth some lines.
    pub fn on_event(&mut self) {
        // What happens while xenstored is silent shows when it answers again, all at once.
        self.line_parts = self.line_parts.saturating_add(LINES_AN_ACT * LINE).min(6 * LINES_AT_ONCE * LINE);
    }

    pub fn on_lines(&mut self, lines: u32, now_ns: u64) {
        let second = now_ns / (1_000 * MS);
        if second != self.second {
            (self.second, self.lines) = (second, 0);
        }
        self.lines += lines;
        self.figures.most_lines_a_second = self.figures.most_lines_a_second.max(self.lines);
        let earned = (now_ns - self.lines_ns).saturating_mul(LINES_A_SECOND);
        self.lines_ns = now_ns;
        if self.line_parts < LINES_AT_ONCE * LINE {
            self.line_parts = (self.line_parts + earned).min(LINES_AT_ONCE * LINE);
        }
        match self.line_parts.checked_sub(u64::from(lines) * LINE) {
            Some(left) => self.line_parts = left,
            None => {
                self.fail("the log is short", now_ns, || format!("{lines} lines more: {:#?}", logs::last()))
            }
        }
    }

    /// Whether a guest has been without a right for so long that it must be in force.
    pub fn is_denied(
        &mut self,
        guest: u16,
        port: u8,
        has_right: bool,
        store_is_well: bool,
        now_ns: u64,
    ) -> bool {
        if has_right {
            self.denied.remove(&(guest, port));
            return false;
        }
        let since_ns = *self.denied.entry((guest, port)).or_insert(now_ns);
        let store_ns = if store_is_well { self.store_ns.unwrap_or(0) } else { now_ns };
        let grace_ns = if self.store_ns.is_some() { STORE_RECOVERS_NS } else { 0 };
        now_ns > since_ns + WITHDRAWN_NS && now_ns > store_ns + grace_ns
    }
}
