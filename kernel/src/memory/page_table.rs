//! Plans page tables: four levels, 4 KiB and 2 MiB pages, one to one.
//!
//! Reference: Intel SDM volume 3, 4.5 "4-level paging". All table access goes through
//! [`TableMemory`], so that tests run on the host.

use super::PAGE_BYTES;
use super::range::PhysRange;

/// Bytes in a large page.
pub const LARGE_PAGE_BYTES: u64 = 2 << 20;
/// Mapped addresses lie below this: the lower half of the canonical addresses.
pub const ADDRESS_LIMIT: u64 = 1 << 47;

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
/// Bits 51:12: the address of the next table or the page.
const ADDRESS_MASK: u64 = 0x000f_ffff_ffff_f000;

/// Access rights of a page. No value allows both write and execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Code.
    ReadExecute,
    /// Constants, boot modules.
    Read,
    /// Data.
    ReadWrite,
    /// Registers: uncached, read and written. PCD and PWT select entry 3 of the page attribute
    /// table, "UC" at reset.
    Device,
}

impl Access {
    const fn bits(self) -> u64 {
        match self {
            Self::ReadExecute => PRESENT,
            Self::Read => PRESENT | NO_EXECUTE,
            Self::ReadWrite => PRESENT | WRITABLE | NO_EXECUTE,
            Self::Device => PRESENT | WRITABLE | NO_EXECUTE | CACHE_DISABLE | WRITE_THROUGH,
        }
    }
}

/// Memory of page tables.
pub trait TableMemory {
    /// Allocates a table with all entries 0 and returns its address.
    fn allocate_table(&mut self) -> Option<u64>;
    /// Reads entry `index` (0 to 511) of the table at `table`.
    fn read(&self, table: u64, index: usize) -> u64;
    /// Writes entry `index` (0 to 511) of the table at `table`.
    fn write(&mut self, table: u64, index: usize, entry: u64);
}

/// Why a range couldn't be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No frame is free for a table.
    #[error("no memory is left for page tables")]
    OutOfFrames,
    /// The page at this address is already mapped.
    #[error("the page at {0:#x} is already mapped")]
    AlreadyMapped(u64),
    /// The range isn't page aligned, or ends past [`ADDRESS_LIMIT`].
    #[error("{:#x}..{:#x} can't be mapped", .0.start, .0.end)]
    BadRange(PhysRange),
}

/// A tree of tables, identified by its root.
#[derive(Debug)]
pub struct PageTable {
    root: u64,
}

impl PageTable {
    /// An empty tree. `None` if no frame is free for the root.
    pub fn new(memory: &mut impl TableMemory) -> Option<Self> {
        memory.allocate_table().map(|root| Self { root })
    }

    /// The root's address, for CR3.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Maps `range` one to one, in large pages where they fit. An error may leave part of it
    /// mapped.
    pub fn map(
        &mut self,
        memory: &mut impl TableMemory,
        range: PhysRange,
        access: Access,
    ) -> Result<(), MapError> {
        let aligned = range.start.is_multiple_of(PAGE_BYTES) && range.end.is_multiple_of(PAGE_BYTES);
        if !aligned || range.end > ADDRESS_LIMIT {
            return Err(MapError::BadRange(range));
        }
        let mut address = range.start;
        while address < range.end {
            let directory = self.directory(memory, address)?;
            let fits = address.is_multiple_of(LARGE_PAGE_BYTES) && range.end - address >= LARGE_PAGE_BYTES;
            if fits && memory.read(directory, index(address, 1)) & PRESENT == 0 {
                memory.write(directory, index(address, 1), address | access.bits() | LARGE);
                address += LARGE_PAGE_BYTES;
                continue;
            }
            // Fills all small pages of a table at once, to avoid a walk for each.
            let table = next_table(memory, directory, index(address, 1), address)?;
            let table_end = (address | (LARGE_PAGE_BYTES - 1)) + 1;
            for page in (address..range.end.min(table_end)).step_by(PAGE_BYTES as usize) {
                if memory.read(table, index(page, 0)) & PRESENT != 0 {
                    return Err(MapError::AlreadyMapped(page));
                }
                memory.write(table, index(page, 0), page | access.bits());
            }
            address = table_end;
        }
        Ok(())
    }

    fn directory(&self, memory: &mut impl TableMemory, address: u64) -> Result<u64, MapError> {
        let pointers = next_table(memory, self.root, index(address, 3), address)?;
        next_table(memory, pointers, index(address, 2), address)
    }
}

/// The entry for an address in a table of this level (0: page table, 3: root).
const fn index(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * level)) as usize & 511
}

/// The table that an entry points to, created on demand. Only leaf entries restrict access.
fn next_table(
    memory: &mut impl TableMemory,
    table: u64,
    index: usize,
    address: u64,
) -> Result<u64, MapError> {
    let entry = memory.read(table, index);
    if entry & PRESENT == 0 {
        let next = memory.allocate_table().ok_or(MapError::OutOfFrames)?;
        memory.write(table, index, next | PRESENT | WRITABLE);
        return Ok(next);
    }
    if entry & LARGE != 0 {
        return Err(MapError::AlreadyMapped(address));
    }
    Ok(entry & ADDRESS_MASK)
}
