//! Every route is heard, at full level and at its own end only.

use super::*;
use snd_hda::{Direction, JackPolicy, RouteIndex};
use snd_hda_model::dump::AmpCaps;

/// What is lost on a route whose amplifiers are all at 0 dB or as near to it as they come, in quarters of a decibel.
fn nearest_to_full(specimen: &Specimen, route: &Route) -> i32 {
    let dump = &specimen.dump;
    let lost = |caps: Option<AmpCaps>| {
        caps.map_or(0, |caps| {
            (i32::from(caps.steps.min(caps.offset)) - i32::from(caps.offset))
                * (i32::from(caps.step_size) + 1)
        })
    };
    let of_hop = |hop: &snd_hda::codec::Hop| {
        let node = dump.node(hop.node().get()).expect("a node of the dump");
        let has = |bit: u32| node.wcaps >> bit & 1 != 0;
        let own = |own: Option<AmpCaps>, group: Option<AmpCaps>| {
            own.filter(|caps| has(3) && caps.word() != 0).or(group)
        };
        let is_pin = hop.node() == route.pin();
        let is_converter = hop.node() == route.converter();
        let is_input = route.direction() == Direction::Input;
        let output =
            has(2) && !(is_input && (is_converter || is_pin && node.pincap.unwrap_or(0) & 0x10 != 0));
        let input = has(1) && !(!is_input && (is_pin || is_converter));
        let output = if output { lost(own(node.amp_out, dump.amp_out)) } else { 0 };
        output + if input { lost(own(node.amp_in, dump.amp_in)) } else { 0 }
    };
    route.hops().iter().map(of_hop).sum()
}

/// A stream on a route, in a format that it can do; `None`: it can do none.
fn connect(
    model: &Model,
    controller: &mut TestController,
    index: usize,
    channels: u8,
) -> Option<ConfiguredStream> {
    let route = &controller.routes()[index];
    let (direction, format) = (route.direction(), format_of(route, channels)?);
    let buffer = TestBuffer::new(model, 8192, direction);
    Some(open(controller, RouteIndex(index as u8), format, buffer))
}

fn let_go(controller: &mut TestController, index: usize, stream: ConfiguredStream) {
    let (stream, _buffer) = stream.release().expect("released");
    controller.disconnect(RouteIndex(index as u8)).expect("disconnected");
    controller.give_back(stream);
}

/// What is wrong with what is heard while these routes are connected, in words.
fn faults(
    specimen: &Specimen,
    model: &Model,
    controller: &TestController,
    connected: &[(usize, u8)],
) -> Vec<String> {
    let mut faults = Vec::new();
    let routes = controller.routes();
    let of = |direction| connected.iter().filter(move |(at, _)| routes[*at].direction() == direction);
    let gain = |at: usize| nearest_to_full(specimen, &routes[at]);
    let mut meant: Vec<_> = of(Direction::Output)
        .map(|(at, channel)| (routes[*at].pin().get(), routes[*at].converter().get(), *channel, gain(*at)))
        .collect();
    meant.sort();
    let heard: Vec<_> =
        model.audible(0).iter().map(|h| (h.pin, h.converter, h.channel, h.gain_quarter_db)).collect();
    if heard != meant {
        faults.push(format!("heard {heard:x?}, meant {meant:x?}"));
    }
    let mut meant: Vec<_> = of(Direction::Input)
        .map(|(at, _)| (routes[*at].converter().get(), routes[*at].pin().get(), gain(*at)))
        .collect();
    meant.sort();
    let recorded: Vec<_> =
        model.recorded(0).iter().map(|r| (r.converter, r.pin, r.gain_quarter_db)).collect();
    if recorded != meant {
        faults.push(format!("recorded {recorded:x?}, meant {meant:x?}"));
    }
    let looped = model.looped_back(0);
    if !looped.is_empty() {
        faults.push(format!("looped back {looped:x?}"));
    }
    faults
}

#[test]
fn every_route_is_heard_at_its_end_and_nowhere_else() {
    let (mut tried, mut formatless, mut bad) = (0, Vec::new(), Vec::new());
    for specimen in collection() {
        let Some((model, mut controller)) = specimen.bring_up() else { continue };
        controller.set_jack_policy(JackPolicy::Stay);
        for at in 0..controller.routes().len() {
            let name = format!("{}: {}", specimen.file, controller.routes()[at].name());
            let channels = controller.routes()[at].pcm().channels_max().min(2);
            let Some(stream) = connect(&model, &mut controller, at, channels) else {
                formatless.push(name);
                continue;
            };
            tried += 1;
            for fault in faults(&specimen, &model, &controller, &[(at, 0)]) {
                bad.push(format!("{name}: {fault}"));
            }
            let_go(&mut controller, at, stream);
            if !model.audible(0).is_empty() || !model.recorded(0).is_empty() {
                bad.push(format!("{name}: goes on after its end"));
            }
        }
        model.assert_clean();
    }
    println!("{tried} routes; {} without a format:\n{}", formatless.len(), formatless.join("\n"));
    assert!(bad.is_empty(), "{} of {tried}:\n{}", bad.len(), bad.join("\n"));
}
