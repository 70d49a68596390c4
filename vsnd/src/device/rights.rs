//! A device's rights, as its guest's are now.

use audioback::card::Card;
use audioback::rights::Policy;
use hyper::Hypervisor;

use super::{Common, Device, Hardware};

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// The guest's rights as they are in xenstore. `None`: they are being read.
    pub(super) fn rights(&self, common: &Common<'_>) -> Option<Policy> {
        common.guests.policy(self.id.guest, common.policy?)
    }

    /// Puts the guest's rights, and the volume that it gets, in force.
    ///
    /// The sound device checks them, and ends streams that have lost theirs.
    pub(super) fn apply_rights(&mut self, hardware: &mut Hardware<'_, H, C>, common: &Common<'_>) {
        if let Some(sound) = &mut self.sound {
            sound.set_trim(hardware.card, common.guests.trim(self.id.guest));
        }
        let Some(policy) = self.rights(common) else { return };
        if policy == self.policy {
            return;
        }
        self.policy = policy;
        if let Some(sound) = &mut self.sound {
            log::info!("{}: its rights have changed", self.id);
            sound.set_policy(hardware.hypervisor, hardware.card, policy);
        }
    }
}
