//! The console ring (io/console.h).

use core::sync::atomic::{AtomicU8, AtomicU32};

/// Bytes of the ring to the guest.
pub const IN_BYTES: usize = 1024;
/// Bytes of the ring from the guest.
pub const OUT_BYTES: usize = 2048;

/// `struct xencons_interface`. Indices count bytes and wrap at 2^32; the place in a ring is the index modulo its size.
#[derive(Debug)]
#[repr(C)]
pub struct ConsoleRing {
    /// Input of the console, to the guest.
    pub input: [AtomicU8; IN_BYTES],
    /// Output of the guest, to the console.
    pub output: [AtomicU8; OUT_BYTES],
    /// Written by the guest.
    pub in_cons: AtomicU32,
    /// Written by the console's daemon.
    pub in_prod: AtomicU32,
    /// Written by the console's daemon.
    pub out_cons: AtomicU32,
    /// Written by the guest.
    pub out_prod: AtomicU32,
}
assert_layout!(
    ConsoleRing, size 3088,
    output at 1024, in_cons at 3072, in_prod at 3076, out_cons at 3080, out_prod at 3084,
);

impl Default for ConsoleRing {
    fn default() -> Self {
        Self {
            input: [const { AtomicU8::new(0) }; IN_BYTES],
            output: [const { AtomicU8::new(0) }; OUT_BYTES],
            in_cons: AtomicU32::new(0),
            in_prod: AtomicU32::new(0),
            out_cons: AtomicU32::new(0),
            out_prod: AtomicU32::new(0),
        }
    }
}
