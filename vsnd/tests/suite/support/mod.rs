//! A driver domain with everything around it, and the words for tests of it.

pub mod logs;

mod bus_ring;
mod guest;
mod models;
mod player;
mod playing;
/// As the event channels' own tests raise them.
#[path = "../../../../drivers/xen-guest/tests/suite/support/raise.rs"]
mod raise;
mod rig;
mod sound;
mod throttled;
mod toolstack;
mod watched_card;
mod wire;

pub use bus_ring::*;
pub use guest::*;
pub use models::*;
pub use rig::*;
pub use sound::*;
pub use toolstack::*;
pub use wire::*;
