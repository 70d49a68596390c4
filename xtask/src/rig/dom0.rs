//! Dom0's root: Xen's tools, the modules they need, the scenario.

use std::path::Path;

use anyhow::Result;

use super::machine;
use super::packages::Tree;
use super::root::Root;

const INIT: &str = include_str!("../../rig/dom0/init");
const LIBRARY: &str = include_str!("../../rig/lib.sh");

/// Modules of dom0: Xen's devices for its tools, the passing on of PCI devices, the ports to the host.
const MODULES: &[&str] = &[
    "xenfs",
    "xen-privcmd",
    "xen-evtchn",
    "xen-gntdev",
    "xen-gntalloc",
    "xen-pciback",
    "virtio_pci",
    "virtio_console",
];

/// Xen's programs of one version.
const XEN_PROGRAMS: &[&str] = &["xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "xentop"];

const XENSTORE_PROGRAMS: &[&str] = &["read", "write", "ls", "chmod", "rm", "exists", "list", "watch"];

/// The device model of HVM domains, where libxl looks for it.
const DEVICE_MODEL: &str = "usr/libexec/xen-qemu-system-i386";

/// What HVM domains don't start without, even if they have no use for it: libxl reads the BIOS, the device model keys.
const HVM_FILES: &[&str] = &["usr/share/seabios/bios-256k.bin", "usr/share/qemu/keymaps/en-us"];

/// What a scenario is told: shell variables.
pub(super) struct Config<'a> {
    /// The scenario, a shell script.
    pub(super) scenario: &'a str,
    /// The image.
    pub(super) image: &'a Path,
    /// The image's level of logging.
    pub(super) log_level: &'a str,
}

/// Dom0's initramfs.
///
/// # Errors
/// When the packages lack something, or the image can't be read.
pub(super) fn initramfs(tree: &Tree, config: &Config<'_>) -> Result<Vec<u8>> {
    let mut root = Root::new(tree)?;
    let xen = tree.versioned("usr/lib", "xen-")?;
    for program in XEN_PROGRAMS {
        root.program(&format!("{xen}/bin/{program}"))?;
    }
    for program in XENSTORE_PROGRAMS {
        root.program(&format!("usr/bin/xenstore-{program}"))?;
    }
    root.program_at(DEVICE_MODEL, DEVICE_MODEL)?;
    for file in HVM_FILES {
        root.copy(&tree.file(file)?, file)?;
    }
    root.modules(MODULES)?;
    root.file("etc/xen/xl.conf", "autoballoon=\"off\"\n");
    root.copy(config.image, "rig/image")?;
    root.file("init", INIT);
    root.file("rig/lib.sh", LIBRARY);
    root.file("rig/scenario.sh", config.scenario);
    let variables = format!("CONTROLLER={}\nLOG_LEVEL={}\n", machine::CONTROLLER, config.log_level);
    root.file("rig/config", variables);
    Ok(root.initramfs())
}
