//! From entry to the domain's end: brings the card up and serves guests.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use audioback::card::{Card, PortIndex};
use hda_card::{HdaCard, card_info};
use hyper::{Clock, Hypervisor, Nanos};
use mixer::{Cost, Limits, Mixer};
use vsnd::{Change, ShutdownReason, Vsnd};
use xen_guest::alarm::Alarm;
use xen_guest::clock::XenClock;
use xen_guest::driver_domain::DriverDomain;
use xen_guest::event_channels::EventChannels;
use xen_guest::hypercalls::{self, Hypercalls, RunState};
use xen_guest::presence::Presence;
use xen_guest::xenstore::Store;

use super::attach;
use super::console as xen_console;
use super::costs::{Causes, Costs};
use super::interrupts::HANDLERS;
use super::platform::{Controller, Platform, RunError};
use crate::arch::{self, Exit, cpu, fail};
use crate::boot::command_line::{self, Problem};
use crate::boot::start_info::BootInfo;
use crate::clock::TscClock;
use crate::console;
use crate::machine::MachineError;
use crate::memory::dma::DmaPiece;
use crate::memory::heap;
use crate::pci::hda::FindError;
use crate::pci::registers::HdaRegisters;

/// Most open buffers, of direct streams and of voices.
const MAX_BUFFERS: usize = 64;

/// Bounds of mixing. All work together is at most a seventh of a processor of 3 GHz: 32 voices of two channels whose rate is
/// converted to 48 kHz.
///
/// A turn of the loop is late when other domains keep the processor. With one processor for three guests and dom0, turns came
/// up to 14 ms late (scenario `shared`, once a period of 114 ms), and QEMU's controller fetches in steps of 14 ms.
const MIXING: Limits = Limits {
    streams: MAX_BUFFERS as u16,
    converters: 32,
    cost: Cost(32 * 96_000 * 26),
    lateness: Nanos(30_000_000),
};

/// The image's main function; the entry code passes both arguments.
pub extern "C" fn main(start_info_paddr: u32, entry_tsc: u64) -> ! {
    arch::init(&HANDLERS);
    console::init();
    let Some((presence, hypercalls)) = attach::detect() else {
        fail("this image needs Xen, and CPUID shows none: in QEMU start snddom-bare");
    };
    let Err(error) = run(start_info_paddr, entry_tsc, presence, hypercalls);
    fail(error)
}

/// Runs until Xen's tools end the domain.
fn run(
    start_info_paddr: u32,
    entry_tsc: u64,
    presence: Presence,
    hypercalls: &'static Hypercalls,
) -> Result<Infallible, RunError> {
    let mut boot = BootInfo::read(start_info_paddr).map_err(MachineError::from)?;
    // libxl passes an HVM domain's BIOS as a module, which the image doesn't use.
    boot.module = None;
    match command_line::parse(&boot.command_line, |_, _| Err(Problem::Unknown)) {
        Ok(level) => log::set_max_level(level),
        Err(error) => fail(error),
    }
    let platform = Platform::bring_up(&boot, entry_tsc, presence, hypercalls)?;
    let Platform { xen, domain, delay, mut dma, rings, mut controllers } = platform;
    if controllers.len() > 1 {
        log::warn!("{} more controllers stay unused", controllers.len() - 1);
    }
    let controller = controllers.first_mut().ok_or(FindError::NoController).map_err(MachineError::from)?;
    let events = EventChannels::new(xen.shared_info);
    let mut alarm = Alarm::default();
    let timer = hypercalls.bind_timer().map_err(RunError::TimerChannel)?;
    let clock = XenClock::new(&xen.shared_info.vcpu_info[0].time, cpu::read_tsc)?;
    let driver = controller.drive(&mut dma, delay).map_err(MachineError::from)?;
    let mut card = HdaCard::new(driver, &clock);
    let mut card_info = card_info(controller, &mut card);
    let card = Mixer::new(card, rings, &[], MIXING);
    card_info.extend(monitor_info(&card));

    let store = Store::attach(xen.store.ring);
    let hypervisor = DriverDomain::new(xen.hypercalls, MAX_BUFFERS);
    let mut vsnd = Vsnd::new(store, domain, hypervisor, card, card_info);
    // Set-up is over: from here on any allocation ends the image.
    heap::seal();

    let interrupt = controller.interrupt;
    let mut costs = Costs::default();
    let (used, all) = heap::usage_bytes();
    log::info!(target: "xen", "ready; {used} of {all} bytes of heap used");
    loop {
        events.unmask(xen.store.channel);
        let mut causes = Causes::default();
        events.take_all(|channel| {
            let cause = if channel == timer {
                &mut causes.timer
            } else if channel == xen.store.channel {
                &mut causes.store
            } else if interrupt.is_some_and(|interrupt| interrupt.channel == channel) {
                &mut causes.controller
            } else {
                vsnd.hypervisor_mut().channels_mut().on_event(channel);
                &mut causes.ring
            };
            *cause = true;
        });
        let interrupted = causes.controller;
        costs.turn(causes);
        // The console's daemon may have made room.
        xen_console::flush();
        // Without an interrupt every turn polls the card.
        let due = vsnd.poll(&clock, interrupted || interrupt.is_none());
        if let Some(pirq) = interrupt.filter(|_| interrupted).and_then(|own| own.acknowledged_pirq)
            && let Err(error) = hypercalls.end_pirq(pirq)
        {
            log::warn!(target: "xen", "can't acknowledge the interrupt: {error:?}");
        }
        if due.notify_store {
            hypercalls.notify(xen.store.channel);
        }
        while let Some(change) = vsnd.take_change() {
            match change {
                Change::LogLevel(level) => log::set_max_level(level),
                Change::Report(number) => report(number, &mut vsnd, &clock, &costs, hypercalls),
            }
        }
        if let Some(reason) = vsnd.ended() {
            end(reason, vsnd.all_closed());
        }

        let now = clock.now();
        // Also before a turn that follows at once, so that a guest's flood doesn't outlast it.
        let throttled = vsnd.hypervisor_mut().channels_mut().throttle(&events, now);
        let next = [due.next, throttled].into_iter().flatten().min();
        if next.is_some_and(|next| next <= now) {
            continue;
        }
        if let Some(at) = alarm.set(next, now) {
            hypercalls.set_timer(at).map_err(RunError::SetTimer)?;
        }
        if due.store_may_wait {
            events.mask(xen.store.channel);
        }
        // An event after this check ends the sleep at once.
        if !events.any_pending() {
            costs.sleep();
            cpu::sleep_until_interrupt();
        }
    }
}

/// Publishes the image's costs so far, with the number of the request.
fn report<H: Hypervisor, C: Card<H::Buffer>>(
    number: u32,
    vsnd: &mut Vsnd<'_, H, C>,
    clock: &impl Clock,
    costs: &Costs,
    hypercalls: &Hypercalls,
) {
    let RunState { running_ns, runnable_ns, blocked_ns } = hypercalls.run_state().unwrap_or_default();
    let (now, made) = (clock.now().0, hypercalls::made());
    vsnd.report(format_args!(
        "number={number} time_ns={now} {costs} hypercalls={made} running_ns={running_ns} runnable_ns={runnable_ns} \
         blocked_ns={blocked_ns}"
    ));
}

/// Ends the domain as requested by Xen's tools.
fn end(reason: ShutdownReason, all_closed: bool) -> ! {
    if all_closed {
        log::info!("all devices are closed: {reason:?}");
    } else {
        log::warn!("timed out before all devices closed: {reason:?}");
    }
    console::drain();
    arch::exit(match reason {
        ShutdownReason::Reboot => Exit::Reboot,
        ShutdownReason::PowerOff | ShutdownReason::Halt => Exit::Pass,
        ShutdownReason::Deaf => Exit::Crash,
    })
}

/// The names of the monitors, by those of the nodes below `snddom/state`.
fn monitor_info<B>(card: &impl Card<B>) -> impl Iterator<Item = (String, String)> {
    let monitors = (0..=u8::MAX).map(PortIndex).zip(card.ports()).filter(|(_, port)| port.is_monitor);
    monitors.enumerate().filter_map(|(number, (index, _))| {
        Some((format!("port/monitor-{number}"), String::from(card.port_name(index)?.as_str())))
    })
}

/// Card information for people, by the names of the nodes below `snddom/state`.
fn card_info<C: Clock>(
    controller: &Controller,
    card: &mut HdaCard<HdaRegisters, TscClock, DmaPiece, C>,
) -> Vec<(String, String)> {
    let (vendor, device) = controller.id;
    let mut info = Vec::from([
        (String::from("version"), String::from(env!("CARGO_PKG_VERSION"))),
        (String::from("controller"), format!("{vendor:04x}:{device:04x} at {}", controller.address)),
    ]);
    info.append(&mut card_info::of_card(card.controller()));
    info
}
