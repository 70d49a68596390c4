//! Event channels (event_channel.h): the arguments of `HYPERVISOR_event_channel_op`, and the two-level ABI.

/// `EVTCHNOP_bind_interdomain`: see [`BindInterdomain`].
pub const BIND_INTERDOMAIN: u32 = 0;
/// `EVTCHNOP_bind_virq`: see [`BindVirq`].
pub const BIND_VIRQ: u32 = 1;
/// `EVTCHNOP_bind_pirq`: see [`BindPirq`].
pub const BIND_PIRQ: u32 = 2;
/// `EVTCHNOP_close`: see [`PortArgument`].
pub const CLOSE: u32 = 3;
/// `EVTCHNOP_send`: see [`PortArgument`].
pub const SEND: u32 = 4;
/// `EVTCHNOP_status`: see [`Status`].
pub const STATUS: u32 = 5;

/// `struct evtchn_bind_interdomain`: binds a new local port to a port that another domain opened for this one.
///
/// The local port is pending at once, because the peer may have sent an event before.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct BindInterdomain {
    /// In.
    pub remote_dom: u16,
    /// In.
    pub remote_port: u32,
    /// Out.
    pub local_port: u32,
}
assert_layout!(BindInterdomain, size 12, remote_port at 4, local_port at 8);

/// `struct evtchn_bind_virq`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct BindVirq {
    /// In: xen.h, `VIRQ_*`.
    pub virq: u32,
    /// In.
    pub vcpu: u32,
    /// Out.
    pub port: u32,
}
assert_layout!(BindVirq, size 12, vcpu at 4, port at 8);

/// `struct evtchn_bind_pirq`: binds a new port to a physical interrupt.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct BindPirq {
    /// In.
    pub pirq: u32,
    /// In: `BIND_PIRQ__*`, 0 for an interrupt that isn't shared.
    pub flags: u32,
    /// Out.
    pub port: u32,
}
assert_layout!(BindPirq, size 12, flags at 4, port at 8);

/// `struct evtchn_close` and `evtchn_send`, which are alike.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct PortArgument {
    /// In.
    pub port: u32,
}
assert_layout!(PortArgument, size 4);

/// `struct evtchn_status`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Status {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub dom: u16,
    /// In.
    pub port: u32,
    /// Out: `EVTCHNSTAT_*`.
    pub status: u32,
    /// Out: the virtual processor that gets the upcalls.
    pub vcpu: u32,
    /// Out, first word of `u`: the peer's domain in the low 16 bits for [`STATUS_UNBOUND`].
    pub peer: u32,
    /// Out, second word of `u`: the peer's port of a bound channel.
    pub peer_port: u32,
}
assert_layout!(Status, size 24, port at 4, status at 8, vcpu at 12, peer at 16, peer_port at 20);

/// `EVTCHNSTAT_unbound`: waits to be bound.
pub const STATUS_UNBOUND: u32 = 1;

/// `VIRQ_TIMER` (xen.h): the one-shot timer of the virtual processor has expired.
pub const VIRQ_TIMER: u32 = 0;
