//! The driver domain's machine: Xen's pages, the clock, the controllers.

use alloc::vec::Vec;

use hyper::DomainId;
use xen_guest::clock::{TimeError, TimeScale};
use xen_guest::hypercalls::Hypercalls;
use xen_guest::hypervisor::Errno;
use xen_guest::presence::Presence;

use super::attach::{AttachError, Xen};
use super::console;
use super::interrupts::{PirqInterrupt, Pirqs};
use crate::arch::cpu;
use crate::boot::start_info::BootInfo;
use crate::clock::TscClock;
use crate::clock::frequency::{self, TscFrequency};
use crate::machine::{Machine, MachineError};
use crate::memory::PAGE_BYTES;
use crate::memory::dma::DmaArena;
use crate::memory::ring::Ring;
use crate::pci::hda::{self, Controllers, HdaController, Surroundings};

/// Rings for ports that are shared at a time.
const RINGS: usize = 8;

/// Bytes of a ring: 40 ms of 8 channels at 96 kHz.
const RING_BYTES: u64 = 128 << 10;

/// A controller whose interrupt arrives as an event.
pub type Controller = HdaController<PirqInterrupt>;

/// The parts of the machine that the main loop uses.
#[derive(Debug)]
pub struct Platform {
    /// Xen's shared pages and hypercalls.
    pub xen: Xen,
    /// This domain.
    pub domain: DomainId,
    /// Waits of microseconds.
    pub delay: TscClock,
    /// Memory for the driver.
    pub dma: DmaArena,
    /// Memory of shared ports.
    pub rings: Vec<Ring>,
    /// The HD Audio controllers, at least one.
    pub controllers: Controllers<PirqInterrupt>,
}

/// Why the image can't start or continue to serve guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// No image can use its machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Xen or its tools don't provide a required part.
    #[error(transparent)]
    Xen(#[from] AttachError),
    /// Xen refuses a channel for the timer.
    #[error("Xen refuses a channel for the timer: {0:?}")]
    TimerChannel(Errno),
    /// Xen refuses to set the timer.
    #[error("Xen refuses to set the timer: {0:?}")]
    SetTimer(Errno),
    /// Xen's time can't be read.
    #[error(transparent)]
    Time(#[from] TimeError),
}

impl Platform {
    /// Initializes the domain.
    pub fn bring_up(
        boot: &BootInfo,
        entry_tsc: u64,
        presence: Presence,
        hypercalls: &'static Hypercalls,
    ) -> Result<Self, RunError> {
        let mut machine = Machine::bring_up(boot)?;
        let xen = Xen::attach(&mut machine.space, &boot.memory)?;
        if let Some(shared) = &xen.console {
            console::attach(shared.ring, shared.channel, hypercalls);
        }
        let frequency = tsc_frequency(&presence, &xen).ok_or(AttachError::Missing("a TSC frequency"))?;
        let clock = machine.start_clock(entry_tsc, frequency)?;

        let (major, minor) = presence.version;
        // CPUID provides it since Xen 4.11.
        let domain = presence.domain.ok_or(AttachError::Missing("its number in CPUID"))?;
        log::info!(target: "xen", "Xen {major}.{minor}, this is domain {domain}");
        if !presence.iommu_mappings {
            log::warn!(target: "xen", "Xen doesn't say that devices may reach other domains' pages: streams may be silent");
        }

        let controllers = hda::bring_up_all(Surroundings {
            messages: Pirqs(hypercalls),
            space: &mut machine.space,
            memory: &boot.memory,
            delay: clock,
            // BARs read as placed by the host, which is meaningless in the domain.
            assign: true,
        })
        .map_err(MachineError::from)?;
        let rings = (0..RINGS).map(|_| {
            let pages = machine.space.take_pages(RING_BYTES / PAGE_BYTES)?;
            Some(Ring::new(pages.words, pages.address))
        });
        let rings: Option<Vec<Ring>> = rings.collect();
        let rings = rings.ok_or(MachineError::OutOfMemory("the rings of shared ports"))?;
        log::debug!(target: "memory", "free {} bytes", machine.space.free_bytes());
        Ok(Self { xen, domain: DomainId(domain), delay: clock, dma: machine.dma, rings, controllers })
    }
}

/// The TSC's frequency from Xen's CPUID leaf, the processor's, or Xen's time page.
fn tsc_frequency(presence: &Presence, xen: &Xen) -> Option<TscFrequency> {
    let by_leaf = || TscFrequency::new(u64::from(presence.tsc_khz?) * 1000, 0, "CPUID 0x40000003");
    let time = &xen.shared_info.vcpu_info[0].time;
    let by_page = || TscFrequency::new(TimeScale::of(time)?.tsc_hz()?, 0, "Xen's time page");
    by_leaf().or_else(|| frequency::from_cpuid(cpu::cpuid)).or_else(by_page)
}
