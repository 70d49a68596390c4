//! ELF files, as far as the tools ask about them.

use std::collections::BTreeSet;

use object::LittleEndian;
use object::elf::{DT_NEEDED, PT_LOAD};
use object::read::elf::{Dyn, ElfFile64, ProgramHeader, SectionHeader};

/// Sizes of a program's loadable segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadedSize {
    /// Bytes that the loader reads from the file.
    pub file_bytes: u64,
    /// Bytes in memory, zeroed data included.
    pub memory_bytes: u64,
}

/// Sums up the loadable segments of an ELF64 file, little endian. `None` without such segments.
pub fn loaded_size(file: &[u8]) -> Option<LoadedSize> {
    let elf = ElfFile64::<LittleEndian>::parse(file).ok()?;
    let segments = elf.elf_program_headers().iter().filter(|header| header.p_type(LittleEndian) == PT_LOAD);
    let mut size = LoadedSize { file_bytes: 0, memory_bytes: 0 };
    for segment in segments {
        size.file_bytes = size.file_bytes.checked_add(segment.p_filesz(LittleEndian))?;
        size.memory_bytes = size.memory_bytes.checked_add(segment.p_memsz(LittleEndian))?;
    }
    (size.memory_bytes > 0).then_some(size)
}

/// Names of the shared libraries that a program is linked with; none for a file of another kind.
pub fn needed_libraries(file: &[u8]) -> BTreeSet<String> {
    let needed = || -> Option<BTreeSet<String>> {
        let elf = ElfFile64::<LittleEndian>::parse(file).ok()?;
        let sections = elf.elf_section_table();
        let (entries, strings) = sections.dynamic(LittleEndian, file).ok()??;
        let strings = sections.strings(LittleEndian, file, strings).ok()?;
        let needed = entries.iter().filter(|entry| entry.tag32(LittleEndian) == Some(DT_NEEDED));
        let names = needed.filter_map(|entry| entry.string(LittleEndian, strings).ok());
        Some(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    };
    needed().unwrap_or_default()
}

/// Modules that a kernel module names as its dependencies. `None` for a file of another kind, as a compressed module.
pub fn module_dependencies(file: &[u8]) -> Option<Vec<String>> {
    let elf = ElfFile64::<LittleEndian>::parse(file).ok()?;
    let depends = || -> Option<Vec<String>> {
        let (_, info) = elf.elf_section_table().section_by_name(LittleEndian, b".modinfo")?;
        let mut fields = info.data(LittleEndian, file).ok()?.split(|byte| *byte == 0);
        let depends = fields.find_map(|field| field.strip_prefix(b"depends="))?;
        let depends = String::from_utf8_lossy(depends);
        Some(depends.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    };
    Some(depends().unwrap_or_default())
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

    #[test]
    fn a_program_of_this_machine_names_its_libraries() {
        let program = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        let needed = needed_libraries(&program);
        assert!(needed.iter().any(|name| name.starts_with("libc.so")), "{needed:?}");
        assert_eq!(module_dependencies(&program), Some(Vec::new()));
    }

    #[test]
    fn a_module_names_its_dependencies() {
        // A header, a section table of three, and the names and the information in one string.
        let strings = b"\0.modinfo\0name=x\0depends=snd-pcm,snd\0";
        let mut file = vec![0; 64 + 3 * 64];
        file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        file[0x28] = 64; // e_shoff
        file[0x34] = 64; // e_ehsize
        file[0x3a] = 64; // e_shentsize
        file[0x3c] = 3; // e_shnum
        file[0x3e] = 1; // e_shstrndx
        let at = (file.len() as u16).to_le_bytes();
        for (section, kind) in [(128, 3), (192, 1)] {
            file[section + 4] = kind; // SHT_STRTAB, SHT_PROGBITS
            file[section + 0x18..section + 0x1a].copy_from_slice(&at);
            file[section + 0x20] = strings.len() as u8;
        }
        file[192] = 1; // its name
        file.extend_from_slice(strings);
        assert_eq!(module_dependencies(&file).expect("ELF"), ["snd-pcm", "snd"]);
    }

    #[test]
    fn a_file_that_is_cut_short_asks_for_nothing() {
        assert!(module_dependencies(b"#!/bin/sh").is_none());
        let program = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        for length in [6, 63, 64, 200, 4000] {
            assert!(needed_libraries(&program[..length]).is_empty());
        }
    }
}
