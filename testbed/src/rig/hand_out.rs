//! What a guest handed out: a tar archive in base64, among all else on its console. A guest may say anything there, so
//! nothing of it is trusted: not what is encoded, not the names in the archive, not their sizes.

use std::io::Read;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The most that is unpacked of one archive.
const LARGEST_ARCHIVE: u64 = 1 << 30;

/// The most files of one archive.
const MOST_FILES: usize = 10_000;

/// The archive that a guest handed out last; `None` when it handed out nothing, or was cut short.
pub(super) fn archive(console: &str) -> Option<Result<Vec<u8>>> {
    let (_, rest) = console.rsplit_once("@out begin")?;
    let (text, _) = rest.split_once("@out end")?;
    Some(decode(text).context("what it handed out is no base64: something else spoke in between"))
}

/// Base64 in lines.
fn decode(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    Ok(STANDARD.decode(digits)?)
}

/// Unpacks an archive: plain files and folders, below a folder and nowhere else; without the archive's top folder.
///
/// # Errors
/// When it's no archive, has a path that leads elsewhere, or is too large. What was unpacked until then stays.
pub(super) fn unpack(archive: impl Read, into: &Path) -> Result<()> {
    let mut left = LARGEST_ARCHIVE;
    let mut entries = tar::Archive::new(archive);
    for (count, entry) in entries.entries()?.enumerate() {
        let mut entry = entry.context("no archive")?;
        ensure!(count < MOST_FILES, "more than {MOST_FILES} files");
        let name = entry.path()?.into_owned();
        let mut path = into.to_path_buf();
        for component in name.components().filter(|component| *component != Component::CurDir).skip(1) {
            match component {
                Component::Normal(part) => path.push(part),
                _ => bail!("{} leads out of the archive", name.display()),
            }
        }
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        } else if kind.is_file() {
            left = left.checked_sub(entry.size()).context("the archive is too large")?;
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
            }
            let mut file = std::fs::File::create(&path).with_context(|| path.display().to_string())?;
            std::io::copy(&mut entry, &mut file).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Scratch;

    fn entry(kind: tar::EntryType, name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_entry_type(kind);
        if kind.is_symlink() {
            header.set_link_name("/tmp").expect("fits");
        }
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn file(name: &str, content: &[u8]) -> Vec<u8> {
        entry(tar::EntryType::Regular, name.as_bytes(), content)
    }

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\r\nYmE=\r\n", "fooba")]
        {
            assert_eq!(decode(text).expect("good"), bytes.as_bytes());
        }
        assert_eq!(decode("+/+/").expect("good"), [0xfb, 0xff, 0xbf]);
        for text in ["Zg=", "Zg==Zg==", "Z===", "====", "Zm9v!aaa", "Zm9"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_archive_of_a_console_counts() {
        let console = "boot\r\n@out begin\r\nZm9v\r\n@out end\r\n@run\r\n@out begin\r\nYmFy\r\n@out end\r\n";
        assert_eq!(archive(console).expect("there").expect("good"), b"bar");
        assert!(archive("@out begin\nZm9v\n").is_none());
        assert!(archive("hello").is_none());
        assert!(archive("@out begin\n[ 12.0] oops\n@out end").expect("there").is_err());
    }

    #[test]
    fn files_and_folders_are_unpacked_without_the_top_folder() {
        let scratch = Scratch::new(false).expect("a directory");
        let bytes = [
            entry(tar::EntryType::Directory, b"out/", b""),
            file("out/a", b"hello"),
            file("./out/b/c", b"there"),
            entry(tar::EntryType::Symlink, b"out/link", b""),
            file("out/link/d", b"below"),
        ];
        unpack(bytes.concat().as_slice(), scratch.path()).expect("unpacked");
        let read = |name: &str| std::fs::read(scratch.file(name)).expect("there");
        assert_eq!((read("a"), read("b/c")), (b"hello".to_vec(), b"there".to_vec()));
        // The link is no link, so what goes through it stays here.
        assert_eq!(read("link/d"), b"below");
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for name in ["out/../../x", "../x/y", "out/..", "a/b/../../../../x"] {
            let scratch = Scratch::new(false).expect("a directory");
            let into = scratch.file("inner");
            let result = unpack(file(name, b"bad").as_slice(), &into);
            assert!(result.is_err() || !scratch.file("x").exists(), "{name}");
            assert!(!scratch.file("x").exists() && !scratch.file("y").exists(), "{name}");
        }
        // An absolute path begins at the folder, too: its first part is what is skipped.
        let scratch = Scratch::new(false).expect("a directory");
        unpack(file("/out/e", b"in").as_slice(), scratch.path()).expect("unpacked");
        assert!(scratch.file("out/e").exists());
    }

    #[test]
    fn what_is_no_archive_or_lies_about_its_size_is_refused() {
        let scratch = Scratch::new(false).expect("a directory");
        assert!(unpack([7; 2000].as_slice(), scratch.path()).is_err());
        let mut lies = file("out/a", b"");
        let mut header = tar::Header::new_ustar();
        header.set_path("out/a").expect("fits");
        header.set_size(1 << 40);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        lies[..512].copy_from_slice(header.as_bytes());
        assert!(unpack(lies.as_slice(), scratch.path()).is_err());
    }
}
