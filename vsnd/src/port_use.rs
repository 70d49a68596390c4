//! The use of a port, as one line in `snddom/state` shows it.

use core::fmt;

use audioback::card::{BusState, PortState};
use audioback::rights::Right;

use crate::guest_set::GuestSet;

/// The use of a port: one line in one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortUse {
    pub(crate) state: PortState,
    /// Guests that record from the input, or from the output's monitor.
    pub(crate) listeners: GuestSet,
}

impl PortUse {
    /// Whether it changes by itself, and not only with the streams of guests.
    pub(crate) fn moves(&self) -> bool {
        // A bus without voices is closed soon.
        matches!(self.state, PortState::Shared(bus) if bus.is_running || bus.voices == 0)
    }

    /// Whether more than the counters of a bus differs.
    pub(crate) fn differs_beyond_counters(&self, other: &Self) -> bool {
        let all_else = |state: &PortState| match state {
            PortState::Idle => (0, None),
            PortState::Direct => (1, None),
            PortState::Shared(bus) => {
                (2, Some((bus.rate_hz, bus.channels, bus.is_running, bus.voices, bus.running)))
            }
        };
        all_else(&self.state) != all_else(&other.state) || self.listeners != other.listeners
    }

    /// The line of a port of this kind.
    pub(crate) fn line(&self, right: Right) -> impl fmt::Display {
        Line { port_use: self, right }
    }
}

struct Line<'a> {
    port_use: &'a PortUse,
    right: Right,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PortUse { state, listeners } = self.port_use;
        write!(f, "mode={}", mode_word(state))?;
        if let PortState::Shared(bus) = state {
            let BusState { rate_hz, channels, voices, running, .. } = bus;
            let status = if bus.is_running { "running" } else { "stopped" };
            write!(
                f,
                " status={status} rate_hz={rate_hz} channels={channels} voices={voices} running={running}"
            )?;
            if self.right == Right::Play {
                let lead_us = bus.lead.0 / 1_000;
                write!(f, " lead_us={lead_us} clipped_frames={}", bus.clipped_frames)?;
            }
            write!(f, " late_turns={} fifo_errors={}", bus.late_turns, bus.fifo_errors)?;
        }
        if !listeners.is_empty() {
            let key = if self.right == Right::Play { "heard_by" } else { "recorded_by" };
            write!(f, " {key}={listeners}")?;
        }
        Ok(())
    }
}

/// The word for a port's mode now.
pub(crate) const fn mode_word(state: &PortState) -> &'static str {
    match state {
        PortState::Idle => "idle",
        PortState::Direct => "direct",
        PortState::Shared(_) => "shared",
    }
}
