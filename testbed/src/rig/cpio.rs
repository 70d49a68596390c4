//! An initramfs: a cpio archive in the "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).

/// An archive that is being written. Parents must come before what lies in them.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

impl Archive {
    /// Adds a directory.
    pub(super) fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, (0, 0), &[]);
    }

    /// Adds a file that everybody may read and run.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, FILE | 0o755, (0, 0), content);
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK | 0o777, (0, 0), target.as_bytes());
    }

    /// Adds a character device.
    pub(super) fn character_device(&mut self, path: &str, number: (u32, u32)) {
        self.entry(path, CHARACTER_DEVICE | 0o600, number, &[]);
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.inode += 1;
        let links = if mode & DIRECTORY != 0 { 2 } else { 1 };
        // Inode, mode, owner, group, links, time, length, device of the file system (major, minor), of the node, length
        // of the name with its end, check sum. The time is always the same, so that archives are.
        let fields = [
            self.inode,
            mode,
            0,
            0,
            links,
            0,
            u32::try_from(content.len()).expect("files in an initramfs have less than 4 GiB"),
            0,
            0,
            device.0,
            device.1,
            path.len() as u32 + 1,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_follow_each_other_at_multiples_of_four() {
        let mut archive = Archive::default();
        archive.directory("etc");
        archive.file("etc/a", b"hello");
        archive.link("b", "etc/a");
        archive.character_device("console", (5, 1));
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        // What a reader does: header of 110 bytes, name, padding, content, padding.
        let number = |at: usize| {
            let text = std::str::from_utf8(&bytes[at..at + 8]).expect("hexadecimal");
            usize::from_str_radix(text, 16).expect("hexadecimal")
        };
        let mut at = 0;
        let mut seen = Vec::new();
        while at < bytes.len() {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let (mode, length, name) = (number(at + 14), number(at + 54), number(at + 94));
            let path = String::from_utf8_lossy(&bytes[at + 110..at + 110 + name - 1]).into_owned();
            let content = (at + 110 + name).next_multiple_of(4);
            seen.push((path, mode, bytes[content..content + length].to_vec()));
            at = (content + length).next_multiple_of(4);
        }
        let expected: Vec<(String, usize, Vec<u8>)> = vec![
            ("etc".into(), 0o040_755, vec![]),
            ("etc/a".into(), 0o100_755, b"hello".to_vec()),
            ("b".into(), 0o120_777, b"etc/a".to_vec()),
            ("console".into(), 0o020_600, vec![]),
            ("TRAILER!!!".into(), 0, vec![]),
        ];
        assert_eq!(seen, expected);
    }
}
