//! Dom0's root: Xen's tools, the modules they need, the scenario.

use anyhow::Result;

use super::packages::{PIPEWIRE_MODULE_FOLDER, Tree};
use super::plan::{Dom0Sound, Plan};
use super::root::{LIBRARIES, Root};
use super::{guest, machine};

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

/// Dom0's own driver of the controller; before it the part that knows any codec, which it asks for once.
const SOUND_MODULES: &[&str] = &["snd-hda-codec-generic", "snd-hda-intel"];

/// Xen's programs of one version.
const XEN_PROGRAMS: &[&str] = &["xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "xentop"];

const XENSTORE_PROGRAMS: &[&str] = &["read", "write", "ls", "chmod", "rm", "exists", "list", "watch"];

/// The device model of HVM domains, where libxl looks for it.
const DEVICE_MODEL: &str = "usr/libexec/xen-qemu-system-i386";

/// HVM domains need these to start: libxl reads the BIOS, and the device model the keymap.
const HVM_FILES: &[&str] = &["usr/share/seabios/bios-256k.bin", "usr/share/qemu/keymaps/en-us"];

/// The daemon, a player, and the command that links their ports.
const PIPEWIRE_PROGRAMS: &[&str] = &["pipewire", "pw-cat", "pw-link"];

/// Modules that a daemon without a session manager needs, and its clients.
const PIPEWIRE_MODULES: &[&str] =
    &["rt", "protocol-native", "client-node", "access", "adapter", "link-factory"];

/// Plug-ins of the daemon and its clients: logs and loops, the card, sample formats, the sum of all programs.
const PIPEWIRE_PLUGINS: &[&str] = &[
    "support/libspa-support",
    "alsa/libspa-alsa",
    "audioconvert/libspa-audioconvert",
    "audiomixer/libspa-audiomixer",
];

/// Where PipeWire looks for its plug-ins.
const PIPEWIRE_PLUGIN_FOLDER: &str = "usr/lib/x86_64-linux-gnu/spa-0.2";

/// Dom0's initramfs for a plan, with the guests' initramfs in it.
///
/// # Errors
/// When the packages lack something, or the image can't be read.
pub(super) fn initramfs(tree: &Tree, plan: &Plan, guest: &[u8]) -> Result<Vec<u8>> {
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
    let mut modules = MODULES.to_vec();
    if plan.dom0_sound != Dom0Sound::None {
        modules.extend(SOUND_MODULES);
        root.program("usr/bin/aplay")?;
        root.folder(guest::ALSA_CONFIG)?;
    }
    if plan.dom0_sound == Dom0Sound::PipeWire {
        add_pipewire(&mut root)?;
    }
    root.modules(&modules)?;
    for (name, content) in &plan.dom0_files {
        root.file(&format!("rig/{name}"), content.clone());
    }
    root.file("etc/xen/xl.conf", "autoballoon=\"off\"\n");
    root.file("init", INIT);
    root.file("rig/lib.sh", LIBRARY);
    root.file("rig/scenario.sh", plan.scenario.as_str());
    root.file("rig/config", variables(plan));
    root.copy(&plan.image, "rig/image")?;
    root.copy(&tree.kernel(), "rig/vmlinux")?;
    root.file("rig/guest.cpio", guest);
    root.initramfs()
}

/// Adds PipeWire. Its modules are linked with each other, so they lie where the libraries are.
///
/// # Errors
/// When the packages lack a part.
fn add_pipewire(root: &mut Root<'_>) -> Result<()> {
    for program in PIPEWIRE_PROGRAMS {
        root.program(&format!("usr/bin/{program}"))?;
    }
    for module in PIPEWIRE_MODULES {
        let file = format!("libpipewire-module-{module}.so");
        root.program_at(&format!("{PIPEWIRE_MODULE_FOLDER}/{file}"), &format!("{LIBRARIES}/{file}"))?;
    }
    for plugin in PIPEWIRE_PLUGINS {
        let path = format!("{PIPEWIRE_PLUGIN_FOLDER}/{plugin}.so");
        root.program_at(&path, &path)?;
    }
    Ok(())
}

/// The scenario's variables, as assignments of a shell.
fn variables(plan: &Plan) -> String {
    let all = [("CONTROLLER", machine::CONTROLLER), ("LOG_LEVEL", &plan.log_level)];
    let own = plan.variables.iter().map(|(name, value)| (*name, value.as_str()));
    all.into_iter()
        .chain(own)
        .map(|(name, value)| format!("{name}='{}'\n", value.replace('\'', r"'\''")))
        .collect()
}
