//! Gives the linker the image's layout. Here, not in rustflags: a RUSTFLAGS variable silently replaces those.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../linker.ld");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let manifest_dir = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let script = Path::new(&manifest_dir).join("../linker.ld");
    println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    println!("cargo::rustc-link-arg-bins=--no-pie");
    println!("cargo::rustc-link-arg-bins=--build-id=none");
    println!("cargo::rustc-link-arg-bins=--nmagic");
    // The file has no symbols; this says which address is what.
    let map = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("image.map");
    println!("cargo::rustc-link-arg-bins=-Map={}", map.display());
}
