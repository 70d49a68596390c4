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
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

extern crate alloc;

mod asking;
mod control;
mod device;
mod front_directory;
mod level;
mod names;
mod parties;
mod port_name;
mod scan;
mod settings;
mod state;
mod transport;

use audioback::card::Card;
use hyper::{Clock, DomainId, Hypervisor, Nanos};
use sndif::control_page::REFRESH_INTERVAL_NS;
use xen_guest::xenstore::Store;

pub use control::ShutdownReason;
pub use settings::Change;

use device::Hardware;
use parties::Parties;

/// Devices that are served at a time. Further ones wait until one goes.
pub const MAX_DEVICES: usize = 32;

/// Messages of xenstored's that are taken in by one call.
const EVENTS_PER_POLL: usize = 64;

/// What whoever calls [`Vsnd::poll`] has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Call again at this time at the latest. `None`: not before an event, on xenstore's channel or on a device's.
    pub next: Option<Nanos>,
    /// Send an event on xenstore's channel.
    pub notify_store: bool,
    /// An event on xenstore's channel needn't wake before `next`, which is near: what is awaited is that people were told something.
    pub store_may_wait: bool,
}

/// All vsnd devices of this domain, its settings and its state, over one connection to xenstored.
pub struct Vsnd<'s, H: Hypervisor, C: Card<H::Buffer>> {
    store: Store<'s>,
    hypervisor: H,
    card: C,
    parties: Parties<H, C>,
    /// That the connection is broken was said.
    is_broken: bool,
}

impl<'s, H: Hypervisor, C: Card<H::Buffer>> Vsnd<'s, H, C> {
    /// Takes all memory that it will ever need. Nothing is asked of xenstored yet.
    ///
    /// `domain` is this domain. `facts` are names of nodes below `snddom/state/` and their values, told once.
    pub fn new(store: Store<'s>, domain: DomainId, hypervisor: H, card: C, facts: &[(&str, &str)]) -> Self {
        let parties = Parties::new(domain, &card, facts);
        Self { store, hypervisor, card, parties, is_broken: false }
    }

    /// Does all that is due: devices' requests and positions first, then xenstore's answers and watches. Work is bounded;
    /// nothing is waited for but the hardware, where it is told to stop.
    pub fn poll(&mut self, clock: &dyn Clock) -> Due {
        let Self { store, hypervisor, card, parties, .. } = self;
        let now = clock.now();
        let mut hardware = Hardware { hypervisor, card };
        let mut next = parties.serve(&mut hardware, clock, now);
        let mut heard = 0usize;
        while heard < EVENTS_PER_POLL
            && let Some(event) = store.next(now)
        {
            parties.hear(event, now);
            heard = heard.saturating_add(1);
        }
        if heard == EVENTS_PER_POLL {
            next = earlier(next, Some(now));
        }
        next = earlier(next, parties.drive(store, &mut hardware, now));
        if let Some(settings) = parties.settings.take_card_settings() {
            hardware.card.configure(&settings);
        }
        next = earlier(next, store.deadline());
        if let Some(broken) = store.broken()
            && !self.is_broken
        {
            log::error!(
                "the connection to xenstored is broken: {broken:?}; streams go on, nothing else does"
            );
            self.is_broken = true;
        }
        let is_near = next.is_some_and(|next| next.0 <= now.0.saturating_add(REFRESH_INTERVAL_NS));
        Due {
            next,
            notify_store: self.store.take_notify(),
            store_may_wait: is_near && self.parties.is_telling(),
        }
    }

    /// A change of a setting that the image itself has to carry out. Ask until there is none.
    pub fn take_change(&mut self) -> Option<Change> {
        self.parties.settings.take_change()
    }

    /// Tells dom0 what it has asked for with [`Change::Report`], once, in `snddom/state/report`.
    pub fn report(&mut self, report: core::fmt::Arguments<'_>) {
        self.parties.report(report);
    }

    /// Something was plugged or unplugged: tells it in `snddom/state/port`.
    pub fn jacks_changed(&mut self) {
        self.parties.tell_jacks(&self.card);
    }

    /// Begins to stop all streams and to close all devices, at the next [`poll`](Self::poll). The toolstack's request, in
    /// `control/shutdown`, does so too. What was begun goes on.
    pub fn shut_down(&mut self, reason: ShutdownReason) {
        self.parties.shut_down(reason);
    }

    /// Whether the domain may end, and why: after [`shut_down`](Self::shut_down), once all devices are closed or two
    /// seconds have passed.
    pub fn ended(&self) -> Option<ShutdownReason> {
        self.parties.ended()
    }

    /// Whether all devices are closed, and their nodes say so. Not so at the end if the two seconds have passed.
    pub fn all_closed(&self) -> bool {
        self.parties.all_closed()
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
}

/// The earlier of two times; `None` is never.
fn earlier(one: Option<Nanos>, other: Option<Nanos>) -> Option<Nanos> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
