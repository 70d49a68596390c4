//! Transactions: all or nothing, again when others came between, but not for ever.

use hyper::Nanos;
use sndif::state::XenbusState;
use xen_guest::xenbus::switch_state;
use xen_guest::xenstore::{
    Event, Operation, Path, Progress, Refusal, RequestError, Store, SubmitError, Transaction,
    TransactionError,
};
use xen_sys::xs_wire::StoreRing;

use xenstored_model::Stored;

const NODE: &str = "backend/vsnd/3/0/state";

/// Runs a transaction to its end; `between` is called each time before xenstored runs.
fn run(
    stored: &mut Stored<'_>,
    store: &mut Store<'_>,
    operations: &[Operation<'_>],
    tries: u8,
    mut between: impl FnMut(&mut Stored<'_>),
) -> Progress {
    let mut transaction = Transaction::new(tries, 1_000);
    for now in 0..1_000 {
        let now = Nanos(now * 10);
        while let Some(event) = store.next(now) {
            if let Event::Reply { id, result } = event {
                assert!(transaction.hear(operations, id, &result));
            }
        }
        match transaction.poll(store, operations, now) {
            Progress::Pending => {}
            ended => return ended,
        }
        between(stored);
        if store.take_notify() {
            stored.run();
        }
    }
    panic!("it never ends");
}

fn node() -> Path<'static> {
    Path::new(NODE).expect("a path")
}

#[test]
fn a_state_is_written() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    stored.set(NODE, "1");
    let operations = switch_state(node(), XenbusState::InitWait);
    assert_eq!(run(&mut stored, &mut store, &operations, 3, |_| {}), Progress::Committed);
    assert_eq!(stored.value(NODE), Some("2"));
    // Start, read, write, commit, the middle ones in the transaction.
    let kinds: Vec<_> = stored.requests.iter().map(|seen| (seen.kind, seen.transaction)).collect();
    assert_eq!(kinds, [(6, 0), (2, 7), (11, 7), (7, 7)]);
}

#[test]
fn a_directory_that_is_gone_stays_gone() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    let operations = switch_state(node(), XenbusState::Closed);
    assert_eq!(run(&mut stored, &mut store, &operations, 3, |_| {}), Progress::Missing);
    assert_eq!((stored.value(NODE), stored.open_transactions()), (None, 0));
}

#[test]
fn what_others_change_meanwhile_makes_it_start_again() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    stored.set(NODE, "1");
    let mut changes = 2;
    let operations = switch_state(node(), XenbusState::InitWait);
    let progress = run(&mut stored, &mut store, &operations, 5, |stored| {
        let in_transaction = stored.requests.last().is_some_and(|seen| seen.kind == 2);
        if in_transaction && changes > 0 {
            changes -= 1;
            stored.set(NODE, "1");
        }
    });
    assert_eq!(progress, Progress::Committed);
    assert_eq!(stored.requests.iter().filter(|seen| seen.kind == 6).count(), 3);
    assert_eq!(stored.value(NODE), Some("2"));
}

#[test]
fn it_gives_up_after_as_many_tries_as_it_was_given() {
    for tries in [0, 1, 4] {
        let page = StoreRing::default();
        let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
        stored.set(NODE, "1");
        stored.conflicts = u32::MAX;
        let operations = switch_state(node(), XenbusState::InitWait);
        let progress = run(&mut stored, &mut store, &operations, tries, |_| {});
        assert_eq!(progress, Progress::Failed(TransactionError::Contended));
        let starts = stored.requests.iter().filter(|seen| seen.kind == 6).count();
        assert_eq!(starts, usize::from(tries.max(1)));
        assert_eq!((stored.value(NODE), stored.open_transactions()), (Some("1"), 0));
    }
}

#[test]
fn a_step_that_fails_drops_the_rest() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    // The second step has a value that can't be sent.
    let operations = [Operation::Write(node(), "2"), Operation::Write(node(), "\0")];
    let progress = run(&mut stored, &mut store, &operations, 3, |_| {});
    assert!(matches!(progress, Progress::Failed(TransactionError::Submit(SubmitError::BadText(_)))));
    assert_eq!((stored.value(NODE), stored.open_transactions()), (None, 0));
}

#[test]
fn silence_ends_it() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    stored.silent = true;
    let operations = [Operation::Write(node(), "2")];
    let progress = run(&mut stored, &mut store, &operations, 3, |_| {});
    assert_eq!(progress, Progress::Failed(TransactionError::Request(RequestError::TimedOut)));
}

#[test]
fn a_refusal_is_told() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    let mut transaction = Transaction::new(3, 1_000);
    let operations = [Operation::Write(node(), "2")];
    assert_eq!(transaction.poll(&mut store, &operations, Nanos(0)), Progress::Pending);
    // Too many transactions: xenstored says EBUSY to the start.
    stored.silent = true;
    stored.run();
    stored.send(16, 1, 0, b"EBUSY\0");
    stored.run();
    let Some(Event::Reply { id, result }) = store.next(Nanos(0)) else { panic!("an answer") };
    assert!(transaction.hear(&operations, id, &result));
    assert_eq!(
        transaction.poll(&mut store, &operations, Nanos(0)),
        Progress::Failed(TransactionError::Request(RequestError::Refused(Refusal::Busy)))
    );
    assert!(!transaction.hear(&operations, id, &Err(RequestError::TimedOut)));
}
