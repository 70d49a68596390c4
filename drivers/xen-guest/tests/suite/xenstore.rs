//! The client against a xenstored in its right mind.

use hyper::Nanos;
use xen_guest::xenstore::{
    BadText, Event, MAX_IN_FLIGHT, Oddity, Path, Refusal, Request, RequestError, RequestId, Store,
    SubmitError,
};
use xen_sys::xs_wire::StoreRing;

use xenstored_model::Stored;

const LATER: Nanos = Nanos(1_000);
const NOW: Nanos = Nanos(0);

/// An event that outlives the next one.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Text(RequestId, String),
    Names(RequestId, Vec<String>),
    Error(RequestId, RequestError),
    Watch(String, String),
    Dropped(Oddity),
}

/// Runs both ends until nothing moves any more.
pub fn talk(store: &mut Store<'_>, stored: &mut Stored<'_>, now: Nanos) -> Vec<Heard> {
    let mut heard = Vec::new();
    loop {
        while let Some(event) = store.next(now) {
            heard.push(match event {
                Event::Reply { id, result: Ok(reply) } => match reply.text() {
                    Ok(text) => Heard::Text(id, text.to_owned()),
                    Err(_) => Heard::Names(id, reply.names().map(str::to_owned).collect()),
                },
                Event::Reply { id, result: Err(error) } => Heard::Error(id, error),
                Event::Watch { path, token } => Heard::Watch(path.to_owned(), token.to_owned()),
                Event::Dropped(oddity) => Heard::Dropped(oddity),
                other => panic!("{other:?}"),
            });
        }
        if !store.take_notify() {
            return heard;
        }
        stored.run();
    }
}

fn path(text: &str) -> Path<'_> {
    Path::new(text).expect("a path")
}

#[test]
fn values_are_written_and_read() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    let write = store.submit(Request::Write(path("data/x"), "forty-two"), None, LATER).expect("sent");
    let read = store.submit(Request::Read(path("data/x")), None, LATER).expect("sent");
    let absent = store.submit(Request::Read(path("/nowhere")), None, LATER).expect("sent");
    assert_eq!(store.deadline(), Some(LATER));
    assert_eq!(
        talk(&mut store, &mut stored, NOW),
        [
            Heard::Text(write, "OK".into()),
            Heard::Text(read, "forty-two".into()),
            Heard::Error(absent, RequestError::Refused(Refusal::NoEntry)),
        ]
    );
    assert_eq!(stored.value("data/x"), Some("forty-two"));
    assert_eq!(store.deadline(), None);
}

#[test]
fn children_are_listed() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    for node in ["backend/vsnd/3/0", "backend/vsnd/3/1", "backend/vsnd/11/0"] {
        stored.set(node, "");
    }
    let list = store.submit(Request::Directory(path("backend/vsnd")), None, LATER).expect("sent");
    let heard = talk(&mut store, &mut stored, NOW);
    assert_eq!(heard, [Heard::Names(list, vec!["11".into(), "3".into()])]);
}

#[test]
fn a_message_longer_than_the_ring_goes_through_both_ways() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    // The ring's place 0 is in the middle of it.
    page.req_prod.store(u32::MAX - 700, std::sync::atomic::Ordering::SeqCst);
    page.req_cons.store(u32::MAX - 700, std::sync::atomic::Ordering::SeqCst);
    store = {
        drop(store);
        Store::attach(&page)
    };
    let value = "v".repeat(4096 - "big".len() - 1);
    store.submit(Request::Write(path("big"), &value), None, LATER).expect("sent");
    let read = store.submit(Request::Read(path("big")), None, LATER).expect("sent");
    assert_eq!(talk(&mut store, &mut stored, NOW).last(), Some(&Heard::Text(read, value.clone())));
    // A byte more is none that xenstored would take.
    let more = format!("{value}v");
    let refused = store.submit(Request::Write(path("big"), &more), None, LATER);
    assert_eq!(refused, Err(SubmitError::BadText(BadText::TooLong)));
}

#[test]
fn a_watch_tells_at_once_and_at_each_change_below() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    let watch = Request::Watch { path: path("backend/vsnd"), token: "devices" };
    let id = store.submit(watch, None, LATER).expect("sent");
    let event = |path: &str| Heard::Watch(path.into(), "devices".into());
    assert_eq!(talk(&mut store, &mut stored, NOW), [Heard::Text(id, "OK".into()), event("backend/vsnd")]);
    stored.set("backend/vsnd/3/0/online", "1");
    stored.set("backend/vbd/3/0/online", "1");
    stored.run();
    assert_eq!(talk(&mut store, &mut stored, NOW), [event("backend/vsnd/3/0/online")]);
    let unwatch = Request::Unwatch { path: path("backend/vsnd"), token: "devices" };
    store.submit(unwatch, None, LATER).expect("sent");
    talk(&mut store, &mut stored, NOW);
    stored.set("backend/vsnd/3/0/online", "0");
    stored.run();
    assert_eq!(talk(&mut store, &mut stored, NOW), []);
}

#[test]
fn a_deadline_ends_a_request_once_and_a_late_answer_is_dropped() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    let early = store.submit(Request::Read(path("a")), None, Nanos(100)).expect("sent");
    let late = store.submit(Request::Read(path("b")), None, Nanos(200)).expect("sent");
    assert_eq!(store.deadline(), Some(Nanos(100)));
    assert!(store.next(Nanos(99)).is_none());
    let ended = |store: &mut Store<'_>, now| match store.next(now) {
        Some(Event::Reply { id, result: Err(RequestError::TimedOut) }) => Some(id),
        other => {
            assert!(other.is_none(), "{other:?}");
            None
        }
    };
    assert_eq!(ended(&mut store, Nanos(100)), Some(early));
    assert_eq!(ended(&mut store, Nanos(100)), None);
    assert_eq!(store.deadline(), Some(Nanos(200)));
    stored.run();
    let heard = talk(&mut store, &mut stored, Nanos(150));
    assert!(matches!(heard[0], Heard::Dropped(Oddity::Late(_))), "{heard:?}");
    assert_eq!(heard[1], Heard::Error(late, RequestError::Refused(Refusal::NoEntry)));
}

#[test]
fn a_watch_that_was_set_too_late_is_there_all_the_same() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    let watch = Request::Watch { path: path("backend/vsnd"), token: "devices" };
    store.submit(watch, None, Nanos(100)).expect("sent");
    assert!(matches!(store.next(Nanos(100)), Some(Event::Reply { result: Err(RequestError::TimedOut), .. })));
    stored.run();
    let again = store.submit(watch, None, LATER).expect("sent");
    let heard = talk(&mut store, &mut stored, Nanos(101));
    assert!(matches!(heard[0], Heard::Dropped(Oddity::Late(_))), "{heard:?}");
    // The first one's event, and none of the second one's.
    let event = Heard::Watch("backend/vsnd".into(), "devices".into());
    assert_eq!(heard[1..], [event, Heard::Text(again, String::new())]);
    // Of anything else it is a refusal.
    stored.refuses = Some("EEXIST");
    let other = store.submit(Request::Write(path("a"), ""), None, LATER).expect("sent");
    let heard = talk(&mut store, &mut stored, Nanos(102));
    assert_eq!(heard, [Heard::Error(other, RequestError::Refused(Refusal::Exists))]);
}

#[test]
fn a_transaction_begun_too_late_is_ended() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    store.submit(Request::TransactionStart, None, Nanos(100)).expect("sent");
    assert!(matches!(store.next(Nanos(100)), Some(Event::Reply { result: Err(RequestError::TimedOut), .. })));
    stored.run();
    assert_eq!(stored.open_transactions(), 1);
    let heard = talk(&mut store, &mut stored, Nanos(101));
    assert_eq!(stored.open_transactions(), 0);
    assert!(heard.iter().all(|heard| matches!(heard, Heard::Dropped(_))), "{heard:?}");
}

#[test]
fn a_silent_xenstored_keeps_no_place_for_ever_and_nothing_grows() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    stored.silent = true;
    for request in 0..MAX_IN_FLIGHT {
        store.submit(Request::Read(path("a")), None, Nanos(request as u64)).expect("sent");
        stored.run();
    }
    let refused = store.submit(Request::Read(path("a")), None, LATER);
    assert_eq!(refused, Err(SubmitError::Full));
    // All of them end. The places of those that are never answered are free for others, as often as that takes.
    let ended = talk(&mut store, &mut stored, LATER);
    assert_eq!(ended.len(), MAX_IN_FLIGHT);
    for _ in 0..MAX_IN_FLIGHT {
        store.submit(Request::Read(path("a")), None, LATER).expect("sent");
        stored.run();
    }
    assert_eq!(store.submit(Request::Read(path("a")), None, LATER), Err(SubmitError::Full));
}

#[test]
fn a_transaction_whose_request_is_forgotten_is_ended_all_the_same() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    store.submit(Request::TransactionStart, None, Nanos(100)).expect("sent");
    assert!(matches!(store.next(Nanos(100)), Some(Event::Reply { result: Err(RequestError::TimedOut), .. })));
    for _ in 0..MAX_IN_FLIGHT {
        store.submit(Request::Read(path("a")), None, LATER).expect("sent");
    }
    let heard = talk(&mut store, &mut stored, Nanos(101));
    assert!(heard.iter().any(|heard| matches!(heard, Heard::Dropped(Oddity::Unasked(_)))), "{heard:?}");
    // The answers have made room for its end.
    talk(&mut store, &mut stored, Nanos(102));
    assert_eq!(stored.open_transactions(), 0);
}

#[test]
fn what_does_not_fit_waits_for_room() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    let value = "v".repeat(4000);
    store.submit(Request::Write(path("a"), &value), None, LATER).expect("sent");
    store.submit(Request::Write(path("b"), &value), None, LATER).expect("sent");
    // The ring took 1024 bytes of the first.
    let mut refused = 0;
    while store.submit(Request::Read(path("a")), None, LATER).is_ok() {
        refused += 1;
        assert!(refused < 100);
    }
    assert_eq!(store.submit(Request::Write(path("c"), &value), None, LATER), Err(SubmitError::Full));
    talk(&mut store, &mut stored, NOW);
    assert_eq!(stored.value("b"), Some(value.as_str()));
    store.submit(Request::Write(path("c"), &value), None, LATER).expect("room again");
}

#[test]
fn paths_are_judged() {
    for (text, why) in [
        ("", BadText::Empty),
        ("a\0b", BadText::Nul),
        ("a b", BadText::Character),
        ("a//b", BadText::Slashes),
        ("/a/", BadText::Slashes),
        ("ä", BadText::Character),
    ] {
        assert_eq!(Path::new(text), Err(why), "{text:?}");
    }
    for text in ["/", "/local/domain/3", "backend/vsnd", "@releaseDomain", "a_b-c"] {
        assert_eq!(Path::new(text).map(Path::as_str), Ok(text));
    }
    let absolute = format!("/{}", "a".repeat(3071));
    assert!(Path::new(&absolute).is_ok());
    assert_eq!(Path::new(&format!("{absolute}a")), Err(BadText::TooLong));
    let relative = "a".repeat(2048);
    assert!(Path::new(&relative).is_ok());
    assert_eq!(Path::new(&format!("{relative}a")), Err(BadText::TooLong));
}

#[test]
fn values_and_tokens_are_judged() {
    let page = StoreRing::default();
    let mut store = Store::attach(&page);
    let nul = store.submit(Request::Write(path("a"), "b\0c"), None, LATER);
    assert_eq!(nul, Err(SubmitError::BadText(BadText::Nul)));
    let token = "t".repeat(129);
    let long = store.submit(Request::Watch { path: path("a"), token: &token }, None, LATER);
    assert_eq!(long, Err(SubmitError::BadText(BadText::TooLong)));
    assert!(!store.take_notify());
}
