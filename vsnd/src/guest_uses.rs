//! What each guest holds of its limits, and what was published of it.

use alloc::vec::Vec;

use hyper::DomainId;

use crate::device_table::MAX_DEVICES;
use crate::usage::GuestUse;

/// A guest that has devices, or had some.
#[derive(Debug)]
struct GuestLine {
    guest: DomainId,
    /// `None`: it has no device.
    now: Option<GuestUse>,
    /// What is being written, or was written last. `None`: there is no node.
    sent: Option<GuestUse>,
    /// What is in xenstore.
    published: Option<GuestUse>,
}

/// What each guest holds.
#[derive(Debug)]
pub(crate) struct GuestUses {
    /// With room for [`MAX_DEVICES`] guests.
    lines: Vec<GuestLine>,
    /// The guest that was published last.
    last: DomainId,
}

/// A write that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestWrite {
    /// What the guest holds now.
    Use(DomainId, GuestUse),
    /// Its node is to be removed.
    Removal(DomainId),
}

impl GuestUses {
    /// Takes all memory.
    pub(crate) fn new() -> Self {
        Self { lines: Vec::with_capacity(MAX_DEVICES), last: DomainId(0) }
    }

    /// Takes what all devices hold now, each with its guest and that one's limits.
    pub(crate) fn update(&mut self, devices: impl Iterator<Item = (DomainId, GuestUse)>) {
        self.lines.iter_mut().for_each(|line| line.now = None);
        for (guest, device) in devices {
            if let Some(line) = self.line_mut(guest) {
                let before = line.now.map(|now| now.usage).unwrap_or_default();
                line.now = Some(GuestUse { usage: before.plus(device.usage), ..device });
            } else if self.lines.len() < MAX_DEVICES {
                // Else one that has gone still has a node. Then there is room.
                self.lines.push(GuestLine { guest, now: Some(device), sent: None, published: None });
            }
        }
        self.forget_gone();
    }

    /// The next write that is due. Guests take turns.
    pub(crate) fn next(&self) -> Option<GuestWrite> {
        let due = |line: &GuestLine| match line.now {
            Some(now) => (line.published != Some(now)).then_some(GuestWrite::Use(line.guest, now)),
            None => Some(GuestWrite::Removal(line.guest)),
        };
        let behind = self.lines.iter().filter(|line| line.guest > self.last);
        behind.chain(&self.lines).find_map(due)
    }

    /// Notes that a write is under way.
    pub(crate) fn on_sent(&mut self, write: GuestWrite) {
        let (GuestWrite::Use(guest, _) | GuestWrite::Removal(guest)) = write;
        self.last = guest;
        if let (GuestWrite::Use(_, now), Some(line)) = (write, self.line_mut(guest)) {
            line.sent = Some(now);
        }
    }

    /// Notes that a write is done.
    pub(crate) fn on_written(&mut self, write: GuestWrite) {
        let (GuestWrite::Use(guest, _) | GuestWrite::Removal(guest)) = write;
        if let Some(line) = self.line_mut(guest) {
            if let GuestWrite::Removal(_) = write {
                line.sent = None;
            }
            line.published = line.sent;
        }
        self.forget_gone();
    }

    /// Forgets guests that have no device and no node.
    fn forget_gone(&mut self) {
        self.lines.retain(|line| line.now.is_some() || line.sent.is_some());
    }

    fn line_mut(&mut self, guest: DomainId) -> Option<&mut GuestLine> {
        self.lines.iter_mut().find(|line| line.guest == guest)
    }
}

#[cfg(test)]
mod tests {
    use audioback::resources::Resources;

    use super::*;
    use crate::limit_settings::Limits;
    use crate::usage::Usage;

    fn device(streams: u32) -> GuestUse {
        let resources = Resources { open_streams: 1, channels: streams.saturating_mul(2), pages: 20 };
        GuestUse { usage: Usage { devices: 1, streams, resources }, limits: Limits::default() }
    }

    /// Carries out the next write.
    fn write(uses: &mut GuestUses) -> Option<GuestWrite> {
        let next = uses.next()?;
        uses.on_sent(next);
        uses.on_written(next);
        Some(next)
    }

    #[test]
    fn a_guest_s_devices_are_one_line_that_goes_with_them() {
        let mut uses = GuestUses::new();
        uses.update(
            [(DomainId(3), device(2)), (DomainId(4), device(1)), (DomainId(3), device(1))].into_iter(),
        );
        let first = write(&mut uses).map(|write| match write {
            GuestWrite::Use(guest, both) => alloc::format!("{} {both}", guest.0),
            GuestWrite::Removal(guest) => alloc::format!("{} goes", guest.0),
        });
        let both = "3 devices=2/3 streams=3/12 open_streams=2/6 channels=6/24 pages=40/800";
        assert_eq!(first.as_deref(), Some(both));
        assert_eq!(write(&mut uses), Some(GuestWrite::Use(DomainId(4), device(1))));
        assert_eq!(write(&mut uses), None);
        uses.update([(DomainId(4), device(1))].into_iter());
        assert_eq!(write(&mut uses), Some(GuestWrite::Removal(DomainId(3))));
        assert_eq!(write(&mut uses), None);
        uses.update([(DomainId(4), device(1))].into_iter());
        assert_eq!(uses.lines.len(), 1);
    }

    #[test]
    fn a_guest_that_was_never_published_has_nothing_to_remove() {
        let mut uses = GuestUses::new();
        uses.update([(DomainId(3), device(2))].into_iter());
        uses.update([].into_iter());
        assert_eq!((uses.next(), uses.lines.len()), (None, 0));
    }

    #[test]
    fn a_guest_that_changes_all_the_time_keeps_no_other_from_being_published() {
        let mut uses = GuestUses::new();
        let mut written = Vec::new();
        for round in 0..6 {
            let busy = (DomainId(3), device(round));
            uses.update([busy, (DomainId(4), device(round)), (DomainId(9), device(7))].into_iter());
            written.extend(write(&mut uses).map(|write| match write {
                GuestWrite::Use(guest, _) | GuestWrite::Removal(guest) => guest.0,
            }));
        }
        assert_eq!(written, [3, 4, 9, 3, 4, 3]);
    }
}
