//! The emulated machine that Xen boots on.

use std::path::PathBuf;
use std::process::Command;

use crate::provision::QEMU;
use xtask::Iommu;

use crate::qemu::{self, Codec, Options, Pace};

/// Where the controller is, as the driver domain's file says it too.
pub(super) const CONTROLLER: &str = "00:1b.0";

/// Memory of the whole machine, in MiB.
const MEMORY_MIB: u32 = 2560;

/// Dom0's part of it. It keeps its root in there, and the guests' kernel.
const DOM0_MIB: u32 = 1024;

/// A machine to be started.
pub(super) struct Machine {
    /// The hypervisor.
    pub(super) hypervisor: PathBuf,
    /// Dom0's kernel.
    pub(super) kernel: PathBuf,
    /// Dom0's root.
    pub(super) initramfs: PathBuf,
    /// The IOMMU.
    pub(super) iommu: Iommu,
    /// The codecs, by their address on the link.
    pub(super) codecs: Vec<Codec>,
    /// The pace of its clock.
    pub(super) pace: Pace,
    /// Where Xen's console goes; `None`: to the terminal, both ways.
    pub(super) console: Option<PathBuf>,
    /// Where the archive goes that dom0 hands out at the end.
    pub(super) archive: PathBuf,
    /// A socket that the emulator's monitor connects to; then nothing runs until the monitor says so.
    pub(super) monitor: PathBuf,
}

impl Machine {
    /// The emulator's command line.
    pub(super) fn command(&self) -> Command {
        let mut options = Options(Command::new(QEMU));
        // Shared page tables and interrupt remapping are left out where the emulation has them not, or not right.
        let (machine, iommu, xen_iommu) = match self.iommu {
            Iommu::Amd => ("q35", "amd-iommu", "verbose"),
            Iommu::Intel => (
                "q35,kernel-irqchip=off",
                "intel-iommu,intremap=off,caching-mode=off",
                "verbose,no-intremap,no-sharept",
            ),
        };
        options.add("-M", machine);
        options.add("-accel", "tcg,thread=single");
        if self.pace == Pace::Virtual {
            // Where people look on, time does not run ahead while nothing happens.
            let sleep = if self.console.is_none() { "on" } else { "off" };
            // A nanosecond an instruction: a slow processor of today.
            options.add("-icount", format!("shift=0,sleep={sleep}"));
            // Time of day and entropy are the same in every run, too.
            options.add("-rtc", "base=2026-01-01T00:00:00,clock=vm");
            options.add("-seed", "1");
        }
        // SMAP: returning from one user mode to another faults with it, which ends a PV dom0 at once. ERMS: copies by
        // bytes, which take eight times as many steps here as copies by words.
        options.add("-cpu", "max,-smap,-pks,-la57,-erms,-fsrm,-rdtscp");
        options.add("-smp", "1");
        options.add("-m", format!("{MEMORY_MIB}M"));
        options.0.args(["-nodefaults", "-no-user-config", "-no-reboot"]);
        options.add("-kernel", &self.hypervisor);
        options.add("-append", self.xen_words(xen_iommu));
        let mut modules = qemu::with_path("", &self.kernel);
        modules.push(format!(" {},", self.linux_words()));
        modules.push(qemu::with_path("", &self.initramfs));
        options.add("-initrd", modules);
        options.add("-device", iommu);
        match &self.console {
            Some(path) => {
                // Not stdio: where standard input ends, it hangs up.
                options.add("-chardev", "file,id=lines,path=/dev/stdout");
                options.add("-serial", qemu::with_path("file:", path));
            }
            None => {
                options.add("-chardev", "null,id=lines");
                options.add("-serial", "mon:stdio");
            }
        }
        options.add("-chardev", qemu::with_path("file,id=archive,path=", &self.archive));
        // A write to a port is served at once, on the vCPU's own time. Nothing depends on threads of the host.
        options.add(
            "-device",
            "virtio-serial-pci,addr=0x4,disable-legacy=on,iommu_platform=on,ioeventfd=off,max_ports=4",
        );
        options.add("-device", "virtserialport,nr=1,chardev=lines,name=rig.lines");
        options.add("-device", "virtserialport,nr=2,chardev=archive,name=rig.archive");
        options.add_harness(Some(&self.monitor), &self.codecs);
        options.add("-device", "ich9-intel-hda,id=hda,bus=pcie.0,addr=0x1b");
        options.add_codecs(&self.codecs);
        options.0
    }

    /// Vector registers are switched eagerly: with Xen's default on AMD, which is lazily, dom0's programs were seen to crash
    /// on zeros where vector stores had written something else. Which of Xen and the emulator is to blame isn't known.
    fn xen_words(&self, iommu: &str) -> String {
        format!(
            "com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all console_timestamps=boot sched=credit \
             spec-ctrl=eager-fpu dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M dom0_max_vcpus=1 bootscrub=0 watchdog=0 iommu={iommu}"
        )
    }

    fn linux_words(&self) -> String {
        let mut words = vec![
            "console=hvc0",
            "rdinit=/init",
            "panic=-1",
            "net.ifnames=0",
            "cryptomgr.notests",
            "random.trust_cpu=on",
            "8250.nr_uarts=0",
            // Otherwise it searches its page tables for unprotected pages, which takes most of a second.
            "rodata=off",
        ];
        if self.console.is_none() {
            words.push("rig.keep");
        }
        words.join(" ")
    }
}
