//! The D-Bus harness: the other end of an emulated codec's line.
//!
//! The emulator asks the harness for what its microphone hears, and tells it what its line plays, over D-Bus sockets that
//! nobody else sees. It asks synchronously, so under virtual time a run is the same every time. The machine starts
//! stopped; the harness registers, and only then lets it run.
//!
//! Without the feature `harness` only the descriptions are here: a session that needs the D-Bus side is refused.

mod room;
mod source;

#[cfg(feature = "harness")]
mod cable;
#[cfg(feature = "harness")]
mod heard;
#[cfg(feature = "harness")]
mod listeners;
#[cfg(feature = "harness")]
mod monitor;
#[cfg(feature = "harness")]
mod serve;
#[cfg(feature = "harness")]
mod wire;

#[cfg(not(feature = "harness"))]
mod absent;

#[cfg(not(feature = "harness"))]
pub use absent::{Harness, MonitorSocket};
#[cfg(feature = "harness")]
pub use monitor::MonitorSocket;
pub use room::Room;
#[cfg(feature = "harness")]
pub use serve::Harness;
pub use source::Source;

/// The period of the emulator's audio timer where the harness is a room, in microseconds of virtual time.
const TICK_US: u32 = 1_000;

/// The same without a room: the emulator's default.
const PLAIN_TICK_US: u32 = 10_000;

/// Frames of a Write.
const WRITE_FRAMES: usize = 1024;

/// The signal at the input of the harness's codec.
#[derive(Clone, Debug)]
pub enum Microphone {
    /// A signal.
    Hears(Source),
    /// The output of the same codec, some 100 ms later, in one piece.
    HearsTheOutput,
    /// The output of the same codec, in a room.
    Room(Room),
    /// The same in several rooms, one after the other: each for so many starts of the input, the last one for good.
    Rooms(&'static [(u32, Room)]),
}

impl Microphone {
    /// The period of the emulator's audio timer that goes with it, in microseconds of virtual time.
    pub fn tick_us(&self) -> u32 {
        match self {
            Microphone::Hears(_) | Microphone::HearsTheOutput => PLAIN_TICK_US,
            Microphone::Room(_) | Microphone::Rooms(_) => TICK_US,
        }
    }
}

/// Traffic of the harness.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Frames that were fed into the input.
    pub fed_frames: u64,
    /// Bytes that the output played.
    pub played: Vec<u8>,
    /// The first fault in the emulator's use of the harness.
    pub complaint: Option<String>,
}
