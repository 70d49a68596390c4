//! The loop-back home, in QEMU without Xen: looks at what the platform found, and at how well it sleeps.

use audioback::clock::{Clock, Nanos};
use snd_hda::registers::Registers;

use crate::console::{Verdict, exit};
use crate::event_loop::Wake;
use crate::platform::Platform;
use crate::{fault, report};

/// Global Capabilities (HDA specification 1.0a, 3.3.2).
const GCAP: u16 = 0x00;
/// Version: minor, major (3.3.3, 3.3.4).
const VMIN: u16 = 0x02;
const VMAJ: u16 = 0x03;

/// Runs until all is said.
pub fn run(mut platform: Platform) -> ! {
    if let Some(fault) = platform.command_line.fault {
        fault::commit(fault, &platform.controllers);
    }
    for controller in &mut platform.controllers {
        let gcap = controller.registers.read_u16(GCAP);
        let version = (controller.registers.read_u8(VMAJ), controller.registers.read_u8(VMIN));
        if version.0 != 1 {
            let address = controller.address;
            exit(Verdict::Fail(format_args!(
                "controller {address} doesn't answer: VMAJ (0x03) reads {:#x}",
                version.0
            )));
        }
        report!("card controller={} gcap={gcap:#06x}", controller.address);
    }
    for step in 1..=5u64 {
        let deadline = Nanos(platform.clock.now().0 + step * 1_234_567);
        while platform.sleep_until(deadline) == Wake::Controller {}
        report!("sleep deadline_ns={} late_ns={}", deadline.0, platform.clock.now().0 - deadline.0);
    }
    let idle = platform.event_loop.idleness();
    report!("idle asleep_ns={} total_ns={} sleeps={}", idle.asleep_ns, idle.total_ns, idle.sleeps);
    exit(Verdict::Pass)
}
