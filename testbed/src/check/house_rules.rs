//! Two rules that no lint has: no `static mut`, no silenced dead code.
//!
//! `unsafe` needs no rule here. The workspace denies it by lint, and each leaf allows it in its head with a reason.

use std::path::Path;

use anyhow::{Context, Result};

use super::rooms;

/// All violations in the workspace's Rust files: `path:line: what`.
///
/// # Errors
/// A file can't be read.
pub fn violations(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for path in rooms::files(root)? {
        let text = std::fs::read_to_string(root.join(&path)).with_context(|| path.display().to_string())?;
        violations.extend(violations_in(&path.display().to_string(), &text));
    }
    Ok(violations)
}

/// Reads line by line. Formatted code has an item's keywords on one line, and a lint of a long list on a line of its own.
fn violations_in(name: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let mut is_silencing = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("//") {
            continue;
        }
        // The visibility may come before it; a string or a reference to a static lifetime doesn't begin a line.
        let item = line.strip_prefix("pub ").unwrap_or(line);
        let item = if item.starts_with("pub(") {
            item.split_once(") ").map_or(item, |(_, item)| item)
        } else {
            item
        };
        if item.starts_with("static mut ") {
            violations.push(format!("{name}:{}: static mut", index + 1));
        }
        let is_attribute = line.starts_with("#[") || line.starts_with("#![");
        is_silencing |= is_attribute && (line.contains("allow(") || line.contains("expect("));
        if is_silencing && line.contains(concat!("dead", "_code")) {
            violations.push(format!("{name}:{}: silenced dead code", index + 1));
        }
        is_silencing &= !line.ends_with(']');
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::violations_in;

    #[test]
    fn each_rule_is_found_with_its_line() {
        let text = "fn a() {}\n\nstatic mut X: u8 = 0;\n#[allow(unused, dead_code)]\nfn b() {}\n";
        assert_eq!(
            violations_in("sndif/src/ring.rs", text),
            ["sndif/src/ring.rs:3: static mut", "sndif/src/ring.rs:4: silenced dead code"]
        );
        for text in [
            "#![expect(dead_code)]",
            "#[cfg_attr(test, allow(dead_code))]",
            "#[allow(\n    dead_code,\n    reason = \"later\"\n)]",
            "pub static mut A: u8 = 0;",
            "pub(crate) static mut A: u8 = 0;",
        ] {
            assert_eq!(violations_in("x.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn words_about_it_are_no_violations() {
        for text in [
            "// static mut, #[allow(dead_code)]",
            "let a = \"static mut\";",
            "fn f(x: &'static mut u8) {}",
            "#![forbid(unsafe_code)]\n#![deny(dead_code)]",
        ] {
            assert!(violations_in("x.rs", text).is_empty(), "{text}");
        }
    }
}
