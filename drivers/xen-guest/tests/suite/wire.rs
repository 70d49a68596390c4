//! The client against bytes that no xenstored in its right mind would send.

use std::sync::atomic::Ordering::SeqCst;

use hyper::Nanos;
use proptest::prelude::*;
use xen_guest::xenstore::{
    BrokenStore, Event, Oddity, Path, Refusal, Request, RequestError, Store, SubmitError,
};
use xen_sys::xs_wire::{self, StoreRing};

use crate::xenstore::{Heard, talk};
use xenstored_model::Stored;

const LATER: Nanos = Nanos(1_000);

fn a() -> Path<'static> {
    Path::new("a").expect("a path")
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let page = StoreRing::default();
    let mut store = Store::attach(&page);
    store.submit(Request::Write(Path::new("a/b").expect("a path"), "xy"), None, LATER).expect("sent");
    store.submit(Request::Watch { path: a(), token: "t" }, None, LATER).expect("sent");
    store.submit(Request::TransactionStart, None, LATER).expect("sent");
    let expected = b"\x0b\0\0\0\x01\0\0\0\0\0\0\0\x06\0\0\0a/b\0xy\
        \x04\0\0\0\x02\0\0\0\0\0\0\0\x04\0\0\0a\0t\0\
        \x06\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0";
    assert_eq!(page.req_prod.load(SeqCst) as usize, expected.len());
    for (byte, cell) in expected.iter().zip(&page.req) {
        assert_eq!(*byte, cell.load(SeqCst));
    }
}

#[test]
fn an_answer_to_nothing_is_dropped_and_the_next_one_counts() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    stored.send(xs_wire::READ, 99, 0, b"who asked?");
    stored.set("a", "1");
    let id = store.submit(Request::Read(a()), None, LATER).expect("sent");
    assert_eq!(
        talk(&mut store, &mut stored, Nanos(0)),
        [Heard::Dropped(Oddity::Unasked(99)), Heard::Text(id, "1".into())]
    );
}

#[test]
fn answers_of_the_wrong_sort_are_garbled() {
    for (kind, transaction) in [(xs_wire::WRITE, 0), (xs_wire::READ, 5), (0xffff, 0)] {
        let page = StoreRing::default();
        let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
        stored.silent = true;
        let id = store.submit(Request::Read(a()), None, LATER).expect("sent");
        stored.send(kind, 1, transaction, b"x");
        assert_eq!(talk(&mut store, &mut stored, Nanos(0)), [Heard::Error(id, RequestError::Garbled)]);
    }
}

#[test]
fn names_of_errors_are_known_and_others_do_no_harm() {
    assert_eq!(Refusal::from_name(b"EAGAIN"), Refusal::Again);
    assert_eq!(Refusal::from_name(b"ENOENT"), Refusal::NoEntry);
    for name in [&b""[..], b"EAGAIN\0", b"enoent", b"\xff\xfe"] {
        assert_eq!(Refusal::from_name(name), Refusal::Other);
    }
}

#[test]
fn texts_are_judged() {
    // A payload, and what it is as a text.
    for (payload, text) in [
        (&b"1"[..], Some("1")),
        (b"1\0", Some("1")),
        (b"", Some("")),
        (b"1\0\0", None),
        (b"a\0b", None),
        (b"\xff", None),
    ] {
        let page = StoreRing::default();
        let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
        stored.silent = true;
        store.submit(Request::Read(a()), None, LATER).expect("sent");
        stored.send(xs_wire::READ, 1, 0, payload);
        stored.run();
        let Some(Event::Reply { result: Ok(reply), .. }) = store.next(Nanos(0)) else { panic!("a reply") };
        assert_eq!(reply.text().ok(), text, "{payload:?}");
    }
}

#[test]
fn watch_events_without_path_and_token_are_dropped() {
    for payload in [&b""[..], b"a", b"a\0", b"a\0t", b"\0t\0", b"a\0\xff\0", b"a b\0t\0"] {
        let page = StoreRing::default();
        let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
        stored.send(xs_wire::WATCH_EVENT, 0, 0, payload);
        stored.run();
        let event = store.next(Nanos(0));
        assert!(matches!(event, Some(Event::Dropped(Oddity::BadWatchEvent))), "{payload:?}: {event:?}");
    }
}

#[test]
fn a_message_too_long_breaks_the_connection_and_every_request_is_told() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    stored.silent = true;
    let ids = [(); 3].map(|()| store.submit(Request::Read(a()), None, LATER).expect("sent"));
    let mut header = xs_wire::READ.to_le_bytes().to_vec();
    header.extend([1u32, 0, 4097].iter().flat_map(|word| word.to_le_bytes()));
    stored.send_raw(&header);
    let mut heard = talk(&mut store, &mut stored, Nanos(0));
    let broken = RequestError::Broken(BrokenStore::TooLong(4097));
    for id in ids {
        let place = heard.iter().position(|heard| *heard == Heard::Error(id, broken)).expect("told");
        heard.remove(place);
    }
    assert_eq!(heard, []);
    assert_eq!(store.broken(), Some(BrokenStore::TooLong(4097)));
    assert_eq!(store.submit(Request::Read(a()), None, LATER), Err(SubmitError::Broken));
}

#[test]
fn impossible_indices_break_the_connection() {
    let page = StoreRing::default();
    let mut store = Store::attach(&page);
    page.rsp_prod.store(1025, SeqCst);
    assert!(store.next(Nanos(0)).is_none());
    assert_eq!(store.broken(), Some(BrokenStore::ResponseIndex));

    let page = StoreRing::default();
    let mut store = Store::attach(&page);
    page.req_cons.store(1, SeqCst);
    let id = store.submit(Request::Read(a()), None, LATER).expect("taken");
    let event = store.next(Nanos(0));
    assert!(
        matches!(event, Some(Event::Reply { id: of, result: Err(RequestError::Broken(BrokenStore::RequestIndex)) })
            if of == id)
    );
}

#[test]
fn what_the_page_says_of_this_ends_indices_is_not_believed() {
    let page = StoreRing::default();
    let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
    stored.set("a", "1");
    for _ in 0..50 {
        let id = store.submit(Request::Read(a()), None, LATER).expect("sent");
        stored.run();
        page.rsp_cons.store(0xdead_beef, SeqCst);
        let Some(Event::Reply { id: of, result: Ok(reply) }) = store.next(Nanos(0)) else {
            panic!("a reply")
        };
        assert_eq!((of, reply.text()), (id, Ok("1")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any bytes at all: no panic, every call ends, and every request is told of once.
    #[test]
    fn bytes_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        chunk in 1usize..1024,
        requests in 0usize..8,
    ) {
        let page = StoreRing::default();
        let mut store = Store::attach(&page);
        for _ in 0..requests {
            store.submit(Request::Read(a()), None, LATER).expect("sent");
        }
        let mut told = 0;
        let mut hear = |store: &mut Store<'_>, now| {
            let mut events = 0;
            while let Some(event) = store.next(now) {
                events += 1;
                assert!(events <= 1024, "it never ends");
                if let Event::Reply { result, .. } = event {
                    told += 1;
                    if let Ok(reply) = result {
                        let _ = reply.text();
                        assert!(reply.names().all(|name| !name.is_empty() && !name.contains('/')));
                    }
                }
            }
        };
        let mut prod = 0u32;
        for piece in bytes.chunks(chunk) {
            for byte in piece {
                page.rsp[prod as usize % 1024].store(*byte, SeqCst);
                prod = prod.wrapping_add(1);
            }
            page.rsp_prod.store(prod, SeqCst);
            hear(&mut store, Nanos(0));
            if store.broken().is_some() {
                break;
            }
        }
        hear(&mut store, LATER);
        prop_assert_eq!(told, requests);
    }

    /// Messages with the right frame and any content.
    #[test]
    fn messages_do_no_harm(
        messages in prop::collection::vec(
            (0u32..24, 0u32..10, 0u32..3, prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..40)),
            0..40,
        ),
    ) {
        let page = StoreRing::default();
        let (mut store, mut stored) = (Store::attach(&page), Stored::new(&page));
        stored.silent = true;
        for request in [
            Request::Read(a()),
            Request::Directory(a()),
            Request::TransactionStart,
            Request::Watch { path: a(), token: "t" },
        ] {
            store.submit(request, None, LATER).expect("sent");
        }
        // The transaction's start is late.
        let mut ends = talk(&mut store, &mut stored, LATER).len();
        prop_assert_eq!(ends, 4);
        for _ in 0..4 {
            store.submit(Request::Read(a()), None, Nanos(2_000)).expect("sent");
        }
        for (kind, id, transaction, payload) in &messages {
            stored.send(*kind, *id, *transaction, payload);
        }
        stored.run();
        for heard in talk(&mut store, &mut stored, LATER).into_iter().chain(talk(&mut store, &mut stored, Nanos(2_000))) {
            ends += usize::from(!matches!(heard, Heard::Watch(..) | Heard::Dropped(_)));
        }
        prop_assert_eq!(ends, 8);
        prop_assert_eq!(store.broken(), None);
    }

    /// Any indices at all, changing at any time.
    #[test]
    fn indices_do_no_harm(indices in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>()), 1..20)) {
        let page = StoreRing::default();
        let mut store = Store::attach(&page);
        for (req_cons, req_prod, rsp_cons, rsp_prod) in indices {
            page.req_cons.store(req_cons, SeqCst);
            page.req_prod.store(req_prod, SeqCst);
            page.rsp_cons.store(rsp_cons, SeqCst);
            page.rsp_prod.store(rsp_prod, SeqCst);
            let _ = store.submit(Request::Read(a()), None, LATER);
            for _ in 0..2000 {
                if store.next(Nanos(0)).is_none() {
                    break;
                }
            }
            assert!(store.next(Nanos(0)).is_none());
        }
    }
}
