//! The rules of the house that no lint has: no `static mut`, no silenced dead code, `unsafe` only where it belongs.

use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace;

/// Where `unsafe` may stand: folders and files. Everything that reaches for hardware or shared memory lies there, behind
/// safe interfaces.
const UNSAFE_ALLOWED: &[&str] = &[
    "kernel/src/arch/",
    "kernel/src/boot/",
    "kernel/src/memory/",
    "kernel/src/pci/",
    "kernel/src/bare/apic.rs",
    // Breaks things on purpose.
    "kernel/src/bare/fault.rs",
    "kernel/src/bare/vectors.rs",
    "kernel/src/xen/attach.rs",
    "kernel/src/xen/interrupts.rs",
    // The name by which the entry code finds the main function.
    "kernel/src/bin/",
    "drivers/xen-sys/src/hypercall.rs",
    "drivers/xen-sys/src/shared_layout.rs",
    "drivers/xen-guest/src/hypercalls.rs",
    "drivers/xen-guest/src/shared_page.rs",
    // ALSA's C library.
    "audiofront/alsa-plugin/src/ffi/",
    "testbed/probe/src/domains.rs",
    // RDTSC, ioctls, pages shared with the back end.
    "audiofront/linux/src/sys/counter.rs",
    "audiofront/linux/src/sys/ioctl.rs",
    "audiofront/linux/src/sys/event_channels.rs",
    "audiofront/linux/src/sys/grants.rs",
    "audiofront/linux/src/sys/region.rs",
    // A filter of system calls, to prove that there are none.
    "audiofront/linux/src/bin/audiofront/no_system_calls.rs",
];

/// All violations in the Rust files below a directory: `path:line: what`.
///
/// # Errors
/// When a file can't be read.
pub(crate) fn violations(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    let target = workspace::target_dir();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let entries = std::fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if hidden || path == target || path == root.join("target") || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                violations.extend(violations_in(&name, &text));
            }
        }
    }
    violations.sort();
    Ok(violations)
}

fn violations_in(name: &str, text: &str) -> Vec<String> {
    let may_be_unsafe = UNSAFE_ALLOWED.iter().any(|allowed| name.starts_with(allowed));
    let tokens = tokens(text);
    let word = |index: usize| tokens.get(index).map_or("", |(_, token)| token);
    let mut violations = Vec::new();
    // The lint attribute that we are in, if we are in one.
    let mut silencing = false;
    for (index, (line, token)) in tokens.iter().enumerate() {
        let what = match token.as_str() {
            "static" if word(index + 1) == "mut" => "static mut",
            "unsafe" if !may_be_unsafe => "unsafe outside the modules that may have it",
            "dead_code" if silencing => "silenced dead code",
            _ => "",
        };
        match token.as_str() {
            "allow" | "expect" if word(index + 1) == "(" => silencing = true,
            ")" => silencing = false,
            _ => {}
        }
        if !what.is_empty() {
            violations.push(format!("{name}:{line}: {what}"));
        }
    }
    violations
}

/// The words and parentheses of a Rust source with their lines; no comments, no literals. A lifetime is one word.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut index = 0;
    while index < characters.len() {
        let start = index;
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < characters.len() && at(index) != '\n' {
                    index += 1;
                }
            }
            '/' if at(index + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(index), at(index + 1)) {
                        ('/', '*') => (depth, index) = (depth + 1, index + 2),
                        ('*', '/') => (depth, index) = (depth - 1, index + 2),
                        _ => index += 1,
                    }
                    if depth == 0 || index >= characters.len() {
                        break;
                    }
                }
            }
            '"' => index = end_of_string(&characters, index),
            // A character, or else a lifetime.
            '\'' if at(index + 1) == '\\' => {
                index += 3;
                while index < characters.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
            }
            '\'' if at(index + 2) == '\'' => index += 3,
            c if is_word(c) || c == '\'' => {
                index += 1;
                while is_word(at(index)) {
                    index += 1;
                }
                let word: String = characters[start..index].iter().collect();
                let hashes = characters[index..].iter().take_while(|c| **c == '#').count();
                if matches!(word.as_str(), "r" | "br" | "cr") && at(index + hashes) == '"' {
                    index = end_of_raw_string(&characters, index + hashes + 1, hashes);
                } else {
                    tokens.push((line, word));
                }
            }
            c => {
                if matches!(c, '(' | ')') {
                    tokens.push((line, c.to_string()));
                }
                index += 1;
            }
        }
        let end = index.min(characters.len());
        line += characters[start..end].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// Behind the string that begins at `index`.
fn end_of_string(characters: &[char], mut index: usize) -> usize {
    index += 1;
    while let Some(character) = characters.get(index) {
        match character {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    index
}

/// Behind the raw string whose content begins at `index`.
fn end_of_raw_string(characters: &[char], mut index: usize, hashes: usize) -> usize {
    while index < characters.len() {
        let closes = characters[index] == '"'
            && characters[index + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        index += 1;
        if closes {
            return index + hashes;
        }
    }
    index
}

#[cfg(test)]
mod tests {
    use super::violations_in;

    #[test]
    fn each_rule_is_found_with_its_line() {
        let text =
            "fn a() {}\n\nstatic mut X: u8 = 0;\n#[allow(unused, dead_code)]\nfn b() { unsafe { c() } }\n";
        assert_eq!(
            violations_in("sndif/src/ring.rs", text),
            [
                "sndif/src/ring.rs:3: static mut",
                "sndif/src/ring.rs:4: silenced dead code",
                "sndif/src/ring.rs:5: unsafe outside the modules that may have it",
            ]
        );
        assert_eq!(violations_in("x.rs", "#![expect(dead_code)]").len(), 1);
    }

    #[test]
    fn unsafe_has_its_places() {
        assert!(violations_in("kernel/src/arch/port.rs", "unsafe { asm!() }").is_empty());
        assert_eq!(violations_in("kernel/src/bare/runtime.rs", "unsafe { asm!() }").len(), 1);
        assert_eq!(violations_in("audioback/src/lib.rs", "unsafe fn f() {}").len(), 1);
        assert_eq!(violations_in("drivers/xen-guest/src/clock.rs", "unsafe { f() }").len(), 1);
    }

    #[test]
    fn words_about_it_are_no_violations() {
        for text in [
            "// unsafe, static mut",
            "/* unsafe /* nested */ static mut */",
            "let a = \"unsafe \\\" static mut\";",
            "let a = r#\"unsafe \" static mut\"#; let b = br\"unsafe\";",
            "fn f(x: &'static mut u8) {}",
            "#![forbid(unsafe_code)] #![deny(dead_code)]",
            "let quote = '\"'; let other = '\\''; let unsafety = 1;",
        ] {
            assert!(violations_in("x.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_follows_a_literal_is_seen() {
        for text in
            ["let a = '\"'; unsafe {}", "let a = '\\''; unsafe {}", "r#\"\"\"#; unsafe {}", "'a: unsafe {}"]
        {
            assert_eq!(violations_in("x.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_source_that_ends_in_the_middle_does_no_harm() {
        for text in ["\"unsafe", "/* unsafe", "r#\"unsafe", "'\\", "'", "r#"] {
            assert!(violations_in("x.rs", text).is_empty(), "{text}");
        }
    }
}
