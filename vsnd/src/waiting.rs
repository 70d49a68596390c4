//! Devices that aren't served yet, for lack of room or by their guest's limit.

use heapless::Vec;
use hyper::DomainId;

use crate::device_table::MAX_DEVICES;
use crate::paths::DeviceId;

/// Devices that aren't served yet. The list of all devices has them, when there is room.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// The last device that found all places taken and was logged.
    without_place: Option<DeviceId>,
    /// Guests with more devices than they may have. Each was logged once.
    over_limit: Vec<DomainId, MAX_DEVICES>,
}

impl Waiting {
    /// Notes a device that finds all places taken.
    pub(crate) fn on_no_place(&mut self, id: DeviceId) {
        if self.without_place != Some(id) {
            log::warn!("{id}: {MAX_DEVICES} devices are served already; it waits until one goes");
        }
        self.without_place = Some(id);
    }

    /// Notes a device of a guest that has as many as it may have.
    pub(crate) fn on_over_limit(&mut self, id: DeviceId, limit: u32) {
        if !self.over_limit.contains(&id.guest) && self.over_limit.push(id.guest).is_ok() {
            log::warn!("{id}: the guest has reached its limit of {limit} devices; those beyond it wait");
        }
    }

    /// Whether a device waits for a place. Asking takes it.
    pub(crate) fn take_without_place(&mut self) -> bool {
        self.without_place.take().is_some()
    }

    /// Whether a guest that had too many devices may have another one. Asking takes it.
    pub(crate) fn take_relieved(&mut self, may_have_more: impl Fn(DomainId) -> bool) -> bool {
        let before = self.over_limit.len();
        self.over_limit.retain(|guest| !may_have_more(*guest));
        self.over_limit.len() != before
    }
}
