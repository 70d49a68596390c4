//! Devices that aren't served yet, for lack of room or by their guest's limit.

use heapless::Vec;
use hyper::DomainId;

use crate::device_table::MAX_DEVICES;
use crate::paths::DeviceId;

/// A device that found all places taken.
#[derive(Debug)]
struct WithoutPlace {
    id: DeviceId,
    /// The current list of all devices has it.
    is_listed: bool,
}

/// Devices that aren't served yet. The list of all devices has them, when there is room.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// A device has found all places taken since somebody last asked.
    is_without_place: bool,
    /// Devices that found all places taken, each logged once. Of more than these at once the log says nothing.
    without_place: Vec<WithoutPlace, MAX_DEVICES>,
    /// Guests with more devices than they may have. Each was logged once.
    over_limit: Vec<DomainId, MAX_DEVICES>,
}

impl Waiting {
    /// Notes a device that finds all places taken.
    pub(crate) fn on_no_place(&mut self, id: DeviceId) {
        self.is_without_place = true;
        if let Some(known) = self.without_place.iter_mut().find(|other| other.id == id) {
            known.is_listed = true;
        } else if self.without_place.push(WithoutPlace { id, is_listed: true }).is_ok() {
            log::warn!("{id}: {MAX_DEVICES} devices are served already; it waits until one goes");
        }
    }

    /// Notes a device that has found a place.
    pub(crate) fn on_place(&mut self, id: DeviceId) {
        self.without_place.retain(|other| other.id != id);
    }

    /// Notes that the list of all devices is read from its begin.
    pub(crate) fn on_list_begins(&mut self) {
        self.without_place.iter_mut().for_each(|other| other.is_listed = false);
    }

    /// Notes that the list was read to its end. Devices that it didn't have are gone.
    pub(crate) fn on_list_ends(&mut self) {
        self.without_place.retain(|other| other.is_listed);
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
