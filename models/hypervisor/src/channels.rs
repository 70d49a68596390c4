//! Event channels: pairs of ports, each with a pending bit. Port numbers are unique over all domains, so that a mix-up of
//! domains does not go unnoticed.

use alloc::vec::Vec;

use hyper::{BindError, DomainId, RemotePort};

#[derive(Clone, Copy, Debug)]
struct Port {
    owner: DomainId,
    state: PortState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortState {
    Closed,
    /// This domain may bind it.
    Unbound(DomainId),
    /// Bound to this port.
    Bound(u32),
}

/// The port belongs to another domain.
pub(crate) struct NotYours;

#[derive(Debug)]
pub(crate) struct Channels {
    ports: Vec<Port>,
    /// Ports with an event, in the order of their owners and numbers. There is room for all ports.
    pending: Vec<(DomainId, u32)>,
}

impl Channels {
    pub(crate) fn new(ports: usize) -> Self {
        let closed = Port { owner: DomainId(0), state: PortState::Closed };
        Self { ports: alloc::vec![closed; ports], pending: Vec::with_capacity(ports) }
    }

    /// Makes a port that `remote` may bind.
    pub(crate) fn open(&mut self, owner: DomainId, remote: DomainId) -> Option<u32> {
        self.take(Port { owner, state: PortState::Unbound(remote) })
    }

    /// Binds a port of `remote`. The new port is pending at once, as on Xen (`EVTCHNOP_bind_interdomain`), because an event may
    /// have been sent before.
    pub(crate) fn bind(
        &mut self,
        owner: DomainId,
        remote: DomainId,
        remote_port: u32,
    ) -> Result<u32, BindError> {
        let not_offered = BindError::NotOffered(RemotePort(remote_port));
        let peer = self.port(remote_port).ok_or(not_offered)?;
        if peer.owner != remote || peer.state != PortState::Unbound(owner) {
            return Err(not_offered);
        }
        let new = Port { owner, state: PortState::Bound(remote_port) };
        let number = self.take(new).ok_or(BindError::NoRoom)?;
        self.set_pending(owner, number);
        self.port(remote_port).ok_or(not_offered)?.state = PortState::Bound(number);
        Ok(number)
    }

    /// Closes a port. The other end becomes unbound.
    pub(crate) fn close(&mut self, owner: DomainId, number: u32) -> Result<(), NotYours> {
        let port = self.port(number).filter(|port| port.owner == owner).ok_or(NotYours)?;
        let state = port.state;
        if state == PortState::Closed {
            return Err(NotYours);
        }
        port.state = PortState::Closed;
        self.pending.retain(|pending| *pending != (owner, number));
        if let PortState::Bound(peer) = state
            && let Some(peer) = self.port(peer)
        {
            peer.state = PortState::Unbound(owner);
        }
        Ok(())
    }

    /// Whether the other end was closed.
    pub(crate) fn is_abandoned(&mut self, owner: DomainId, number: u32) -> bool {
        self.port(number)
            .is_some_and(|port| port.owner == owner && matches!(port.state, PortState::Unbound(_)))
    }

    /// Sets the other end's pending bit. An event to an unbound port is lost.
    pub(crate) fn notify(&mut self, owner: DomainId, number: u32) -> Result<(), NotYours> {
        let port = self.port(number).filter(|port| port.owner == owner).ok_or(NotYours)?;
        match port.state {
            PortState::Closed => return Err(NotYours),
            PortState::Unbound(_) => {}
            PortState::Bound(peer) => {
                if let Some(owner) = self.port(peer).map(|port| port.owner) {
                    self.set_pending(owner, peer);
                }
            }
        }
        Ok(())
    }

    /// Takes one of the domain's pending bits.
    pub(crate) fn take_pending(&mut self, owner: DomainId) -> Option<u32> {
        let first = self.first_of(owner)?;
        Some(self.pending.remove(first).1)
    }

    pub(crate) fn has_pending(&self, owner: DomainId) -> bool {
        self.first_of(owner).is_some()
    }

    fn set_pending(&mut self, owner: DomainId, number: u32) {
        if let Err(place) = self.pending.binary_search(&(owner, number)) {
            self.pending.insert(place, (owner, number));
        }
    }

    /// The place of a domain's first port with an event.
    fn first_of(&self, owner: DomainId) -> Option<usize> {
        let place = self.pending.partition_point(|(other, _)| *other < owner);
        self.pending.get(place).filter(|(other, _)| *other == owner).map(|_| place)
    }

    fn take(&mut self, new: Port) -> Option<u32> {
        let (port, number) =
            self.ports.iter_mut().zip(1..).find(|(port, _)| port.state == PortState::Closed)?;
        *port = new;
        Some(number)
    }

    fn port(&mut self, number: u32) -> Option<&mut Port> {
        self.ports.get_mut((number as usize).checked_sub(1)?)
    }
}
