//! Processor features, control registers, the time stamp counter, and waiting.
#![allow(unsafe_code, reason = "leaf: privileged instructions")]

use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, _rdtsc, CpuidResult};

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};

/// CPUID, leaf `leaf`, subleaf 0.
pub fn cpuid(leaf: u32) -> CpuidResult {
    __cpuid_count(leaf, 0)
}

/// The processor lacks execute disable: it can't stop data from being executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the processor has no execute-disable bit (CPUID 0x80000001 EDX bit 20)")]
pub struct NoExecuteDisable;

/// Turns on write protection, execute disable and every supported optional protection.
///
/// Call it before switching to the final page tables.
pub fn enable_protections() -> Result<(), NoExecuteDisable> {
    let extended = if cpuid(0x8000_0000).eax >= 0x8000_0001 { cpuid(0x8000_0001).edx } else { 0 };
    if extended & (1 << 20) == 0 {
        return Err(NoExecuteDisable);
    }
    let (ebx, ecx) = if cpuid(0).eax >= 7 { (cpuid(7).ebx, cpuid(7).ecx) } else { (0, 0) };
    let (smep, smap, umip) = (ebx & (1 << 7) != 0, ebx & (1 << 20) != 0, ecx & (1 << 2) != 0);
    let mut cr4 = Cr4Flags::empty();
    cr4.set(Cr4Flags::MACHINE_CHECK_EXCEPTION, cpuid(1).edx & (1 << 7) != 0);
    cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, smep);
    cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, smap);
    cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, umip);
    // SAFETY: CPUID reports the bit. The boot page tables never set it.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE)) };
    // SAFETY: nothing in the image writes to read-only pages.
    unsafe { Cr0::update(|flags| flags.insert(Cr0Flags::WRITE_PROTECT)) };
    // SAFETY: CPUID reports each bit. Machine checks have a handler; the other bits only restrict
    // user mode, which is unused.
    unsafe { Cr4::update(|flags| flags.insert(cr4)) };
    log::debug!(target: "cpu", "SMEP {smep}, SMAP {smap}, UMIP {umip}");
    Ok(())
}

/// The time stamp counter runs at one speed in all power states (CPUID 0x80000007 EDX bit 8).
pub fn has_invariant_tsc() -> bool {
    cpuid(0x8000_0000).eax >= 0x8000_0007 && cpuid(0x8000_0007).edx & (1 << 8) != 0
}

/// Reads the time stamp counter after all earlier instructions complete.
#[inline]
pub fn read_tsc() -> u64 {
    // SAFETY: every x86-64 processor has this fence.
    unsafe { asm!("lfence", options(nostack, preserves_flags)) };
    // SAFETY: CR4.TSD is clear, so the instruction is allowed.
    unsafe { _rdtsc() }
}

/// Enables interrupts, sleeps until one has been handled, and disables them again.
///
/// STI takes effect after the next instruction. A pending or new interrupt therefore always ends
/// the sleep and none gets lost. Interrupts are disabled everywhere else.
pub fn sleep_until_interrupt() {
    // SAFETY: the handlers are installed. They change only their counters and the interrupt flag.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
}

/// Stops the processor permanently.
pub fn halt_forever() -> ! {
    loop {
        // SAFETY: with interrupts disabled nothing runs any more. An NMI ends in an epitaph.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
