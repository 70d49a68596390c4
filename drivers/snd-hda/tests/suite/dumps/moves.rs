//! Plugs and volume on real codecs.

use super::audible::{connect, faults, let_go};
use super::reach::leads;
use super::*;
use snd_hda::RouteIndex;
use snd_hda::codec::PinDevice;

/// Plugs a jack, or unplugs it, and lets the driver hear of it.
fn plug(model: &Model, controller: &mut TestController, pin: u8, is_plugged: bool) {
    model.plug(0, pin, is_plugged);
    model.advance_ns(MILLISECOND);
    controller.handle_interrupt();
    controller.attend_jacks();
}

/// Routes of what is built in, each with a jack that can take over from it.
fn pairs(specimen: &Specimen, controller: &TestController) -> Vec<(usize, usize)> {
    let is_built_in = |route: &Route| {
        let default = specimen.dump.node(route.pin().get()).and_then(|pin| pin.pin_default).unwrap_or(0);
        default >> 30 >= 2 || default >> 28 & 3 == 1
    };
    let mut pairs = Vec::new();
    for (own, from) in routes_of(controller).filter(|(_, route)| is_built_in(route)) {
        let wanted = match from.device() {
            PinDevice::Speaker => PinDevice::Headphone,
            PinDevice::Microphone => PinDevice::Microphone,
            _ => continue,
        };
        let jacks =
            routes_of(controller).filter(|(_, to)| to.device() == wanted && to.is_plugged().is_some());
        pairs.extend(jacks.map(|(jack, _)| (own, jack)));
    }
    pairs
}

#[test]
fn streams_follow_the_plugs_of_real_codecs() {
    let (mut headphones, mut microphones, mut stayed, mut bad) = (0, 0, 0, Vec::new());
    for specimen in collection() {
        let (model, mut controller) = specimen.bring_up();
        for (own, jack) in pairs(specimen, &controller) {
            let [own_route, jack_route] = [own, jack].map(|at| &controller.routes()[at]);
            let name = format!("{}: {} to {}", specimen.file, own_route.name(), jack_route.name());
            let converter = own_route.converter().get();
            let (own_pin, pin) = (own_route.pin().get(), jack_route.pin().get());
            let stream = connect(&model, &mut controller, own, 2).expect("a format");
            plug(&model, &mut controller, pin, true);
            let (audible, recorded) = (model.audible(0), model.recorded(0));
            let ends: Vec<u8> = audible.iter().map(|h| h.pin).chain(recorded.iter().map(|r| r.pin)).collect();
            // A recording keeps its converter, or it would have a gap: so it moves only where that one hears the jack, too.
            let stays = !recorded.is_empty() && !leads(&specimen.dump, converter, &|id| id == pin);
            if ends != [if stays { own_pin } else { pin }] {
                bad.push(format!("{name}: {ends:x?}"));
            }
            match recorded.first() {
                None => headphones += 1,
                Some(recorded) => {
                    assert_eq!(recorded.converter, converter, "{name}: the converter stays");
                    *(if stays { &mut stayed } else { &mut microphones }) += 1;
                }
            }
            plug(&model, &mut controller, pin, false);
            for fault in faults(specimen, &model, &controller, &[(own, 0)]) {
                bad.push(format!("{name}, and back: {fault}"));
            }
            let_go(&mut controller, own, stream);
        }
        model.assert_clean();
    }
    println!(
        "{headphones} times from speaker to headphones, {microphones} times from microphone to microphone"
    );
    assert!(bad.is_empty(), "{}:\n{}", bad.len(), bad.join("\n"));
    assert!(headphones > 200 && microphones > 100, "{headphones}, {microphones}");
}

#[test]
fn volume_and_mute_do_what_their_range_says_on_every_route() {
    let (mut with_steps, mut mute_only, mut none, mut bad) = (0, 0, 0, Vec::new());
    for specimen in collection() {
        let (model, mut controller) = specimen.bring_up();
        let all: Vec<usize> = routes_of(&controller).map(|(at, _)| at).collect();
        for at in all {
            let name = format!("{}: {}", specimen.file, controller.routes()[at].name());
            let index = RouteIndex(at as u8);
            let stream = connect(&model, &mut controller, at, 2).expect("a format");
            let gains = || -> Vec<_> {
                let heard = model.audible(0).into_iter().map(|h| (h.left_quarter_db, h.right_quarter_db));
                let recorded = model.recorded(0).into_iter().map(|r| (r.left_quarter_db, r.right_quarter_db));
                heard.chain(recorded).collect()
            };
            let full = gains();
            match controller.volume_range(index) {
                Some(range) => {
                    if range.step_mdb > 0 {
                        let start = controller.volume(index, 0).expect("a volume");
                        for mdb in [range.min_mdb, range.max_mdb] {
                            controller.set_volume(index, 0, mdb).expect("left");
                            controller.set_volume(index, 1, mdb).expect("right");
                            let change = (mdb - start) / 250;
                            let shift = |side: Option<i32>| side.map(|gain| gain + change);
                            let expected: Vec<_> =
                                full.iter().map(|(left, right)| (shift(*left), shift(*right))).collect();
                            if gains() != expected {
                                bad.push(format!("{name}: at {mdb}: {:?}, meant {expected:?}", gains()));
                            }
                        }
                        with_steps += 1;
                    } else {
                        mute_only += 1;
                    }
                    if range.can_mute {
                        controller.set_mute(index, 0, true).expect("left");
                        controller.set_mute(index, 1, true).expect("right");
                        if !gains().is_empty() {
                            bad.push(format!("{name}: muted, and {:?}", gains()));
                        }
                    }
                }
                None => none += 1,
            }
            let_go(&mut controller, at, stream);
        }
        model.assert_clean();
    }
    println!("{with_steps} routes with a volume, {mute_only} with mute alone, {none} with neither");
    assert!(bad.is_empty(), "{}:\n{}", bad.len(), bad.join("\n"));
    assert!(with_steps > 1_000, "{with_steps}");
}
