//! Xen's vsnd devices on xenstore, at the driver domain's side.
//!
//! Devices come and go, settings change, status is published. The toolstack (`xl`) and the guests' front ends are at the other side.
//!
//! ```text
//! backend/vsnd/G/N           watched: devices that come and go            device_scan.rs, device.rs
//! /local/domain/G/...        the guest's side, read once and judged       card_config.rs, transport.rs
//! snddom/                    watched: settings and rights                 settings.rs
//! snddom/guest/              watched: settings of guests                  guests.rs
//! /local/domain/G/name, vm   watched: a guest's name and UUID             guests.rs
//! snddom/port/               watched: settings of ports, requests        port_settings.rs, trim_settings.rs
//! snddom/state/              published: status, for people                status.rs, status_publisher.rs
//! snddom/state/port/         published: the use of ports, and peaks       port_uses.rs, peak_request.rs
//! snddom/state/guest/        published: what guests hold of their limits  guest_uses.rs, usage.rs
//! control/shutdown           watched: the domain's end                    shutdown.rs
//! ```
//!
//! [`Vsnd::poll`] serves the card and all streams first. Then comes xenstore, if a message has come from it, if a
//! device or a stream is in another state, or if it is time. It never waits for xenstored. Each part has one request under way at most, so none can keep xenstored from another.
//! [`Vsnd::new`] allocates all memory.
//!
//! # Where things are decided
//! - *The receiver of a reply*: `connection.rs` knows each request's requester;
//!   `xenstore_clients.rs` dispatches the reply.
//! - *A device's life*: `Device::next` in `device.rs` decides the next action. The states of the
//!   handshake are those of [`xen_guest::xenbus::BackEnd`]; streams and rings belong to
//!   [`audioback::device`].
//! - *A right*: `settings.rs` reads the default for all guests, `guests.rs` a guest's own, by domain
//!   id, UUID and name; `ports.rs` parses them. `Device::apply_rights` puts them in force. [`audioback::rights`] checks
//!   them when a stream is opened.
//! - *dom0's volume*: `trim_settings.rs` parses it. `guest_trims.rs` has a guest's, which its devices put in force;
//!   `port_settings.rs` has a port's, which is a setting of the card.
//! - *What a guest may hold*: `limit_settings.rs` has the limits with their defaults, and parses them. `guest_limits.rs`
//!   has a guest's, `device/limits.rs` puts them in force. [`audioback::resources`] are checked when a stream is opened and
//!   when a device connects; devices and streams are counted before a device is set up.
//! - *A stream's port*: `card_config.rs` reads the guest's wish, `ports.rs` resolves it.
//! - *A stream's offers*: `card_config.rs` takes them from the card's ports when the device is set up,
//!   and again when it opens again. The card changes its ports as `port_settings.rs` says.
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

mod bounded;
mod card_config;
mod connection;
mod device;
mod device_scan;
mod device_table;
mod due;
mod excerpt;
mod guest_directory;
mod guest_limits;
mod guest_rights;
mod guest_set;
mod guest_trims;
mod guest_uses;
mod guests;
mod jacks;
mod limit_settings;
mod paths;
mod peak_request;
mod port_name;
mod port_settings;
mod port_use;
mod port_uses;
mod ports;
mod request_slot;
mod requester;
mod revival;
mod settings;
mod shutdown;
mod status;
mod status_publisher;
mod stream_settings;
mod stream_use;
mod transport;
mod trim_settings;
mod usage;
mod waiting;
mod watch;
mod xenstore_clients;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Arguments;

use audioback::card::Card;
use hyper::{Clock, DomainId, Hypervisor};
use sndif::control_page::REFRESH_INTERVAL_NS;
use xen_guest::xenstore::Store;

pub use device_table::MAX_DEVICES;
pub use due::Due;
pub use settings::Change;
pub use shutdown::ShutdownReason;

use connection::Connection;
use device::Hardware;
use due::{after, earlier};
use revival::Revival;
use xenstore_clients::XenstoreClients;

/// Messages from xenstored that one call handles.
const MESSAGES_PER_POLL: usize = 64;

/// All vsnd devices of this domain, its settings and its status, over one connection to xenstored.
pub struct Vsnd<'s, H: Hypervisor, C: Card<H::Buffer>> {
    connection: Connection<'s>,
    hypervisor: H,
    card: C,
    revival: Revival,
    clients: XenstoreClients<H, C>,
}

impl<'s, H: Hypervisor, C: Card<H::Buffer>> Vsnd<'s, H, C> {
    /// Allocates all memory. It sends nothing to xenstored yet.
    ///
    /// `domain` is this domain. `info` are names of nodes below `snddom/state/` with their values,
    /// published once.
    pub fn new(
        store: Store<'s>,
        domain: DomainId,
        hypervisor: H,
        card: C,
        info: Vec<(String, String)>,
    ) -> Self {
        let clients = XenstoreClients::new(domain, &card, info);
        Self { connection: Connection::new(store), hypervisor, card, revival: Revival::new(), clients }
    }

    /// Does all that is due, in bounded work.
    ///
    /// The card's events come first, then the streams, then xenstore's messages.
    ///
    /// `is_interrupted`: the card's interrupt has come since the last call, or it has none. Only a
    /// card that is told to stop is waited for.
    pub fn poll(&mut self, clock: &dyn Clock, is_interrupted: bool) -> Due {
        let Self { connection, hypervisor, card, revival, clients } = self;
        // Before the streams: a request of one that wakes the domain finds the card up.
        revival.attend(card, clock);
        let now = clock.now();
        if card.poll(now, is_interrupted) {
            clients.on_plugs_change(card);
        }
        let mut hardware = Hardware { hypervisor, card };
        let mut next = clients.serve(&mut hardware, clock, now);
        let mut messages = 0usize;
        while messages < MESSAGES_PER_POLL
            && let Some(message) = connection.next(now)
        {
            clients.on_message(message, now);
            messages = messages.saturating_add(1);
        }
        if messages == MESSAGES_PER_POLL {
            next = earlier(next, Some(now));
        }
        next = earlier(next, clients.drive_if_due(connection, &mut hardware, now));
        next = earlier(next, connection.deadline());
        // A request of this turn may have started a stream.
        next = earlier(next, hardware.card.next_due());
        if connection.is_broken() {
            connection.log_break();
            clients.shut_down(ShutdownReason::Deaf);
            next = earlier(next, clients.end(now));
        }
        let is_near = next.is_some_and(|next| next <= after(now, REFRESH_INTERVAL_NS));
        Due {
            next,
            notify_store: connection.take_notify(),
            store_may_wait: is_near && clients.is_publishing(),
        }
    }

    /// The hypervisor, for the caller that takes its events.
    pub fn hypervisor_mut(&mut self) -> &mut H {
        &mut self.hypervisor
    }

    /// The next change of a setting that the caller has to carry out. Ask until there is none.
    pub fn take_change(&mut self) -> Option<Change> {
        self.clients.settings.take_change()
    }

    /// Publishes the report for a [`Change::Report`] once, in `snddom/state/report`.
    pub fn report(&mut self, report: Arguments<'_>) {
        self.clients.report(report);
    }

    /// Stops all streams and closes all devices, from the next [`poll`](Self::poll) on.
    ///
    /// The toolstack's request in `control/shutdown` has the same effect. A shutdown that has begun
    /// continues.
    pub fn shut_down(&mut self, reason: ShutdownReason) {
        self.clients.shut_down(reason);
    }

    /// The reason for the domain's end, once it may end.
    ///
    /// It may when all devices are closed, or two seconds after the shutdown began.
    pub fn ended(&self) -> Option<ShutdownReason> {
        self.clients.ended()
    }

    /// Whether all devices are closed, and their nodes say so.
    ///
    /// At the end this is false if the two seconds have passed.
    pub fn all_closed(&self) -> bool {
        self.clients.all_closed()
    }
}
