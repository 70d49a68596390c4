//! Events that bring no request.

use audiofront::{EventPort, FrontEvent, Transport};
use hyper::DomainId;
use sndif::Direction::{Capture, Playback};

use crate::support::*;

const VILLAIN: u16 = 4;

/// The time from one of the villain's events to the next.
const STEP_NS: u64 = 50_000;

/// Turns in a second in which a guest plays, while events come on these ports of the villain's.
fn turns_in_a_second(rig: &mut Rig, ports: &[EventPort]) -> u64 {
    let mut villain = rig.world.front_end(DomainId(VILLAIN), DRIVER, 0);
    let before = rig.polls;
    for step in 0..1_000 * MS / STEP_NS {
        rig.model.advance_ns(STEP_NS);
        ports.iter().for_each(|port| villain.notify(*port));
        // The victim's program looks at its stream each 10 ms, as one with a timer does.
        if step.is_multiple_of(10 * MS / STEP_NS) {
            rig.poll_players();
        }
        rig.turn_if_due();
    }
    rig.polls - before
}

#[test]
fn a_flood_of_events_without_requests_is_a_turn_each_10_ms_and_no_frame_of_another_guest_s() {
    let mut rig = Rig::with(codecs(2));
    let victim = rig.guest_with(3, &[(0, 0, Playback, "output-0")]).remove(0);
    let villain = rig.guest_with(VILLAIN, &[(0, 0, Playback, "output-1"), (0, 1, Capture, "input-1")]);
    let ports: Vec<EventPort> = villain
        .iter()
        .flat_map(|front| [front.nodes().event_channel, front.nodes().evt_event_channel].map(EventPort))
        .collect();
    let recording = noise(4 * 48_000, 1);
    let player = rig.play(victim, &recording);
    rig.advance(100 * MS);
    let alone = turns_in_a_second(&mut rig, &[]);
    let flooded = turns_in_a_second(&mut rig, &ports);
    assert!(flooded <= alone + 110, "{flooded} turns in a second, and {alone} without the flood");
    rig.until("the end of the recording", |rig| rig.player(player).is_over());
    assert_eq!(rig.player(player).error, None);
    assert_heard(&rig.model, 0, 0, &recording);
}

#[test]
fn a_guest_that_flooded_is_answered_within_10_ms_and_then_as_fast_as_any() {
    let mut rig = Rig::with(codecs(2));
    let mut front = rig.guest_with(VILLAIN, &[(0, 0, Playback, "output-1")]).remove(0);
    let port = EventPort(front.nodes().event_channel);
    turns_in_a_second(&mut rig, &[port]);
    let answered_after_ns = |rig: &mut Rig, front: &mut Front| {
        front.query(&sndif::hw_params::HwParams::ANY).expect("a query on its way");
        let begun = rig.now().0;
        while !matches!(front.poll(), Some(FrontEvent::Answered { .. })) {
            assert!(rig.now().0 - begun < 1_000 * MS, "no answer");
            rig.turn_if_due();
            rig.model.advance_ns(10_000);
        }
        rig.now().0 - begun
    };
    let first = answered_after_ns(&mut rig, &mut front);
    assert!(first <= 10 * MS + 20_000, "{first} ns");
    for _ in 0..100 {
        let next = answered_after_ns(&mut rig, &mut front);
        assert!(next <= 20_000, "{next} ns");
        rig.model.advance_ns(MS);
    }
}
