//! The status of a device and of its streams, as `snddom/state` shows it.

use core::fmt;

use audioback::card::{Card, StreamParams, VolumeRange};
use audioback::stream::{Stream, StreamStats};
use hyper::{Hypervisor, Nanos};
use sndif::control_page::SlotState;
use sndif::state::XenbusState;

use crate::paths::StreamId;
use crate::port_name::PortName;

/// The status of a stream: one line in one node, as xenstored limits the number of a domain's
/// nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamStatus {
    port: Option<PortName>,
    state: SlotState,
    is_stuck: bool,
    params: Option<StreamParams>,
    volume: Option<VolumeRange>,
    stats: StreamStats,
}

impl StreamStatus {
    pub(crate) fn of<H: Hypervisor, C: Card<H::Buffer>>(
        stream: &Stream<H, C>,
        port: Option<PortName>,
    ) -> Self {
        Self {
            port,
            state: stream.state(),
            is_stuck: stream.is_stuck(),
            params: stream.params(),
            volume: stream.volume_range(),
            stats: stream.stats(),
        }
    }

    /// Whether its counters change by themselves.
    pub(crate) fn is_running(&self) -> bool {
        self.state == SlotState::Running
    }

    /// Whether more than the counters of one open stream differs.
    pub(crate) fn differs_beyond_counters(&self, other: &Self) -> bool {
        let all_else = |status: &Self| (status.state, status.is_stuck, status.params, status.stats.opens);
        all_else(self) != all_else(other)
    }
}

impl fmt::Display for StreamStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(port) = self.port {
            write!(f, "port={port} ")?;
        }
        let status = match self.state {
            SlotState::Closed if self.is_stuck => "stuck",
            SlotState::Closed => "closed",
            SlotState::Open => "open",
            SlotState::Running => "running",
            SlotState::Paused => "paused",
            SlotState::Failed => "failed",
        };
        write!(f, "status={status}")?;
        if let Some(StreamParams { rate_hz, format, channels }) = self.params {
            write!(f, " rate_hz={rate_hz} format={} channels={channels}", format.name())?;
        }
        if let Some(VolumeRange { min_mdb, max_mdb, step_mdb, can_mute }) = self.volume {
            if step_mdb != 0 {
                write!(f, " volume_mdb={min_mdb}..{max_mdb} step_mdb={step_mdb}")?;
            }
            if can_mute {
                f.write_str(" can_mute")?;
            }
        }
        let StreamStats { frames, xruns, fifo_errors, .. } = self.stats;
        write!(f, " frames={frames} ran_dry={xruns} fifo_errors={fifo_errors}")
    }
}

/// One node of a device's status.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeviceStatus {
    /// The device's state.
    State(XenbusState),
    /// The status of the stream of that index, which is the guest's stream of that id.
    Stream(usize, StreamId, StreamStatus),
}

/// What is to be published now, or else the time at which something is; `None`: not before something
/// happens.
pub(crate) type Ready<T> = Result<T, Option<Nanos>>;

/// The word for a device's state.
pub(crate) const fn state_word(state: XenbusState) -> &'static str {
    match state {
        XenbusState::Initialising => "initialising",
        XenbusState::InitWait => "waiting",
        XenbusState::Initialised => "initialised",
        XenbusState::Connected => "connected",
        XenbusState::Closing => "closing",
        XenbusState::Closed => "closed",
        XenbusState::Reconfiguring => "reconfiguring",
        XenbusState::Reconfigured => "reconfigured",
    }
}
