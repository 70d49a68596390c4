//! The image's own costs: turns of its main loop and causes of its wake-ups. Published on request
//! only.

use core::fmt;

/// The events pending at the start of a turn. None are pending if the previous turn left work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// The timer's event: a deadline passed.
    pub timer: bool,
    /// An event from xenstored.
    pub store: bool,
    /// A controller's interrupt.
    pub controller: bool,
    /// An event on a stream's request ring, or on another channel.
    pub ring: bool,
}

/// Counts since the start; they can't reach 2^64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    turns: u64,
    sleeps: u64,
    by_store: u64,
    by_controller: u64,
    by_ring: u64,
    by_deadline: u64,
}

impl Costs {
    /// Counts the start of a turn.
    pub fn turn(&mut self, causes: Causes) {
        let Causes { timer, store, controller, ring } = causes;
        let count = |counter: &mut u64, is_so: bool| *counter = counter.saturating_add(is_so.into());
        count(&mut self.turns, true);
        count(&mut self.by_store, store);
        count(&mut self.by_controller, controller);
        count(&mut self.by_ring, ring);
        count(&mut self.by_deadline, timer);
    }

    /// Counts a sleep; a wake-up follows.
    pub fn sleep(&mut self) {
        self.sleeps = self.sleeps.saturating_add(1);
    }
}

impl fmt::Display for Costs {
    /// Writes pairs of names and values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turns, sleeps, by_store, by_controller, by_ring, by_deadline } = self;
        write!(
            f,
            "turns={turns} wakeups={sleeps} by_deadline={by_deadline} by_ring={by_ring} by_store={by_store} \
             by_controller={by_controller}"
        )
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn each_cause_counts_and_none_is_a_turn_too() {
        let mut costs = Costs::default();
        for (timer, store, controller, ring) in [
            (true, false, false, false),
            (true, true, false, true),
            (false, false, false, true),
            (false, false, true, false),
            (false, false, false, false),
        ] {
            costs.turn(Causes { timer, store, controller, ring });
        }
        costs.sleep();
        assert_eq!(costs.to_string(), "turns=5 wakeups=1 by_deadline=2 by_ring=2 by_store=1 by_controller=1");
    }
}
