//! Handlers of the local APIC's interrupts. They count and acknowledge, which wakes the event loop.
#![allow(unsafe_code, reason = "leaf: interrupt entry code")]

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::arch::interrupts::{Entry, InterruptHandler};

/// The local APIC's timer.
pub const TIMER_VECTOR: u8 = 0x40;
/// The first controller's MSI. The other controllers' vectors follow.
pub const FIRST_CONTROLLER_VECTOR: u8 = 0x50;
/// Number of controllers with a vector.
pub const CONTROLLER_VECTORS: u8 = 4;
/// The local APIC's spurious interrupt. It has no handler here and must not be acknowledged (Intel
/// SDM volume 3, 11.9).
pub const SPURIOUS_VECTOR: u8 = 0xff;

static TIMER: AtomicU32 = AtomicU32::new(0);
static CONTROLLER: AtomicU32 = AtomicU32::new(0);

/// Address of the local APIC's EOI register, where handlers write 0. 0 until it is known.
static ACKNOWLEDGE_AT: AtomicU64 = AtomicU64::new(0);

/// Interrupts of all controllers so far.
pub fn controller_interrupts() -> u32 {
    CONTROLLER.load(Ordering::Relaxed)
}

/// Sets the address of the local APIC's EOI register for the handlers.
///
/// # Safety
///
/// `address` is that register, mapped until the machine stops. Interrupts stay disabled until this
/// call returns.
pub(super) unsafe fn acknowledge_at(address: u64) {
    ACKNOWLEDGE_AT.store(address, Ordering::Relaxed);
}

/// Entry code that counts an interrupt and acknowledges it.
macro_rules! counting_entry {
    ($name:ident, $count:ident) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            naked_asm!(
                "push rax",
                "inc dword ptr [rip + {count}]",
                "mov rax, [rip + {acknowledge_at}]",
                "test rax, rax",
                "jz 2f",
                "mov dword ptr [rax], 0",
                "2:",
                "pop rax",
                "iretq",
                count = sym $count,
                acknowledge_at = sym ACKNOWLEDGE_AT,
            )
        }
    };
}

counting_entry!(timer, TIMER);
counting_entry!(controller, CONTROLLER);

const fn handler(vector: u8, entry: Entry) -> InterruptHandler {
    // SAFETY: this module's entries save the one register they change, write only where
    // `acknowledge_at` allows, and end with IRETQ. Their interrupts have no error code.
    unsafe { InterruptHandler::new(vector, entry) }
}

/// Handlers of the timer and of the controllers.
pub(super) const HANDLERS: [InterruptHandler; 1 + CONTROLLER_VECTORS as usize] = [
    handler(TIMER_VECTOR, timer),
    handler(FIRST_CONTROLLER_VECTOR, controller),
    handler(FIRST_CONTROLLER_VECTOR + 1, controller),
    handler(FIRST_CONTROLLER_VECTOR + 2, controller),
    handler(FIRST_CONTROLLER_VECTOR + 3, controller),
];
