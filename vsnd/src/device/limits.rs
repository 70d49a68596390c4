//! A guest's limits, put in force on its device.

use audioback::card::{Card, PortIndex};
use hyper::{DomainId, Hypervisor, Nanos};

use super::nodes::Description;
use super::{Common, Device, Hardware};
use crate::request_slot::RETRY;
use crate::usage::{GuestUse, Usage};

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// What it holds once it is set up.
    pub(crate) fn usage(&self) -> Usage {
        let Some(sound) = &self.sound else { return Usage::default() };
        let streams = self.nodes.config.streams().len() as u32;
        Usage { devices: 1, streams, resources: sound.holdings() }
    }

    /// The same, with its guest's limits.
    pub(crate) fn guest_use(&self) -> GuestUse {
        GuestUse { usage: self.usage(), limits: self.share.limits }
    }

    /// Takes what the guest's other devices hold.
    pub(crate) fn set_others(&mut self, others: Usage) {
        self.share.others = others;
        self.allow();
    }

    /// The port for which an OPEN waits. Asking takes it.
    pub(crate) fn take_awaited_port(&mut self) -> Option<PortIndex> {
        self.sound.as_mut()?.take_awaited_port()
    }

    /// Has its idle streams leave a port for which another guest waits.
    pub(crate) fn give_way(
        &mut self,
        hardware: &mut Hardware<'_, H, C>,
        port: PortIndex,
        to: DomainId,
        now: Nanos,
    ) {
        if let Some(sound) = &mut self.sound {
            sound.give_way(hardware.hypervisor, hardware.card, port, to, now);
        }
    }

    /// Tells the sound device what it may hold.
    pub(super) fn allow(&mut self) {
        if let Some(sound) = &mut self.sound {
            sound.set_allowed(self.share.allowed());
        }
    }

    /// Puts the guest's limits in force, once they are known.
    pub(super) fn apply_limits(&mut self, common: &Common<'_>) {
        let Some(limits) = common.guests.limits(self.id.guest) else { return };
        if limits != core::mem::replace(&mut self.share.limits, limits) {
            self.allow();
            if self.is_lacking {
                self.pace = RETRY;
            }
        }
    }

    /// Logs once that the guest's limits keep the device from being set up.
    pub(super) fn log_wait(&mut self, common: &Common<'_>) {
        let is_next = self.sound.is_none() && !self.is_leaving && self.nodes.description == Description::Good;
        let streams = self.nodes.config.streams().len();
        let forbids = self.share.forbids(streams).filter(|_| is_next && self.rights(common).is_some());
        let was_logged = core::mem::replace(&mut self.share.is_wait_logged, forbids.is_some());
        if let (Some(node), false) = (forbids, was_logged) {
            let (name, limit) = (node.name(), self.share.limits.get(node));
            log::warn!(
                "{}: a card with {streams} streams is beyond the guest's limit of {limit} {name}; it waits",
                self.id
            );
        }
    }
}
