//! A root file system for an initramfs: files of the packages with what they ask for, and files of our own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cpio::newc::{Builder, ModeFileType};
use walkdir::WalkDir;

use super::packages::Tree;
use crate::elf;

/// Where all libraries go: one of the places in which the C library's loader looks by itself.
pub(super) const LIBRARIES: &str = "usr/lib";

enum Node {
    File(Vec<u8>),
    Link(String),
    Directory,
    CharacterDevice(u32, u32),
}

impl Node {
    /// The node in an archive, and its content. Everybody may read and run a file.
    fn entry(&self, path: &str) -> (Builder, &[u8]) {
        let entry = |kind, mode| Builder::new(path).mode(mode).set_mode_file_type(kind);
        match self {
            Node::File(content) => (entry(ModeFileType::Regular, 0o755), content),
            Node::Link(target) => (entry(ModeFileType::Symlink, 0o777), target.as_bytes()),
            Node::Directory => (entry(ModeFileType::Directory, 0o755).nlink(2), &[]),
            Node::CharacterDevice(major, minor) => {
                (entry(ModeFileType::Char, 0o600).rdev_major(*major).rdev_minor(*minor), &[])
            }
        }
    }
}

/// A root that is being put together.
pub(super) struct Root<'a> {
    tree: &'a Tree,
    nodes: BTreeMap<String, Node>,
    /// Files of modules, in the order in which they are loaded.
    modules: Vec<String>,
}

impl<'a> Root<'a> {
    /// A root with busybox, its commands, and the folders that every root has.
    ///
    /// # Errors
    /// When the packages don't have them.
    pub(super) fn new(tree: &'a Tree) -> Result<Root<'a>> {
        let mut root = Root { tree, nodes: BTreeMap::new(), modules: Vec::new() };
        for (link, target) in
            [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib")]
        {
            root.nodes.insert(link.to_owned(), Node::Link(target.to_owned()));
        }
        for folder in ["dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "usr/sbin", LIBRARIES, "var"] {
            root.directory(folder);
        }
        // The first process writes to it before it mounts anything.
        root.nodes.insert("dev/console".to_owned(), Node::CharacterDevice(5, 1));
        let busybox = tree.file("bin/busybox")?;
        let commands = Command::new(&busybox).arg("--list").output().context("busybox")?;
        ensure!(commands.status.success(), "busybox does not list its commands");
        for command in String::from_utf8_lossy(&commands.stdout).lines() {
            root.nodes.insert(format!("usr/bin/{command}"), Node::Link("busybox".to_owned()));
        }
        root.copy(&busybox, "usr/bin/busybox")?;
        Ok(root)
    }

    /// Adds a folder, and those it lies in.
    pub(super) fn directory(&mut self, path: &str) {
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            self.nodes.entry(path[..end].to_owned()).or_insert(Node::Directory);
        }
    }

    /// Adds a file of our own.
    pub(super) fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.directory(folder);
        }
        self.nodes.insert(path.to_owned(), Node::File(content.into()));
    }

    /// Adds a file of the host.
    ///
    /// # Errors
    /// When it can't be read.
    pub(super) fn copy(&mut self, from: &Path, path: &str) -> Result<()> {
        let content = std::fs::read(from).with_context(|| format!("can't read {}", from.display()))?;
        self.file(path, content);
        Ok(())
    }

    /// Adds a folder of the host with all that is in it; symbolic links are followed.
    ///
    /// # Errors
    /// When something can't be read.
    pub(super) fn copy_folder(&mut self, from: &Path, path: &str) -> Result<()> {
        self.directory(path);
        for entry in WalkDir::new(from).min_depth(1).follow_links(true) {
            let entry = entry?;
            let name = format!("{path}/{}", entry.path().strip_prefix(from)?.display());
            if entry.file_type().is_dir() {
                self.directory(&name);
            } else {
                self.copy(entry.path(), &name)?;
            }
        }
        Ok(())
    }

    /// Adds a folder of the packages, where it lies there.
    ///
    /// # Errors
    /// When no package has it.
    pub(super) fn folder(&mut self, path: &str) -> Result<()> {
        for file in self.tree.files_below(path)? {
            // A link of which the target is in no package points nowhere in an installed system, too.
            if let Ok(from) = self.tree.file(&file) {
                self.copy(&from, &file)?;
            }
        }
        Ok(())
    }

    /// Adds a program of the packages to `usr/sbin`, with the libraries that it asks for.
    ///
    /// # Errors
    /// When the packages don't have all of that.
    pub(super) fn program(&mut self, from: &str) -> Result<()> {
        let name = from.rsplit('/').next().unwrap_or(from);
        self.program_at(from, &format!("usr/sbin/{name}"))
    }

    /// Adds a program of the packages at a path, with the libraries that it asks for.
    ///
    /// # Errors
    /// When the packages don't have all of that.
    pub(super) fn program_at(&mut self, from: &str, path: &str) -> Result<()> {
        let from = self.tree.file(from)?;
        self.host_program(&from, path)
    }

    /// Adds a program of the host's at a path, with the libraries that it asks for, which are those of the packages.
    ///
    /// # Errors
    /// When it can't be read, or the packages don't have all of that.
    pub(super) fn host_program(&mut self, from: &Path, path: &str) -> Result<()> {
        let mut files: Vec<(PathBuf, String)> = vec![(from.to_path_buf(), path.to_owned())];
        while let Some((from, path)) = files.pop() {
            if matches!(self.nodes.get(&path), Some(Node::File(_))) {
                continue;
            }
            let content = std::fs::read(&from).with_context(|| format!("can't read {}", from.display()))?;
            for name in elf::needed_libraries(&content) {
                let library =
                    self.tree.library(&name).with_context(|| format!("wanted by {}", from.display()))?;
                files.push((library, format!("{LIBRARIES}/{name}")));
            }
            self.file(&path, content);
        }
        self.library("ld-linux-x86-64.so.2")
    }

    /// Adds a library that programs load by themselves, when they need it.
    ///
    /// # Errors
    /// When no package has it.
    pub(super) fn library(&mut self, name: &str) -> Result<()> {
        let from = self.tree.library(name)?;
        self.copy(&from, &format!("{LIBRARIES}/{name}"))
    }

    /// Adds modules of the kernel and all that they depend on, and a list of them in the order in which they load.
    ///
    /// # Errors
    /// When the kernel has no such module.
    pub(super) fn modules(&mut self, names: &[&str]) -> Result<()> {
        let folder = self.tree.versioned("lib/modules", "")?;
        let files: BTreeMap<String, String> = self
            .tree
            .files_below(&folder)?
            .into_iter()
            .filter_map(|path| {
                let name = path.rsplit('/').next()?.strip_suffix(".ko")?.replace('-', "_");
                Some((name, path))
            })
            .collect();
        let mut seen = BTreeSet::new();
        for name in names {
            self.module(&files, &name.replace('-', "_"), &mut seen)?;
        }
        let list: String = self.modules.iter().map(|path| format!("/{path}\n")).collect();
        self.file("rig/modules", list);
        Ok(())
    }

    fn module(
        &mut self,
        files: &BTreeMap<String, String>,
        name: &str,
        seen: &mut BTreeSet<String>,
    ) -> Result<()> {
        if !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let from = files.get(name).with_context(|| format!("the kernel has no module {name}"))?;
        let from = self.tree.file(from)?;
        let content = std::fs::read(&from).with_context(|| format!("can't read {}", from.display()))?;
        let dependencies = elf::module_dependencies(&content)
            .with_context(|| format!("{} is compressed", from.display()))?;
        for dependency in dependencies {
            self.module(files, &dependency.replace('-', "_"), seen)?;
        }
        let path = format!("usr/lib/modules/{name}.ko");
        self.modules.push(path.clone());
        self.file(&path, content);
        Ok(())
    }

    /// The initramfs (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). No entry has a time, so that the
    /// same root makes the same archive.
    ///
    /// # Errors
    /// A file has 4 GiB or more.
    pub(super) fn initramfs(self) -> Result<Vec<u8>> {
        // Sorted: a folder comes before its content.
        let entries = self.nodes.iter().map(|(path, node)| {
            let (entry, content) = node.entry(path);
            (entry, Cursor::new(content))
        });
        cpio::write_cpio(entries, Vec::new()).context("the initramfs")
    }
}

#[cfg(test)]
mod tests {
    use cpio::NewcReader;

    use super::*;

    #[test]
    fn nodes_keep_their_kind_and_content_in_an_archive() {
        let nodes = [
            (Node::Directory, 0o040_755, "", (0, 0)),
            (Node::File(b"hello".to_vec()), 0o100_755, "hello", (0, 0)),
            (Node::Link("etc/a".to_owned()), 0o120_777, "etc/a", (0, 0)),
            (Node::CharacterDevice(5, 1), 0o020_600, "", (5, 1)),
        ];
        for (node, mode, content, device) in nodes {
            let (entry, bytes) = node.entry("dev/it");
            let archive = cpio::write_cpio([(entry, Cursor::new(bytes))].into_iter(), Vec::new());
            let archive = archive.expect("written");
            let reader = NewcReader::new(archive.as_slice()).expect("read");
            let entry = reader.entry();
            assert_eq!((entry.name(), entry.mode(), entry.mtime()), ("dev/it", mode, 0));
            assert_eq!((entry.rdev_major(), entry.rdev_minor()), device);
            let mut read = Vec::new();
            reader.to_writer(&mut read).expect("read");
            assert_eq!(read, content.as_bytes());
        }
    }
}
