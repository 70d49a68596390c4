//! The status of a device and of its streams, as `snddom/state` shows it.

use core::fmt;

use audioback::card::{Card, StreamParams, VolumeRange};
use audioback::stream::{Activity, Stream, StreamStats};
use hyper::{Hypervisor, Nanos};
use sndif::state::XenbusState;

use crate::paths::StreamId;
use crate::port_name::PortName;

/// The status of a stream: one line in one node, as xenstored limits the number of a domain's
/// nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamStatus {
    port: Option<PortName>,
    activity: Activity,
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
            activity: stream.activity(),
            params: stream.params(),
            volume: stream.volume_range(),
            stats: stream.stats(),
        }
    }

    /// Whether more than the counters of one open stream differs.
    pub(crate) fn differs_beyond_counters(&self, other: &Self) -> bool {
        (self.activity, self.params, self.stats.opens) != (other.activity, other.params, other.stats.opens)
    }
}

impl fmt::Display for StreamStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(port) = self.port {
            write!(f, "port={port} ")?;
        }
        let status = match self.activity {
            Activity::Closed => "closed",
            Activity::Open => "open",
            Activity::Running => "running",
            Activity::Paused => "paused",
            Activity::Failed => "failed",
            Activity::Stuck => "stuck",
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

/// The time at which a device's status is to be published.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StatusDue {
    /// This node of it, now.
    Now(DeviceStatus),
    /// Something of it, at that time.
    At(Nanos),
    /// Nothing, before something happens.
    Never,
}

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
