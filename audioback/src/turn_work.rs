//! The work that one turn of the loop may do for all devices together.

/// Requests that wait for the hardware, or map or unmap a buffer, in one turn for all devices.
///
/// A second OPEN of the largest buffer unmaps 256 pages, maps 256, and maps and unmaps the directory: 18 hypercalls. Other guests'
/// streams wait that long once a turn, however many devices ask for it.
const HEAVY_REQUESTS: u32 = 1;

/// The work that one turn of the loop may do for all devices together.
#[derive(Debug)]
pub struct TurnWork {
    heavy_left: u32,
}

impl TurnWork {
    /// The work of a turn that begins.
    #[must_use]
    pub const fn new() -> Self {
        Self { heavy_left: HEAVY_REQUESTS }
    }

    /// Takes a heavy request into this turn. False: it has to wait for the next turn.
    pub(crate) fn take_heavy(&mut self) -> bool {
        match self.heavy_left.checked_sub(1) {
            Some(left) => {
                self.heavy_left = left;
                true
            }
            None => false,
        }
    }

    /// Whether this turn takes no heavy request any more.
    pub const fn is_used_up(&self) -> bool {
        self.heavy_left == 0
    }
}

impl Default for TurnWork {
    fn default() -> Self {
        Self::new()
    }
}

/// The requests that one poll of a device may answer.
pub(crate) struct Budget<'a> {
    /// For this device. A request that waits for the hardware uses up all of them.
    pub(crate) requests: usize,
    /// For all devices.
    pub(crate) turn: &'a mut TurnWork,
}
