//! As much of ELF as is needed to know what a program or a kernel module asks for.

use std::collections::BTreeSet;

/// An ELF64 file, little endian. Offsets and names are those of the ELF-64 object file format.
pub(super) struct Elf<'a>(&'a [u8]);

/// A section, where it lies in the file.
struct Section {
    name: usize,
    kind: u32,
    offset: usize,
    length: usize,
    link: usize,
}

const SHT_DYNAMIC: u32 = 6;
const DT_NEEDED: u64 = 1;

impl<'a> Elf<'a> {
    /// `None` when it's something else.
    pub(super) fn new(file: &'a [u8]) -> Option<Elf<'a>> {
        file.starts_with(b"\x7fELF\x02\x01").then_some(Elf(file))
    }

    /// The shared libraries that it's linked with, by name.
    pub(super) fn needed(&self) -> BTreeSet<String> {
        let needed = || -> Option<BTreeSet<String>> {
            let sections = self.sections()?;
            let dynamic = sections.iter().find(|section| section.kind == SHT_DYNAMIC)?;
            let strings = sections.get(dynamic.link)?;
            let entries = self.slice(dynamic)?.as_chunks::<16>().0;
            let names = entries.iter().filter_map(|entry| {
                let (tag, value) = entry.split_at(8);
                let value = usize::try_from(u64::from_le_bytes(*value.first_chunk()?)).ok()?;
                let tag = u64::from_le_bytes(*tag.first_chunk()?);
                (tag == DT_NEEDED).then_some(())?;
                self.text(strings.offset.checked_add(value)?)
            });
            Some(names.collect())
        };
        needed().unwrap_or_default()
    }

    /// The modules that a kernel module says it depends on.
    pub(super) fn module_dependencies(&self) -> Vec<String> {
        let depends = || -> Option<Vec<String>> {
            let sections = self.sections()?;
            let names = sections.get(usize::from(self.u16_at(0x3e)?))?;
            let info = sections.iter().find(|section| {
                let name = names.offset.checked_add(section.name).and_then(|at| self.text(at));
                name.as_deref() == Some(".modinfo")
            })?;
            let fields = self.slice(info)?.split(|octet| *octet == 0);
            let depends = fields.filter_map(|field| field.strip_prefix(b"depends=")).next()?;
            let depends = String::from_utf8_lossy(depends).into_owned();
            Some(depends.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
        };
        depends().unwrap_or_default()
    }

    fn sections(&self) -> Option<Vec<Section>> {
        let table = usize::try_from(self.u64_at(0x28)?).ok()?;
        let entry_bytes = usize::from(self.u16_at(0x3a)?);
        (0..usize::from(self.u16_at(0x3c)?))
            .map(|index| {
                let at = table.checked_add(index.checked_mul(entry_bytes)?)?;
                Some(Section {
                    name: usize::try_from(self.u32_at(at)?).ok()?,
                    kind: self.u32_at(at.checked_add(4)?)?,
                    offset: usize::try_from(self.u64_at(at.checked_add(0x18)?)?).ok()?,
                    length: usize::try_from(self.u64_at(at.checked_add(0x20)?)?).ok()?,
                    link: usize::try_from(self.u32_at(at.checked_add(0x28)?)?).ok()?,
                })
            })
            .collect()
    }

    fn slice(&self, section: &Section) -> Option<&'a [u8]> {
        self.0.get(section.offset..section.offset.checked_add(section.length)?)
    }

    fn text(&self, at: usize) -> Option<String> {
        let rest = self.0.get(at..)?;
        let end = rest.iter().position(|octet| *octet == 0)?;
        Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
    }

    fn u16_at(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    fn u64_at(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_this_machine_names_its_libraries() {
        let program = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        let elf = Elf::new(&program).expect("an ELF file");
        assert!(elf.needed().iter().any(|name| name.starts_with("libc.so")), "{:?}", elf.needed());
        assert!(elf.module_dependencies().is_empty());
    }

    #[test]
    fn a_module_names_what_it_depends_on() {
        // A header, a section table of two, and the names and the information in one string.
        let strings = b"\0.modinfo\0name=x\0depends=snd-pcm,snd\0";
        let mut file = vec![0; 64 + 2 * 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[0x28] = 64;
        file[0x3a] = 64;
        file[0x3c] = 2;
        let at = file.len() as u8;
        for section in [64, 128] {
            file[section + 0x18] = at;
            file[section + 0x20] = strings.len() as u8;
        }
        file[128] = 1;
        file.extend_from_slice(strings);
        assert_eq!(Elf::new(&file).expect("ELF").module_dependencies(), ["snd-pcm", "snd"]);
    }

    #[test]
    fn what_is_cut_short_asks_for_nothing() {
        assert!(Elf::new(b"#!/bin/sh").is_none());
        let program = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
        for length in [6, 63, 64, 200, 4000] {
            assert!(Elf::new(&program[..length]).expect("magic").needed().is_empty());
        }
    }
}
