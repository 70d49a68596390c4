//! Injected faults, to test epitaphs and error paths.
#![allow(unsafe_code, reason = "leaf: does what must not be done")]

use alloc::boxed::Box;
use core::arch::asm;
use core::fmt;
use core::hint::black_box;
use core::ptr;

use super::command_line::Fault;
use super::platform::Controller;
use crate::memory::{heap, layout};
use crate::pci;

/// A canonical address that is never mapped.
const NOWHERE: usize = 0x7f00_dead_b000;

/// Injects `fault`. Returns only for [`Fault::HangController`], or if the fault had no effect.
pub fn commit(fault: Fault, controllers: &[Controller]) {
    log::warn!(target: "fault", "injecting a fault");
    match fault {
        Fault::PageFault => {
            read_nowhere();
        }
        // An instruction, because Rust may treat a null pointer access as unreachable.
        // SAFETY: as above.
        Fault::Null => unsafe { asm!("mov byte ptr [{}], 0", in(reg) 0u64) },
        Fault::StackOverflow => {
            black_box(recurse(0));
        }
        // SAFETY: the intended divide error never returns.
        Fault::Divide => unsafe { asm!("div ecx", in("ecx") 0, inout("eax") 1 => _, inout("edx") 0 => _) },
        // SAFETY: the exception never returns.
        Fault::InvalidOpcode => unsafe { asm!("ud2", options(noreturn)) },
        Fault::WriteText => {
            let text = ptr::with_exposed_provenance_mut::<u8>(layout::text().start as usize);
            // SAFETY: the intended page fault never returns.
            unsafe { text.write_volatile(0xcc) };
        }
        Fault::ExecData => {
            // A RET: harmless if it executes after all.
            static DATA: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(0xc3);
            // SAFETY: the intended page fault never returns. Without one the called RET returns.
            unsafe { asm!("call {}", in(reg) DATA.as_ptr()) };
        }
        Fault::Panic => panic!("on purpose,\nwith a line break"),
        Fault::Alloc => {
            heap::seal();
            drop(black_box(Box::new(0u8)));
        }
        Fault::Nested => panic!("{}", fmt::from_fn(|f| write!(f, "{}", read_nowhere()))),
        Fault::HangController => {
            controllers.iter().for_each(|controller| pci::stop_decoding(controller.address));
        }
    }
}

fn read_nowhere() -> u8 {
    // SAFETY: deliberately unsound. The intended page fault never returns.
    unsafe { ptr::with_exposed_provenance::<u8>(NOWHERE).read_volatile() }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1).wrapping_add(frame[(depth % 64) as usize]) }
}
