//! The home under Xen: serves the guests' sound devices for as long as the domain lives.

use audioback::clock::{Clock, Nanos};
use xen_guest::clock::XenClock;
use xen_guest::event_channels::EventChannels;

use crate::arch::cpu;
use crate::console::{self, Verdict, exit};
use crate::platform::xen::Platform;

/// Runs until Xen's tools end it.
pub fn run(mut platform: Platform) -> ! {
    let events = EventChannels::new(platform.xen.shared_info);
    let time = &platform.xen.shared_info.vcpu_info[0].time;
    let clock = match XenClock::new(time, cpu::read_tsc) {
        Ok(clock) => clock,
        Err(error) => exit(Verdict::Fail(format_args!("{error}"))),
    };
    let Some(first) = platform.controllers.first() else {
        exit(Verdict::Fail(format_args!("no controller")))
    };
    let controller =
        snd_hda::Controller::bring_up(first.registers.clone(), &mut platform.dma, platform.delay);
    let mut controller = match controller {
        Ok(controller) => controller,
        Err(error) => exit(Verdict::Fail(format_args!("controller {}: {error}", first.address))),
    };
    log::info!("{} codecs, {} routes", controller.codecs().len(), controller.routes().len());
    let mut n = 0;
    loop {
        let now = clock.now();
        let mut c = 0u32;
        events.take_all(|channel| {
            c = channel.0;
            log::info!("event {}", channel.0);
        });
        log::info!("tsc {} {:?} unreadable {}", cpu::read_tsc(), time, clock.unreadable());
        log::info!("tick {} {:?}", now.0, first.interrupt);
        console::flush();
        controller.handle_interrupt();
        n += 1;
        if n > 5 {
            exit(Verdict::Pass);
        }
        let channels = console::channel().into_iter().chain([platform.xen.store.channel]);
        if let Err(e) = platform.xen.hypercalls.poll(channels, Some(Nanos(now.0 + 1_000_000_000))) {
            exit(Verdict::Fail(format_args!("poll {e:?}")))
        }
    }
}
