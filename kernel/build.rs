//! Passes the images' memory layout to the linker.
//!
//! A build script does this because a RUSTFLAGS variable silently replaces rustflags from Cargo's
//! configuration.

use std::env;
use std::path::Path;

/// The images and the feature that each needs.
const IMAGES: [(&str, &str); 2] = [("snddom", "CARGO_FEATURE_XEN"), ("snddom-bare", "CARGO_FEATURE_BARE")];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../linker.ld");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let manifest_dir = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let out_dir = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let script = Path::new(&manifest_dir).join("../linker.ld");
    for (image, _) in IMAGES.into_iter().filter(|(_, feature)| env::var_os(feature).is_some()) {
        // The image file has no symbols. The map resolves addresses.
        let map = Path::new(&out_dir).join(format!("{image}.map"));
        for argument in [
            format!("-T{}", script.display()),
            "--no-pie".to_owned(),
            "--build-id=none".to_owned(),
            "--nmagic".to_owned(),
            format!("-Map={}", map.display()),
        ] {
            println!("cargo::rustc-link-arg-bin={image}={argument}");
        }
    }
}
