//! ELF files, as far as the tools ask about them.

use object::LittleEndian;
use object::elf::PT_LOAD;
use object::read::elf::{ElfFile64, ProgramHeader};

/// Sizes of a program's loadable segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadedSize {
    /// Bytes that the loader reads from the file.
    pub(crate) file_bytes: u64,
    /// Bytes in memory, zeroed data included.
    pub(crate) memory_bytes: u64,
}

/// Sums up the loadable segments of an ELF64 file, little endian. `None` without such segments.
pub(crate) fn loaded_size(file: &[u8]) -> Option<LoadedSize> {
    let elf = ElfFile64::<LittleEndian>::parse(file).ok()?;
    let segments = elf.elf_program_headers().iter().filter(|header| header.p_type(LittleEndian) == PT_LOAD);
    let mut size = LoadedSize { file_bytes: 0, memory_bytes: 0 };
    for segment in segments {
        size.file_bytes = size.file_bytes.checked_add(segment.p_filesz(LittleEndian))?;
        size.memory_bytes = size.memory_bytes.checked_add(segment.p_memsz(LittleEndian))?;
    }
    (size.memory_bytes > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loadable_segments_count() {
        let mut elf = vec![0; 64 + 2 * 56];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        elf[0x20] = 64; // e_phoff
        elf[0x34] = 64; // e_ehsize
        elf[0x36] = 56; // e_phentsize
        elf[0x38] = 2; // e_phnum
        elf[64] = 1; // PT_LOAD
        elf[64 + 0x20] = 100; // p_filesz
        elf[64 + 0x28] = 120; // p_memsz
        elf[64 + 56] = 4; // PT_NOTE
        elf[64 + 56 + 0x20] = 20;
        assert_eq!(loaded_size(&elf), Some(LoadedSize { file_bytes: 100, memory_bytes: 120 }));
        elf[64] = 4;
        assert_eq!(loaded_size(&elf), None);
    }

    #[test]
    fn what_is_no_elf_has_no_size() {
        assert_eq!(loaded_size(b""), None);
        assert_eq!(loaded_size(&[0x7f; 200]), None);
        assert_eq!(loaded_size(b"\x7fELF\x02\x01 cut short"), None);
    }
}
