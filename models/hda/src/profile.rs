//! The kind of a controller.

/// The way in which stream engines move samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEngine {
    /// As in the specification: a FIFO ahead of the link in playback and behind it in capture.
    /// LPIB counts bytes on the link, link frame by link frame.
    Fifo,
    /// As in QEMU: DMA in steps of a millisecond, without FIFO and SSYNC. LPIB counts bytes moved
    /// by DMA, some 31 ms ahead of the link in playback and 17 ms behind it in capture.
    MillisecondSteps,
}

/// The traits of a controller. Start from [`Profile::hardware`] or [`Profile::qemu`] and change
/// what the test needs.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Whether breaches of the specification's rules are violations. DMA to forbidden memory
    /// always is one.
    pub strict: bool,
    /// Virtual time of a register access.
    pub access_ns: u64,
    /// Most extra time of a read, at random, before and after the register is read: a busy bus, or
    /// a lost processor.
    pub slow_read_ns: u64,
    /// Input stream descriptors, GCAP.ISS.
    pub input_streams: usize,
    /// Output stream descriptors, GCAP.OSS.
    pub output_streams: usize,
    /// Bidirectional stream descriptors, GCAP.BSS.
    pub bidirectional_streams: usize,
    /// GCAP.64OK.
    pub addresses_64bit: bool,
    /// OUTPAY: 16-bit words of a link frame that output streams may fill together.
    pub output_payload_words: u16,
    /// INPAY: the same for input streams.
    pub input_payload_words: u16,
    /// Offset of SSYNC: `Some(0x38)`, `Some(0x34)` on old chips, or `None` without it.
    pub stream_sync_offset: Option<u16>,
    /// The way of moving samples.
    pub engine: StreamEngine,
    /// Least size of the FIFO in bytes. Formats with more bytes per link frame get more.
    pub fifo_bytes: u32,
    /// Interval of DMA in [`StreamEngine::MillisecondSteps`]: 1 ms, more on a busy host.
    pub step_ms: u64,
    /// Bytes of a DMA burst.
    pub dma_burst_bytes: u32,
    /// RUN restarts the descriptor list and LPIB. Hardware resumes at its position.
    pub run_restarts_list: bool,
    /// Nanoseconds until CRST reads back 0.
    pub reset_enter_ns: u64,
    /// Nanoseconds until CRST reads back 1.
    pub reset_leave_ns: u64,
    /// Nanoseconds until SRST reads back as written. 0 is QEMU's way: SRST never reads back 1.
    pub stream_reset_ns: u64,
    /// Nanoseconds from CRST to the codecs' appearance in STATESTS.
    pub codec_wake_ns: u64,
    /// Codecs report to STATESTS when CRST is cleared, so a clear of STATESTS in reset loses them.
    pub codecs_report_in_reset: bool,
    /// Converters keep format, tag and gain across a reset of the link.
    pub codec_state_survives_reset: bool,
    /// Verbs run when CORBWP is written, not one per link frame.
    pub commands_at_once: bool,
    /// CORB stops after RINTCNT responses until RIRBSTS is acknowledged.
    pub corb_waits_for_acknowledge: bool,
    /// Bits 7:4 of CORBSIZE and RIRBSIZE: 1 is 2 entries, 2 is 16, 4 is 256; any sum of them.
    pub ring_size_capability: u8,
    /// The controller has an immediate command interface.
    pub immediate_commands: bool,
    /// The controller has CORB and RIRB.
    pub rings: bool,
    /// INTSTS shows a stream's status bits only if their enable bits in SDnCTL are set.
    pub status_gated_by_enables: bool,
    /// WALCLK runs in reset and isn't cleared by it.
    pub wall_clock_survives_reset: bool,
    /// First value of WALCLK, for an early wrap.
    pub wall_clock_start: u32,
    /// The page at 0x2000 mirrors every register, not only WALCLK and LPIB.
    pub aliases_everything: bool,
}

impl Profile {
    /// A controller as in the specification: 4 input, 4 output, 1 bidirectional stream, SSYNC at
    /// 0x38, 64-bit addresses, 192 bytes of FIFO, both command interfaces; strict.
    pub fn hardware() -> Self {
        Self {
            strict: true,
            access_ns: 250,
            slow_read_ns: 0,
            input_streams: 4,
            output_streams: 4,
            bidirectional_streams: 1,
            addresses_64bit: true,
            output_payload_words: 60,
            input_payload_words: 29,
            stream_sync_offset: Some(0x38),
            engine: StreamEngine::Fifo,
            fifo_bytes: 192,
            step_ms: 1,
            dma_burst_bytes: 64,
            run_restarts_list: false,
            reset_enter_ns: 10_000,
            reset_leave_ns: 50_000,
            stream_reset_ns: 5_000,
            codec_wake_ns: 521_000,
            codecs_report_in_reset: false,
            codec_state_survives_reset: false,
            commands_at_once: false,
            corb_waits_for_acknowledge: false,
            ring_size_capability: 0x4,
            immediate_commands: true,
            rings: true,
            status_gated_by_enables: true,
            wall_clock_survives_reset: false,
            wall_clock_start: 0,
            aliases_everything: false,
        }
    }

    /// A controller as QEMU's `intel-hda` emulates it, with all its deviations. It isn't strict.
    pub fn qemu() -> Self {
        Self {
            strict: false,
            bidirectional_streams: 0,
            stream_sync_offset: None,
            engine: StreamEngine::MillisecondSteps,
            fifo_bytes: 256,
            run_restarts_list: true,
            reset_enter_ns: 0,
            reset_leave_ns: 0,
            stream_reset_ns: 0,
            codec_wake_ns: 0,
            codecs_report_in_reset: true,
            codec_state_survives_reset: true,
            commands_at_once: true,
            corb_waits_for_acknowledge: true,
            status_gated_by_enables: false,
            wall_clock_survives_reset: true,
            aliases_everything: true,
            ..Self::hardware()
        }
    }

    /// The number of stream descriptors.
    pub fn streams(&self) -> usize {
        self.input_streams + self.output_streams + self.bidirectional_streams
    }
}
