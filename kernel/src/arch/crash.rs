//! The one way out when something went wrong, and the way out in general.
#![allow(unsafe_code, reason = "leaf: reads the stack of code that went wrong")]

use core::arch::asm;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use super::cpu;
use super::port::DEBUG_EXIT;
use crate::console;
use crate::epitaph::{Cause, Epitaph, MAX_STACK_WORDS, SectionMap};
use crate::memory::layout;
use crate::pci;

/// Epitaphs begun: whatever goes wrong while one is written must not begin another.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Isa-debug-exit's value after a crash.
const EXIT_CRASH: u8 = 0x12;

/// Stops the controllers, writes the epitaph and ends the image.
pub fn die(cause: Cause<'_>) -> ! {
    match BEGUN.fetch_add(1, Ordering::Relaxed) {
        0 => {
            pci::stop_bus_masters();
            let stack_pointer = cause.stack_pointer().unwrap_or_else(current_stack_pointer);
            let mut words = [0; MAX_STACK_WORDS];
            let words = copy_stack(stack_pointer, &mut words);
            let mut guards = [layout::stack(); 5];
            for (guard, stack) in guards[1..].iter_mut().zip(layout::fault_stacks()) {
                *guard = stack;
            }
            for guard in &mut guards {
                (guard.start, guard.end) = (guard.start - 4096, guard.start);
            }
            let sections = SectionMap { text: layout::text(), guards };
            let epitaph = Epitaph { cause, sections, stack_pointer, stack: words };
            // The console's writer never fails.
            let _ = write!(console::RawWriter, "{epitaph}");
        }
        1 => console::RawWriter.line("@verdict crash a fault while the epitaph was written"),
        _ => {}
    }
    exit(EXIT_CRASH)
}

/// Ends the image with a value for isa-debug-exit; where there is no such device, stops.
pub fn exit(value: u8) -> ! {
    DEBUG_EXIT.write_u8(value);
    cpu::halt_forever()
}

fn current_stack_pointer() -> u64 {
    let stack_pointer;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags)) };
    stack_pointer
}

/// Copies what lies above `stack_pointer`, as far as that is in one of the image's stacks.
fn copy_stack(stack_pointer: u64, words: &mut [u64; MAX_STACK_WORDS]) -> &[u64] {
    let start = stack_pointer.next_multiple_of(8);
    let stacks = layout::fault_stacks();
    let mut stacks = stacks.iter().chain([&layout::stack()]).copied().collect::<heapless::Vec<_, 5>>();
    stacks.retain(|stack| stack.contains(start));
    let Some(stack) = stacks.first() else { return &[] };
    let mut count = 0;
    for (word, address) in words.iter_mut().zip((start..stack.end).step_by(8)) {
        // SAFETY: inside one of the image's stacks, which are mapped and end at a page; aligned.
        *word = unsafe { ptr::with_exposed_provenance::<u64>(address as usize).read_volatile() };
        count += 1;
    }
    words.get(..count).unwrap_or(&[])
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    die(Cause::Panic(info))
}
