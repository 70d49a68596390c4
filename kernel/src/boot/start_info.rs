//! The loader's information, copied before the final page tables hide it.
#![allow(unsafe_code, reason = "leaf: reads the loader's structures at physical addresses")]

use heapless::Vec;
use pvh::start_info::MemmapType;
use pvh::start_info::reader::StartInfoReader;

use super::command_line::MAX_COMMAND_LINE_BYTES;
use crate::memory::range::PhysRange;

/// Most entries of the memory map; real maps have about a dozen.
pub const MAX_MEMORY_ENTRIES: usize = 64;

/// An entry of the loader's memory map.
#[derive(Clone, Copy, Debug)]
pub struct MemoryEntry {
    /// The addresses of the entry.
    pub range: PhysRange,
    /// Whether this is usable RAM. The image avoids everything else.
    pub is_ram: bool,
}

/// A private copy of the PVH start info.
#[derive(Debug)]
pub struct BootInfo {
    /// The command line's bytes, not validated yet.
    pub command_line: Vec<u8, MAX_COMMAND_LINE_BYTES>,
    /// Location of the first boot module.
    pub module: Option<PhysRange>,
    /// The memory map.
    pub memory: Vec<MemoryEntry, MAX_MEMORY_ENTRIES>,
}

/// Why the start info is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartInfoError {
    /// The magic number is missing: EBX didn't point to a start info.
    #[error("the loader passed no PVH start info")]
    NoMagic,
    /// Version 0, or an empty map.
    #[error("the PVH start info has no memory map")]
    NoMemoryMap,
    /// The map has more than [`MAX_MEMORY_ENTRIES`] entries.
    #[error("the PVH memory map has more than 64 entries")]
    MemoryMapTooLong,
    /// The command line has more than [`MAX_COMMAND_LINE_BYTES`] bytes.
    #[error("the command line is longer than 1024 bytes")]
    CommandLineTooLong,
    /// The first module lies above 4 GiB or wraps.
    #[error("the boot module lies above 4 GiB")]
    ModuleOutOfReach,
}

impl BootInfo {
    /// Copies the start info at `start_info_paddr`.
    ///
    /// Call it while the entry code's one to one map of the first 4 GiB is active.
    pub fn read(start_info_paddr: u32) -> Result<Self, StartInfoError> {
        // SAFETY: the PVH boot ABI passes the start info's address in EBX, and the entry code
        // passes it on unchanged. The boot page tables map it and everything it points to one to
        // one. The reader checks the magic number.
        let reader = unsafe { StartInfoReader::from_paddr_identity(start_info_paddr) };
        let reader = reader.ok_or(StartInfoError::NoMagic)?;

        let mut memory = Vec::new();
        for entry in reader.memmap() {
            let Some(end) = entry.addr.checked_add(entry.size) else { continue };
            let range = PhysRange { start: entry.addr, end };
            memory
                .push(MemoryEntry { range, is_ram: entry.ty() == MemmapType::Ram })
                .map_err(|_| StartInfoError::MemoryMapTooLong)?;
        }
        if memory.is_empty() {
            return Err(StartInfoError::NoMemoryMap);
        }

        let mut command_line = Vec::new();
        if let Some(text) = reader.cmdline() {
            command_line
                .extend_from_slice(text.to_bytes())
                .map_err(|_| StartInfoError::CommandLineTooLong)?;
        }

        let module = match reader.modlist().next() {
            Some(entry) if entry.raw().size > 0 => {
                let start = entry.raw().paddr;
                let end = start.checked_add(entry.raw().size).filter(|&end| end <= 1 << 32);
                Some(PhysRange { start, end: end.ok_or(StartInfoError::ModuleOutOfReach)? })
            }
            _ => None,
        };
        Ok(Self { command_line, module, memory })
    }
}
