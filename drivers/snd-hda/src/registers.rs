//! How the driver reaches the controller's registers.
//!
//! A platform supplies [`Registers`]: six plain accesses. The driver never calls them with a bare
//! number. Every [`Register`] knows its offset, width and access. A 32-bit access to a 16-bit
//! register, or a write to a read-only one, doesn't compile:
//!
//! ```compile_fail
//! use snd_hda::registers::{ReadOnly, Register, Registers};
//!
//! fn clear_capabilities<R: Registers>(registers: &mut R) {
//!     let gcap: Register<u16, ReadOnly> = Register::new("GCAP", 0x00);
//!     gcap.write(registers, 0); // `ReadOnly` is not `Writable`
//! }
//! ```

use core::marker::PhantomData;

/// Access to the controller's memory-mapped registers (BAR 0), in its byte order (little-endian).
///
/// Offsets are bytes from the start of BAR 0, naturally aligned for their width and below
/// `0x4000`. Reads take `&mut self` because they may have side effects.
///
/// An implementation must not split, widen, merge or reorder accesses. A controller answers only
/// at a register's architected offset and width.
pub trait Registers {
    /// Reads the byte at `offset_bytes`.
    fn read_u8(&mut self, offset_bytes: u16) -> u8;
    /// Reads the 16-bit word at `offset_bytes`.
    fn read_u16(&mut self, offset_bytes: u16) -> u16;
    /// Reads the 32-bit word at `offset_bytes`.
    fn read_u32(&mut self, offset_bytes: u16) -> u32;
    /// Writes the byte at `offset_bytes`.
    fn write_u8(&mut self, offset_bytes: u16, value: u8);
    /// Writes the 16-bit word at `offset_bytes`.
    fn write_u16(&mut self, offset_bytes: u16, value: u16);
    /// Writes the 32-bit word at `offset_bytes`.
    fn write_u32(&mut self, offset_bytes: u16, value: u32);
    /// Whether something else than the registers says that the device can't use DMA: it is gone from its bus, or asleep
    /// (PCI Power Management specification 1.2, 5.4: D3), or no bus master.
    ///
    /// The driver asks when a stream doesn't stop. By default nothing says so.
    fn is_cut_off(&mut self) -> bool {
        false
    }
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
    fn is_cut_off(&mut self) -> bool {
        (**self).is_cut_off()
    }
}

/// A register: its name and offset. Its type holds the width `W` ([`u8`], [`u16`] or [`u32`]) and
/// the access `A` ([`ReadOnly`], [`WriteOnly`] or [`ReadWrite`]).
pub struct Register<W, A> {
    name: &'static str,
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

/// A register's width: [`u8`], [`u16`] or [`u32`].
pub trait Width: Copy + PartialEq + Into<u32> + private::Sealed {
    /// What a controller that is gone reads as.
    const ONES: Self;
    /// Reads a register of this width.
    fn read_from<R: Registers>(registers: &mut R, offset_bytes: u16) -> Self;
    /// Writes a register of this width.
    fn write_to<R: Registers>(self, registers: &mut R, offset_bytes: u16);
}

mod private {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for u32 {}
}

impl Width for u8 {
    const ONES: Self = Self::MAX;

    fn read_from<R: Registers>(registers: &mut R, offset_bytes: u16) -> Self {
        registers.read_u8(offset_bytes)
    }
    fn write_to<R: Registers>(self, registers: &mut R, offset_bytes: u16) {
        registers.write_u8(offset_bytes, self);
    }
}

impl Width for u16 {
    const ONES: Self = Self::MAX;

    fn read_from<R: Registers>(registers: &mut R, offset_bytes: u16) -> Self {
        registers.read_u16(offset_bytes)
    }
    fn write_to<R: Registers>(self, registers: &mut R, offset_bytes: u16) {
        registers.write_u16(offset_bytes, self);
    }
}

impl Width for u32 {
    const ONES: Self = Self::MAX;

    fn read_from<R: Registers>(registers: &mut R, offset_bytes: u16) -> Self {
        registers.read_u32(offset_bytes)
    }
    fn write_to<R: Registers>(self, registers: &mut R, offset_bytes: u16) {
        registers.write_u32(offset_bytes, self);
    }
}

impl<W, A> Clone for Register<W, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W, A> Copy for Register<W, A> {}

impl<W: Width, A> Register<W, A> {
    /// The register that the specification calls `name`, at `offset_bytes` from the start of BAR 0.
    pub const fn new(name: &'static str, offset_bytes: u16) -> Self {
        Self { name, offset_bytes, kind: PhantomData }
    }

    /// The specification's name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Bytes from the start of BAR 0.
    pub const fn offset_bytes(self) -> u16 {
        self.offset_bytes
    }

    /// Reads it, at its own width.
    pub fn read<R: Registers>(self, registers: &mut R) -> W
    where
        A: Readable,
    {
        W::read_from(registers, self.offset_bytes)
    }

    /// Writes it, at its own width.
    pub fn write<R: Registers>(self, registers: &mut R, value: W)
    where
        A: Writable,
    {
        value.write_to(registers, self.offset_bytes);
    }
}
