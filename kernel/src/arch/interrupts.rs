//! The interrupt descriptor table.
//!
//! Exceptions end in an epitaph. Each image supplies its interrupt handlers, which only wake its
//! main loop.
#![allow(unsafe_code, reason = "leaf: interrupt entry code and the descriptor table")]

use core::arch::naked_asm;

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, Segment};
use x86_64::instructions::tables::lidt;
use x86_64::registers::control::Cr2;
use x86_64::structures::DescriptorTablePointer;

use super::crash;
use super::port::{PIC_1_MASK, PIC_2_MASK};
use crate::epitaph::{Cause, ExceptionFrame};

/// Entry code: runs with interrupts disabled, saves what it changes and ends with IRETQ.
pub type Entry = unsafe extern "C" fn();

/// An image's own interrupt handler.
#[derive(Clone, Copy, Debug)]
pub struct InterruptHandler {
    vector: u8,
    entry: Entry,
}

impl InterruptHandler {
    /// Lower vectors are the processor's exceptions.
    pub const FIRST_VECTOR: u8 = 32;

    /// A handler for `vector`, at least [`FIRST_VECTOR`](Self::FIRST_VECTOR).
    ///
    /// # Safety
    ///
    /// `entry` is entry code as [`Entry`] describes, for an interrupt without an error code. It may
    /// run at any point of the image.
    pub const unsafe fn new(vector: u8, entry: Entry) -> Self {
        assert!(vector >= Self::FIRST_VECTOR);
        Self { vector, entry }
    }
}

/// A gate of the table: handler, code segment, stack and type "interrupt gate" (Intel SDM volume 3,
/// 6.14.1).
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

/// The interrupt stack table entry for exceptions that can come with a bad stack; 0 keeps the
/// stack.
const fn fault_stack(vector: u8) -> u8 {
    match vector {
        8 => 1,
        2 => 2,
        18 => 3,
        14 => 4,
        _ => 0,
    }
}

/// Loads the table and masks the 8259s, which the image doesn't use.
pub(super) fn load(handlers: &[InterruptHandler]) {
    PIC_1_MASK.write_u8(0xff);
    PIC_2_MASK.write_u8(0xff);
    let code = CS::get_reg().0;
    let gates = GATES.call_once(|| {
        let mut gates = [Gate::new(unexpected as *const () as u64, code, 0); 256];
        for (vector, (gate, entry)) in (0u8..).zip(gates.iter_mut().zip(EXCEPTIONS)) {
            *gate = Gate::new(entry as *const () as u64, code, fault_stack(vector));
        }
        for handler in handlers {
            gates[usize::from(handler.vector)] = Gate::new(handler.entry as *const () as u64, code, 0);
        }
        gates
    });
    let pointer = DescriptorTablePointer {
        limit: (size_of_val(gates) - 1) as u16,
        base: VirtAddr::from_ptr(gates.as_ptr()),
    };
    // SAFETY: the table is static, and each gate leads to entry code for its vector.
    unsafe { lidt(&pointer) };
}

/// Handler of unexpected interrupts. It sends no acknowledgement, so their priority stays blocked.
/// That is harmless: no source uses these vectors.
#[unsafe(naked)]
unsafe extern "C" fn unexpected() {
    naked_asm!("iretq")
}

/// Entry code of an exception without an error code: pushes 0 in its place, then the vector.
#[unsafe(naked)]
unsafe extern "C" fn plain<const VECTOR: u8>() {
    naked_asm!("push 0", "push {vector}", "jmp {common}", vector = const VECTOR, common = sym exception_common)
}

/// Entry code of an exception for which the processor has pushed an error code: pushes the vector.
#[unsafe(naked)]
unsafe extern "C" fn with_code<const VECTOR: u8>() {
    naked_asm!("push {vector}", "jmp {common}", vector = const VECTOR, common = sym exception_common)
}

#[rustfmt::skip]
static EXCEPTIONS: [Entry; 32] = [
    plain::<0>, plain::<1>, plain::<2>, plain::<3>, plain::<4>, plain::<5>, plain::<6>, plain::<7>,
    with_code::<8>, plain::<9>, with_code::<10>, with_code::<11>, with_code::<12>, with_code::<13>, with_code::<14>,
    plain::<15>, plain::<16>, with_code::<17>, plain::<18>, plain::<19>, plain::<20>, with_code::<21>, plain::<22>,
    plain::<23>, plain::<24>, plain::<25>, plain::<26>, plain::<27>, plain::<28>, with_code::<29>, with_code::<30>,
    plain::<31>,
];

/// Pushes the registers to complete an [`ExceptionFrame`], then calls Rust and never returns.
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
