//! Which types may lie in shared memory.
#![allow(unsafe_code, reason = "leaf: promises about layouts")]

use crate::console::ConsoleRing;
use crate::shared_info::SharedInfo;
use crate::xs_wire::StoreRing;

/// A type whose values may lie in memory that Xen or another domain changes at any moment.
///
/// # Safety
/// Every field is made of atomics, so that a change from outside is no change behind Rust's back; every pattern of bits
/// is a value; and the type fits into one page.
pub unsafe trait SharedLayout {}

// SAFETY: atomics all the way down, any bits are a value, and 3136 bytes fit into a page.
unsafe impl SharedLayout for SharedInfo {}
// SAFETY: atomics all the way down, any bits are a value, and 3088 bytes fit into a page.
unsafe impl SharedLayout for ConsoleRing {}
// SAFETY: atomics all the way down, any bits are a value, and 2076 bytes fit into a page.
unsafe impl SharedLayout for StoreRing {}
