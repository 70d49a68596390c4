//! A bus follows plugs to where all may whose voices are on it.

use audioback::card::{Card, PortIndex, PortMode, PortSet};
use sndif::format::SampleFormat;

use crate::support::memory::Buffer;
use crate::support::rig::{MILLISECOND, OUT, Rig, params};

fn set(ports: &[u8]) -> PortSet {
    let mut set = PortSet::NONE;
    ports.iter().for_each(|port| assert!(set.insert(PortIndex(*port))));
    set
}

fn told(rig: &mut Rig) -> Option<PortSet> {
    rig.mixer.card().seen[usize::from(OUT.0)].borrow().reaches.last().copied()
}

#[test]
fn a_shared_port_reaches_what_all_its_guests_may_use() {
    let mut rig = Rig::new(PortMode::Shared);
    let params = params(48_000, SampleFormat::S16Le, 2);
    let mut first = rig.open(OUT, &params, &Buffer::new(4_096 * 4));
    rig.mixer.set_reach(&mut first, set(&[0, 2, 3]));
    assert_eq!(told(&mut rig), Some(set(&[0, 2, 3])));
    let mut second = rig.open(OUT, &params, &Buffer::new(4_096 * 4));
    rig.mixer.set_reach(&mut second, set(&[0, 3, 4]));
    assert_eq!(told(&mut rig), Some(set(&[0, 3])));
    // A right that is withdrawn from one is withdrawn from the bus.
    rig.mixer.set_reach(&mut first, set(&[0]));
    assert_eq!(told(&mut rig), Some(set(&[0])));
    rig.mixer.close(first).expect("closed");
    assert_eq!(told(&mut rig), Some(set(&[0, 3, 4])));
    rig.mixer.close(second).expect("closed");
}

#[test]
fn it_is_kept_on_the_way_to_a_bus_and_back() {
    let mut rig = Rig::new(PortMode::Auto);
    let params = params(48_000, SampleFormat::S16Le, 2);
    let mut first = rig.open(OUT, &params, &Buffer::new(4_096 * 4));
    rig.mixer.set_reach(&mut first, set(&[0, 2]));
    rig.mixer.start(&mut first).expect("started");
    rig.pass(100 * MILLISECOND);
    let mut second = rig.open(OUT, &params, &Buffer::new(4_096 * 4));
    rig.mixer.set_reach(&mut second, set(&[0, 2, 3]));
    rig.pass(200 * MILLISECOND);
    assert!(rig.mixer.bus_shape(OUT).is_some());
    assert_eq!(told(&mut rig), Some(set(&[0, 2])));
    rig.mixer.set_reach(&mut second, set(&[0]));
    assert_eq!(told(&mut rig), Some(set(&[0])));
    rig.mixer.close(second).expect("closed");
    assert_eq!(told(&mut rig), Some(set(&[0, 2])));
    rig.mixer.stop(&mut first).expect("stopped");
    rig.mixer.start(&mut first).expect("started");
    assert!(rig.mixer.bus_shape(OUT).is_none(), "it is direct again");
    assert_eq!(told(&mut rig), Some(set(&[0, 2])));
    rig.mixer.close(first).expect("closed");
}
