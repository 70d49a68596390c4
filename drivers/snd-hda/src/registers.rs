//! How the driver reaches the controller's registers.
//!
//! [`Registers`] is what a platform supplies: six plain accesses. The driver itself never calls them with a bare
//! number: every register is a [`Register`], which knows its offset, its width and what may be done with it, so that
//! a 32-bit access to a 16-bit register, or a write to a read-only one, doesn't compile.

use core::marker::PhantomData;

/// Access to the controller's memory-mapped registers (BAR 0), in the controller's own byte order (little-endian).
///
/// Offsets are octets from the start of BAR 0 and are naturally aligned for their width; the driver never asks for
/// one at or past `0x4000`. Reads take `&mut self`, because reads may have side effects.
///
/// An implementation must not split, widen, merge or reorder accesses: a controller answers only at a register's
/// architected offset and width.
pub trait Registers {
    /// Reads the octet at `offset_bytes`.
    fn read_u8(&mut self, offset_bytes: u16) -> u8;
    /// Reads the 16-bit word at `offset_bytes`.
    fn read_u16(&mut self, offset_bytes: u16) -> u16;
    /// Reads the 32-bit word at `offset_bytes`.
    fn read_u32(&mut self, offset_bytes: u16) -> u32;
    /// Writes the octet at `offset_bytes`.
    fn write_u8(&mut self, offset_bytes: u16, value: u8);
    /// Writes the 16-bit word at `offset_bytes`.
    fn write_u16(&mut self, offset_bytes: u16, value: u16);
    /// Writes the 32-bit word at `offset_bytes`.
    fn write_u32(&mut self, offset_bytes: u16, value: u32);
}

impl<T: Registers + ?Sized> Registers for &mut T {
    fn read_u8(&mut self, offset_bytes: u16) -> u8 {
        (**self).read_u8(offset_bytes)
    }
    fn read_u16(&mut self, offset_bytes: u16) -> u16 {
        (**self).read_u16(offset_bytes)
    }
    fn read_u32(&mut self, offset_bytes: u16) -> u32 {
        (**self).read_u32(offset_bytes)
    }
    fn write_u8(&mut self, offset_bytes: u16, value: u8) {
        (**self).write_u8(offset_bytes, value);
    }
    fn write_u16(&mut self, offset_bytes: u16, value: u16) {
        (**self).write_u16(offset_bytes, value);
    }
    fn write_u32(&mut self, offset_bytes: u16, value: u32) {
        (**self).write_u32(offset_bytes, value);
    }
}

/// A register: its offset, and in its type its width `W` ([`u8`], [`u16`] or [`u32`]) and its access `A`
/// ([`ReadOnly`], [`WriteOnly`] or [`ReadWrite`]).
pub struct Register<W, A> {
    offset_bytes: u16,
    kind: PhantomData<(W, A)>,
}

/// May only be read.
pub enum ReadOnly {}
/// May only be written.
pub enum WriteOnly {}
/// May be read and written.
pub enum ReadWrite {}

/// An access that includes reading.
pub trait Readable {}
/// An access that includes writing.
pub trait Writable {}
impl Readable for ReadOnly {}
impl Readable for ReadWrite {}
impl Writable for WriteOnly {}
impl Writable for ReadWrite {}
