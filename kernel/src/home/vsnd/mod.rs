//! All vsnd devices of this domain on xenstore: the back end's side of what `xl` and the guests' front ends do there.
//!
//! ```text
//! backend/vsnd/G/N           watched: devices that come and go            scan.rs, device.rs
//! /local/domain/G/...        the guest's side, read once and judged       front_directory.rs, transport.rs
//! snddom/                    watched: what dom0 has set                   settings.rs
//! snddom/state/              told: what this domain does, for people      state.rs
//! control/shutdown           watched: the end                             control.rs
//! ```
//!
//! [`Vsnd::poll`] serves all streams first and then xenstore; it waits for nothing. Each device has one request under way
//! at most, so no device can keep xenstored from another. Everything is allocated by [`Vsnd::new`].
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod asking;
mod control;
mod device;
mod front_directory;
mod level;
mod names;
mod port_name;
mod scan;
mod settings;
mod state;
mod transport;

use alloc::boxed::Box;

use audioback::card::Card;
use audioback::clock::Nanos;
use audioback::hypervisor::{DomainId, Hypervisor};
use xen_guest::xenstore::{Event, Reply, RequestError, RequestId, Store};

pub use control::ShutdownReason;
pub use settings::Change;

use control::Control;
use device::{Common, Device, Hardware};
use names::{DeviceId, Place};
use port_name::Ports;
use scan::Scan;
use settings::{Settings, Topic};
use state::{NewsDue, Teller};

/// Devices that are served at a time. Further ones wait until one goes.
pub const MAX_DEVICES: usize = 32;

/// Messages of xenstored's that are taken in by one call.
const EVENTS_PER_POLL: usize = 64;

/// How long closing all devices may take when the domain is to end.
const ENDING_NS: u64 = 2_000_000_000;

/// What whoever calls [`Vsnd::poll`] has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Call again at this time at the latest. `None`: not before an event, on xenstore's channel or on a device's.
    pub next: Option<Nanos>,
    /// Send an event on xenstore's channel.
    pub notify_store: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ending {
    reason: ShutdownReason,
    /// When it is over at the latest; `None` until the first look at the clock.
    deadline: Option<Nanos>,
    is_over: bool,
}

/// All vsnd devices of this domain, its settings and its state, over one connection to xenstored.
pub struct Vsnd<'s, H: Hypervisor, C: Card<H::Buffer>> {
    store: Store<'s>,
    domain: DomainId,
    hypervisor: H,
    card: C,
    ports: Ports,
    devices: Box<[Option<Device<H, C>>]>,
    /// The device that has the first turn.
    turn: usize,
    scan: Scan,
    settings: Settings,
    control: Control,
    teller: Teller,
    /// A device found no place; the one that the log has named last.
    waiting: Option<DeviceId>,
    ending: Option<Ending>,
    is_store_broken: bool,
}

impl<'s, H: Hypervisor, C: Card<H::Buffer>> Vsnd<'s, H, C> {
    /// Takes all memory that it will ever need. Nothing is asked of xenstored yet.
    ///
    /// `domain` is this domain. `facts` are names of nodes below `snddom/state/` and their values, told once.
    pub fn new(store: Store<'s>, domain: DomainId, hypervisor: H, card: C, facts: &[(&str, &str)]) -> Self {
        let ports = Ports::new(card.ports());
        Self {
            store,
            domain,
            hypervisor,
            card,
            ports,
            devices: (0..MAX_DEVICES).map(|_| None).collect(),
            turn: 0,
            scan: Scan::new(),
            settings: Settings::new(),
            control: Control::new(),
            teller: Teller::new(facts),
            waiting: None,
            ending: None,
            is_store_broken: false,
        }
    }

    /// Does all that is due: devices' requests and positions first, then xenstore's answers and watches. Work is bounded;
    /// nothing is waited for but the hardware, where it is told to stop.
    pub fn poll(&mut self, now: Nanos) -> Due {
        let mut next = None;
        let mut hardware = Hardware { hypervisor: &mut self.hypervisor, card: &mut self.card };
        for device in self.devices.iter_mut().flatten() {
            next = earlier(next, device.serve(&mut hardware, now));
        }
        if self.hear(now) {
            next = earlier(next, Some(now));
        }
        next = earlier(next, self.drive(now));
        next = earlier(next, self.end(now));
        next = earlier(next, self.store.deadline());
        Due { next, notify_store: self.store.take_notify() }
    }

    /// A change of a setting that the image itself has to carry out. Ask until there is none.
    pub fn take_change(&mut self) -> Option<Change> {
        self.settings.take_change()
    }

    /// Begins to stop all streams and to close all devices, at the next [`poll`](Self::poll). The toolstack's request, in
    /// `control/shutdown`, does so too. What was begun goes on.
    pub fn shut_down(&mut self, reason: ShutdownReason) {
        if self.ending.is_none() {
            log::info!("the domain ends: {reason:?}");
            self.ending = Some(Ending { reason, deadline: None, is_over: false });
        }
    }

    /// Whether the domain may end, and why: after [`shut_down`](Self::shut_down), once all devices are closed or two
    /// seconds have passed.
    pub fn ended(&self) -> Option<ShutdownReason> {
        self.ending.filter(|ending| ending.is_over).map(|ending| ending.reason)
    }

    /// The hypervisor.
    pub fn hypervisor(&self) -> &H {
        &self.hypervisor
    }

    /// The hypervisor.
    pub fn hypervisor_mut(&mut self) -> &mut H {
        &mut self.hypervisor
    }

    /// The card.
    pub fn card_mut(&mut self) -> &mut C {
        &mut self.card
    }

    /// Takes in what xenstored has sent. Returns whether there may be more.
    fn hear(&mut self, now: Nanos) -> bool {
        // What was heard, apart from the message that it was heard by: that lies in the store.
        enum Heard {
            Shutdown(ShutdownReason),
            NewDevice(DeviceId),
            AllDevices,
            Nothing,
        }
        for _ in 0..EVENTS_PER_POLL {
            let Some(event) = self.store.next(now) else { return false };
            let heard = match event {
                Event::Reply { id, result } => {
                    let told = self.teller.hear(id, &result, now);
                    if let Some(told) = told {
                        if let Some((device, news)) = told
                            && let Some(device) = find(&mut self.devices, device)
                        {
                            device.told(news, now);
                        }
                        Heard::Nothing
                    } else if let Some(reason) = self.control.hear(id, &result, now) {
                        reason.map_or(Heard::Nothing, Heard::Shutdown)
                    } else {
                        let _ = self.scan.hear(id, &result, now)
                            || self.settings.hear(id, &result, &self.ports, now)
                            || hear_device(&mut self.devices, id, &result, &self.ports, now);
                        Heard::Nothing
                    }
                }
                Event::Watch { path, token } => match token {
                    scan::TOKEN => match Place::of(path, self.domain) {
                        None => Heard::Nothing,
                        Some(Place::All) => Heard::AllDevices,
                        // A device that comes is named itself.
                        Some(Place::Guest(guest)) => {
                            let devices = self.devices.iter_mut().flatten();
                            let its = devices.filter(|device| device.id().guest == guest);
                            its.for_each(|device| device.own_changed(None));
                            Heard::Nothing
                        }
                        Some(Place::Device(id, node)) => match find(&mut self.devices, id) {
                            Some(device) => {
                                device.own_changed(node);
                                Heard::Nothing
                            }
                            None => Heard::NewDevice(id),
                        },
                    },
                    settings::TOKEN => {
                        let devices = self.devices.iter_mut().flatten();
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
                        Heard::Nothing
                    }
                    control::TOKEN => {
                        self.control.changed();
                        Heard::Nothing
                    }
                    front => {
                        if let Some(id) = DeviceId::from_front_token(front)
                            && let Some(device) = find(&mut self.devices, id)
                        {
                            device.front_changed();
                        }
                        Heard::Nothing
                    }
                },
                Event::Dropped(oddity) => {
                    log::debug!("xenstore: a message was dropped: {oddity:?}");
                    Heard::Nothing
                }
                _ => Heard::Nothing,
            };
            match heard {
                Heard::Shutdown(reason) => self.shut_down(reason),
                Heard::NewDevice(id) => self.add(id),
                Heard::AllDevices => {
                    self.devices.iter_mut().flatten().for_each(|device| device.own_changed(None));
                    self.scan.begin();
                }
                Heard::Nothing => {}
            }
        }
        true
    }

    /// A device was heard of that isn't served.
    fn add(&mut self, id: DeviceId) {
        if self.ending.is_some() {
            return;
        }
        if let Some(place) = self.devices.iter_mut().find(|place| place.is_none()) {
            *place = Some(Device::new(id));
        } else {
            if self.waiting != Some(id) {
                log::warn!("{id}: {MAX_DEVICES} devices are served already; it waits until one goes");
            }
            self.waiting = Some(id);
        }
    }

    /// Lets everybody do what is due. Returns when that is to be done again.
    fn drive(&mut self, now: Nanos) -> Option<Nanos> {
        let mut next = self.control.drive(&mut self.store, now);
        next = earlier(next, self.settings.drive(&mut self.store, now));
        while let Some(id) = self.scan.take_found() {
            if find(&mut self.devices, id).is_none() {
                self.add(id);
            }
        }
        next = earlier(next, self.scan.drive(&mut self.store, now));
        let common =
            Common { ports: &self.ports, policy: self.settings.policy(), is_ending: self.ending.is_some() };
        let mut hardware = Hardware { hypervisor: &mut self.hypervisor, card: &mut self.card };
        // Where there isn't room for everybody's request, everybody's turn comes.
        let (late, early) = self.devices.split_at_mut(self.turn.min(MAX_DEVICES));
        for device in early.iter_mut().chain(late).flatten() {
            next = earlier(next, device.drive(&mut self.store, &mut hardware, &common, now));
        }
        self.turn = self.turn.saturating_add(1).checked_rem(MAX_DEVICES).unwrap_or(0);
        next = earlier(next, self.forget_gone(now));
        earlier(next, self.tell(now))
    }

    /// Makes room where devices are gone.
    fn forget_gone(&mut self, now: Nanos) -> Option<Nanos> {
        let mut next = None;
        for place in &mut self.devices {
            let Some(device) = place.as_ref().filter(|device| device.is_gone()) else { continue };
            let id = device.id();
            *place = device.is_back().then(|| Device::new(id));
            if place.is_some() {
                next = Some(now);
            } else if self.waiting.take().is_some() {
                self.scan.begin();
                next = Some(now);
            }
        }
        next
    }

    /// Tells people what is due. Devices take turns.
    fn tell(&mut self, now: Nanos) -> Option<Nanos> {
        let (late, early) = self.devices.split_at(self.turn.min(MAX_DEVICES));
        let ports = &self.ports;
        let next = self.teller.drive(&mut self.store, now, || {
            let mut later = None;
            for device in early.iter().chain(late).flatten() {
                match device.news(ports, now) {
                    NewsDue::Now(news) => return Some(Ok((device.id(), news))),
                    NewsDue::At(at) => later = earlier(later, Some(at)),
                    NewsDue::Never => {}
                }
            }
            later.map(Err)
        });
        if let Some(device) = self.teller.telling().and_then(|id| find(&mut self.devices, id)) {
            device.is_being_told();
        }
        next
    }

    /// Looks whether all is closed, if the domain is to end. Returns when that is to be looked at again.
    fn end(&mut self, now: Nanos) -> Option<Nanos> {
        if let Some(broken) = self.store.broken()
            && !self.is_store_broken
        {
            log::error!(
                "the connection to xenstored is broken: {broken:?}; streams go on, nothing else does"
            );
            self.is_store_broken = true;
        }
        let ending = self.ending.as_mut()?;
        let deadline = *ending.deadline.get_or_insert(Nanos(now.0.saturating_add(ENDING_NS)));
        let is_closed = !self.control.is_busy() && self.devices.iter().flatten().all(Device::is_closed);
        ending.is_over |= is_closed || now >= deadline;
        (!ending.is_over).then_some(deadline)
    }
}

fn find<H: Hypervisor, C: Card<H::Buffer>>(
    devices: &mut [Option<Device<H, C>>],
    id: DeviceId,
) -> Option<&mut Device<H, C>> {
    devices.iter_mut().flatten().find(|device| device.id() == id)
}

fn hear_device<H: Hypervisor, C: Card<H::Buffer>>(
    devices: &mut [Option<Device<H, C>>],
    id: RequestId,
    result: &Result<Reply<'_>, RequestError>,
    ports: &Ports,
    now: Nanos,
) -> bool {
    devices.iter_mut().flatten().any(|device| device.hear(id, result, ports, now))
}

/// The earlier of two times; `None` is never.
fn earlier(one: Option<Nanos>, other: Option<Nanos>) -> Option<Nanos> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
