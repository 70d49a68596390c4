//! The controller's global registers: reset, codec status, interrupts, SSYNC, position buffer.

/// A bit that reads back its written value only after a delay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlowBit {
    pub(crate) requested: bool,
    pub(crate) reads: bool,
    pub(crate) settles_ns: u64,
}

/// The state behind registers 0x08 to 0x38 and 0x70.
#[derive(Default)]
pub(crate) struct Controller {
    /// GCTL.CRST.
    pub(crate) reset_released: SlowBit,
    /// Time of the last clear of CRST; `None` since power-on, long ago.
    pub(crate) reset_since_ns: Option<u64>,
    /// Time at which codecs report to STATESTS and begin to answer verbs.
    pub(crate) codecs_ready_ns: u64,
    pub(crate) codecs_reported: bool,
    /// GCTL.UNSOL.
    pub(crate) unsolicited: bool,
    /// GSTS.FSTS.
    pub(crate) flush_status: bool,
    pub(crate) wake_enable: u16,
    pub(crate) state_status: u16,
    pub(crate) interrupt_control: u32,
    pub(crate) stream_sync: u32,
    /// DPLBASE bit 0.
    pub(crate) position_enabled: bool,
    pub(crate) position_address: u64,
}

impl Controller {
    /// Resets the controller. CRST's own state, WAKEEN and STATESTS stay.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            reset_released: self.reset_released,
            reset_since_ns: self.reset_since_ns,
            codecs_ready_ns: self.codecs_ready_ns,
            codecs_reported: self.codecs_reported,
            wake_enable: self.wake_enable,
            state_status: self.state_status,
            ..Self::default()
        };
    }

    /// Whether CRST reads as out of reset.
    pub(crate) fn is_up(&self) -> bool {
        self.reset_released.requested && self.reset_released.reads
    }
}
