//! Events without a request wake the domain less and less; none is lost.

use std::sync::atomic::Ordering::SeqCst;

use audiofront::Transport;
use hyper::{DomainId, EventChannel, Hypervisor, Nanos, RemotePort};
use hypervisor_model::{HeapMemory, Limits, MemoryHypervisor};
use xen_guest::driver_domain::DriverDomain;
use xen_guest::event_channels::EventChannels;
use xen_guest::guest_channels::{IDLE_EVENTS_MAX, QUIET_NS, ROUND_NS};
use xen_sys::shared_info::SharedInfo;

use crate::support::memory_xen::MemoryXen;
use crate::support::raise::raise;

const GUEST: DomainId = DomainId(3);
const BACK: DomainId = DomainId(1);
const SECOND: u64 = 1_000_000_000;

/// A driver domain that sleeps, and its turns.
struct Bench<'a> {
    info: &'a SharedInfo,
    events: EventChannels<'a>,
    domain: DriverDomain<MemoryXen<'a>>,
    now: Nanos,
    due: Option<Nanos>,
    turns: u32,
}

impl<'a> Bench<'a> {
    fn new(home: &'a MemoryHypervisor<HeapMemory>, info: &'a SharedInfo) -> Self {
        let events = EventChannels::new(info);
        let domain = DriverDomain::new(MemoryXen::new(home, BACK, 8), 1);
        let mut bench = Self { info, events, domain, now: Nanos(0), due: None, turns: 0 };
        bench.turn(&[]);
        bench
    }

    fn bind(&mut self, home: &MemoryHypervisor<HeapMemory>) -> EventChannel {
        self.bind_port(RemotePort(home.front_end(GUEST, BACK, 0).open_channel().expect("a port").0))
    }

    fn bind_port(&mut self, port: RemotePort) -> EventChannel {
        self.domain.bind(GUEST, port).expect("bound")
    }

    /// A turn in which these channels' rings have a request.
    fn turn(&mut self, requests: &[EventChannel]) {
        self.turns += 1;
        self.events.take_all(|channel| self.domain.channels_mut().on_event(channel));
        requests.iter().for_each(|channel| self.domain.note_request(*channel));
        self.due = self.domain.channels_mut().throttle(&self.events, self.now);
        assert!(self.due.is_none_or(|due| due > self.now), "it never sleeps");
    }

    /// A turn if something makes one due.
    fn wake(&mut self) {
        if self.events.any_pending() || self.due.is_some_and(|due| due <= self.now) {
            self.turn(&[]);
        }
    }

    /// Turns in so much time, while each of these channels has an event every microsecond.
    fn turns_in(&mut self, ns: u64, flooded: &[EventChannel]) -> u32 {
        let before = self.turns;
        for _ in 0..ns / 1_000 {
            flooded.iter().for_each(|channel| raise(self.info, channel.0));
            self.wake();
            self.now.0 += 1_000;
        }
        self.turns - before
    }
}

fn home() -> MemoryHypervisor<HeapMemory> {
    MemoryHypervisor::new(HeapMemory::new(8), Limits { grants: 8, ports: 600, streams: 1 })
}

#[test]
fn a_flood_on_any_number_of_channels_is_a_turn_a_round() {
    for count in [1, 24, 200] {
        let (home, info) = (home(), SharedInfo::default());
        let mut bench = Bench::new(&home, &info);
        let channels: Vec<EventChannel> = (0..count).map(|_| bench.bind(&home)).collect();
        let turns = bench.turns_in(SECOND, &channels);
        let most = SECOND / ROUND_NS + u64::from(IDLE_EVENTS_MAX) + 2;
        assert!(u64::from(turns) <= most, "{turns} turns with {count} channels");
    }
}

#[test]
fn events_that_come_one_by_one_once_channels_are_unmasked_are_no_way_round() {
    let (home, info) = (home(), SharedInfo::default());
    let mut bench = Bench::new(&home, &info);
    let channels: Vec<EventChannel> = (0..24).map(|_| bench.bind(&home)).collect();
    bench.turns_in(20 * ROUND_NS, &channels);
    let before = bench.turns;
    // Each channel has an event as soon as it is unmasked, and none while it is masked.
    let is_masked = |channel: EventChannel| {
        info.evtchn_mask[(channel.0 / 64) as usize].load(SeqCst) & 1 << (channel.0 % 64) != 0
    };
    for _ in 0..100_000 {
        for channel in channels.iter().filter(|channel| !is_masked(**channel)) {
            raise(&info, channel.0);
            bench.wake();
        }
        bench.wake();
        bench.now.0 += 100_000;
    }
    let turns = u64::from(bench.turns - before);
    assert!(turns <= 10 * (SECOND / ROUND_NS + 24) + 24, "{turns} turns in ten seconds");
}

#[test]
fn a_guest_whose_events_have_requests_is_never_masked() {
    let (home, info) = (home(), SharedInfo::default());
    let mut bench = Bench::new(&home, &info);
    let channel = bench.bind(&home);
    for turn in 0..10_000u32 {
        bench.now.0 += 1_000;
        // Some requests are taken before their events, and some events are one more on their way.
        if turn % 3 == 0 {
            bench.turn(&[channel]);
        }
        raise(&info, channel.0);
        bench.turn(&[]);
        raise(&info, channel.0);
        let requests = [channel];
        bench.turn(if turn % 3 == 0 { &[] } else { &requests });
        assert_eq!(bench.due, None, "turn {turn}");
        raise(&info, channel.0);
        assert!(bench.events.any_pending(), "its event wakes");
        bench.turn(&[channel]);
    }
}

#[test]
fn an_event_of_a_masked_channel_has_a_turn_within_a_round_and_a_request_ends_the_throttle() {
    let (home, info) = (home(), SharedInfo::default());
    let mut bench = Bench::new(&home, &info);
    let channel = bench.bind(&home);
    bench.turns_in(15 * ROUND_NS / 10, &[channel]);
    raise(&info, channel.0);
    assert!(!bench.events.any_pending(), "it is masked");
    let due = bench.due.expect("a turn is due");
    assert!(due.0 - bench.now.0 <= ROUND_NS);
    bench.now = due;
    // That turn looks at the ring, and there is a request. Another event came meanwhile.
    bench.turn(&[channel]);
    assert_eq!(bench.due, None);
    if bench.events.any_pending() {
        bench.turn(&[]);
    }
    for _ in 0..IDLE_EVENTS_MAX - 1 {
        raise(&info, channel.0);
        assert!(bench.events.any_pending(), "its event wakes as before");
        bench.turn(&[]);
    }
    assert_eq!(bench.due, None);
}

#[test]
fn a_channel_without_events_causes_no_turns_after_a_while() {
    let (home, info) = (home(), SharedInfo::default());
    let mut bench = Bench::new(&home, &info);
    let channel = bench.bind(&home);
    bench.turns_in(2 * ROUND_NS, &[channel]);
    bench.turns_in(QUIET_NS + 2 * ROUND_NS, &[]);
    assert_eq!(bench.due, None);
    assert_eq!(bench.turns_in(SECOND, &[]), 0);
    raise(&info, channel.0);
    assert!(bench.events.any_pending(), "and its next event wakes");
}

#[test]
fn the_next_channel_of_the_same_number_is_not_masked() {
    for is_bound_in_the_same_turn in [false, true] {
        let (home, info) = (home(), SharedInfo::default());
        let mut bench = Bench::new(&home, &info);
        let port = RemotePort(home.front_end(GUEST, BACK, 0).open_channel().expect("a port").0);
        let channel = bench.bind_port(port);
        bench.turns_in(2 * ROUND_NS, &[channel]);
        bench.domain.unbind(channel);
        if !is_bound_in_the_same_turn {
            bench.turn(&[]);
        }
        assert_eq!(bench.bind_port(port), channel, "the model gives the number again");
        bench.turn(&[]);
        assert_eq!(bench.due, None);
        raise(&info, channel.0);
        assert!(bench.events.any_pending());
    }
}
