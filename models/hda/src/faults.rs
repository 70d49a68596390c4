//! Faults that a test switches on, before or while the driver runs.

/// The faults of a controller. All are off by default.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The controller is off its bus: reads are all ones, writes are lost, DMA and the link stand
    /// still.
    pub off_the_bus: bool,
    /// And the bus says so: the controller can't use DMA.
    pub cut_off: bool,
    /// GCTL.CRST never reads back 0.
    pub reset_never_entered: bool,
    /// GCTL.CRST never reads back 1.
    pub reset_never_left: bool,
    /// CORB's DMA never fetches, and CORBRP stands still.
    pub corb_dead: bool,
    /// RIRB's DMA never writes: responses are lost, and RIRBWP stands still.
    pub rirb_dead: bool,
    /// CORBRP's reset bit never reads back 1, as on some controllers.
    pub corb_pointer_reset_reads_zero: bool,
    /// Codecs (a bit each, by address) that don't answer.
    pub silent_codecs: u16,
    /// Link frames by which every answer is late, on top of the usual one.
    pub answer_late_frames: u64,
    /// The codecs (a bit each, by address) whose answers are late. 0: all.
    pub late_codecs: u16,
    /// The next response finds no room: RIRBSTS reports an overrun and the response is lost.
    /// Clears itself.
    pub rirb_overrun_once: bool,
    /// Streams (a bit each, by descriptor index) whose RUN bit never reads back 0, and whose DMA
    /// goes on.
    pub stuck_run: u32,
    /// Extra link frames before RUN reads back 0.
    pub run_clear_delay_link_frames: u64,
    /// Streams (a bit each) whose SRST bit never reads back 1.
    pub stream_reset_never_entered: u32,
    /// Streams (a bit each) whose SRST bit never reads back 0.
    pub stream_reset_never_left: u32,
    /// Streams (a bit each) whose FIFORDY bit never becomes 1.
    pub fifo_never_ready: u32,
    /// The fault of LPIB.
    pub link_position: LinkPositionFault,
    /// The DMA position buffer is never written.
    pub position_buffer_dead: bool,
    /// Bytes by which the DMA position buffer is ahead of the truth.
    pub position_buffer_ahead_bytes: u32,
    /// WALCLK stands still.
    pub wall_clock_stopped: bool,
}

/// A fault of LPIB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkPositionFault {
    /// Nothing.
    #[default]
    None,
    /// Always 0.
    Zero,
    /// Another number at each reading, from the seed.
    Garbage {
        /// The same seed gives the same numbers.
        seed: u64,
    },
    /// Stands still from the moment this is switched on.
    Frozen,
    /// Moves byte by byte inside a link frame, so a reading may fall inside a frame.
    Torn,
    /// Moves in steps: it shows the position at the last multiple of a number of link frames.
    Coarse {
        /// The step: 48 is a millisecond, 480 are ten.
        link_frames: u64,
    },
}
