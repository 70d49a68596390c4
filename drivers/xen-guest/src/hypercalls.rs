//! Hypercalls to the real Xen.
#![allow(unsafe_code, reason = "leaf: makes hypercalls")]

use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering};

use hyper::{DomainId, EventChannel, Nanos, PageAccess, RemotePort};
use xen_sys::hypercall::{EVENT_CHANNEL_OP, Gate, HVM_OP, MEMORY_OP, PHYSDEV_OP, SCHED_OP};
use xen_sys::shared_info::SharedInfo;
use xen_sys::{DOMID_SELF, event_channel, grant_table, hvm, memory, physdev, sched, vcpu};

use crate::hypervisor::{Errno, GrantError, GrantHandle, Mapping, Slot, Unmapping, Xen};
use crate::shared_page::{self, Window, WindowPage};

/// Grants in one hypercall; its arguments are on the stack.
const BATCH: usize = 32;

/// Shift from an address to a frame number.
const PAGE_SHIFT: u32 = 12;

/// A status that Xen never writes: the operation didn't run.
const NOT_REACHED: i16 = i16::MAX;

/// Safe wrappers of hypercalls.
#[derive(Debug)]
pub struct Hypercalls {
    gate: Gate,
    window: Window,
}

/// Hypercalls that have returned, over all handles. Statistics only, so relaxed ordering suffices.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Hypercalls since the start.
pub fn made() -> u64 {
    MADE.load(Ordering::Relaxed)
}

/// The virtual processor's time since its creation, as Xen counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunState {
    /// Nanoseconds on a physical processor, in the guest or in Xen on its behalf.
    pub running_ns: u64,
    /// Nanoseconds ready to run, while another ran.
    pub runnable_ns: u64,
    /// Nanoseconds asleep.
    pub blocked_ns: u64,
}

/// Converts each hypercall's result. Errors are negated error numbers.
fn check(result: i64) -> Result<(), Errno> {
    MADE.fetch_add(1, Ordering::Relaxed);
    if result >= 0 { Ok(()) } else { Err(Errno(u32::try_from(result.unsigned_abs()).unwrap_or(u32::MAX))) }
}

/// The address of a hypercall's argument.
fn argument<T>(of: &mut T) -> *mut c_void {
    let of: *mut T = of;
    of.cast()
}

impl Hypercalls {
    /// Hypercalls through `gate`, with grants mapped in `window`.
    ///
    /// # Safety
    /// This runs in ring 0 of an HVM guest of Xen, in 64-bit mode with memory mapped one to one.
    /// `gate` is right for the processor.
    pub unsafe fn new(gate: Gate, window: Window) -> Self {
        Self { gate, window }
    }

    fn event_channel_op<T>(&self, command: u32, of: &mut T) -> Result<(), Errno> {
        // SAFETY: the gate is right, as was promised. The structure belongs to the command. Xen
        // writes that structure and the bits of channels, which are atomics.
        check(unsafe { self.gate.op(EVENT_CHANNEL_OP, command, argument(of)) })
    }

    fn physdev_op<T>(&self, command: u32, of: &mut T) -> Result<(), Errno> {
        // SAFETY: as for `event_channel_op`. Interrupts become events; no vector of this domain
        // changes.
        check(unsafe { self.gate.op(PHYSDEV_OP, command, argument(of)) })
    }

    /// An HVM parameter of this domain's, `PARAM_*` of [`xen_sys::hvm`].
    ///
    /// # Errors
    /// Xen's.
    pub fn hvm_param(&self, index: u32) -> Result<u64, Errno> {
        let mut param = hvm::HvmParam { domid: DOMID_SELF, index, ..Default::default() };
        // SAFETY: the gate is right, as was promised; Xen writes `param`.
        check(unsafe { self.gate.op(HVM_OP, hvm::GET_PARAM, argument(&mut param)) })?;
        Ok(param.value)
    }

    /// Sets `vector` for upcalls, delivered when interrupts are enabled while an event is pending.
    ///
    /// Xen turns physical interrupts into events only for guests that have set one.
    ///
    /// # Safety
    /// The interrupt descriptor table has a handler for `vector` that does no harm.
    ///
    /// # Errors
    /// Xen's.
    pub unsafe fn set_callback_vector(&self, vector: u8) -> Result<(), Errno> {
        let value = hvm::CALLBACK_TYPE_VECTOR << hvm::CALLBACK_TYPE_SHIFT | u64::from(vector);
        let index = hvm::PARAM_CALLBACK_IRQ;
        let mut param = hvm::HvmParam { domid: DOMID_SELF, index, value, ..Default::default() };
        // SAFETY: the gate is right, as was promised; the vector can be taken, as the caller promises.
        check(unsafe { self.gate.op(HVM_OP, hvm::SET_PARAM, argument(&mut param)) })
    }

    /// Maps the shared info page at `address`, permanently.
    ///
    /// # Safety
    /// `address` is a multiple of 4096, holds no memory, and has no other user. It is mapped one
    /// to one, readable and writable, for as long as the program runs.
    ///
    /// # Errors
    /// Xen's.
    pub unsafe fn map_shared_info(&self, address: usize) -> Result<&'static SharedInfo, Errno> {
        let mut request = memory::AddToPhysmap {
            domid: DOMID_SELF,
            space: memory::XENMAPSPACE_SHARED_INFO,
            gpfn: address as u64 >> PAGE_SHIFT,
            ..Default::default()
        };
        // SAFETY: the gate is right, as was promised; no Rust object is at the address, as the
        // caller promises.
        check(unsafe { self.gate.op(MEMORY_OP, memory::ADD_TO_PHYSMAP, argument(&mut request)) })?;
        // SAFETY: the page is there now, for good; the rest is what the caller promises.
        Ok(unsafe { shared_page::at(address) })
    }

    /// A channel for the timer of [`set_timer`](Self::set_timer). Available once.
    ///
    /// # Errors
    /// Xen's.
    pub fn bind_timer(&self) -> Result<EventChannel, Errno> {
        let mut request = event_channel::BindVirq { virq: event_channel::VIRQ_TIMER, ..Default::default() };
        self.event_channel_op(event_channel::BIND_VIRQ, &mut request)?;
        Ok(EventChannel(request.port))
    }

    /// Sets the virtual processor's timer. Its channel has an event at `deadline`, by Xen's system
    /// time, or at once if that has passed.
    ///
    /// This replaces an earlier setting.
    ///
    /// # Errors
    /// Xen's.
    pub fn set_timer(&self, deadline: Nanos) -> Result<(), Errno> {
        // 0 would mean never.
        // SAFETY: the gate is right, as was promised; this hypercall has no argument in memory.
        check(unsafe { self.gate.set_timer_op(deadline.0.max(1)) })
    }

    /// Yields to other domains.
    pub fn yield_now(&self) {
        // SAFETY: the gate is right, as was promised; this command has no argument.
        let result = unsafe { self.gate.op(SCHED_OP, sched::YIELD, core::ptr::null_mut()) };
        // It can't fail.
        let _ = check(result);
    }

    /// The time of this domain's one virtual processor.
    ///
    /// # Errors
    /// Xen's.
    pub fn run_state(&self) -> Result<RunState, Errno> {
        let mut info = vcpu::RunstateInfo::default();
        // SAFETY: the gate is right, as was promised; Xen writes `info`.
        check(unsafe { self.gate.vcpu_op(vcpu::GET_RUNSTATE_INFO, 0, argument(&mut info)) })?;
        let [running_ns, runnable_ns, blocked_ns, _offline_ns] = info.time;
        Ok(RunState { running_ns, runnable_ns, blocked_ns })
    }

    /// Ends this domain for a reason, `SHUTDOWN_*` of [`xen_sys::sched`]. Returns only if Xen refuses.
    pub fn shutdown(&self, reason: u32) -> Errno {
        let mut request = sched::Shutdown { reason };
        // SAFETY: the gate is right, as was promised; Xen reads `request`, by its address.
        let result = unsafe { self.gate.op(SCHED_OP, sched::SHUTDOWN, argument(&mut request)) };
        check(result).err().unwrap_or(Errno(0))
    }

    /// Sends an event. It is lost if the channel isn't open or its other end is gone.
    pub fn notify(&self, channel: EventChannel) {
        let _ =
            self.event_channel_op(event_channel::SEND, &mut event_channel::PortArgument { port: channel.0 });
    }

    /// A free pirq for an MSI; see [`pirq`](crate::pirq).
    ///
    /// # Errors
    /// Xen's.
    pub fn free_msi_pirq(&self) -> Result<u32, Errno> {
        let mut request = physdev::GetFreePirq { kind: physdev::TYPE_MSI, ..Default::default() };
        self.physdev_op(physdev::GET_FREE_PIRQ, &mut request)?;
        Ok(request.pirq)
    }

    /// Binds a pirq to a new channel.
    ///
    /// # Errors
    /// Xen's.
    pub fn bind_pirq(&self, pirq: u32) -> Result<EventChannel, Errno> {
        let mut request = event_channel::BindPirq { pirq, ..Default::default() };
        self.event_channel_op(event_channel::BIND_PIRQ, &mut request)?;
        Ok(EventChannel(request.port))
    }

    /// Whether each interrupt needs an [`end_pirq`](Self::end_pirq).
    ///
    /// # Errors
    /// Xen's.
    pub fn pirq_needs_eoi(&self, pirq: u32) -> Result<bool, Errno> {
        let mut request = physdev::IrqStatusQuery { irq: pirq, ..Default::default() };
        self.physdev_op(physdev::IRQ_STATUS_QUERY, &mut request)?;
        Ok(request.flags & physdev::IRQ_STATUS_NEEDS_EOI != 0)
    }

    /// Ends an interrupt; the next one may come.
    ///
    /// # Errors
    /// Xen's.
    pub fn end_pirq(&self, pirq: u32) -> Result<(), Errno> {
        self.physdev_op(physdev::EOI, &mut physdev::Eoi { irq: pirq })
    }
}

/// The outcome of an operation, from its status and the hypercall's result.
fn outcome(status: i16, call: &Result<(), Errno>) -> Result<(), GrantError> {
    match (status, call) {
        (NOT_REACHED, Err(errno)) => Err(GrantError::Hypercall(*errno)),
        (NOT_REACHED, Ok(_)) => Err(GrantError::NotDone),
        (status, _) => GrantError::check(status),
    }
}

impl Xen for Hypercalls {
    type View = WindowPage;

    fn slots(&self) -> u16 {
        self.window.slots()
    }

    fn address(&self, slot: Slot) -> u64 {
        self.window.address(slot).unwrap_or(0)
    }

    fn view(&self, slot: Slot) -> WindowPage {
        self.window.view(slot)
    }

    fn map(&mut self, guest: DomainId, access: PageAccess, batch: &mut [Mapping]) {
        let flags = match access {
            PageAccess::ReadOnly => grant_table::GNTMAP_HOST_MAP | grant_table::GNTMAP_READONLY,
            PageAccess::ReadWrite => grant_table::GNTMAP_HOST_MAP,
        };
        for chunk in batch.chunks_mut(BATCH) {
            // Grants without such a slot stay untried.
            let mut arguments = heapless::Vec::<grant_table::MapGrantRef, BATCH>::new();
            let known = |entry: &&mut Mapping| self.window.address(entry.slot).is_some();
            for entry in chunk.iter_mut().filter(known) {
                // A chunk is no longer than this.
                let _ = arguments.push(grant_table::MapGrantRef {
                    host_addr: self.address(entry.slot),
                    flags,
                    grant_ref: entry.grant.0,
                    dom: guest.0,
                    status: NOT_REACHED,
                    ..Default::default()
                });
            }
            let (first, count) = (arguments.as_mut_ptr().cast(), arguments.len() as u32);
            // SAFETY: the gate is right, as was promised. Mapped pages appear in the window,
            // without Rust objects. Xen writes `arguments`.
            let call = check(unsafe { self.gate.grant_table_op(grant_table::MAP_GRANT_REF, first, count) });
            for (entry, argument) in chunk.iter_mut().filter(known).zip(&arguments) {
                entry.result = outcome(argument.status, &call).map(|()| GrantHandle(argument.handle));
            }
        }
    }

    fn unmap(&mut self, batch: &mut [Unmapping]) {
        for chunk in batch.chunks_mut(BATCH) {
            let mut arguments = heapless::Vec::<grant_table::UnmapGrantRef, BATCH>::new();
            for entry in chunk.iter() {
                // A chunk is no longer than this. A missing slot has address 0, which no mapping
                // has, and Xen says so.
                let _ = arguments.push(grant_table::UnmapGrantRef {
                    host_addr: self.address(entry.slot),
                    handle: entry.handle.0,
                    status: NOT_REACHED,
                    ..Default::default()
                });
            }
            let (first, count) = (arguments.as_mut_ptr().cast(), arguments.len() as u32);
            // SAFETY: the gate is right, as was promised. Unmapped pages are in the window,
            // without Rust objects. Xen writes `arguments`.
            let call = check(unsafe { self.gate.grant_table_op(grant_table::UNMAP_GRANT_REF, first, count) });
            for (entry, argument) in chunk.iter_mut().zip(&arguments) {
                entry.result = outcome(argument.status, &call);
            }
        }
    }

    fn is_unbound(&self, channel: EventChannel) -> bool {
        let mut request = event_channel::Status { dom: DOMID_SELF, port: channel.0, ..Default::default() };
        let asked = self.event_channel_op(event_channel::STATUS, &mut request);
        asked.is_ok() && request.status == event_channel::STATUS_UNBOUND
    }

    fn bind_interdomain(&mut self, remote: DomainId, port: RemotePort) -> Result<EventChannel, Errno> {
        let mut request = event_channel::BindInterdomain {
            remote_dom: remote.0,
            remote_port: port.0,
            ..Default::default()
        };
        self.event_channel_op(event_channel::BIND_INTERDOMAIN, &mut request)?;
        Ok(EventChannel(request.local_port))
    }

    fn close(&mut self, channel: EventChannel) -> Result<(), Errno> {
        self.event_channel_op(event_channel::CLOSE, &mut event_channel::PortArgument { port: channel.0 })
    }

    fn send(&mut self, channel: EventChannel) -> Result<(), Errno> {
        self.event_channel_op(event_channel::SEND, &mut event_channel::PortArgument { port: channel.0 })
    }
}
