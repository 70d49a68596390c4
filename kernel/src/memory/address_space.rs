//! The final page tables: W^X, guard pages, no mapping below 1 MiB.
#![allow(unsafe_code, reason = "leaf: writes page tables, loads CR3, hands mapped memory out")]

use core::ptr;
use core::slice;
use core::sync::atomic::AtomicU32;

use x86_64::PhysAddr;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use super::frames::{FrameAllocator, TooManyRanges};
use super::mapped_device::MappedDevice;
use super::page_table::{Access, MapError, PageTable, TableMemory};
use super::range::PhysRange;
use super::{PAGE_BYTES, heap, layout};

/// The active tables, and free frames for more tables.
#[derive(Debug)]
pub struct AddressSpace {
    table: PageTable,
    frames: FrameAllocator,
    module: Option<PhysRange>,
}

/// Why the final page tables can't be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActivateError {
    /// The free memory has too many pieces.
    #[error(transparent)]
    Frames(TooManyRanges),
    /// A range couldn't be mapped.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The boot module isn't in usable RAM.
    #[error("the boot module isn't in usable RAM")]
    ModuleNotInRam,
}

/// Allocated pages as words. The controller, or the other end of a loop-back, may change them at
/// any time.
#[derive(Clone, Copy, Debug)]
pub struct MappedPages {
    /// Their words.
    pub words: &'static [AtomicU32],
    /// Their address for the processor and devices.
    pub address: u64,
}

/// `range` holds frames just allocated, which are never handed out again.
fn words(range: PhysRange) -> MappedPages {
    let first = ptr::with_exposed_provenance::<AtomicU32>(range.start as usize);
    // SAFETY: page-aligned RAM that `activate` mapped permanently as data and that only this value
    // owns. Any content is a valid AtomicU32. Every access is atomic, so a device may change it
    // meanwhile.
    let words = unsafe { slice::from_raw_parts(first, range.size_bytes() as usize / 4) };
    MappedPages { words, address: range.start }
}

/// Tables in RAM, mapped one to one by the boot tables and the final ones.
struct Tables<'a>(&'a mut FrameAllocator);

fn entry(table: u64, index: usize) -> *mut u64 {
    ptr::with_exposed_provenance_mut::<u64>(table as usize).wrapping_add(index & 511)
}

impl TableMemory for Tables<'_> {
    fn allocate_table(&mut self) -> Option<u64> {
        let table = self.0.allocate(1)?;
        // SAFETY: the frame is RAM below 4 GiB, mapped writable. The allocator handed it out to
        // this code alone.
        unsafe { ptr::write_bytes(entry(table, 0), 0, 512) };
        Some(table)
    }

    fn read(&self, table: u64, index: usize) -> u64 {
        // SAFETY: `PageTable` passes tables from `allocate_table`. Nothing else refers to them.
        unsafe { entry(table, index).read_volatile() }
    }

    fn write(&mut self, table: u64, index: usize, value: u64) {
        // SAFETY: as for `read`. Only entries that aren't present change, so no flush is needed.
        unsafe { entry(table, index).write_volatile(value) };
    }
}

impl AddressSpace {
    /// Maps the image's parts with their rights, `module` read-only and the rest of `ram` as data.
    /// Then switches to the new tables.
    ///
    /// `ram` excludes memory below 1 MiB, which firmware and option ROMs use. It also excludes
    /// memory above 4 GiB, where the boot tables end.
    pub fn activate(ram: &[PhysRange], module: Option<PhysRange>) -> Result<Self, ActivateError> {
        let in_ram = |part: PhysRange| ram.iter().any(|ram| ram.start <= part.start && part.end <= ram.end);
        if module.is_some_and(|module| !in_ram(module)) {
            return Err(ActivateError::ModuleNotInRam);
        }
        let taken = [layout::image(), module.unwrap_or(layout::image())];
        let mut frames = FrameAllocator::new(ram.iter().copied(), &taken).map_err(ActivateError::Frames)?;
        let mut tables = Tables(&mut frames);
        let mut table = PageTable::new(&mut tables).ok_or(MapError::OutOfFrames)?;
        table.map(&mut tables, layout::text(), Access::ReadExecute)?;
        table.map(&mut tables, layout::rodata(), Access::Read)?;
        table.map(&mut tables, layout::data(), Access::ReadWrite)?;
        table.map(&mut tables, layout::stack(), Access::ReadWrite)?;
        for stack in layout::fault_stacks() {
            table.map(&mut tables, stack, Access::ReadWrite)?;
        }
        // The image and the module split the RAM around them into up to three pieces each, in
        // ascending order.
        let image = layout::image().grow_to_pages();
        let module_pages = module.map(PhysRange::grow_to_pages);
        if let Some(module) = module_pages {
            table.map(&mut tables, module, Access::Read)?;
        }
        let mut holes = [image, module_pages.unwrap_or(image)];
        holes.sort_by_key(|hole| hole.start);
        for range in ram {
            let mut rest = range.shrink_to_pages();
            for hole in holes {
                let below = PhysRange { start: rest.start, end: rest.end.min(hole.start) };
                if !below.is_empty() {
                    table.map(&mut tables, below, Access::ReadWrite)?;
                }
                rest.start = rest.start.max(hole.end.min(rest.end));
            }
            if !rest.is_empty() {
                table.map(&mut tables, rest, Access::ReadWrite)?;
            }
        }
        let root = PhysFrame::containing_address(PhysAddr::new_truncate(table.root()));
        // SAFETY: the tables map the running code, its stack and its data at their present
        // addresses.
        unsafe { Cr3::write(root, Cr3Flags::empty()) };
        Ok(Self { table, frames, module })
    }

    /// Maps registers at `range` permanently: one to one, uncached. All RAM is already mapped, so
    /// this never maps RAM twice.
    pub fn map_device(&mut self, range: PhysRange) -> Result<MappedDevice, MapError> {
        self.table.map(&mut Tables(&mut self.frames), range.grow_to_pages(), Access::Device)?;
        Ok(MappedDevice::new(range))
    }

    /// Maps pages of Xen or another domain at `range` permanently: one to one, as data. All RAM of
    /// this domain is already mapped, so this never maps RAM twice.
    pub fn map_shared(&mut self, range: PhysRange) -> Result<(), MapError> {
        self.table.map(&mut Tables(&mut self.frames), range.grow_to_pages(), Access::ReadWrite)
    }

    /// Takes `count` contiguous pages with any content. `None` if no free range is that long.
    pub fn take_pages(&mut self, count: u64) -> Option<MappedPages> {
        let start = self.frames.allocate(count)?;
        Some(words(PhysRange { start, end: start + count * PAGE_BYTES }))
    }

    /// Takes the longest contiguous run of pages, at most `max_count`.
    pub fn take_longest(&mut self, max_count: u64) -> Option<MappedPages> {
        self.frames.allocate_longest(max_count).map(words)
    }

    /// Takes memory for the heap. `None` without free memory, or on a second call.
    pub fn take_heap(&mut self, size_bytes: u64) -> Option<()> {
        let count = size_bytes / PAGE_BYTES;
        let start = self.frames.allocate(count)?;
        // SAFETY: frames just allocated, never handed out again, and mapped as data by `activate`.
        unsafe { heap::init(PhysRange { start, end: start + count * PAGE_BYTES }) }
    }

    /// The boot module's bytes; empty without a module.
    pub fn module(&self) -> &'static [u8] {
        let Some(range) = self.module else { return &[] };
        let first = ptr::with_exposed_provenance::<u8>(range.start as usize);
        // SAFETY: `activate` mapped these pages read-only permanently. It refuses a module outside
        // RAM or inside the image. The frame allocator never owned them, so nothing changes them.
        unsafe { slice::from_raw_parts(first, range.size_bytes() as usize) }
    }

    /// Free memory in bytes.
    pub fn free_bytes(&self) -> u64 {
        self.frames.free_bytes()
    }
}
