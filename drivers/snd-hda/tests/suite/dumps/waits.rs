//! Everybody waits while a stream is connected: with a codec that works, never for long.

use super::{collection, format_of, routes_of};
use crate::common::*;
use snd_hda::RouteIndex;

/// The longest that one operation may take with healthy hardware.
const BOUND_NS: u64 = 2 * MILLISECOND;

#[test]
fn no_route_of_a_real_codec_takes_long_to_connect_or_disconnect() {
    let mut longest = (0, String::new());
    for specimen in collection() {
        let (model, mut controller) = specimen.bring_up();
        let found: Vec<RouteIndex> = routes_of(&controller).map(|(at, _)| RouteIndex(at as u8)).collect();
        for index in found {
            let route = controller.routes()[usize::from(index.0)].clone();
            let format = [8, 6, 4, 2, 1].into_iter().filter_map(|channels| format_of(&route, channels));
            let Some(format) = format.into_iter().find(|format| controller.supports(index, *format)) else {
                continue;
            };
            let stream = controller.take_stream(route.direction()).expect("a stream");
            let buffer = TestBuffer::new(&model, 12_288, route.direction());
            let stream = stream.configure(format, buffer).expect("configured");
            let began_ns = model.now_ns();
            controller.connect(index, &stream).expect("connected");
            let connected_ns = model.now_ns();
            // A codec may have nothing to set there.
            let _ = controller.set_volume(index, 0, -6_000);
            let _ = controller.set_mute(index, 0, true);
            let set_ns = model.now_ns();
            controller.disconnect(index).expect("disconnected");
            let parts = [connected_ns - began_ns, set_ns - connected_ns, model.now_ns() - set_ns];
            let most = parts.into_iter().max().unwrap_or(0);
            if most > longest.0 {
                longest = (most, format!("{} {} {parts:?} ns", specimen.file, route.name()));
            }
            let (stream, _) = stream.release().expect("released");
            controller.give_back(stream);
        }
    }
    println!("the longest of connect, volume and mute, disconnect: {}", longest.1);
    assert!(longest.0 < BOUND_NS, "{}", longest.1);
}
