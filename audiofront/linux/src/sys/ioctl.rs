//! ioctl calls of Xen's character devices, with a structure of words as argument.
#![allow(unsafe_code, reason = "leaf: ioctl")]

use std::ffi::c_void;
use std::os::fd::BorrowedFd;

use rustix::io;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode};

/// A request code without direction, as in all of Xen's devices: `_IOC(_IOC_NONE, group, number,
/// size)` (asm-generic/ioctl.h).
pub(super) const fn opcode(group: u8, number: u8, argument_bytes: u16) -> Opcode {
    (argument_bytes as Opcode) << 16 | (group as Opcode) << 8 | number as Opcode
}

/// The argument's size in the opcode.
const fn argument_bytes(opcode: Opcode) -> usize {
    (opcode >> 16 & 0x3fff) as usize
}

struct Call<'a> {
    opcode: Opcode,
    argument: &'a mut [u64],
}

// SAFETY: `opcode` made the opcode, and the device is Xen's. The device reads and writes a
// structure at the pointer, which by the promise of `call`'s caller lies in `argument`. The return
// value is a number.
unsafe impl Ioctl for Call<'_> {
    type Output = u32;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.argument.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> io::Result<u32> {
        u32::try_from(output).map_err(|_| io::Errno::RANGE)
    }
}

/// Calls the device and returns its result.
///
/// # Safety
/// For this opcode the device behind `fd` accesses no more than `argument`. The size in the opcode
/// doesn't ensure that: some structures end in arrays.
pub(super) unsafe fn call(fd: BorrowedFd<'_>, opcode: Opcode, argument: &mut [u64]) -> io::Result<u32> {
    debug_assert!(size_of_val(argument) >= argument_bytes(opcode));
    // SAFETY: as the caller promises.
    unsafe { rustix::ioctl::ioctl(fd, Call { opcode, argument }) }
}

#[cfg(test)]
mod tests {
    use super::opcode;

    #[test]
    fn opcodes_are_those_of_the_headers() {
        // xen/gntalloc.h, IOCTL_GNTALLOC_ALLOC_GREF; xen/evtchn.h, IOCTL_EVTCHN_NOTIFY.
        assert_eq!(opcode(b'G', 5, 24), 0x0018_4705);
        assert_eq!(opcode(b'E', 4, 4), 0x0004_4504);
    }
}
