//! Devices that aren't served yet, for lack of room or by their guest's limit.

use heapless::Vec;
use hyper::DomainId;

use crate::device_table::MAX_DEVICES;
use crate::paths::DeviceId;

/// Devices that aren't served yet. The list of all devices has them, when there is room.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// A device has found all places taken since somebody last asked.
    is_without_place: bool,
    /// Devices that found all places taken, each logged once. Of more than these the log says nothing.
    without_place: Vec<DeviceId, MAX_DEVICES>,
    /// Guests with more devices than they may have. Each was logged once.
    over_limit: Vec<DomainId, MAX_DEVICES>,
}

impl Waiting {
    /// Notes a device that finds all places taken.
    pub(crate) fn on_no_place(&mut self, id: DeviceId) {
        self.is_without_place = true;
        if !self.without_place.contains(&id) && self.without_place.push(id).is_ok() {
            log::warn!("{id}: {MAX_DEVICES} devices are served already; it waits until one goes");
        }
    }

    /// Notes a device that has found a place.
    pub(crate) fn on_place(&mut self, id: DeviceId) {
        self.without_place.retain(|other| *other != id);
    }

    /// Notes a device of a guest that has as many as it may have.
    pub(crate) fn on_over_limit(&mut self, id: DeviceId, limit: u32) {
        if !self.over_limit.contains(&id.guest) && self.over_limit.push(id.guest).is_ok() {
            log::warn!("{id}: the guest has reached its limit of {limit} devices; those beyond it wait");
        }
    }

    /// Whether a device waits for a place. Asking takes it.
    pub(crate) fn take_without_place(&mut self) -> bool {
        core::mem::take(&mut self.is_without_place)
    }

    /// Whether a guest that had too many devices may have another one. Asking takes it.
    pub(crate) fn take_relieved(&mut self, may_have_more: impl Fn(DomainId) -> bool) -> bool {
        let before = self.over_limit.len();
        self.over_limit.retain(|guest| !may_have_more(*guest));
        self.over_limit.len() != before
    }
}
