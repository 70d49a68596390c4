//! Hypercalls (arch-x86/xen-x86_64.h, "Hypercall interface").
//!
//! The number is in RAX, the arguments are in RDI, RSI, RDX, R10 and R8, and the result is in RAX. There is no hypercall
//! page: the processor's vendor decides on its instruction. Pointers are addresses in the caller's page tables. Their
//! provenance is exposed, because Xen reads and writes the memory behind them.
#![allow(unsafe_code, reason = "leaf: the instructions that enter Xen")]

use core::arch::asm;
use core::ffi::c_void;

/// `__HYPERVISOR_memory_op` (xen.h, as all of these numbers).
pub const MEMORY_OP: u64 = 12;
/// `__HYPERVISOR_set_timer_op`.
pub const SET_TIMER_OP: u64 = 15;
/// `__HYPERVISOR_grant_table_op`.
pub const GRANT_TABLE_OP: u64 = 20;
/// `__HYPERVISOR_vcpu_op`.
pub const VCPU_OP: u64 = 24;
/// `__HYPERVISOR_sched_op`.
pub const SCHED_OP: u64 = 29;
/// `__HYPERVISOR_event_channel_op`.
pub const EVENT_CHANNEL_OP: u64 = 32;
/// `__HYPERVISOR_physdev_op`.
pub const PHYSDEV_OP: u64 = 33;
/// `__HYPERVISOR_hvm_op`.
pub const HVM_OP: u64 = 34;

/// The instruction that enters Xen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// AMD-V.
    Vmmcall,
    /// VT-x.
    Vmcall,
}

impl Gate {
    /// The instruction for processors of the vendor that EBX, EDX and ECX of CPUID leaf 0 spell, in this order.
    ///
    /// AMD and Hygon have VMMCALL; Intel and those who license VT-x have VMCALL.
    pub const fn for_vendor(ebx: u32, edx: u32, ecx: u32) -> Self {
        match [ebx.to_le_bytes(), edx.to_le_bytes(), ecx.to_le_bytes()] {
            [[b'A', b'u', b't', b'h'], [b'e', b'n', b't', b'i'], [b'c', b'A', b'M', b'D']]
            | [[b'H', b'y', b'g', b'o'], [b'n', b'G', b'e', b'n'], [b'u', b'i', b'n', b'e']] => Self::Vmmcall,
            _ => Self::Vmcall,
        }
    }

    /// Makes a hypercall; unused arguments are 0. Negative results are errors, see [`errno`](crate::errno).
    ///
    /// # Safety
    /// - The caller runs in ring 0 of a Xen guest, on a processor with this gate.
    /// - The hypercall with these arguments changes nothing that Rust relies on: memory that is not reached through them,
    ///   page tables, code.
    #[inline]
    pub unsafe fn call(self, number: u64, arguments: [u64; 5]) -> i64 {
        let [a, b, c, d, e] = arguments;
        let result: i64;
        macro_rules! enter {
            ($instruction:literal) => {
                // Xen may return with other values in the argument registers.
                // SAFETY: as the caller promises. Xen keeps all other registers and doesn't use the stack.
                unsafe {
                    asm!(
                        $instruction,
                        inlateout("rax") number => result,
                        inlateout("rdi") a => _,
                        inlateout("rsi") b => _,
                        inlateout("rdx") c => _,
                        inlateout("r10") d => _,
                        inlateout("r8") e => _,
                        options(nostack),
                    )
                }
            };
        }
        match self {
            Self::Vmmcall => enter!("vmmcall"),
            Self::Vmcall => enter!("vmcall"),
        }
        result
    }

    /// A hypercall by its number, [`EVENT_CHANNEL_OP`] or another one with a command and a structure.
    ///
    /// `argument` is the structure that belongs to `command`, or null if it has none.
    ///
    /// # Safety
    /// As for [`call`](Self::call); `argument` points to the structure that belongs to `command`.
    pub unsafe fn op(self, number: u64, command: u32, argument: *mut c_void) -> i64 {
        // SAFETY: as the caller promises.
        unsafe { self.call(number, [command.into(), argument.expose_provenance() as u64, 0, 0, 0]) }
    }

    /// `HYPERVISOR_grant_table_op`: `command` is a `GNTTABOP_*`, `arguments` an array of `count` of its structures.
    ///
    /// # Safety
    /// As for [`call`](Self::call); `arguments` points to as many structures of the kind that belongs to `command`.
    pub unsafe fn grant_table_op(self, command: u32, arguments: *mut c_void, count: u32) -> i64 {
        // SAFETY: as the caller promises.
        unsafe {
            self.call(
                GRANT_TABLE_OP,
                [command.into(), arguments.expose_provenance() as u64, count.into(), 0, 0],
            )
        }
    }

    /// `HYPERVISOR_set_timer_op`: arms the one-shot timer of this virtual processor.
    ///
    /// [`VIRQ_TIMER`](crate::event_channel::VIRQ_TIMER) comes at system time `deadline_ns`, or at once if that has passed.
    /// The call replaces an earlier deadline; 0 disarms the timer. Xen takes more than 2^50 ns ahead for 100 ms ahead.
    ///
    /// # Safety
    /// As for [`call`](Self::call).
    pub unsafe fn set_timer_op(self, deadline_ns: u64) -> i64 {
        // SAFETY: as the caller promises.
        unsafe { self.call(SET_TIMER_OP, [deadline_ns, 0, 0, 0, 0]) }
    }

    /// `HYPERVISOR_vcpu_op`: `command` is a `VCPUOP_*` for virtual processor `vcpu`, `argument` its structure.
    ///
    /// # Safety
    /// As for [`call`](Self::call); `argument` points to the structure that belongs to `command`.
    pub unsafe fn vcpu_op(self, command: u32, vcpu: u32, argument: *mut c_void) -> i64 {
        // SAFETY: as the caller promises.
        unsafe {
            self.call(VCPU_OP, [command.into(), vcpu.into(), argument.expose_provenance() as u64, 0, 0])
        }
    }
}
