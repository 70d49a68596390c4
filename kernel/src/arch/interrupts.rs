//! The interrupt descriptor table. Exceptions end in an epitaph; interrupts are counted and acknowledged, no more:
//! their work is to wake the event loop.
#![allow(unsafe_code, reason = "leaf: interrupt entry code and the descriptor table")]

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, Segment};
use x86_64::instructions::tables::lidt;
use x86_64::registers::control::Cr2;
use x86_64::structures::DescriptorTablePointer;

use super::crash;
use super::port::{PIC_1_MASK, PIC_2_MASK};
use crate::epitaph::{Cause, ExceptionFrame};

/// The local APIC's timer.
pub const TIMER_VECTOR: u8 = 0x40;
/// The first controller's MSI; those of others follow.
pub const FIRST_CONTROLLER_VECTOR: u8 = 0x50;
/// Xen's upcall: an event is pending.
pub const UPCALL_VECTOR: u8 = 0x60;
/// Controllers that have a vector.
pub const CONTROLLER_VECTORS: u8 = 8;
/// The local APIC's spurious interrupt, which must not be acknowledged (Intel SDM volume 3, 11.9).
pub const SPURIOUS_VECTOR: u8 = 0xff;

/// How often each kind of interrupt has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterruptCounts {
    /// The timer's.
    pub timer: u32,
    /// The controllers', all together.
    pub controller: u32,
    /// On a vector that nobody was given.
    pub unexpected: u32,
    /// Spurious.
    pub spurious: u32,
}

static TIMER: AtomicU32 = AtomicU32::new(0);
static CONTROLLER: AtomicU32 = AtomicU32::new(0);
static UNEXPECTED: AtomicU32 = AtomicU32::new(0);
static SPURIOUS: AtomicU32 = AtomicU32::new(0);

/// Where handlers write 0 to acknowledge: the local APIC's EOI register, or, before there is one, a word of no meaning.
static ACKNOWLEDGE_AT: AtomicU64 = AtomicU64::new(0);
static NOWHERE: AtomicU32 = AtomicU32::new(0);

/// How often interrupts have come until now.
pub fn counts() -> InterruptCounts {
    InterruptCounts {
        timer: TIMER.load(Ordering::Relaxed),
        controller: CONTROLLER.load(Ordering::Relaxed),
        unexpected: UNEXPECTED.load(Ordering::Relaxed),
        spurious: SPURIOUS.load(Ordering::Relaxed),
    }
}

/// Tells handlers where the local APIC's EOI register lies.
///
/// # Safety
///
/// `address` is that register, mapped until the machine stops.
pub(super) unsafe fn acknowledge_at(address: u64) {
    ACKNOWLEDGE_AT.store(address, Ordering::Relaxed);
}

/// A gate of the table: handler, code segment, stack, "interrupt gate" (Intel SDM volume 3, 6.14.1).
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Gate([u64; 2]);

impl Gate {
    fn new(handler: u64, code_selector: u16, stack: u8) -> Self {
        const PRESENT_INTERRUPT_GATE: u64 = 0x8e;
        Self([
            (handler & 0xffff)
                | u64::from(code_selector) << 16
                | u64::from(stack & 7) << 32
                | PRESENT_INTERRUPT_GATE << 40
                | (handler >> 16 & 0xffff) << 48,
            handler >> 32,
        ])
    }
}

static GATES: Once<[Gate; 256]> = Once::new();

type Entry = unsafe extern "C" fn();

/// Exceptions whose stack may be bad, and the entry of the interrupt stack table that they switch to.
const fn fault_stack(vector: u8) -> u8 {
    match vector {
        8 => 1,
        2 => 2,
        18 => 3,
        14 => 4,
        _ => 0,
    }
}

/// Loads the table and masks the 8259s, whose interrupts nobody wants.
pub(super) fn load() {
    PIC_1_MASK.write_u8(0xff);
    PIC_2_MASK.write_u8(0xff);
    ACKNOWLEDGE_AT.store((&raw const NOWHERE).expose_provenance() as u64, Ordering::Relaxed);
    let code = CS::get_reg().0;
    let gates = GATES.call_once(|| {
        let mut gates = [Gate::new(unexpected as *const () as u64, code, 0); 256];
        for (vector, (gate, entry)) in (0u8..).zip(gates.iter_mut().zip(EXCEPTIONS)) {
            *gate = Gate::new(entry as *const () as u64, code, fault_stack(vector));
        }
        gates[usize::from(TIMER_VECTOR)] = Gate::new(timer as *const () as u64, code, 0);
        for vector in FIRST_CONTROLLER_VECTOR..FIRST_CONTROLLER_VECTOR + CONTROLLER_VECTORS {
            gates[usize::from(vector)] = Gate::new(controller as *const () as u64, code, 0);
        }
        gates[usize::from(UPCALL_VECTOR)] = Gate::new(upcall as *const () as u64, code, 0);
        gates[usize::from(SPURIOUS_VECTOR)] = Gate::new(spurious as *const () as u64, code, 0);
        gates
    });
    let pointer = DescriptorTablePointer {
        limit: (size_of_val(gates) - 1) as u16,
        base: VirtAddr::from_ptr(gates.as_ptr()),
    };
    // SAFETY: the table is static, and each gate leads to entry code for its vector.
    unsafe { lidt(&pointer) };
}

/// An interrupt that is counted, acknowledged and forgotten.
macro_rules! counting_entry {
    ($name:ident, $count:ident) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            naked_asm!(
                "push rax",
                "inc dword ptr [rip + {count}]",
                "mov rax, [rip + {acknowledge_at}]",
                "mov dword ptr [rax], 0",
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
counting_entry!(unexpected, UNEXPECTED);

#[unsafe(naked)]
unsafe extern "C" fn spurious() {
    naked_asm!("inc dword ptr [rip + {count}]", "iretq", count = sym SPURIOUS)
}

/// Xen's upcall, which wakes and does no more. Xen makes it again and again until the pending flag is cleared, which whoever
/// was woken does; so interrupts are out from here on: IF, bit 9 of the flags that IRETQ restores, is cleared. Nothing is to
/// be acknowledged.
#[unsafe(naked)]
unsafe extern "C" fn upcall() {
    naked_asm!("and dword ptr [rsp + 16], {without_if}", "iretq", without_if = const !(1_i32 << 9))
}

/// Entry code of an exception: on top of what the processor pushed comes an error code, where it pushed none, and
/// the vector.
macro_rules! exception_entry {
    ($name:ident, $vector:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            naked_asm!("push 0", concat!("push ", $vector), "jmp {common}", common = sym exception_common)
        }
    };
    ($name:ident, $vector:literal, with_error_code) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            naked_asm!(concat!("push ", $vector), "jmp {common}", common = sym exception_common)
        }
    };
}

exception_entry!(exception_0, 0);
exception_entry!(exception_1, 1);
exception_entry!(exception_2, 2);
exception_entry!(exception_3, 3);
exception_entry!(exception_4, 4);
exception_entry!(exception_5, 5);
exception_entry!(exception_6, 6);
exception_entry!(exception_7, 7);
exception_entry!(exception_8, 8, with_error_code);
exception_entry!(exception_9, 9);
exception_entry!(exception_10, 10, with_error_code);
exception_entry!(exception_11, 11, with_error_code);
exception_entry!(exception_12, 12, with_error_code);
exception_entry!(exception_13, 13, with_error_code);
exception_entry!(exception_14, 14, with_error_code);
exception_entry!(exception_15, 15);
exception_entry!(exception_16, 16);
exception_entry!(exception_17, 17, with_error_code);
exception_entry!(exception_18, 18);
exception_entry!(exception_19, 19);
exception_entry!(exception_20, 20);
exception_entry!(exception_21, 21, with_error_code);
exception_entry!(exception_22, 22);
exception_entry!(exception_23, 23);
exception_entry!(exception_24, 24);
exception_entry!(exception_25, 25);
exception_entry!(exception_26, 26);
exception_entry!(exception_27, 27);
exception_entry!(exception_28, 28);
exception_entry!(exception_29, 29, with_error_code);
exception_entry!(exception_30, 30, with_error_code);
exception_entry!(exception_31, 31);

#[rustfmt::skip]
static EXCEPTIONS: [Entry; 32] = [
    exception_0, exception_1, exception_2, exception_3, exception_4, exception_5, exception_6, exception_7,
    exception_8, exception_9, exception_10, exception_11, exception_12, exception_13, exception_14, exception_15,
    exception_16, exception_17, exception_18, exception_19, exception_20, exception_21, exception_22, exception_23,
    exception_24, exception_25, exception_26, exception_27, exception_28, exception_29, exception_30, exception_31,
];

/// Pushes the registers, so that the stack holds an [`ExceptionFrame`], and goes to Rust for good.
#[unsafe(naked)]
unsafe extern "C" fn exception_common() {
    naked_asm!(
        "push rax",
        "push rcx",
        "push rdx",
        "push rbx",
        "push rbp",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "cld",
        "mov rdi, rsp",
        "and rsp, -16",
        "call {handler}",
        "ud2",
        handler = sym exception,
    )
}

extern "C" fn exception(frame: &ExceptionFrame) -> ! {
    crash::die(Cause::Exception { frame, fault_address: Cr2::read_raw() })
}

/// Raises the exception of a vector that nothing in the image raises by itself.
pub fn raise_invalid_opcode() -> ! {
    // SAFETY: the exception never returns.
    unsafe { asm!("ud2", options(noreturn)) }
}
