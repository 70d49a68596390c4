//! All parts of this domain that use xenstore: dispatches messages to them, and gives each its turn
//! to ask.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use audioback::card::{Card, PortIndex, PortState};
use audioback::turn_work::TurnWork;
use hyper::{Clock, DomainId, Hypervisor, Nanos};

use crate::connection::{Connection, Message};
use crate::device::{Common, Device, Hardware};
use crate::device_scan::{self, DeviceScan};
use crate::device_table::{DeviceTable, MAX_DEVICES};
use crate::due::{after, earlier};
use crate::guests::Guests;
use crate::jacks::Jacks;
use crate::paths::{DeviceId, Place};
use crate::port_uses::PortUses;
use crate::ports::Ports;
use crate::requester::{DeviceKey, Requester};
use crate::settings::{self, Settings, Topic};
use crate::shutdown::{self, ShutdownReason, ShutdownRequests};
use crate::status::{DeviceStatus, Ready};
use crate::status_publisher::StatusPublisher;
use crate::usage::Usage;
use crate::waiting::Waiting;

/// Time for closing all devices when the domain ends.
const ENDING_NS: u64 = 2_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Ending {
    reason: ShutdownReason,
    /// The latest end; `None` until the first look at the clock.
    deadline: Option<Nanos>,
    is_over: bool,
}

/// All parts of this domain that use xenstore.
pub(crate) struct XenstoreClients<H: Hypervisor, C: Card<H::Buffer>> {
    domain: DomainId,
    pub(crate) ports: Ports,
    devices: DeviceTable<Device<H, C>>,
    scan: DeviceScan,
    pub(crate) settings: Settings,
    guests: Guests,
    shutdown: ShutdownRequests,
    publisher: StatusPublisher,
    /// Something has happened since the last call of [`drive`](Self::drive).
    is_touched: bool,
    /// The time at which `drive` is due all the same.
    due: Option<Nanos>,
    waiting: Waiting,
    ending: Option<Ending>,
}

impl<H: Hypervisor, C: Card<H::Buffer>> XenstoreClients<H, C> {
    pub(crate) fn new(domain: DomainId, card: &C, info: Vec<(String, String)>) -> Self {
        let ports = Ports::new(card);
        Self {
            domain,
            publisher: StatusPublisher::new(info, Jacks::new(&ports, card), PortUses::new(ports.named())),
            ports,
            devices: DeviceTable::new(),
            scan: DeviceScan::new(),
            settings: Settings::new(),
            guests: Guests::new(),
            shutdown: ShutdownRequests::new(),
            is_touched: true,
            due: None,
            waiting: Waiting::default(),
            ending: None,
        }
    }

    /// Handles a change of plugs in the card's jacks.
    pub(crate) fn on_plugs_change(&mut self, card: &C) {
        self.is_touched = true;
        self.publisher.jacks.update(card);
    }

    /// Takes a report, to be published once, before all else.
    pub(crate) fn report(&mut self, report: Arguments<'_>) {
        self.is_touched = true;
        self.publisher.report(report);
    }

    /// Whether the status is being published.
    pub(crate) fn is_publishing(&self) -> bool {
        self.publisher.is_publishing()
    }

    /// Serves all devices' streams. Returns the time at which to call again.
    pub(crate) fn serve(
        &mut self,
        hardware: &mut Hardware<'_, H, C>,
        clock: &dyn Clock,
        now: Nanos,
    ) -> Option<Nanos> {
        let mut next = None;
        let mut work = TurnWork::new();
        let mut worked = None;
        for turn in 0..MAX_DEVICES {
            let Some(key) = self.devices.heavy_key_at(turn) else { continue };
            let Some(device) = self.devices.get_mut(key) else { continue };
            let (due, has_changed) = device.serve(hardware, (clock, now), &mut work);
            let (guest, awaited) = (device.id().guest, device.take_awaited_port());
            next = earlier(next, due);
            if work.is_used_up() {
                worked = worked.or(Some(key));
            }
            if has_changed {
                self.is_touched = true;
                share_out(&mut self.devices, guest);
            }
            if let Some(port) = awaited {
                self.give_way(hardware, port, guest, now);
            }
        }
        if let Some(key) = worked {
            self.devices.pass_heavy_turn_after(key);
        }
        next
    }

    /// Has other guests' idle streams leave a port for which a guest waits, unless streams share it.
    fn give_way(&mut self, hardware: &mut Hardware<'_, H, C>, port: PortIndex, to: DomainId, now: Nanos) {
        let is_monitor = hardware.card.ports().get(usize::from(port.0)).is_some_and(|port| port.is_monitor);
        // Without a mixer all streams are direct.
        let is_direct = hardware.card.port_state(port).is_none_or(|state| state == PortState::Direct);
        if is_monitor || !is_direct {
            return;
        }
        for device in self.devices.iter_mut() {
            device.give_way(hardware, port, to, now);
        }
    }

    /// Dispatches a message: a reply to the part that asked, a watch's event to the parts that it
    /// is about.
    pub(crate) fn on_message(&mut self, message: Message<'_>, now: Nanos) {
        self.is_touched = true;
        match message {
            Message::Reply { requester, id, result } => match requester {
                Requester::StatusPublisher => {
                    if let Some((key, status)) = self.publisher.on_reply(result, now)
                        && let Some(device) = self.devices.get_mut(key)
                    {
                        device.on_published(status, now);
                    }
                }
                Requester::Shutdown => {
                    if let Some(reason) = self.shutdown.on_reply(result, now) {
                        self.shut_down(reason);
                    }
                }
                Requester::DeviceScan => self.scan.on_reply(result, now),
                Requester::Guests => self.guests.on_reply(result, &self.ports, now),
                Requester::Settings => self.settings.on_reply(result, &self.ports, now),
                Requester::Device(key) => {
                    if let Some(device) = self.devices.get_mut(key) {
                        device.on_reply(id, result, &self.ports, now);
                    }
                }
            },
            Message::Watch { path, token: device_scan::TOKEN } => self.on_devices_change(path),
            Message::Watch { path, token: settings::TOKEN } => self.on_settings_change(path),
            Message::Watch { token: shutdown::TOKEN, .. } => self.shutdown.on_change(),
            Message::Watch { token, .. } => match DeviceId::from_front_token(token) {
                Some(id) => {
                    if let Some(device) = self.find(id) {
                        device.on_front_change();
                    }
                }
                None => self.guests.on_watch(token),
            },
            Message::Dropped => {}
        }
    }

    fn on_devices_change(&mut self, path: &str) {
        match Place::of(path, self.domain) {
            None => {}
            Some(Place::All) => {
                self.devices.iter_mut().for_each(|device| device.on_own_change(None));
                self.begin_scan();
            }
            // A new device has an event of its own.
            Some(Place::Guest(guest)) => {
                let its = self.devices.iter_mut().filter(|device| device.id().guest == guest);
                its.for_each(|device| device.on_own_change(None));
            }
            Some(Place::Device(id, node)) => match self.find(id) {
                Some(device) => device.on_own_change(node),
                None => self.add(id),
            },
        }
    }

    fn on_settings_change(&mut self, path: &str) {
        match Topic::of(path, self.domain) {
            None => {}
            Some(Topic::Everything) => {
                self.guests.on_change();
                self.settings.on_change(None);
                self.publisher.try_again();
            }
            Some(Topic::Setting(name)) => self.settings.on_change(Some(name)),
            Some(Topic::Port(port, name)) => self.settings.on_port_change(port, name, &self.ports),
            Some(Topic::Guests) => self.guests.on_change(),
            Some(Topic::Guest(name, node)) => self.guests.on_directory_change(name, node),
            Some(Topic::Status) => self.publisher.try_again(),
        }
    }

    /// Lets each part do what is due, if something has happened or it is time. Returns the time at which to call again.
    ///
    /// A turn in which only sound was served leaves all of it out.
    pub(crate) fn drive_if_due(
        &mut self,
        connection: &mut Connection<'_>,
        hardware: &mut Hardware<'_, H, C>,
        now: Nanos,
    ) -> Option<Nanos> {
        if core::mem::take(&mut self.is_touched) || self.due.is_some_and(|due| due <= now) {
            if let Some(settings) = self.settings.take_card_settings() {
                hardware.card.configure(&settings);
                self.ports.update(hardware.card);
            }
            while let Some((port, number)) = self.settings.take_peak_request() {
                let is_measured = hardware.card.measure_peaks(port);
                self.publisher.uses.on_peak_request(port, number, is_measured, now);
            }
            self.publisher.uses.take_peaks(|port| hardware.card.take_peaks(port), now);
            self.due = self.drive(connection, hardware, now);
        }
        self.due
    }

    fn drive(
        &mut self,
        connection: &mut Connection<'_>,
        hardware: &mut Hardware<'_, H, C>,
        now: Nanos,
    ) -> Option<Nanos> {
        let mut next = self.shutdown.drive(connection, now);
        next = earlier(next, self.settings.drive(connection, now));
        let Self { devices, guests, .. } = self;
        if self.waiting.take_relieved(|guest| may_have_more(devices, guests, guest).is_ok()) {
            self.begin_scan();
        }
        while let Some(id) = self.scan.take_found() {
            if self.find(id).is_none() {
                self.add(id);
            }
        }
        if self.scan.take_end() {
            self.waiting.on_list_ends();
        }
        next = earlier(next, self.scan.drive(connection, now));
        let guests = || self.devices.iter().map(|(_, device)| device.id().guest);
        self.guests.update(|guest| guests().any(|present| present == guest), guests());
        next = earlier(next, self.guests.drive(connection, now));
        let mut common = Common {
            ports: &self.ports,
            policy: self.settings.policy(),
            guests: &self.guests,
            is_ending: self.ending.is_some(),
            writing: self.devices.iter().filter(|(_, device)| device.is_writing()).count(),
        };
        for turn in 0..MAX_DEVICES {
            let Some(key) = self.devices.key_at(turn) else { continue };
            let Some(guest) = self.devices.get_mut(key).map(|device| device.id().guest) else { continue };
            share_out(&mut self.devices, guest);
            let Some(device) = self.devices.get_mut(key) else { continue };
            next = earlier(next, device.drive(connection, hardware, &mut common, now));
        }
        // If xenstored has no room for all requests, each device has its turn.
        self.devices.pass_turn();
        next = earlier(next, self.forget_gone(now));
        next = earlier(next, self.publish(connection, hardware.card, now));
        earlier(next, self.end(now))
    }

    /// Reads the list of all devices from its begin.
    fn begin_scan(&mut self) {
        self.scan.begin();
        self.waiting.on_list_begins();
    }

    /// Serves a device that was reported, if there is room.
    fn add(&mut self, id: DeviceId) {
        self.guests.on_devices_change();
        if self.ending.is_some() {
            return;
        }
        if let Err(limit) = may_have_more(&self.devices, &self.guests, id.guest) {
            self.waiting.on_over_limit(id, limit);
        } else if self.devices.insert(|key| Device::new(id, key)) {
            self.waiting.on_place(id);
        } else {
            self.waiting.on_no_place(id);
        }
    }

    /// Makes room by forgetting devices that have gone.
    fn forget_gone(&mut self, now: Nanos) -> Option<Nanos> {
        let mut next = None;
        let gone = |device: &Device<H, C>| device.is_gone().then(|| (device.id(), device.is_back()));
        while let Some((id, is_back)) = self.devices.remove_first(gone) {
            self.guests.on_devices_change();
            next = Some(now);
            if is_back {
                // A fresh one in the room just made: of the old one nothing may be left.
                self.devices.insert(|key| Device::new(id, key));
            } else if self.waiting.take_without_place() {
                self.begin_scan();
            }
        }
        next
    }

    /// Publishes the status that is due. Devices take turns.
    fn publish(&mut self, connection: &mut Connection<'_>, card: &C, now: Nanos) -> Option<Nanos> {
        let Self { devices, ports, publisher, .. } = self;
        publisher.uses.update(
            devices.iter().flat_map(|(_, device)| device.uses()),
            |port| card.port_state(port),
            now,
        );
        publisher.guests.update(devices.iter().map(|(_, device)| (device.id().guest, device.guest_use())));
        let next = publisher.drive(connection, now, || next_status(devices, ports, now));
        if let Some(device) = publisher.device().and_then(|key| devices.get_mut(key)) {
            device.on_publishing();
        }
        next
    }

    /// Begins to close all devices, unless that has begun.
    pub(crate) fn shut_down(&mut self, reason: ShutdownReason) {
        if self.ending.is_none() {
            log::info!("the domain ends: {reason:?}");
            self.is_touched = true;
            self.ending = Some(Ending { reason, deadline: None, is_over: false });
        }
    }

    /// The reason for the end, once all devices are closed or the time for it is over.
    pub(crate) fn ended(&self) -> Option<ShutdownReason> {
        self.ending.filter(|ending| ending.is_over).map(|ending| ending.reason)
    }

    /// Whether all devices are closed, and their nodes say so.
    pub(crate) fn all_closed(&self) -> bool {
        self.devices.iter().all(|(_, device)| device.is_closed())
    }

    /// Judges whether the end is over, if the domain ends. Returns the time at which to call again.
    pub(crate) fn end(&mut self, now: Nanos) -> Option<Nanos> {
        let is_closed = !self.shutdown.is_busy() && self.all_closed();
        let ending = self.ending.as_mut()?;
        let deadline = *ending.deadline.get_or_insert(after(now, ENDING_NS));
        ending.is_over |= is_closed || now >= deadline;
        (!ending.is_over).then_some(deadline)
    }

    fn find(&mut self, id: DeviceId) -> Option<&mut Device<H, C>> {
        self.devices.iter_mut().find(|device| device.id() == id)
    }
}

/// The next status of any device that is to be published.
fn next_status<H: Hypervisor, C: Card<H::Buffer>>(
    devices: &DeviceTable<Device<H, C>>,
    ports: &Ports,
    now: Nanos,
) -> Ready<(DeviceKey, DeviceId, DeviceStatus)> {
    let mut next = None;
    for (key, device) in devices.iter() {
        match device.next_status(ports, now) {
            Ok(status) => return Ok((key, device.id(), status)),
            Err(later) => next = earlier(next, later),
        }
    }
    Err(next)
}

/// Tells a guest's devices what they may hold, as far as each leaves it to the others.
fn share_out<H: Hypervisor, C: Card<H::Buffer>>(devices: &mut DeviceTable<Device<H, C>>, guest: DomainId) {
    let its = devices.iter().filter(|(_, device)| device.id().guest == guest);
    let all = its.fold(Usage::default(), |sum, (_, device)| sum.plus(device.usage()));
    for device in devices.iter_mut().filter(|device| device.id().guest == guest) {
        device.set_others(all.minus(device.usage()));
    }
}

/// Whether a guest may have one more device than it has.
///
/// # Errors
/// If not, with its limit. Before that is known, it's the default.
fn may_have_more<H: Hypervisor, C: Card<H::Buffer>>(
    devices: &DeviceTable<Device<H, C>>,
    guests: &Guests,
    guest: DomainId,
) -> Result<(), u32> {
    let limit = guests.limits(guest).unwrap_or_default().devices;
    let count = devices.iter().filter(|(_, device)| device.id().guest == guest).count();
    if count < limit as usize { Ok(()) } else { Err(limit) }
}
