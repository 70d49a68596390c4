//! The local APIC: one-shot timer and MSI target (Intel SDM volume 3, chapter 11).
#![allow(unsafe_code, reason = "leaf: the local APIC's registers")]

use core::ptr;

use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags};

use super::timer;
use super::vectors::{SPURIOUS_VECTOR, TIMER_VECTOR, acknowledge_at};
use crate::arch::cpu;
use crate::clock::TscClock;
use crate::memory::address_space::AddressSpace;
use crate::memory::page_table::MapError;
use crate::memory::range::PhysRange;

const ID: u64 = 0x20;
const TASK_PRIORITY: u64 = 0x80;
const EOI: u64 = 0xb0;
const SPURIOUS_INTERRUPT: u64 = 0xf0;
const INTERRUPT_REQUEST: u64 = 0x200;
const LVT_TIMER: u64 = 0x320;
const LVT_LINT0: u64 = 0x350;
const LVT_LINT1: u64 = 0x360;
const INITIAL_COUNT: u64 = 0x380;
const CURRENT_COUNT: u64 = 0x390;
const DIVIDE: u64 = 0x3e0;
const APIC_ENABLE: u32 = 1 << 8;
const LVT_MASKED: u32 = 1 << 16;
const DIVIDE_BY_1: u32 = 0b1011;

/// Time over which the timer's speed is measured.
const CALIBRATION_NS: u64 = 1_000_000;
/// Time until the test interrupt.
const REHEARSAL_NS: u64 = 10_000;
/// Longest wait for the test interrupt, for a busy host that emulates the timer.
const MAX_REHEARSAL_NS: u64 = 20_000_000;

/// The processor's local APIC, in xAPIC mode.
#[derive(Debug)]
pub struct LocalApic {
    base: u64,
    timer_hz: u64,
}

/// Why the local APIC's timer interrupt is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApicError {
    /// CPUID 1 EDX bit 9 is clear.
    #[error("no local APIC (CPUID 1 EDX bit 9)")]
    Missing,
    /// The APIC is in x2APIC mode, where its registers aren't in memory.
    #[error("the local APIC is in x2APIC mode (IA32_APIC_BASE bit 10)")]
    X2Apic,
    /// Its registers couldn't be mapped.
    #[error("the local APIC's registers: {0}")]
    Map(MapError),
    /// The timer's current count stands still.
    #[error("the local APIC's timer stands still (current count, 0x390)")]
    TimerStands,
    /// The timer expired without requesting an interrupt.
    #[error("the local APIC's timer requests no interrupt (IRR, 0x200)")]
    NoRequest,
}

impl LocalApic {
    /// Enables the local APIC with everything masked but its timer, and measures the timer's speed.
    pub fn enable(space: &mut AddressSpace, clock: &TscClock) -> Result<Self, ApicError> {
        if cpu::cpuid(1).edx & (1 << 9) == 0 {
            return Err(ApicError::Missing);
        }
        let (frame, flags) = ApicBase::read();
        if flags.contains(ApicBaseFlags::X2APIC_ENABLE) {
            return Err(ApicError::X2Apic);
        }
        let base = frame.start_address().as_u64();
        space.map_device(PhysRange { start: base, end: base + 4096 }).map_err(ApicError::Map)?;
        // SAFETY: writes back the value read, with the APIC enabled.
        unsafe { ApicBase::write(frame, flags | ApicBaseFlags::LAPIC_ENABLE) };
        // SAFETY: the EOI register's page is now mapped permanently.
        unsafe { acknowledge_at(base + EOI) };

        let mut apic = Self { base, timer_hz: 0 };
        apic.write(TASK_PRIORITY, 0);
        apic.write(LVT_LINT0, LVT_MASKED);
        apic.write(LVT_LINT1, LVT_MASKED);
        apic.write(SPURIOUS_INTERRUPT, APIC_ENABLE | u32::from(SPURIOUS_VECTOR));
        apic.write(DIVIDE, DIVIDE_BY_1);
        apic.calibrate(clock)?;
        Ok(apic)
    }

    fn calibrate(&mut self, clock: &TscClock) -> Result<(), ApicError> {
        self.write(LVT_TIMER, LVT_MASKED | u32::from(TIMER_VECTOR));
        self.write(INITIAL_COUNT, u32::MAX);
        let (start_ns, start) = (clock.now_ns(), self.read(CURRENT_COUNT));
        clock.spin_until(start_ns.saturating_add(CALIBRATION_NS));
        let (end_ns, end) = (clock.now_ns(), self.read(CURRENT_COUNT));
        let (counts, ns) = (start.saturating_sub(end), end_ns.saturating_sub(start_ns));
        self.timer_hz = timer::rate_hz(counts, ns).ok_or(ApicError::TimerStands)?;

        // Test the request with interrupts disabled: sleep relies on it.
        self.arm(REHEARSAL_NS);
        let deadline_ns = clock.now_ns().saturating_add(MAX_REHEARSAL_NS);
        while !self.timer_requested() {
            if clock.now_ns() >= deadline_ns {
                return Err(ApicError::NoRequest);
            }
        }
        Ok(())
    }

    /// Whether the timer's interrupt is requested and not yet delivered.
    fn timer_requested(&self) -> bool {
        let requests = self.read(INTERRUPT_REQUEST + u64::from(TIMER_VECTOR / 32) * 16);
        requests & (1 << (TIMER_VECTOR % 32)) != 0
    }

    /// Requests the timer's interrupt `ns` from now. This replaces an earlier request.
    pub fn arm(&mut self, ns: u64) {
        self.write(LVT_TIMER, u32::from(TIMER_VECTOR));
        self.write(INITIAL_COUNT, timer::count_for(ns, self.timer_hz));
    }

    /// Counts of the timer per second.
    pub fn timer_hz(&self) -> u64 {
        self.timer_hz
    }

    /// The target address of MSIs to this processor (Intel SDM volume 3, 11.11.1).
    pub fn message_address(&self) -> u64 {
        0xfee0_0000 | u64::from(self.read(ID) >> 24) << 12
    }

    fn register(&self, offset: u64) -> *mut u32 {
        ptr::with_exposed_provenance_mut((self.base + offset) as usize)
    }

    fn read(&self, offset: u64) -> u32 {
        // SAFETY: `enable` mapped the page, uncached; the offsets above are registers in it.
        unsafe { self.register(offset).read_volatile() }
    }

    fn write(&mut self, offset: u64, value: u32) {
        // SAFETY: as for `read`. None of these registers makes the APIC touch memory.
        unsafe { self.register(offset).write_volatile(value) };
    }
}
