//! All who talk with xenstored: who hears what it says, and who says what next.

use alloc::vec::Vec;

use audioback::card::Card;
use hyper::{Clock, DomainId, Hypervisor, Nanos};
use xen_guest::xenstore::{Event, Reply, RequestError, RequestId, Store};

use super::MAX_DEVICES;
use super::control::{self, Control, ShutdownReason};
use super::device::{Common, Device, Hardware};
use super::earlier;
use super::names::{DeviceId, Place};
use super::port_name::Ports;
use super::scan::{self, Scan};
use super::settings::{self, Settings, Topic};
use super::state::{NewsDue, Teller};

/// How long closing all devices may take when the domain is to end.
const ENDING_NS: u64 = 2_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Ending {
    reason: ShutdownReason,
    /// When it is over at the latest; `None` until the first look at the clock.
    deadline: Option<Nanos>,
    is_over: bool,
}

/// All who talk with xenstored.
pub(super) struct Parties<H: Hypervisor, C: Card<H::Buffer>> {
    domain: DomainId,
    ports: Ports,
    /// At most [`MAX_DEVICES`], for which there is room.
    devices: Vec<Device<H, C>>,
    /// The device that has the first turn.
    turn: usize,
    scan: Scan,
    pub(super) settings: Settings,
    control: Control,
    teller: Teller,
    /// A device found no place; the one that the log has named last.
    waiting: Option<DeviceId>,
    ending: Option<Ending>,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Parties<H, C> {
    pub(super) fn new(domain: DomainId, card: &C, facts: &[(&str, &str)]) -> Self {
        let ports = Ports::new(card);
        Self {
            domain,
            teller: Teller::new(facts, ports.jacks(card)),
            ports,
            devices: Vec::with_capacity(MAX_DEVICES),
            turn: 0,
            scan: Scan::new(),
            settings: Settings::new(),
            control: Control::new(),
            waiting: None,
            ending: None,
        }
    }

    /// Serves all devices' streams. Returns when that is due again.
    pub(super) fn serve(
        &mut self,
        hardware: &mut Hardware<'_, H, C>,
        clock: &dyn Clock,
        now: Nanos,
    ) -> Option<Nanos> {
        let mut next = None;
        for device in self.devices.iter_mut() {
            next = earlier(next, device.serve(hardware, clock, now));
        }
        next
    }

    /// Takes note of what xenstored says.
    pub(super) fn hear(&mut self, event: Event<'_>, now: Nanos) {
        match event {
            Event::Reply { id, result } => self.hear_reply(id, &result, now),
            Event::Watch { path, token: scan::TOKEN } => self.devices_changed(path),
            Event::Watch { path, token: settings::TOKEN } => self.settings_changed(path),
            Event::Watch { token: control::TOKEN, .. } => self.control.changed(),
            Event::Watch { token, .. } => {
                if let Some(device) = DeviceId::from_front_token(token).and_then(|id| self.find(id)) {
                    device.front_changed();
                }
            }
            Event::Dropped(oddity) => log::debug!("xenstore: a message was dropped: {oddity:?}"),
            _ => {}
        }
    }

    fn hear_reply(&mut self, id: RequestId, result: &Result<Reply<'_>, RequestError>, now: Nanos) {
        if let Some(told) = self.teller.hear(id, result, now) {
            if let Some((device, news)) = told
                && let Some(device) = self.find(device)
            {
                device.told(news, now);
            }
        } else if let Some(wanted) = self.control.hear(id, result, now) {
            if let Some(reason) = wanted {
                self.shut_down(reason);
            }
        } else if !self.scan.hear(id, result, now) && !self.settings.hear(id, result, &self.ports, now) {
            let mut devices = self.devices.iter_mut();
            devices.any(|device| device.hear(id, result, &self.ports, now));
        }
    }

    fn devices_changed(&mut self, path: &str) {
        match Place::of(path, self.domain) {
            None => {}
            Some(Place::All) => {
                self.devices.iter_mut().for_each(|device| device.own_changed(None));
                self.scan.begin();
            }
            // A device that comes is named itself.
            Some(Place::Guest(guest)) => {
                let its = self.devices.iter_mut().filter(|device| device.id().guest == guest);
                its.for_each(|device| device.own_changed(None));
            }
            Some(Place::Device(id, node)) => match self.find(id) {
                Some(device) => device.own_changed(node),
                None => self.add(id),
            },
        }
    }

    fn settings_changed(&mut self, path: &str) {
        let devices = self.devices.iter_mut();
        match Topic::of(path, self.domain) {
            None => {}
            Some(Topic::Everything) => {
                devices.for_each(|device| device.rights_changed(None));
                self.settings.changed(None);
                self.teller.try_again();
            }
            Some(Topic::Setting(name)) => self.settings.changed(Some(name)),
            Some(Topic::Guests) => devices.for_each(|device| device.rights_changed(None)),
            Some(Topic::Guest(guest, name)) => {
                let its = devices.filter(|device| device.id().guest == guest);
                its.for_each(|device| device.rights_changed(name));
            }
            Some(Topic::State) => self.teller.try_again(),
        }
    }

    /// Lets everybody do what is due. Returns when that is to be done again.
    pub(super) fn drive(
        &mut self,
        store: &mut Store<'_>,
        hardware: &mut Hardware<'_, H, C>,
        now: Nanos,
    ) -> Option<Nanos> {
        let mut next = self.control.drive(store, now);
        next = earlier(next, self.settings.drive(store, now));
        while let Some(id) = self.scan.take_found() {
            if self.find(id).is_none() {
                self.add(id);
            }
        }
        next = earlier(next, self.scan.drive(store, now));
        let mut common = Common {
            ports: &self.ports,
            policy: self.settings.policy(),
            is_ending: self.ending.is_some(),
            writing: self.devices.iter().filter(|device| device.is_writing()).count(),
        };
        // Where there isn't room for everybody's request, everybody's turn comes.
        let turn = self.turn.min(self.devices.len());
        let (late, early) = self.devices.split_at_mut(turn);
        for device in early.iter_mut().chain(late) {
            next = earlier(next, device.drive(store, hardware, &mut common, now));
        }
        self.turn = turn.saturating_add(1).checked_rem(self.devices.len()).unwrap_or(0);
        next = earlier(next, self.forget_gone(now));
        next = earlier(next, self.tell(store, now));
        earlier(next, self.end(now))
    }

    /// A device was heard of that isn't served.
    fn add(&mut self, id: DeviceId) {
        if self.ending.is_some() {
            return;
        }
        if self.devices.len() < MAX_DEVICES {
            self.devices.push(Device::new(id));
        } else {
            if self.waiting != Some(id) {
                log::warn!("{id}: {MAX_DEVICES} devices are served already; it waits until one goes");
            }
            self.waiting = Some(id);
        }
    }

    /// Makes room where devices are gone.
    fn forget_gone(&mut self, now: Nanos) -> Option<Nanos> {
        let mut next = None;
        let mut place = 0usize;
        while let Some(device) = self.devices.get_mut(place) {
            if !device.is_gone() {
                place = place.saturating_add(1);
            } else if device.is_back() {
                *device = Device::new(device.id());
                next = Some(now);
            } else {
                self.devices.swap_remove(place);
                if self.waiting.take().is_some() {
                    self.scan.begin();
                    next = Some(now);
                }
            }
        }
        next
    }

    /// Tells people what is due. Devices take turns.
    fn tell(&mut self, store: &mut Store<'_>, now: Nanos) -> Option<Nanos> {
        let (late, early) = self.devices.split_at(self.turn.min(self.devices.len()));
        let ports = &self.ports;
        let next = self.teller.drive(store, now, || {
            let mut later = None;
            for device in early.iter().chain(late) {
                match device.news(ports, now) {
                    NewsDue::Now(news) => return Some(Ok((device.id(), news))),
                    NewsDue::At(at) => later = earlier(later, Some(at)),
                    NewsDue::Never => {}
                }
            }
            later.map(Err)
        });
        if let Some(device) = self.teller.telling().and_then(|id| self.find(id)) {
            device.is_being_told();
        }
        next
    }

    /// Tells which jacks something is plugged into, where that has changed.
    pub(super) fn tell_jacks(&mut self, card: &C) {
        self.teller.tell_jacks(|port| card.is_plugged(port));
    }

    /// Whether people are being told something.
    pub(super) fn is_telling(&self) -> bool {
        self.teller.is_telling()
    }

    /// Tells this once.
    pub(super) fn report(&mut self, report: core::fmt::Arguments<'_>) {
        self.teller.report(report);
    }

    /// Begins to close everything, unless that was begun before.
    pub(super) fn shut_down(&mut self, reason: ShutdownReason) {
        if self.ending.is_none() {
            log::info!("the domain ends: {reason:?}");
            self.ending = Some(Ending { reason, deadline: None, is_over: false });
        }
    }

    /// Whether all is closed, or has had its time, and why.
    pub(super) fn ended(&self) -> Option<ShutdownReason> {
        self.ending.filter(|ending| ending.is_over).map(|ending| ending.reason)
    }

    /// Whether all devices are closed, and their nodes say so.
    pub(super) fn all_closed(&self) -> bool {
        self.devices.iter().all(Device::is_closed)
    }

    /// Looks whether all is closed, if the domain is to end. Returns when that is to be looked at again.
    fn end(&mut self, now: Nanos) -> Option<Nanos> {
        let is_closed = !self.control.is_busy() && self.all_closed();
        let ending = self.ending.as_mut()?;
        let deadline = *ending.deadline.get_or_insert(Nanos(now.0.saturating_add(ENDING_NS)));
        ending.is_over |= is_closed || now >= deadline;
        (!ending.is_over).then_some(deadline)
    }

    fn find(&mut self, id: DeviceId) -> Option<&mut Device<H, C>> {
        self.devices.iter_mut().find(|device| device.id() == id)
    }
}
