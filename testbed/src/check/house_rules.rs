//! Rules that no lint has: no `static mut`, no silenced dead code, `unsafe` in the leaf rooms alone.
//!
//! The workspace's lints deny `unsafe` (`unsafe_code = "deny"`), and each leaf allows it in its head. These rules make
//! sure that a leaf is in one of the leaf rooms, and that each package has the lints.

use std::path::Path;

use anyhow::{Context, Result};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::rooms;
use crate::workspace;

/// The rooms that may have leaves with `unsafe`.
const LEAF_ROOMS: [&str; 5] =
    ["kernel/", "drivers/xen-sys/", "drivers/xen-guest/", "audiofront/", "testbed/probe/"];

/// Lints, and groups of them, that report dead code.
const DEAD_CODE: [&str; 3] = ["dead_code", "unused", "warnings"];

/// All violations in the workspace's Rust files and manifests: `path:line: what`.
///
/// # Errors
/// A file can't be read.
pub fn violations(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for path in rooms::files(root)? {
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
        violations.extend(violations_in(&path.display().to_string(), &text)?);
    }
    for package in workspace::packages()? {
        let path = package["manifest_path"].as_str().context("a package without a manifest")?;
        let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
        if !has_lints(&text) {
            violations.push(format!("{path}: without the workspace's lints"));
        }
    }
    Ok(violations)
}

/// Whether a manifest takes the workspace's lints.
fn has_lints(manifest: &str) -> bool {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[lints]")
        .nth(1)
        .is_some_and(|line| line == "workspace = true")
}

/// The violations in a file, at any place: also within a function, a macro or an attribute of another name.
fn violations_in(name: &str, text: &str) -> Result<Vec<String>> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    let mut found = Vec::new();
    visit(tokens, LEAF_ROOMS.iter().any(|room| name.starts_with(room)), &mut found);
    Ok(found.into_iter().map(|(line, what)| format!("{name}:{line}: {what}")).collect())
}

fn visit(tokens: TokenStream, is_leaf_room: bool, found: &mut Vec<(usize, &'static str)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let line = token.span().start().line;
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        let is_behind = |mark| matches!(before, Some(TokenTree::Punct(punct)) if punct.as_char() == mark);
        match (token, tokens.get(index + 1)) {
            (TokenTree::Ident(word), Some(TokenTree::Ident(next)))
                // A quote makes it a lifetime.
                if word == "static" && next == "mut" && !is_behind('\'') =>
            {
                found.push((line, "static mut"));
            }
            (TokenTree::Ident(word), Some(TokenTree::Group(lints)))
                // A dot makes it a method.
                if (word == "allow" || word == "expect")
                    && lints.delimiter() == Delimiter::Parenthesis
                    && !is_behind('.') =>
            {
                let names = || lints.stream().into_iter();
                let has = |name: &str| names().any(|lint| matches!(&lint, TokenTree::Ident(lint) if lint == name));
                if DEAD_CODE.iter().any(|name| has(name)) {
                    found.push((line, "silenced dead code"));
                }
                if has("unsafe_code") && !is_leaf_room {
                    found.push((line, "unsafe code outside the leaf rooms"));
                }
            }
            _ => {}
        }
        if let TokenTree::Group(group) = token {
            visit(group.stream(), is_leaf_room, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::workspace::Scratch;

    fn in_file(name: &str, text: &str) -> Vec<String> {
        violations_in(name, text).expect("Rust")
    }

    #[test]
    fn each_rule_is_found_with_its_line() {
        let text = "fn a() {}\n\nstatic mut X: u8 = 0;\n#[allow(unused, dead_code)]\nfn b() {}\n";
        assert_eq!(
            in_file("sndif/src/ring.rs", text),
            ["sndif/src/ring.rs:3: static mut", "sndif/src/ring.rs:4: silenced dead code"]
        );
    }

    #[test]
    fn planted_violations_are_found_at_any_place() {
        for text in [
            "#![expect(dead_code)]",
            "#[cfg_attr(test, allow(dead_code))] fn f() {}",
            "#[allow(\n    dead_code,\n    reason = \"later\"\n)]\nfn f() {}",
            "#[inline] #[allow(dead_code)] fn f() {}",
            "fn f() { #[allow(dead_code)] let a = 0; }",
            "struct S { a: u8, #[allow(dead_code)] b: u8 }",
            "mod m { mod n { #![allow(unused)] } }",
            "#![allow(warnings)]",
            "macro_rules! m { () => { #[allow(dead_code)] fn f() {} } }",
            "pub static mut A: u8 = 0;",
            "pub(crate) static mut A: u8 = 0;",
            "#[used] static mut A: u8 = 0;",
            "fn f() { static mut A: u8 = 0; }",
            "fn f() {} static\nmut A: u8 = 0;",
            "macro_rules! m { () => { static mut A: u8 = 0; } }",
            "#![allow(unsafe_code)]",
            "#[expect(unsafe_code, reason = \"fast\")] mod m {}",
        ] {
            assert_eq!(in_file("sndif/src/ring.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_workspace_keeps_the_rules() {
        assert_eq!(violations(&workspace::root()).expect("read"), Vec::<String>::new());
    }

    #[test]
    fn leaf_rooms_may_have_unsafe_code() {
        let text = "#![allow(unsafe_code, reason = \"leaf\")]";
        assert!(in_file("drivers/xen-sys/src/hypercall.rs", text).is_empty());
        assert_eq!(in_file("testbed/src/elf.rs", text).len(), 1);
    }

    #[test]
    fn words_about_it_are_no_violations() {
        for text in [
            "// static mut, #[allow(dead_code)]",
            "const A: &str = \"static mut, #[allow(dead_code)]\";",
            "fn f(x: &'static mut u8) {}",
            "#![forbid(unsafe_code)]\n#![deny(dead_code)]",
            "fn f(dead_code: Option<u8>) { dead_code.expect(unused); }",
        ] {
            assert!(in_file("x.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_lints_of_the_workspace_refuse_unsafe_code() {
        let manifest = std::fs::read_to_string(workspace::root().join("Cargo.toml")).expect("the workspace");
        let (_, lints) = manifest.split_once("[workspace.lints.rust]").expect("lints");
        let (lints, _) = lints.split_once("[profile").expect("profiles");
        let scratch = Scratch::new(false).expect("a folder");
        let check = |code: &str| {
            let package =
                "[workspace]\n[package]\nname = \"planted\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n";
            let manifest = format!("{package}[lints]\nworkspace = true\n[workspace.lints.rust]{lints}");
            assert!(has_lints(&manifest));
            std::fs::write(scratch.file("Cargo.toml"), manifest).expect("written");
            std::fs::write(scratch.file("lib.rs"), format!("//! Planted.\n{code}")).expect("written");
            Command::new(workspace::cargo())
                .args(["check", "--offline", "--target-dir"])
                .arg(scratch.file("target"))
                .current_dir(scratch.path())
                .output()
                .expect("cargo")
        };
        let good = check("/// Reads.\npub fn read(from: &u8) -> u8 {\n    *from\n}\n");
        assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
        let bad = check("/// Reads.\npub fn read(from: *const u8) -> u8 {\n    unsafe { *from }\n}\n");
        assert!(!bad.status.success());
        let said = String::from_utf8_lossy(&bad.stderr);
        assert!(said.contains("usage of an `unsafe` block"), "{said}");
    }
}
