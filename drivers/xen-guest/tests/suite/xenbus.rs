//! The handshake: the whole table, and the ways through it that Linux and libxl take.

use sndif::state::XenbusState::{self, *};
use xen_guest::xenbus::{BackEnd, MAX_FAILED_CONNECTS, Outcome, Step, View};

const FRONTS: [Option<XenbusState>; 9] = [
    None,
    Some(Initialising),
    Some(InitWait),
    Some(Initialised),
    Some(Connected),
    Some(Closing),
    Some(Closed),
    Some(Reconfiguring),
    Some(Reconfigured),
];

fn view(front: Option<XenbusState>) -> View {
    View { directory: true, online: true, own_node: None, front }
}

/// A back end in this state, by the way that leads there.
fn back_end(state: XenbusState) -> BackEnd {
    let mut back_end = BackEnd::default();
    let way: &[(Step, Outcome)] = match state {
        Initialising => &[],
        InitWait => &[(Step::SetUp, Outcome::Done)],
        Connected => &[(Step::SetUp, Outcome::Done), (Step::Connect, Outcome::Done)],
        Closing => &[(Step::SetUp, Outcome::Done), (Step::Close, Outcome::Underway)],
        Closed => &[(Step::SetUp, Outcome::Done), (Step::Close, Outcome::Done)],
        _ => panic!("no state of a back end's"),
    };
    way.iter().for_each(|(step, outcome)| back_end.done(*step, *outcome));
    assert_eq!(back_end.state(), state);
    back_end
}

#[test]
fn the_table_of_a_device_that_is_wanted() {
    use Step::{Close, Connect, Reopen, SetUp, Wait};
    // For each front state in the order of FRONTS: none, 1, 2, 3, 4, 5, 6, 7, 8.
    let table = [
        (Initialising, [SetUp; 9]),
        (InitWait, [Wait, Wait, Wait, Connect, Wait, Wait, Wait, Wait, Wait]),
        (Connected, [Close, Close, Close, Wait, Wait, Close, Close, Wait, Wait]),
        (Closing, [Close; 9]),
        (Closed, [Wait, Reopen, Reopen, Wait, Wait, Reopen, Reopen, Wait, Wait]),
    ];
    for (state, row) in table {
        for (front, step) in FRONTS.into_iter().zip(row) {
            assert_eq!(back_end(state).step(&view(front)), step, "{state:?}, front end {front:?}");
        }
    }
}

#[test]
fn the_table_of_a_device_that_is_to_go() {
    for front in FRONTS {
        for own_node in FRONTS {
            let offline = View { online: false, own_node, ..view(front) };
            let gone = View { directory: false, ..offline };
            for (state, when_offline, when_gone) in [
                (Initialising, Step::Close, Step::Forget),
                (InitWait, Step::Close, Step::Close),
                (Connected, Step::Close, Step::Close),
                (Closing, Step::Close, Step::Close),
                (Closed, Step::RemoveDirectory, Step::Forget),
            ] {
                assert_eq!(back_end(state).step(&offline), when_offline, "{state:?}, {offline:?}");
                assert_eq!(back_end(state).step(&gone), when_gone, "{state:?}, {gone:?}");
            }
        }
    }
}

#[test]
fn the_toolstack_closes_by_setting_the_state() {
    for front in FRONTS {
        let told = View { own_node: Some(Closing), ..view(front) };
        for (state, step) in [
            (InitWait, Step::Close),
            (Connected, Step::Close),
            (Closing, Step::Close),
            // Its own state, which it has yet to overwrite.
            (Initialising, Step::SetUp),
        ] {
            assert_eq!(back_end(state).step(&told), step, "{state:?}, {front:?}");
        }
    }
}

/// Does what is to be done until there is nothing more; all of it works. Returns the states gone through.
fn settle(back_end: &mut BackEnd, view: &View) -> Vec<u8> {
    let mut states = Vec::new();
    for _ in 0..10 {
        let step = back_end.step(view);
        if matches!(step, Step::Wait | Step::RemoveDirectory | Step::Forget) {
            return states;
        }
        back_end.done(step, Outcome::Done);
        states.push(back_end.state().code());
    }
    panic!("it never settles: {states:?}");
}

#[test]
fn a_linux_guest_comes_and_goes_and_comes_again() {
    let mut back_end = BackEnd::default();
    assert_eq!(settle(&mut back_end, &view(Some(Initialising))), [2]);
    assert_eq!(settle(&mut back_end, &view(Some(Initialised))), [4]);
    assert_eq!(settle(&mut back_end, &view(Some(Connected))), []);
    // Its module is unloaded, and later loaded again.
    assert_eq!(settle(&mut back_end, &view(Some(Closing))), [6, 2]);
    assert_eq!(settle(&mut back_end, &view(Some(Closed))), []);
    assert_eq!(settle(&mut back_end, &view(Some(Initialising))), []);
    assert_eq!(settle(&mut back_end, &view(Some(Initialised))), [4]);
    // The device is detached.
    let detached = View { online: false, own_node: Some(Closing), ..view(Some(Connected)) };
    assert_eq!(settle(&mut back_end, &detached), [6]);
    assert_eq!(back_end.step(&detached), Step::RemoveDirectory);
    assert_eq!(back_end.step(&View { directory: false, ..detached }), Step::Forget);
}

#[test]
fn closing_takes_as_long_as_it_takes() {
    let mut back_end = back_end(Connected);
    let left = view(Some(Closing));
    for outcome in [Outcome::Underway, Outcome::Failed, Outcome::Underway] {
        assert_eq!(back_end.step(&left), Step::Close);
        back_end.done(Step::Close, outcome);
        assert_eq!(back_end.state(), Closing);
    }
    back_end.done(Step::Close, Outcome::Done);
    assert_eq!(back_end.state(), Closed);
}

#[test]
fn after_a_broken_ring_it_waits_for_the_front_end_to_see_it() {
    let mut back_end = back_end(Connected);
    back_end.fail();
    assert_eq!(settle(&mut back_end, &view(Some(Connected))), [6]);
    // Linux's driver frees its rings and begins anew.
    assert_eq!(settle(&mut back_end, &view(Some(Initialising))), [2]);
}

#[test]
fn settings_that_are_no_good_close_it_for_good() {
    let mut back_end = BackEnd::default();
    back_end.done(Step::SetUp, Outcome::Failed);
    for front in FRONTS {
        assert_eq!(back_end.step(&view(front)), Step::Wait);
    }
    let offline = View { online: false, ..view(None) };
    assert_eq!(back_end.step(&offline), Step::RemoveDirectory);
}

#[test]
fn a_front_end_that_never_connects_is_left_alone_after_a_while() {
    let mut back_end = back_end(InitWait);
    for failure in 1..=MAX_FAILED_CONNECTS {
        assert_eq!(back_end.step(&view(Some(Initialised))), Step::Connect);
        back_end.done(Step::Connect, Outcome::Failed);
        assert_eq!(settle(&mut back_end, &view(Some(Initialised))), [6]);
        let reopened: &[u8] = if failure < MAX_FAILED_CONNECTS { &[2] } else { &[] };
        assert_eq!(settle(&mut back_end, &view(Some(Initialising))), reopened, "{failure}");
    }
}

#[test]
fn a_step_under_way_changes_nothing() {
    for (state, step) in [(Initialising, Step::SetUp), (InitWait, Step::Connect), (Closed, Step::Reopen)] {
        let mut one = back_end(state);
        one.done(step, Outcome::Underway);
        assert_eq!(one, back_end(state));
    }
}

#[test]
fn a_front_end_whose_connection_lives_has_its_failures_forgotten() {
    let mut back_end = back_end(InitWait);
    for _ in 0..3 {
        for _ in 1..MAX_FAILED_CONNECTS {
            back_end.done(Step::Connect, Outcome::Failed);
            assert_eq!(settle(&mut back_end, &view(Some(Closed))), [6, 2]);
        }
        assert_eq!(settle(&mut back_end, &view(Some(Initialised))), [4]);
        back_end.lived();
        assert_eq!(settle(&mut back_end, &view(Some(Closed))), [6, 2]);
    }
}

#[test]
fn a_front_end_that_connects_and_breaks_its_ring_is_left_alone_after_a_while() {
    let mut back_end = back_end(InitWait);
    for failure in 1..=MAX_FAILED_CONNECTS {
        assert_eq!(settle(&mut back_end, &view(Some(Initialised))), [4]);
        back_end.fail();
        let reopened: &[u8] = if failure < MAX_FAILED_CONNECTS { &[6, 2] } else { &[6] };
        assert_eq!(settle(&mut back_end, &view(Some(Closed))), reopened, "{failure}");
    }
}

#[test]
fn a_front_end_that_leaves_of_its_own_accord_has_not_failed() {
    let mut back_end = back_end(InitWait);
    for _ in 0..=MAX_FAILED_CONNECTS {
        assert_eq!(settle(&mut back_end, &view(Some(Initialised))), [4]);
        assert_eq!(settle(&mut back_end, &view(Some(Closing))), [6, 2]);
    }
}
