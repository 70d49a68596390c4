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
pub fn connect(
    model: &Model,
    controller: &mut TestController,
    index: usize,
    channels: u8,
) -> Option<ConfiguredStream> {
    let route = &controller.routes()[index];
    let (direction, format) = (route.direction(), format_of(route, channels)?);
    // Whole frames of up to eight channels.
    let buffer = TestBuffer::new(model, 3 * 4096, direction);
    Some(open(controller, RouteIndex(index as u8), format, buffer))
}

pub fn let_go(controller: &mut TestController, index: usize, stream: ConfiguredStream) {
    let (stream, _buffer) = stream.release().expect("released");
    controller.disconnect(RouteIndex(index as u8)).expect("disconnected");
    controller.give_back(stream);
}

/// What is wrong with what is heard while these routes are connected, in words.
pub fn faults(
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
        let (model, mut controller) = specimen.bring_up();
        controller.set_jack_policy(JackPolicy::Stay);
        let all: Vec<usize> = routes_of(&controller).map(|(at, _)| at).collect();
        for at in all {
            let name = format!("{}: {}", specimen.file, controller.routes()[at].name());
            let channels = controller.routes()[at].pcm().channels_max().min(2);
            let Some(stream) = connect(&model, &mut controller, at, channels) else {
                formatless.push(name);
                continue;
            };
            tried += 1;
            for fault in faults(specimen, &model, &controller, &[(at, 0)]) {
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

/// A controller with as many stream descriptors and as much room on the link as a test may want.
fn wide(specimen: &Specimen) -> (Model, TestController) {
    let profile = Profile {
        input_streams: 8,
        output_streams: 15,
        output_payload_words: 400,
        input_payload_words: 400,
        ..Profile::hardware()
    };
    let (model, mut controller) = specimen.bring_up_with(profile, specimen.dump.codec());
    controller.set_jack_policy(JackPolicy::Stay);
    (model, controller)
}

#[test]
fn routes_that_take_no_turns_are_in_use_all_at_once() {
    let (mut at_most, mut bad) = (0, Vec::new());
    for specimen in collection() {
        let (model, mut controller) = wide(specimen);
        let alone: Vec<usize> =
            routes_of(&controller).filter(|(_, route)| route.is_alone()).map(|(at, _)| at).collect();
        let mut converters: Vec<u8> =
            alone.iter().map(|at| controller.routes()[*at].converter().get()).collect();
        converters.sort_unstable();
        converters.dedup();
        assert_eq!(converters.len(), alone.len(), "{}: each has a converter of its own", specimen.file);
        let streams: Vec<_> = alone
            .iter()
            .map(|at| (*at, connect(&model, &mut controller, *at, 2).expect("a format")))
            .collect();
        let connected: Vec<_> = alone.iter().map(|at| (*at, 0)).collect();
        for fault in faults(specimen, &model, &controller, &connected) {
            bad.push(format!("{}: {fault}", specimen.file));
        }
        at_most = at_most.max(alone.len());
        for (at, stream) in streams {
            let_go(&mut controller, at, stream);
        }
        model.assert_clean();
    }
    assert!(bad.is_empty(), "{}:\n{}", bad.len(), bad.join("\n"));
    assert!(at_most >= 8, "{at_most} at most");
}

#[test]
fn surround_groups_have_two_channels_at_each_pin() {
    let (mut groups, mut bad) = (Vec::new(), Vec::new());
    for specimen in collection() {
        let (model, mut controller) = wide(specimen);
        let all: Vec<usize> = routes_of(&controller).map(|(at, _)| at).collect();
        for at in all {
            let route = &controller.routes()[at];
            let channels = route.pcm().channels_max();
            // Converters of displays have eight by themselves.
            if channels <= 2 || route.device() == snd_hda::codec::PinDevice::Display {
                continue;
            }
            let kind = route.device();
            // "Line Out Front", or "Line Out Front 2" where there is another group.
            let name = route.name().to_string();
            let mut members = Vec::new();
            for (place, channel) in ["Front", "Surround", "CLFE", "Side"].into_iter().zip([0, 2, 4, 6]) {
                let name = name.replace("Front", place);
                let of_place = |route: &Route| route.device() == kind && route.name().to_string() == name;
                members.extend(controller.routes().iter().position(of_place).map(|at| (at, channel)));
            }
            assert_eq!(members.len(), usize::from(channels / 2), "{}: {members:?}", specimen.file);
            let stream = connect(&model, &mut controller, at, channels).expect("a format");
            for fault in faults(specimen, &model, &controller, &members) {
                bad.push(format!("{}: {channels} channels: {fault}", specimen.file));
            }
            let second = RouteIndex(members[1].0 as u8);
            assert!(controller.is_taken(second), "{}: the group is in use as one", specimen.file);
            let_go(&mut controller, at, stream);
            assert!(!controller.is_taken(second));
            groups.push(channels);
        }
        model.assert_clean();
    }
    assert!(bad.is_empty(), "{}:\n{}", bad.len(), bad.join("\n"));
    let of = |channels| groups.iter().filter(|of| **of == channels).count();
    println!("{} groups of 4 channels, {} of 6, {} of 8", of(4), of(6), of(8));
    assert!(of(4) > 0 && of(6) > 0 && of(8) > 0);
}

#[test]
fn the_same_routes_come_of_short_long_and_range_lists() {
    use snd_hda_model::codec::ConnectionForm;
    let routes = |controller: &TestController| -> Vec<_> {
        let nodes = |route: &Route| route.hops().iter().map(|hop| hop.node()).collect::<Vec<_>>();
        controller.routes().iter().map(|route| (route.name().to_string(), nodes(route))).collect()
    };
    for specimen in collection() {
        let (_, short) = specimen.bring_up();
        for form in [ConnectionForm::Long, ConnectionForm::ShortRanges, ConnectionForm::LongRanges] {
            let codec = specimen.dump.codec().with_connection_form(form);
            let (_, controller) = specimen.bring_up_with(Profile::hardware(), codec);
            assert_eq!(routes(&controller), routes(&short), "{} {form:?}", specimen.file);
        }
    }
}
