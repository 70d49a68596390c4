//! The work of one turn, whatever guests ask for.

use sndif::Direction::Playback;
use sndif::op::Operation;
use sndif::response::Status;

use crate::support::*;

fn open(rig: &mut Rig, front: &mut Front) -> Status {
    front.open(&OPEN_CONFIG).expect("OPEN on its way");
    let (operation, status) = answer(rig, front);
    assert_eq!(operation, Operation::Open);
    status
}

#[test]
fn a_turn_maps_one_buffer_however_many_guests_ask_for_one() {
    let mut rig = Rig::with(outputs(4));
    let mut fronts = Vec::new();
    for (guest, name) in (10..).zip(["output-0", "output-1", "output-2", "output-3"]) {
        let stream = [(0, 0, Playback, name)];
        rig.attach_nodes(guest, 0, &stream);
        rig.stored.set(&format!("{}/buffer-size", front_path(guest, 0)), "1048576");
        rig.wake();
        rig.until("InitWait", |rig| rig.back_state(guest, 0) == Some("2"));
        fronts.extend(rig.front_up(guest, 0, &stream));
        rig.until("Connected", |rig| rig.back_state(guest, 0) == Some("4"));
    }
    let config = audiofront::StreamConfig { buffer_bytes: 1 << 20, ..OPEN_CONFIG };
    for front in &mut fronts {
        front.open(&config).expect("OPEN on its way");
    }
    let mut mapped = vec![rig.world.mapped_pages()];
    for _ in 0..4 {
        rig.poll();
        mapped.push(rig.world.mapped_pages());
    }
    let each_turn: Vec<usize> = mapped.windows(2).map(|turns| turns[1] - turns[0]).collect();
    assert_eq!(each_turn, [256; 4], "each guest has its turn");
    for front in &mut fronts {
        assert_eq!(answer(&mut rig, front), (Operation::Open, Status::OK));
    }
}

#[test]
fn a_guest_that_keeps_the_hardware_busy_all_the_time_delays_another_s_start_by_a_turn() {
    let mut rig = Rig::with(outputs(4));
    let mut busy = rig.guest_with(10, &[(0, 0, Playback, "output-0"), (0, 1, Playback, "output-1")]);
    let mut other = rig.guest_with(3, &[(0, 0, Playback, "output-2")]).remove(0);
    assert_eq!(open(&mut rig, &mut other), Status::OK);
    for front in &mut busy {
        assert_eq!(open(&mut rig, front), Status::OK);
        for _ in 0..24 {
            front.stop().expect("STOP on its way");
        }
    }
    for _ in 0..3 {
        rig.poll();
    }
    other.start().expect("START on its way");
    rig.poll();
    rig.poll();
    let answered = std::iter::from_fn(|| other.poll())
        .any(|event| matches!(event, audiofront::FrontEvent::Answered { operation: Operation::Trigger, .. }));
    assert!(answered, "within two turns");
    let left: usize = busy.iter().map(|front| front.pending_requests()).sum();
    assert!(left > 30, "{left} requests are left");
}

#[test]
fn a_guest_that_opens_and_closes_all_the_time_delays_another_s_start_by_a_few_turns() {
    let mut rig = Rig::with(outputs(4));
    let mut busy = rig.guest_with(3, &[(0, 0, Playback, "output-0")]).remove(0);
    let mut other = rig.guest_with(10, &[(0, 0, Playback, "output-2")]).remove(0);
    assert_eq!(open(&mut rig, &mut other), Status::OK);
    busy.open(&OPEN_CONFIG).expect("OPEN on its way");
    rig.poll();
    other.start().expect("START on its way");
    let is_answered = |other: &mut Front| {
        std::iter::from_fn(|| other.poll()).any(|event| {
            matches!(event, audiofront::FrontEvent::Answered { operation: Operation::Trigger, .. })
        })
    };
    let (mut is_open, mut turns) = (true, 0);
    while !is_answered(&mut other) {
        turns += 1;
        assert!(turns <= 3, "it waits for longer than three turns");
        // It asks again as soon as it is answered.
        while busy.poll().is_some() {}
        let is_on_its_way = if is_open { busy.close().is_ok() } else { busy.open(&OPEN_CONFIG).is_ok() };
        assert!(is_on_its_way);
        is_open = !is_open;
        rig.poll();
    }
}

/// The longest turn, in nanoseconds, while the device of a guest whose streams run is closed.
fn longest_turn_of_a_close(streams: u16, set_fault: impl Fn(&mut snd_hda_model::Faults)) -> u64 {
    let mut rig = Rig::with(outputs(4));
    let names = ["output-0", "output-1", "output-2", "output-3"];
    let streams: Vec<StreamAt> = (0..streams).zip(names).map(|(n, name)| (0, n, Playback, name)).collect();
    let mut fronts = rig.guest_with(3, &streams);
    for front in &mut fronts {
        assert_eq!(open(&mut rig, front), Status::OK);
        front.start().expect("START on its way");
        assert_eq!(answer(&mut rig, front).1, Status::OK);
    }
    rig.advance(100 * MS);
    rig.model.edit_faults(set_fault);
    rig.detach_nodes(3, 0);
    rig.stored.run();
    let mut longest_ns = 0;
    for _ in 0..100 {
        let begun = rig.now().0;
        rig.poll();
        longest_ns = longest_ns.max(rig.now().0 - begun);
        rig.model.advance_ns(10 * MS);
    }
    rig.model.edit_faults(|faults| *faults = snd_hda_model::Faults::default());
    rig.advance(11_000 * MS);
    rig.assert_nothing_is_left();
    longest_ns
}

#[test]
fn closing_a_device_takes_a_turn_no_longer_than_closing_one_stream() {
    assert!(longest_turn_of_a_close(4, |_| {}) < 2 * MS);
    let stuck = |streams| longest_turn_of_a_close(streams, |faults| faults.stuck_run = u32::MAX);
    let silent = |streams| longest_turn_of_a_close(streams, |faults| faults.silent_codecs = u16::MAX);
    let (stuck_one, silent_one) = (stuck(1), silent(1));
    assert!(stuck(4) < stuck_one * 11 / 10, "{} ns and {stuck_one} ns", stuck(4));
    assert!(silent(4) < silent_one * 11 / 10, "{} ns and {silent_one} ns", silent(4));
}
