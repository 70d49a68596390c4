//! The final page tables: W^X, guard pages, nothing mapped below 1 MiB.
#![allow(unsafe_code, reason = "leaf: writes page tables and loads CR3")]

use core::ptr;

use x86_64::PhysAddr;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use super::frames::FrameAllocator;
use super::layout;
use super::page_table::{Access, MapError, PageTable, TableMemory};
use super::range::PhysRange;

/// The tables in use, and the frames for more of them.
#[derive(Debug)]
pub struct AddressSpace {
    table: PageTable,
    frames: FrameAllocator,
}

/// Tables in RAM that is mapped one to one, by the boot tables and by the final ones alike.
struct Tables<'a>(&'a mut FrameAllocator);

fn entry(table: u64, index: usize) -> *mut u64 {
    ptr::with_exposed_provenance_mut::<u64>(table as usize).wrapping_add(index & 511)
}

impl TableMemory for Tables<'_> {
    fn allocate_table(&mut self) -> Option<u64> {
        let table = self.0.allocate(1)?;
        // SAFETY: the frame is RAM below 4 GiB, mapped writable, and ours alone since the allocator handed it out.
        unsafe { ptr::write_bytes(entry(table, 0), 0, 512) };
        Some(table)
    }

    fn read(&self, table: u64, index: usize) -> u64 {
        // SAFETY: `PageTable` passes tables that `allocate_table` returned, and nothing else refers to these.
        unsafe { entry(table, index).read_volatile() }
    }

    fn write(&mut self, table: u64, index: usize, value: u64) {
        // SAFETY: as for `read`. Only entries that aren't present are changed, so there is nothing to flush.
        unsafe { entry(table, index).write_volatile(value) };
    }
}

impl AddressSpace {
    /// Maps the image, each part for what it is, `module` read-only and the rest of `ram` as data; then uses it.
    ///
    /// `ram` has no memory below 1 MiB and none above 4 GiB, and `frames` is what of it is free.
    pub fn activate(
        mut frames: FrameAllocator,
        ram: &[PhysRange],
        module: Option<PhysRange>,
    ) -> Result<Self, MapError> {
        let mut tables = Tables(&mut frames);
        let mut table = PageTable::new(&mut tables).ok_or(MapError::OutOfFrames)?;
        table.map(&mut tables, layout::text(), Access::ReadExecute)?;
        table.map(&mut tables, layout::rodata(), Access::Read)?;
        table.map(&mut tables, layout::data(), Access::ReadWrite)?;
        table.map(&mut tables, layout::stack(), Access::ReadWrite)?;
        for stack in layout::fault_stacks() {
            table.map(&mut tables, stack, Access::ReadWrite)?;
        }
        // The image and the module split the RAM around them; in ascending order they leave up to three pieces each.
        let image = layout::image().grow_to_pages();
        let module = module.map(PhysRange::grow_to_pages);
        if let Some(module) = module {
            table.map(&mut tables, module, Access::Read)?;
        }
        let mut holes = [image, module.unwrap_or(image)];
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
        // SAFETY: the tables map the running code, its stack and its data at the addresses they have now.
        unsafe { Cr3::write(root, Cr3Flags::empty()) };
        Ok(Self { table, frames })
    }

    /// Maps registers at `range`, one to one, uncached.
    pub fn map_device(&mut self, range: PhysRange) -> Result<(), MapError> {
        self.table.map(&mut Tables(&mut self.frames), range.grow_to_pages(), Access::Device)
    }

    /// The frames that are still free.
    pub fn frames(&mut self) -> &mut FrameAllocator {
        &mut self.frames
    }
}
