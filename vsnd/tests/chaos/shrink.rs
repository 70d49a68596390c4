//! Cuts a scenario down to a short list of acts that still breaks the same invariant: delta debugging (Zeller, Hildebrandt 2002).

use std::mem::discriminant;

use crate::act::Act;
use crate::judge::Failure;
use crate::world::ACT_US;

/// Takes as long as an act that isn't a pause, and does nothing else.
const IDLE: Act = Act::Pass { us: ACT_US };

/// A scenario on its way to a shorter one.
struct Shrinking<R> {
    acts: Vec<Act>,
    failure: Failure,
    runs: u32,
    most_runs: u32,
    /// Returns a scenario's failure.
    run: R,
}

impl<R: FnMut(&[Act]) -> Option<Failure>> Shrinking<R> {
    /// Takes these acts if they break the same invariant.
    fn try_acts(&mut self, acts: Vec<Act>) -> bool {
        self.runs += 1;
        match (self.run)(&acts).filter(|failure| failure.invariant == self.failure.invariant) {
            Some(failure) => {
                (self.acts, self.failure) = (acts, failure);
                true
            }
            None => false,
        }
    }

    /// Leaves out all acts of a kind at once, one kind after the other: a long scenario is short then.
    fn leave_kinds_out(&mut self) {
        let mut tried = Vec::new();
        while let Some(kind) = self.acts.iter().map(discriminant).find(|kind| !tried.contains(kind)) {
            tried.push(kind);
            let of_the_kind = |act: &Act| discriminant(act) == kind;
            let is_pass = self.acts.iter().any(|act| of_the_kind(act) && matches!(act, Act::Pass { .. }));
            if is_pass || self.runs >= self.most_runs {
                continue;
            }
            let others = self.acts.iter().filter(|act| !of_the_kind(act)).cloned().collect();
            if !self.try_acts(others) {
                let idle = self.acts.iter().map(|act| if of_the_kind(act) { IDLE } else { act.clone() });
                let idle = idle.collect();
                self.try_acts(idle);
            }
        }
    }

    /// Replaces ever smaller pieces of the list, as long as that works for some.
    fn replace(&mut self, replacement: impl Fn(&[Act]) -> Vec<Act>) {
        let mut size = self.acts.len();
        while size > 0 {
            let mut from = 0;
            let mut is_changed = false;
            while from < self.acts.len() && self.runs < self.most_runs {
                let to = (from + size).min(self.acts.len());
                let new = replacement(&self.acts[from..to]);
                let is_other = new != self.acts[from..to];
                let changed = [&self.acts[..from], &new, &self.acts[to..]].concat();
                if is_other && self.try_acts(changed) {
                    is_changed = true;
                    from += new.len();
                } else {
                    from = to;
                }
            }
            size = if size == 1 && is_changed { 1 } else { size / 2 };
        }
    }

    /// Joins pauses that are next to each other, one pair after the other.
    fn join_neighbours(&mut self) {
        let mut at = 0;
        while at + 1 < self.acts.len() && self.runs < self.most_runs {
            let pair = joined(&self.acts[at..at + 2]);
            let changed = [&self.acts[..at], &pair, &self.acts[at + 2..]].concat();
            if pair.len() == 2 || !self.try_acts(changed) {
                at += 1;
            }
        }
    }
}

/// Acts that take as long and do nothing else.
fn idle(acts: &[Act]) -> Vec<Act> {
    acts.iter().map(|act| if let Act::Pass { .. } = act { act.clone() } else { IDLE }).collect()
}

/// One pause in place of several.
fn joined(acts: &[Act]) -> Vec<Act> {
    let mut joined: Vec<Act> = Vec::new();
    for act in acts {
        match (joined.last_mut(), act) {
            (Some(Act::Pass { us }), Act::Pass { us: more }) => *us += more,
            _ => joined.push(act.clone()),
        }
    }
    joined
}

/// The acts that are left, the failure that they end in, and the runs that it took, `most_runs` or fewer.
pub fn shrink(
    acts: &[Act],
    failure: Failure,
    most_runs: u32,
    run: impl FnMut(&[Act]) -> Option<Failure>,
) -> (Vec<Act>, Failure, u32) {
    let mut shrinking = Shrinking { acts: acts.to_vec(), failure, runs: 0, most_runs, run };
    shrinking.leave_kinds_out();
    shrinking.replace(|_| Vec::new());
    shrinking.replace(idle);
    shrinking.replace(joined);
    shrinking.join_neighbours();
    shrinking.replace(|_| Vec::new());
    (shrinking.acts, shrinking.failure, shrinking.runs)
}
