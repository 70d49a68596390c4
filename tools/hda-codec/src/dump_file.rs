//! Files that dumps are read from.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

/// The longest text that is read. Real dumps have 2 to 17 KiB.
const LIMIT_BYTES: u64 = 1 << 20;

/// A file that should hold a dump.
pub(crate) struct DumpFile {
    /// Its name, as it was given.
    pub(crate) name: String,
    place: Place,
}

enum Place {
    StandardInput,
    Path(PathBuf),
    /// There is none, and this is why.
    Nowhere(String),
}

/// The files that paths name: `-` is the standard input, and a folder stands for the `*.txt` in it, by name.
pub(crate) fn dump_files(paths: &[PathBuf]) -> Vec<DumpFile> {
    let mut files = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        if path.as_os_str() == "-" {
            files.push(DumpFile { name, place: Place::StandardInput });
        } else if path.is_dir() {
            match texts_in(path) {
                Ok(texts) => files.extend(texts.into_iter().map(|text| {
                    let name = text.display().to_string();
                    DumpFile { name, place: Place::Path(text) }
                })),
                Err(why) => files.push(DumpFile { name, place: Place::Nowhere(why) }),
            }
        } else {
            files.push(DumpFile { name, place: Place::Path(path.clone()) });
        }
    }
    files
}

fn texts_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut texts = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            texts.push(path);
        }
    }
    texts.sort();
    if texts.is_empty() { Err("no *.txt is in this folder".to_owned()) } else { Ok(texts) }
}

impl DumpFile {
    /// Its text. Bytes that are no UTF-8 are replaced: no dump has any.
    pub(super) fn read(&self) -> Result<String, String> {
        match &self.place {
            Place::StandardInput => text_of(&mut stdin().lock()),
            Place::Path(path) => {
                text_of(&mut File::open(path).map_err(|error| format!("can't be opened: {error}"))?)
            }
            Place::Nowhere(why) => Err(why.clone()),
        }
    }
}

fn text_of(source: &mut dyn Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    // One more, which tells that there are more.
    let read = source.take(LIMIT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("can't be read: {error}"))?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(too_long(&bytes));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is wrong with a file of which these bytes are only the beginning: most such files aren't dumps from the first
/// line on, and it is better to say that.
fn too_long(beginning: &[u8]) -> String {
    let text = String::from_utf8_lossy(beginning);
    let lines = text.lines().count();
    match snd_hda_model::Dump::parse(&text) {
        Err(error) if error.line < lines => super::plain::error(&error),
        _ => format!("line {lines}: longer than {LIMIT_BYTES} bytes, which no dump is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_texts() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.txt", "a.txt", "c.md"] {
            std::fs::write(folder.path().join(name), name).expect("written");
        }
        let of = |path: &Path| dump_files(&[path.to_path_buf()]);
        let names: Vec<String> = of(folder.path()).into_iter().map(|file| file.name).collect();
        let name = |name| folder.path().join(name).display().to_string();
        assert_eq!(names, [name("a.txt"), name("b.txt")]);
        assert_eq!(of(folder.path())[1].read().as_deref(), Ok("b.txt"));

        std::fs::create_dir(folder.path().join("empty")).expect("a folder");
        let [empty] = of(&folder.path().join("empty")).try_into().ok().expect("one");
        assert!(empty.read().expect_err("none").contains("no *.txt"));
        let [missing] = of(&folder.path().join("missing.txt")).try_into().ok().expect("one");
        assert!(missing.read().expect_err("none").contains("can't be opened"));
    }

    #[test]
    fn no_more_is_read_than_a_dump_can_have() {
        let mut endless = std::io::repeat(0);
        assert!(text_of(&mut endless).expect_err("too long").starts_with("line 1: "));
        let mut lines = std::io::repeat(b'\n');
        let error = text_of(&mut lines).expect_err("too long");
        assert_eq!(error, "line 1048577: longer than 1048576 bytes, which no dump is");
        let mut garbage = b"no dump\n".as_slice().chain(std::io::repeat(b'x'));
        assert!(text_of(&mut garbage).expect_err("too long").starts_with("line 1: \"no dump\""));
    }
}
