//! Circles of imports between the files of a crate: two files that need each other are one file, or lack a third.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::visit::Visit;
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

use crate::workspace;

/// Circles of vtables, which stay: ALSA gets the plug-in's callbacks, and the callbacks get the plug-in.
const VTABLES: &[&[&str]] =
    &[&["audiofront/alsa-plugin/src/ffi/callbacks.rs", "audiofront/alsa-plugin/src/ffi/plugin.rs"]];

/// Re-exports that are followed one after the other; more are a circle of their own, which rustc refuses.
const MOST_HOPS: usize = 16;

/// A module of a crate: a file, or a part of one in braces.
#[derive(Default)]
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Names that `use` brings in, with their paths.
    imports: BTreeMap<String, Vec<String>>,
    /// Paths that the code needs. A re-export of a module's own parts isn't among them.
    needs: Vec<Vec<String>>,
}

/// The modules of a crate, the root first.
#[derive(Default)]
struct Tree(Vec<Module>);

/// Circles of the workspace's crates that aren't listed above, and listed ones that are dissolved.
///
/// # Errors
/// A file can't be read or parsed.
pub fn find() -> Result<Vec<String>> {
    let packages = workspace::packages()?;
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let is_production = |target: &&serde_json::Value| {
        let mut kinds = target["kind"].as_array().into_iter().flatten();
        kinds.any(|kind| matches!(kind.as_str(), Some("lib" | "rlib" | "cdylib" | "bin")))
    };
    let mut found = BTreeSet::new();
    for root in targets.filter(is_production).filter_map(|target| target["src_path"].as_str()) {
        let mut tree = Tree::default();
        tree.add_file(PathBuf::from(root), None, true)?;
        found.extend(tree.circles().iter().map(names));
    }
    let known: BTreeSet<String> = VTABLES.iter().map(|circle| circle.join(", ")).collect();
    let new = found.difference(&known).map(|circle| format!("these files need each other: {circle}"));
    let gone = known.difference(&found).map(|circle| format!("dissolved, but still listed: {circle}"));
    Ok(new.chain(gone).collect())
}

/// The files of a circle, by their names from the workspace's root.
fn names(circle: &BTreeSet<&Path>) -> String {
    let root = workspace::root();
    let name = |path: &&Path| path.strip_prefix(&root).unwrap_or(path).display().to_string();
    let mut names: Vec<String> = circle.iter().map(name).collect();
    names.sort();
    names.join(", ")
}

impl Tree {
    /// Adds a file with all modules below it. `owns_folder`: its modules are beside it.
    fn add_file(&mut self, file: PathBuf, parent: Option<usize>, owns_folder: bool) -> Result<usize> {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
        let beside = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let folder = match file.file_stem() {
            Some(stem) if !owns_folder => beside.join(stem),
            _ => beside,
        };
        self.add_module(file, parent, &folder, &parsed.items)
    }

    fn add_module(
        &mut self,
        file: PathBuf,
        parent: Option<usize>,
        folder: &Path,
        items: &[Item],
    ) -> Result<usize> {
        let index = self.0.len();
        self.0.push(Module { file: file.clone(), parent, ..Module::default() });
        let mut paths = Paths::default();
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let below = folder.join(&name);
                    let child = if let Some((_, items)) = &module.content {
                        self.add_module(file.clone(), Some(index), &below, items)?
                    } else if let Some(path) = path_attribute(&module.attrs) {
                        self.add_file(file.with_file_name(path), Some(index), true)?
                    } else if below.with_extension("rs").is_file() {
                        self.add_file(below.with_extension("rs"), Some(index), false)?
                    } else {
                        self.add_file(below.join("mod.rs"), Some(index), true)?
                    };
                    self.0[index].children.insert(name, child);
                }
                Item::Use(import) => paths.take_import(import),
                other => paths.visit_item(other),
            }
        }
        let module = &mut self.0[index];
        module.needs = paths.needs;
        for (name, path, is_public) in paths.imports {
            let is_own = path.first().is_some_and(|first| module.children.contains_key(first));
            if !(is_public && is_own) {
                module.needs.push(path.clone());
            }
            module.imports.insert(name, path);
        }
        Ok(index)
    }

    /// The module that a path leads to, or that defines its last name. `None`: it leads out of the crate.
    fn resolve(&self, from: usize, path: &[String], hops: usize) -> Option<usize> {
        let module = &self.0[from];
        let (mut at, mut rest) = match path.split_first()? {
            (first, rest) if first == "crate" => (0, rest),
            (first, rest) if first == "self" => (from, rest),
            (first, rest) if first == "super" => (module.parent?, rest),
            (first, rest) => match (module.children.get(first), module.imports.get(first)) {
                (Some(child), _) => (*child, rest),
                (None, Some(import)) if hops < MOST_HOPS && import.as_slice() != path => {
                    let full = [import.as_slice(), rest].concat();
                    return self.resolve(from, &full, hops + 1);
                }
                _ => return None,
            },
        };
        while let Some((next, behind)) = rest.split_first() {
            let module = &self.0[at];
            if next == "super" {
                at = module.parent?;
            } else if let Some(child) = module.children.get(next) {
                at = *child;
            } else if let Some(import) = module.imports.get(next).filter(|_| hops < MOST_HOPS) {
                let full = [import.as_slice(), behind].concat();
                return self.resolve(at, &full, hops + 1);
            } else {
                return Some(at);
            }
            rest = behind;
        }
        Some(at)
    }

    /// Files that need each other, directly or by others.
    fn circles(&self) -> Vec<BTreeSet<&Path>> {
        let mut needs: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for (index, module) in self.0.iter().enumerate() {
            let needed = module.needs.iter().filter_map(|path| self.resolve(index, path, 0));
            let files = needed.map(|at| self.0[at].file.as_path()).filter(|file| *file != module.file);
            needs.entry(&module.file).or_default().extend(files);
        }
        let reached = |from: &Path| {
            let mut reached = BTreeSet::new();
            let mut open: Vec<&Path> = needs.get(from).into_iter().flatten().copied().collect();
            while let Some(file) = open.pop() {
                if reached.insert(file) {
                    open.extend(needs.get(file).into_iter().flatten());
                }
            }
            reached
        };
        let all: BTreeMap<&Path, BTreeSet<&Path>> = needs.keys().map(|file| (*file, reached(file))).collect();
        let circles: BTreeSet<BTreeSet<&Path>> = all
            .iter()
            .filter(|(file, reached)| reached.contains(*file))
            .map(|(file, reached)| {
                reached.iter().copied().filter(|other| all[other].contains(file)).collect()
            })
            .collect();
        circles.into_iter().collect()
    }
}

/// Paths of a module's code, and its imports: name, path, whether it is a re-export.
#[derive(Default)]
struct Paths {
    needs: Vec<Vec<String>>,
    imports: Vec<(String, Vec<String>, bool)>,
}

impl Paths {
    fn take_import(&mut self, import: &ItemUse) {
        let is_public = !matches!(import.vis, Visibility::Inherited);
        self.take_tree(&import.tree, &mut Vec::new(), is_public);
    }

    fn take_tree(&mut self, tree: &UseTree, before: &mut Vec<String>, is_public: bool) {
        let mut path = before.clone();
        match tree {
            UseTree::Path(part) => {
                before.push(part.ident.to_string());
                self.take_tree(&part.tree, before, is_public);
                before.pop();
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.take_tree(tree, before, is_public));
            }
            UseTree::Glob(_) => self.imports.push((String::from("*"), path, is_public)),
            UseTree::Name(name) if name.ident == "self" => {
                let last = path.last().cloned().unwrap_or_default();
                self.imports.push((last, path, is_public));
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.imports.push((name.ident.to_string(), path, is_public));
            }
            UseTree::Rename(name) => {
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                self.imports.push((name.rename.to_string(), path, is_public));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        self.take_import(import);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.needs.push(names);
        }
        syn::visit::visit_path(self, path);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(module) => &module.attrs,
        Item::Use(import) => &import.attrs,
        Item::Fn(function) => &function.attrs,
        Item::Impl(implementation) => &implementation.attrs,
        _ => &[],
    }
}

/// Whether an item is behind `#[cfg(test)]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// The file that `#[path = "..."]` names, from the folder of the file with the attribute.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("path")).find_map(|attribute| {
        match &attribute.meta.require_name_value().ok()?.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = workspace::Scratch::new(false).expect("a folder");
        for (name, text) in files {
            let path = folder.file(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let mut tree = Tree::default();
        tree.add_file(folder.file("lib.rs"), None, true).expect("parsed");
        let name = |path: &&Path| path.strip_prefix(folder.path()).expect("below").display().to_string();
        tree.circles().iter().map(|circle| circle.iter().map(name).collect()).collect()
    }

    #[test]
    fn two_files_that_need_each_other_are_found() {
        let files =
            [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "fn f() { super::a::g() }")];
        assert_eq!(circles(&files), [["a.rs", "b.rs"]]);
    }

    #[test]
    fn a_circle_through_a_third_file_and_a_re_export_is_found() {
        let files = [
            ("lib.rs", "mod a; mod c; pub use c::d::D;"),
            ("a.rs", "use crate::D;"),
            ("c/mod.rs", "pub mod d; pub mod e;"),
            ("c/d.rs", "use super::e::E; pub struct D;"),
            ("c/e.rs", "pub struct E; impl E { fn f(a: crate::a::A) {} }"),
        ];
        assert_eq!(circles(&files), [["a.rs", "c/d.rs", "c/e.rs"]]);
    }

    #[test]
    fn a_module_is_where_its_attribute_says() {
        let files = [
            ("lib.rs", "mod a; #[path = \"elsewhere/c.rs\"] mod b;"),
            ("a.rs", "use crate::b::B;"),
            ("elsewhere/c.rs", "use crate::a::A;"),
        ];
        assert_eq!(circles(&files), [["a.rs", "elsewhere/c.rs"]]);
    }

    #[test]
    fn a_parent_that_names_its_parts_is_no_circle() {
        let files = [
            ("lib.rs", "mod a; pub use a::A; pub const N: u32 = 1;"),
            ("a.rs", "pub struct A([u8; crate::N as usize]);\n#[cfg(test)] mod tests { use crate::b::B; }"),
        ];
        assert!(circles(&files).is_empty());
        let files = [("lib.rs", "mod a; use a::A; pub const N: u32 = 1;"), files[1]];
        assert_eq!(circles(&files), [["a.rs", "lib.rs"]]);
    }

    #[test]
    fn the_workspace_has_none_but_those_of_vtables() {
        assert_eq!(find().expect("parsed"), Vec::<String>::new());
    }
}
