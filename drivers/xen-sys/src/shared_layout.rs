//! Types that may lie in shared memory.
#![allow(unsafe_code, reason = "leaf: promises about layouts")]

use crate::console::ConsoleRing;
use crate::shared_info::SharedInfo;
use crate::xs_wire::StoreRing;

/// A type whose values may lie in memory that Xen or another domain changes at any moment.
///
/// # Safety
/// - Every field consists of atomics, so a change from outside is no data race.
/// - Every bit pattern is a valid value.
/// - The type fits into one page.
pub unsafe trait SharedLayout {}

// SAFETY: it consists of atomics, every bit pattern is valid, and its 3136 bytes fit into one page.
unsafe impl SharedLayout for SharedInfo {}
// SAFETY: it consists of atomics, every bit pattern is valid, and its 3088 bytes fit into one page.
unsafe impl SharedLayout for ConsoleRing {}
// SAFETY: it consists of atomics, every bit pattern is valid, and its 2076 bytes fit into one page.
unsafe impl SharedLayout for StoreRing {}
