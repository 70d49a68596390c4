//! Codecs that nobody has built: random graphs, and real codecs whose answers are damaged.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::common::*;
use crate::dumps::{collection, format_of};
use proptest::prelude::*;
use snd_hda::{Direction, JackPolicy, RouteIndex};
use snd_hda_model::codec::{Amplifier, Widget};
use snd_hda_model::{Bench, Codec, Profile};

/// A widget of a random codec: its kind, its connections (any node, repeated, itself, none that is there), its amplifiers.
#[derive(Clone, Debug)]
struct Made {
    kind: u8,
    connections: Vec<u8>,
    form: u8,
    amplifiers: u8,
    configuration: u32,
    power: bool,
}

fn made(nodes: u8) -> impl Strategy<Value = Made> {
    let connections = proptest::collection::vec(0..=nodes + 6, 0..8);
    (0..9_u8, connections, 0..4_u8, 0..8_u8, 0..12_u8, any::<bool>()).prop_map(
        |(kind, connections, form, amplifiers, device, power)| Made {
            kind,
            connections,
            form,
            amplifiers,
            // Jacks and what is built in, of all kinds, in a few associations.
            configuration: u32::from(device % 3) << 30
                | u32::from(device) << 20
                | u32::from(device % 4 + 1) << 4
                | u32::from(device),
            power,
        },
    )
}

fn codec(made: &[Made], sees: Rc<Cell<u32>>) -> Codec {
    let mut builder = Codec::builder(0x1234_5678).amp_in(Amplifier::TYPICAL).amp_out(Amplifier::TYPICAL);
    for (node, made) in (2..).zip(made) {
        let widget = match made.kind {
            0 | 1 => Widget::dac(),
            2 => Widget::adc(0),
            3 | 4 => Widget::mixer(&[]),
            5 => Widget::selector(&[]),
            _ => Widget::microphone().pin(0x1_1734 | 1 << 3, made.configuration).unsolicited(),
        };
        let widget = match made.form {
            _ if made.kind < 2 => widget,
            0 => widget.connections_long(&made.connections),
            1 if made.connections.len() == 2 => {
                widget.connections_range(made.connections[0], made.connections[1])
            }
            2 => widget.connections(&made.connections).states_connections(made.connections.len() as u8 + 3),
            _ => widget.connections(&made.connections),
        };
        let widget = if made.amplifiers & 1 != 0 { widget.amp_in(Amplifier::MUTE_ONLY) } else { widget };
        let widget = if made.amplifiers & 2 != 0 { widget.amp_out(Amplifier::TYPICAL) } else { widget };
        let widget = if made.amplifiers & 4 != 0 { widget.inherits_amp_out() } else { widget };
        let widget = if made.power { widget.power_control() } else { widget };
        builder = builder.widget(node, widget.muted_at_reset());
    }
    // A codec of its own beside it has a route, so that one without any is no error.
    builder.build().tampered(move |_, answer| {
        sees.set(sees.get() + 1);
        answer
    })
}

/// The most ways without a common widget, found another way than the driver's: a flow without costs, by depth-first search.
fn most_ways(
    edges: &[(u8, u8)],
    starts: &[u8],
    passes: &dyn Fn(u8) -> bool,
    ends: &dyn Fn(u8) -> bool,
) -> usize {
    // Each widget twice: where a way comes in (0), and where it goes on (1).
    type Node = (u8, u8);
    let mut room: BTreeMap<(Node, Node), u32> = BTreeMap::new();
    let (source, sink) = ((200, 0), (201, 0));
    for start in starts {
        room.insert((source, (*start, 1)), 1);
    }
    for (from, to) in edges {
        room.insert(((*from, 1), (*to, 0)), 1);
        for node in [*from, *to] {
            if passes(node) {
                room.insert(((node, 0), (node, 1)), 1);
            }
            if ends(node) {
                room.insert(((node, 0), sink), 1);
            }
        }
    }
    fn push(at: Node, sink: Node, room: &mut BTreeMap<(Node, Node), u32>, seen: &mut Vec<Node>) -> bool {
        if at == sink {
            return true;
        }
        seen.push(at);
        let next: Vec<Node> =
            room.iter().filter(|((from, _), n)| *from == at && **n > 0).map(|((_, to), _)| *to).collect();
        for to in next {
            if !seen.contains(&to) && push(to, sink, room, seen) {
                *room.get_mut(&(at, to)).expect("an edge") -= 1;
                *room.entry((to, at)).or_default() += 1;
                return true;
            }
        }
        false
    }
    let mut ways = 0;
    while push(source, sink, &mut room, &mut Vec::new()) {
        ways += 1;
    }
    ways
}

/// Uses all that a controller has: streams, plugs, volume; and counts on nothing but that it comes back.
fn use_everything(model: &snd_hda_model::Model, controller: &mut TestController) {
    for at in 0..controller.routes().len() {
        let index = RouteIndex(at as u8);
        let route = &controller.routes()[at];
        if route.codec().get() != 0 {
            continue;
        }
        let (pin, direction) = (route.pin().get(), route.direction());
        let Some(format) = format_of(route, route.pcm().channels_max().clamp(1, 8)) else { continue };
        let Some(stream) = controller.take_stream(direction) else { continue };
        let size = 128 * format.frame_bytes();
        let stream = stream.configure(format, TestBuffer::new(model, size, direction)).expect("configured");
        if controller.connect(index, &stream).is_ok() {
            for is_plugged in [true, false] {
                model.plug(0, pin, is_plugged);
                model.unsolicited_response(0, 1 << 26);
                model.advance_ns(MILLISECOND);
                controller.attend_jacks();
            }
            for policy in [JackPolicy::Both, JackPolicy::Stay, JackPolicy::Move] {
                controller.set_jack_policy(policy);
            }
            for channel in 0..3 {
                let _ = controller.set_volume(index, channel, -12_345);
                let _ = controller.volume(index, channel);
                let _ = controller.set_mute(index, channel, true);
            }
            let _ = controller.disconnect(index);
        }
        let (stream, _buffer) = stream.release().expect("released");
        controller.give_back(stream);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Any graph: cycles, ranges, lists that are longer than they are or name nobody, up to 60 widgets. Bring-up ends after a
    /// bounded number of verbs; a route is heard at its pin; as many outputs play at once as there are ways.
    #[test]
    fn random_graphs_are_understood(made in (0..60_u8).prop_flat_map(|nodes| proptest::collection::vec(made(nodes), usize::from(nodes)))) {
        let verbs = Rc::new(Cell::new(0));
        let profile = Profile { strict: false, output_streams: 15, input_streams: 15, output_payload_words: 900, input_payload_words: 900, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, codec(&made, verbs.clone())).codec(1, Codec::output()).without_recording().build();
        let mut controller = bring_up(&model).expect("the second codec has a route");
        prop_assert!(verbs.get() < 60 * 40 + 100, "{} verbs", verbs.get());
        controller.set_jack_policy(JackPolicy::Stay);

        let outputs: Vec<usize> = (0..controller.routes().len())
            .filter(|at| controller.routes()[*at].codec().get() == 0)
            .filter(|at| controller.routes()[*at].direction() == Direction::Output)
            .collect();
        for at in &outputs {
            let (pin, converter) = (controller.routes()[*at].pin().get(), controller.routes()[*at].converter().get());
            let stream = open(&mut controller, RouteIndex(*at as u8), cd_like(), TestBuffer::new(&model, 8192, Direction::Output));
            let heard = model.audible(0);
            prop_assert!(!heard.is_empty(), "{} is silent", controller.routes()[*at].name());
            for heard in heard {
                prop_assert_eq!((heard.pin, heard.converter), (pin, converter));
            }
            let (stream, _buffer) = stream.release().expect("released");
            controller.disconnect(RouteIndex(*at as u8)).expect("disconnected");
            controller.give_back(stream);
        }

        // What the driver found against the most that there can be.
        let count = made.len() as u8;
        let kind = |node: u8| made.get(usize::from(node.wrapping_sub(2))).map_or(99, |made| made.kind);
        let sources = |made: &Made| match made.form {
            1 if made.connections.len() == 2 && made.connections[0] < made.connections[1] => {
                (made.connections[0]..=made.connections[1]).collect()
            }
            _ => made.connections.clone(),
        };
        let edges: Vec<(u8, u8)> = (2..2 + count)
            .zip(&made)
            .filter(|(_, made)| made.kind > 2)
            .flat_map(|(node, made)| sources(made).into_iter().map(move |source| (node, source)))
            .filter(|(from, to)| from != to)
            .collect();
        // More than fit are left out, and ways longer than fit don't count: rare, and told apart by their numbers.
        let starts: Vec<u8> = outputs.iter().map(|at| controller.routes()[*at].pin().get()).collect();
        let ends = |node: u8| kind(node) < 2;
        let most = most_ways(&edges, &starts, &|node| matches!(kind(node), 3..=5), &ends);
        let alone = outputs.iter().filter(|at| controller.routes()[**at].is_alone()).count();
        prop_assert!(alone <= most, "{alone} of {most}");
        prop_assert!(alone == most || starts.len() < wanted(&made), "{alone} of {most}");
        use_everything(&model, &mut controller);
    }

    /// Real codecs, whose answers are damaged now and then: no panic, and an end.
    #[test]
    fn damaged_answers_bring_nothing_down(which in 0..542_usize, seed: u64, damaged in 1..64_u64) {
        let specimen = &collection()[which];
        let verbs = Rc::new(Cell::new(0));
        let (mut state, seen) = (seed | 1, verbs.clone());
        let codec = specimen.dump.codec().tampered(move |_, answer| {
            seen.set(seen.get() + 1);
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let byte = 0xff_u32 << (8 * (state >> 40 & 3));
            let noise = (state >> 8) as u32;
            answer.map(|answer| if state % 256 < damaged { answer & !byte | noise & byte } else { answer })
        });
        let profile = Profile { strict: false, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, codec).codec(1, Codec::output()).without_recording().build();
        let mut controller = bring_up(&model).expect("the second codec has a route");
        prop_assert!(verbs.get() < 4 * (30 + 128 * 70) + 2_000, "{} verbs", verbs.get());
        use_everything(&model, &mut controller);
        prop_assert!(model.now_ns() < 5_000_000_000, "{} ns", model.now_ns());
    }
}

/// Pins that want to be outputs.
fn wanted(made: &[Made]) -> usize {
    made.iter()
        .filter(|made| {
            made.kind > 5
                && made.configuration >> 30 != 1
                && matches!(made.configuration >> 20 & 0xf, 0 | 1 | 2 | 4 | 5)
        })
        .count()
}
