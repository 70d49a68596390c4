//! The home under Xen: serves the guests' sound devices for as long as the domain lives.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use audioback::card::Card;
use hda_card::HdaCard;
use hyper::{Clock, Hypervisor};
use xen_guest::alarm::Alarm;
use xen_guest::clock::XenClock;
use xen_guest::driver_domain::DriverDomain;
use xen_guest::event_channels::EventChannels;
use xen_guest::hypercalls::{self, Hypercalls, RunState};
use xen_guest::xenstore::Store;

use crate::arch::{self, Exit, cpu};
use crate::clock::TscDelay;
use crate::console::{self, Verdict, exit};
use crate::memory::dma::DmaArena;
use crate::memory::heap;
use crate::pci::hda::HdaController;
use crate::pci::message::Interrupt;
use crate::pci::registers::HdaRegisters;
use crate::platform::xen::Platform;
use crate::runtime::ImageHypervisor;
use crate::runtime::costs::{Causes, Costs};
use hda_card::card_info;
use vsnd::{Change, ShutdownReason, Vsnd};

/// Buffers that can be open at a time: a controller has 30 stream descriptors at most (HDA specification 1.0a, 3.3.2 "GCAP").
const MAX_BUFFERS: usize = 30;

/// Runs until Xen's tools end it.
pub fn run(platform: Platform) -> ! {
    let Platform { xen, domain, delay, mut dma, controllers } = platform;
    let Some(controller) = controllers.first() else {
        exit(Verdict::Fail(format_args!("no HD Audio controller")));
    };
    if controllers.len() > 1 {
        log::warn!("{} more controllers are left alone", controllers.len() - 1);
    }
    // Those with the window are the back end's.
    let Some(hypercalls) = arch::xen::handle() else { exit(Verdict::Fail(format_args!("this is not Xen"))) };
    let events = EventChannels::new(xen.shared_info);
    let mut alarm = Alarm::default();
    let timer = match hypercalls.bind_timer() {
        Ok(channel) => channel,
        Err(error) => exit(Verdict::Fail(format_args!("Xen refuses a channel for the timer: {error:?}"))),
    };
    let clock = match XenClock::new(&xen.shared_info.vcpu_info[0].time, cpu::read_tsc) {
        Ok(clock) => clock,
        Err(error) => exit(Verdict::Fail(format_args!("{error}"))),
    };
    let (traits, registers) = (controller.known.traits, controller.registers.clone());
    let mut card = match snd_hda::Controller::bring_up_with(traits, registers, &mut dma, delay) {
        Ok(driver) => HdaCard::new(driver, &clock as &dyn Clock),
        Err(error) => exit(Verdict::Fail(format_args!("controller {}: {error}", controller.address))),
    };
    let facts = facts(controller, &mut card);
    let facts: Vec<(&str, &str)> =
        facts.iter().map(|(node, value)| (node.as_str(), value.as_str())).collect();

    let store = Store::attach(xen.store.ring);
    let hypervisor = ImageHypervisor::Xen(DriverDomain::new(xen.hypercalls, MAX_BUFFERS));
    let mut vsnd = Vsnd::new(store, domain, hypervisor, card, &facts);
    drop(facts);
    // From here on nothing is allocated: whoever tries ends the image.
    heap::seal();

    let interrupt = match controller.interrupt {
        Some(Interrupt::Event { channel, end }) => Some((channel, end)),
        // There are no vectors here.
        Some(Interrupt::Vector(_)) | None => None,
    };
    let mut costs = Costs::default();
    let (used, all) = heap::usage_bytes();
    log::info!(target: "xen", "ready; {used} of {all} octets of heap are taken");
    loop {
        events.unmask(xen.store.channel);
        let mut causes = Causes::default();
        events.take_all(|channel| {
            let cause = if channel == timer {
                &mut causes.timer
            } else if channel == xen.store.channel {
                &mut causes.store
            } else if interrupt.is_some_and(|(own, _)| own == channel) {
                &mut causes.controller
            } else {
                &mut causes.ring
            };
            *cause = true;
        });
        let interrupted = causes.controller;
        costs.turn(causes);
        // The console's daemon may have made room.
        console::flush();
        // A card without an interrupt is polled in each turn.
        let due = vsnd.poll(&clock, interrupted || interrupt.is_none());
        if let Some((_, Some(pirq))) = interrupt.filter(|_| interrupted)
            && let Err(error) = hypercalls.end_pirq(pirq)
        {
            log::warn!(target: "xen", "the interrupt could not be ended: {error:?}");
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
        if due.next.is_some_and(|next| next <= now) {
            continue;
        }
        if let Some(at) = alarm.set(due.next, now)
            && let Err(error) = hypercalls.set_timer(at)
        {
            exit(Verdict::Fail(format_args!("Xen refuses to set the timer: {error:?}")));
        }
        if due.store_may_wait {
            events.mask(xen.store.channel);
        }
        // An event that comes after this look ends the sleep at once.
        if !events.any_pending() {
            costs.sleep();
            cpu::sleep_until_interrupt();
        }
    }
}

/// Tells what the image has cost until now. The number is that of whoever asks.
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

/// Ends the domain as Xen's tools have asked.
fn end(reason: ShutdownReason, all_closed: bool) -> ! {
    if all_closed {
        log::info!("all devices are closed: {reason:?}");
    } else {
        log::warn!("time is up, and not all devices are closed: {reason:?}");
    }
    console::drain();
    arch::exit(match reason {
        ShutdownReason::Reboot => Exit::Reboot,
        ShutdownReason::PowerOff | ShutdownReason::Halt => Exit::Pass,
    })
}

type Hda<'c> = HdaCard<HdaRegisters, TscDelay, <DmaArena as snd_hda::dma::DmaMemory>::Region, &'c dyn Clock>;

/// What people want to know of the card, by the names of the nodes below `snddom/state`.
fn facts(controller: &HdaController, card: &mut Hda<'_>) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    facts.push((String::from("version"), String::from(env!("CARGO_PKG_VERSION"))));
    let (vendor, device) = controller.id;
    facts.push((String::from("controller"), format!("{vendor:04x}:{device:04x} at {}", controller.address)));
    facts.append(&mut card_info::of_card(card.controller()));
    facts
}
