//! Every pin that something is connected to has a route, if there is a way to a converter at all; and what that costs.

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use snd_hda::codec::Unserved;
use snd_hda_model::codec::WidgetKind;

/// Whether a way leads from `listener` back to `source`, or to any node that `is_source`, found without the driver's help.
pub fn leads(dump: &Dump, listener: u8, is_source: &dyn Fn(u8) -> bool) -> bool {
    let mut seen = vec![listener];
    let mut next = 0;
    while let Some(id) = seen.get(next) {
        let Some(node) = dump.node(*id) else {
            next += 1;
            continue;
        };
        let passes = next == 0 || matches!(node.kind, WidgetKind::Mixer | WidgetKind::Selector);
        next += 1;
        for id in node.connections.iter().copied().filter(|_| passes) {
            if is_source(id) {
                return true;
            }
            if !seen.contains(&id) {
                seen.push(id);
            }
        }
    }
    false
}

#[test]
fn a_connected_pin_has_a_route_if_there_is_a_way() {
    let mut without = Vec::new();
    for specimen in collection() {
        let dump = &specimen.dump;
        let (_, controller) = specimen.bring_up();
        let has_route = |pin: u8| routes_of(&controller).any(|(_, route)| route.pin().get() == pin);
        let kind_of = |id: u8| dump.node(id).map(|node| node.kind);
        for pin in dump.nodes.iter().filter(|node| node.kind == WidgetKind::Pin) {
            let (default, capabilities) = (pin.pin_default.unwrap_or(0x4000_0000), pin.pincap.unwrap_or(0));
            if default >> 30 == 1 {
                assert!(!has_route(pin.id), "{} pin {:#x}: nothing is connected", specimen.file, pin.id);
                continue;
            }
            let device = default >> 20 & 0xf;
            let way = if OUTPUTS.contains(&device) && capabilities & 0x10 != 0 {
                leads(dump, pin.id, &|id| kind_of(id) == Some(WidgetKind::Output))
            } else if INPUTS.contains(&device) && capabilities & 0x20 != 0 {
                let converters = dump.nodes.iter().filter(|node| node.kind == WidgetKind::Input);
                converters.into_iter().any(|converter| leads(dump, converter.id, &|id| id == pin.id))
            } else {
                false
            };
            assert_eq!(has_route(pin.id), way, "{} pin {:#x}, {default:#010x}", specimen.file, pin.id);
            if !way {
                let unserved = controller.unserved().iter().filter(|unserved| unserved.codec.get() == 0);
                let reason =
                    unserved.filter(|unserved| unserved.pin.get() == pin.id).map(|u| u.reason).next();
                assert!(reason.is_some(), "{} pin {:#x}", specimen.file, pin.id);
                assert!(!matches!(reason, Some(Unserved::TooMany(_))), "{}", specimen.file);
                without.push(format!("{} pin {:#x}: {reason:?}", specimen.file, pin.id));
            }
        }
    }
    println!("{} connected pins without a way:\n{}", without.len(), without.join("\n"));
    assert!(without.len() < 100, "{}", without.len());
}

#[test]
fn paths_follow_connection_lists() {
    for specimen in collection() {
        let (_, controller) = specimen.bring_up();
        for (_, route) in routes_of(&controller) {
            for pair in route.hops().windows(2) {
                let listener = specimen.dump.node(pair[0].node().get()).expect("a node");
                assert!(
                    listener.connections.contains(&pair[1].node().get()),
                    "{}: {}",
                    specimen.file,
                    route.name()
                );
            }
        }
    }
}

#[test]
fn asking_a_codec_takes_a_bounded_number_of_verbs() {
    let (mut most, mut longest_ns) = (0, 0);
    for specimen in collection() {
        let verbs = Rc::new(Cell::new(0_u32));
        let counter = verbs.clone();
        let codec = specimen.dump.codec().tampered(move |_, answer| {
            counter.set(counter.get() + 1);
            answer
        });
        let model = Bench::new(Profile::hardware()).codec(0, codec).without_recording().build();
        let _ = bring_up(&model);
        most = most.max(verbs.get());
        longest_ns = longest_ns.max(model.now_ns());
    }
    println!("{most} verbs at most, {} us", longest_ns / 1_000);
    assert!(most <= 307, "{most} verbs");
    assert!(longest_ns < 200_000_000, "{longest_ns} ns");
}
