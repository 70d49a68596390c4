//! Archives that are the same bytes for the same content, on every machine.

use std::io::Write;

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies in the archive's directory, parts separated by `/`.
    pub name: String,
    /// May be run: mode 0755, else 0644.
    pub executable: bool,
    /// Its content.
    pub content: Vec<u8>,
}

/// Packs files as gzip-compressed tar (POSIX.1-1988 ustar), all of them in one directory, together with `SHA256SUMS`,
/// which sums up the others.
///
/// The order of `entries` has no say: names are sorted. Neither has the machine: owner and group are 0 and have no
/// names, all times are `modified_s`, in seconds since 1970, and the gzip header has neither time nor name.
///
/// # Errors
/// When two entries have one name, or a name doesn't fit into a header.
pub fn pack(directory: &str, entries: &[Entry], modified_s: u64) -> Result<Vec<u8>> {
    let mut entries = entries.to_vec();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let sums = entries.iter().map(|entry| sum_line(&entry.content, &entry.name)).collect::<String>();
    entries.push(Entry { name: "SHA256SUMS".to_owned(), executable: false, content: sums.into_bytes() });
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!("{} would be in the archive twice", pair[0].name);
    }

    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    let mut made = Vec::new();
    for Entry { name, executable, content } in &entries {
        let path = format!("{directory}/{name}");
        // Directories come before what is in them.
        for (end, _) in path.match_indices('/') {
            let parent = &path[..=end];
            if !made.iter().any(|directory| directory == parent) {
                append(&mut tar, EntryType::Directory, parent, 0o755, &[], modified_s)?;
                made.push(parent.to_owned());
            }
        }
        let mode = if *executable { 0o755 } else { 0o644 };
        append(&mut tar, EntryType::Regular, &path, mode, content, modified_s)?;
    }
    Ok(tar.into_inner()?.finish()?)
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    kind: EntryType,
    path: &str,
    mode: u32,
    content: &[u8],
    modified_s: u64,
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(path).with_context(|| format!("{path} doesn't fit into a tar header"))?;
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(modified_s);
    header.set_size(content.len() as u64);
    header.set_cksum();
    Ok(tar.append(&header, content)?)
}

/// A line of the format that `sha256sum --check` reads.
pub fn sum_line(content: &[u8], name: &str) -> String {
    let sum: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{sum}  {name}\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const MODIFIED_S: u64 = 1_700_000_000;

    fn entry(name: &str, executable: bool, content: &[u8]) -> Entry {
        Entry { name: name.to_owned(), executable, content: content.to_vec() }
    }

    fn entries() -> Vec<Entry> {
        vec![
            entry("snddom.cfg", false, b"name = \"snddom\"\n"),
            entry("doc/real-box.md", false, b"# A real box\n"),
            entry("snddom", true, &[0x7f; 100_000]),
        ]
    }

    /// Name, mode, size and content of all that is in an archive.
    fn unpack(archive: &[u8]) -> Vec<(String, Header, Vec<u8>)> {
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
        tar.entries()
            .expect("a tar")
            .map(|entry| {
                let mut entry = entry.expect("an entry");
                let name = entry.path().expect("a name").to_string_lossy().into_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).expect("content");
                (name, entry.header().clone(), content)
            })
            .collect()
    }

    #[test]
    fn packing_twice_gives_the_same_bytes_in_whatever_order() {
        let mut backwards = entries();
        backwards.reverse();
        let once = pack("snddom-1", &entries(), MODIFIED_S).expect("packs");
        assert_eq!(once, pack("snddom-1", &backwards, MODIFIED_S).expect("packs"));
        assert_ne!(once, pack("snddom-1", &entries(), MODIFIED_S + 1).expect("packs"));
        // The gzip header: no name, no time (RFC 1952, 2.3).
        assert_eq!(once[3], 0, "no optional fields");
        assert_eq!(once[4..8], [0; 4], "no time");
    }

    #[test]
    fn what_was_packed_comes_out_and_tells_nothing_of_the_packer() {
        let unpacked = unpack(&pack("snddom-1", &entries(), MODIFIED_S).expect("packs"));
        let names: Vec<&str> = unpacked.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "snddom-1/",
                "snddom-1/SHA256SUMS",
                "snddom-1/doc/",
                "snddom-1/doc/real-box.md",
                "snddom-1/snddom",
                "snddom-1/snddom.cfg",
            ]
        );
        for (name, header, _) in &unpacked {
            assert_eq!(header.uid().expect("uid"), 0, "{name}");
            assert_eq!(header.gid().expect("gid"), 0, "{name}");
            assert_eq!(header.mtime().expect("mtime"), MODIFIED_S, "{name}");
            assert_eq!(header.username().expect("text"), Some(""), "{name}");
        }
        assert_eq!(unpacked[4].1.mode().expect("mode"), 0o755);
        assert_eq!(unpacked[5].1.mode().expect("mode"), 0o644);
        assert_eq!(unpacked[4].2, vec![0x7f; 100_000]);
    }

    #[test]
    fn the_sums_are_those_of_the_others() {
        let unpacked = unpack(&pack("d", &[entry("abc", false, b"abc")], 0).expect("packs"));
        // The first example of FIPS 180-2, B.1.
        assert_eq!(
            String::from_utf8_lossy(&unpacked[1].2),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc\n"
        );
    }

    #[test]
    fn a_name_twice_is_an_error() {
        let twice = [entry("a", false, b"1"), entry("a", false, b"2")];
        assert!(pack("d", &twice, 0).is_err());
        assert!(pack("d", &[entry("SHA256SUMS", false, b"")], 0).is_err());
    }
}
