//! A driver domain of Xen's.

use heapless::Vec;
use hyper::DomainId;
use xen_guest::presence::Presence;

use super::{BringUpError, Foundations, at_least_one};
use crate::arch::xen::{AttachError, Xen};
use crate::clock::frequency::{Source, TscFrequency};
use crate::clock::{TickScale, TscDelay};
use crate::console;
use crate::memory::dma::DmaArena;
use crate::pci::hda::{self, HdaController, MAX_CONTROLLERS, Surroundings};
use crate::pci::message::Messages;

/// All that a home is given.
#[derive(Debug)]
pub struct Platform {
    /// What Xen gives this domain.
    pub xen: Xen,
    /// This domain.
    pub domain: DomainId,
    /// Waits of microseconds.
    pub delay: TscDelay,
    /// Memory for the driver.
    pub dma: DmaArena,
    /// The HD Audio controllers, at least one.
    pub controllers: Vec<HdaController, MAX_CONTROLLERS>,
}

impl Platform {
    /// Brings up what Xen has shown itself to offer.
    pub fn bring_up(mut foundations: Foundations, presence: Presence) -> Result<Self, BringUpError> {
        let xen = Xen::attach(&mut foundations.space, &foundations.boot.memory).map_err(BringUpError::Xen)?;
        if let Some(shared) = &xen.console {
            console::attach(shared.ring, shared.channel);
        }
        let stated = presence.tsc_khz.map(|khz| u64::from(khz) * 1000);
        let stated = stated.filter(|hz| TickScale::from_hz(*hz).is_some());
        let clock = foundations.start_clock(stated.map(|hz| TscFrequency {
            hz,
            error_ppb: 0,
            source: Source::Xen,
        }))?;

        let (major, minor) = presence.version;
        // Since Xen 4.11 CPUID says it.
        let domain = presence.domain.ok_or(BringUpError::Xen(AttachError::Missing("its number in CPUID")))?;
        log::info!(target: "xen", "Xen {major}.{minor}, this is domain {domain}");
        if !presence.iommu_mappings {
            log::warn!(target: "xen", "Xen doesn't say that devices may reach other domains' pages: streams may be silent");
        }

        let Foundations { boot, mut space, dma, .. } = foundations;
        let found = hda::bring_up_all(Surroundings {
            messages: Messages::Pirqs(&xen.hypercalls),
            space: &mut space,
            memory: &boot.memory,
            delay: TscDelay::new(clock),
            // A BAR reads as the host has placed it, which means nothing here.
            assign: true,
        });
        at_least_one(&found)?;
        log::debug!(target: "memory", "free {} octets", space.free_bytes());
        Ok(Self {
            xen,
            domain: DomainId(domain),
            delay: TscDelay::new(clock),
            dma,
            controllers: found.controllers,
        })
    }
}
