//! Chaos: guests, dom0, hardware and xenstored do anything at any time, and what must hold holds.
//!
//! A scenario is a list of acts, drawn from a seed. After each act all invariants are checked (`invariants.rs`). A scenario that
//! breaks one is cut down to the acts that it takes, and printed.

mod act;
#[path = "../suite/support/bus_ring.rs"]
mod bus_ring;
mod card;
mod draw;
mod good;
mod guest_run;
mod hardware;
mod hostile;
mod hypervisor;
mod invariants;
mod judge;
mod logs;
mod random;
mod rights;
mod run;
mod sabotage;
mod shrink;
mod toolstack;
mod world;

/// Drops a result on purpose. `why` says why that is right.
fn ignored<T>(result: T, _why: &'static str) {
    drop(result);
}
