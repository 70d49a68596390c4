//! Sets of ports, and what a card need not know of its ports.

use crate::support::Back;
use crate::support::card::FakeCard;
use audioback::card::{Card, PortIndex, PortSet};
use hyper::Hypervisor;

#[test]
fn two_sets_have_the_ports_in_common_that_are_in_both() {
    let set = |ports: &[u8]| {
        let mut set = PortSet::NONE;
        ports.iter().for_each(|port| assert!(set.insert(PortIndex(*port))));
        set
    };
    assert_eq!(set(&[0, 3, 63]).and(set(&[3, 5, 63])), set(&[3, 63]));
    assert_eq!(set(&[1]).and(PortSet::ALL), PortSet::of(PortIndex(1)));
    assert_eq!(set(&[1]).and(set(&[2])), PortSet::NONE);
}

#[test]
fn a_card_without_a_mixer_knows_no_use_and_no_peaks_of_a_port() {
    fn assert_unknown<B>(mut card: impl Card<B>) {
        assert_eq!(card.port_state(PortIndex(0)), None);
        assert!(!card.measure_peaks(PortIndex(0)));
        assert_eq!(card.take_peaks(PortIndex(0)), None);
    }
    assert_unknown::<<Back<'_> as Hypervisor>::Buffer>(FakeCard::new());
}
