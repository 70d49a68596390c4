//! The connection to the front end: its begin and its end.

use audioback::card::Card;
use audioback::device::ConnectError;
use hyper::{Hypervisor, Nanos};
use sndif::state::XenbusState;
use xen_guest::xenbus::Outcome;

use super::{Device, Hardware};
use crate::paths::DeviceId;

/// Length of a connection after which earlier failures are forgotten.
///
/// After a shorter one, a front end that comes again waits, longer each time.
const STABLE_CONNECTION_NS: u64 = 10_000_000_000;

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// Connects to the front end, whose nodes have been read.
    pub(super) fn connect(&mut self, hardware: &mut Hardware<'_, H, C>, now: Nanos) -> Outcome {
        let Some(sound) = &mut self.sound else { return Outcome::Failed };
        let transport = &mut self.nodes.transport;
        let connected = sound.connect(hardware.hypervisor, transport.nodes(), transport.control_page(), now);
        transport.clear();
        match connected {
            Ok(()) => {
                self.connected_at = Some(now);
                self.is_lacking = false;
                Outcome::Done
            }
            // Not the front end's fault: it is connected when another one has left.
            Err(error) if error.is_shortage() => {
                self.pace.failed(now);
                if !core::mem::replace(&mut self.is_lacking, true) {
                    log_shortage(self.id, error);
                }
                Outcome::Underway
            }
            Err(error) => {
                self.pace.failed(now);
                log::warn!("{}: the front end can't be connected to: {error:?}", self.id);
                Outcome::Failed
            }
        }
    }

    /// Judges the connection that ends, if there is one.
    pub(super) fn on_connection_end(&mut self, now: Nanos) {
        let Some(since) = self.connected_at.take() else { return };
        if now.0.saturating_sub(since.0) >= STABLE_CONNECTION_NS {
            self.back_end.lived();
            self.pace.succeeded();
        } else {
            self.pace.failed(now);
        }
    }

    /// Ends the connection. The streams are closed in turns of their own.
    pub(super) fn close(&mut self, hardware: &mut Hardware<'_, H, C>) -> Outcome {
        let Some(sound) = &mut self.sound else { return Outcome::Done };
        // A device that is Closing goes on each time that it is served.
        if !matches!(sound.state(), XenbusState::Closing | XenbusState::Closed) {
            sound.begin_close(hardware.hypervisor);
        }
        if sound.state() == XenbusState::Closed { Outcome::Done } else { Outcome::Underway }
    }
}

fn log_shortage(id: DeviceId, error: ConnectError) {
    match error {
        ConnectError::OverLimit(resource) => {
            log::warn!("{id}: connecting it is beyond the guest's limit of {resource}; trying again");
        }
        error => log::error!("{id}: this domain lacks a resource to connect it: {error:?}; trying again"),
    }
}
