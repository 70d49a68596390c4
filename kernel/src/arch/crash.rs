//! How the image ends: normally, or with an epitaph.
#![allow(unsafe_code, reason = "leaf: reads the stack of code that failed")]

use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use spin::Once;

use super::cpu;
use super::port::DEBUG_EXIT;
use crate::console;
use crate::epitaph::{Cause, Epitaph, MAX_STACK_WORDS, SectionMap};
use crate::memory::range::PhysRange;
use crate::memory::{PAGE_BYTES, layout};
use crate::pci;
use crate::report;

/// Epitaphs begun. A fault during an epitaph must not begin another.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// The hypervisor's exit function, if set.
static WAY_OUT: Once<fn(Exit)> = Once::new();

/// Makes `way_out` end the image instead of isa-debug-exit. A second call does nothing.
pub fn set_way_out(way_out: fn(Exit)) {
    WAY_OUT.call_once(|| way_out);
}

/// How the image ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The image succeeded.
    Pass,
    /// The image can't work here; the log gives the reason.
    Fail,
    /// A fault or a panic; the epitaph names it.
    Crash,
    /// The image succeeded and restarts.
    Reboot,
}

impl Exit {
    /// The value for isa-debug-exit; QEMU's exit status is twice that, plus 1.
    const fn debug_exit(self) -> u8 {
        match self {
            Self::Pass | Self::Reboot => 0x10,
            Self::Fail => 0x11,
            Self::Crash => 0x12,
        }
    }
}

/// Reports success and ends the image.
pub fn pass() -> ! {
    report!("verdict pass");
    console::drain();
    exit(Exit::Pass)
}

/// Reports why the image can't work here, and ends it.
pub fn fail(why: impl fmt::Display) -> ! {
    // The log line's time shows how long the image took to fail.
    log::error!("{why}");
    report!("verdict fail {why}");
    console::drain();
    exit(Exit::Fail)
}

/// Stops the controllers, writes the epitaph and ends the image.
#[inline(never)]
pub fn die(cause: Cause<'_>) -> ! {
    // Taken before any call of a function with a large frame.
    let stack_pointer = cause.stack_pointer().unwrap_or_else(current_stack_pointer);
    match BEGUN.fetch_add(1, Ordering::Relaxed) {
        0 => {
            pci::stop_bus_masters();
            write_epitaph(cause, stack_pointer);
        }
        // The first epitaph probably stopped in the middle of a line.
        1 => console::RawWriter.line("\n@verdict crash a fault while the epitaph was written"),
        // The fault message itself faulted: stay silent.
        _ => {}
    }
    exit(Exit::Crash)
}

#[inline(never)]
fn write_epitaph(cause: Cause<'_>, stack_pointer: u64) {
    let [first, second, third, fourth] = layout::fault_stacks();
    let stacks = [layout::stack(), first, second, third, fourth];
    let guards = stacks.map(|stack| PhysRange { start: stack.start - PAGE_BYTES, end: stack.start });
    let mut words = [0; MAX_STACK_WORDS];
    let stack = copy_stack(stack_pointer, &stacks, &mut words);
    let sections = SectionMap { text: layout::text(), guards };
    let epitaph = Epitaph { cause, sections, stack_pointer, stack };
    // The console's writer never fails.
    let _ = write!(console::RawWriter, "{epitaph}");
    console::last_words(&epitaph);
}

/// Ends all DMA, then the image: through the hypervisor, else through isa-debug-exit. If both fail,
/// stops the processor.
pub fn exit(how: Exit) -> ! {
    pci::stop_bus_masters();
    match WAY_OUT.get() {
        Some(way_out) => way_out(how),
        None => DEBUG_EXIT.write_u8(how.debug_exit()),
    }
    cpu::halt_forever()
}

fn current_stack_pointer() -> u64 {
    let stack_pointer;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags)) };
    stack_pointer
}

/// Copies the words above `stack_pointer` if it lies in one of `stacks` or in the guard page below
/// one.
fn copy_stack<'a>(
    stack_pointer: u64,
    stacks: &[PhysRange],
    words: &'a mut [u64; MAX_STACK_WORDS],
) -> &'a [u64] {
    let holds = |stack: &&PhysRange| (stack.start - PAGE_BYTES..stack.end).contains(&stack_pointer);
    let Some(stack) = stacks.iter().find(holds) else { return &[] };
    let start = stack_pointer.max(stack.start).next_multiple_of(8);
    let mut count = 0;
    for (word, address) in words.iter_mut().zip((start..stack.end).step_by(8)) {
        // SAFETY: the address is aligned and inside one of the image's stacks, which are mapped and
        // end at a page.
        *word = unsafe { ptr::with_exposed_provenance::<u64>(address as usize).read_volatile() };
        count += 1;
    }
    words.get(..count).unwrap_or(&[])
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    die(Cause::Panic { message: &info.message(), location: info.location() })
}
