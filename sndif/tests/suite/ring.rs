//! The request ring: order, notification, and a peer that lies.

use crate::common::{WatchedPage, page};
use hyper::SharedPage;
use proptest::prelude::*;
use sndif::Entry;
use sndif::ring::{BackRing, FrontRing, NothingToAnswer, RING_ENTRIES, RingBroken, RingFull};

const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 1;
const RSP_PROD: usize = 2;
const RSP_EVENT: usize = 3;

fn entry(number: u32) -> Entry {
    let mut entry = [0x5a; 64];
    entry[..4].copy_from_slice(&number.to_le_bytes());
    entry[60..].copy_from_slice(&number.to_be_bytes());
    entry
}

#[test]
fn init_leaves_the_header_as_xen_has_it() {
    let page = page();
    (0..16).for_each(|word| page.store(word, 0xdead_beef));
    FrontRing::init(&*page);
    let header: Vec<u32> = (0..16).map(|word| page.load(word)).collect();
    assert_eq!(header[..4], [0, 1, 0, 1]);
    assert!(header[4..].iter().all(|word| *word == 0));
}

#[test]
fn a_request_lies_in_the_slot_of_its_index() {
    let page = page();
    let mut front = FrontRing::init(&*page);
    for number in 0..3 {
        front.push(&entry(number)).unwrap();
    }
    assert_eq!(page.load(REQ_PROD), 0, "nothing is seen before it is published");
    assert!(front.publish());
    assert_eq!(page.load(REQ_PROD), 3);
    for number in 0..3 {
        assert_eq!(page.load(16 + 16 * number as usize), number);
    }
}

#[test]
fn requests_and_answers_come_in_order_many_times_round() {
    let page = page();
    let mut front = FrontRing::init(&*page);
    let mut back = BackRing::attach(&*page);
    let mut next = 0u32;
    let mut answered = 0u32;
    for batch in (1..=RING_ENTRIES).cycle().take(200) {
        for _ in 0..batch {
            front.push(&entry(next)).unwrap();
            next += 1;
        }
        let _ = front.publish();
        while let Some(request) = back.take().unwrap() {
            back.answer(&request).unwrap();
        }
        let _ = back.publish();
        while let Some(response) = front.take().unwrap() {
            assert_eq!(response, entry(answered));
            answered += 1;
        }
        assert_eq!(answered, next);
    }
}

#[test]
fn indices_wrap_at_two_to_the_32() {
    let page = page();
    // A front end may start anywhere; this one is 5 entries before the wrap.
    let start = u32::MAX - 4;
    page.store(REQ_PROD, start);
    page.store(RSP_PROD, start);
    page.store(REQ_EVENT, start.wrapping_add(1));
    page.store(RSP_EVENT, start.wrapping_add(1));
    let mut back = BackRing::attach(&*page);
    for number in 0..40u32 {
        let index = start.wrapping_add(number);
        page.store(16 + 16 * (index % 32) as usize, number);
        page.store(REQ_PROD, index.wrapping_add(1));
        let request = back.take().unwrap().unwrap();
        assert_eq!(request[..4], number.to_le_bytes());
        assert_eq!(back.take(), Ok(None));
        back.answer(&request).unwrap();
        page.store(RSP_EVENT, index.wrapping_add(1));
        assert!(back.publish(), "entry {number}");
        assert_eq!(page.load(RSP_PROD), index.wrapping_add(1));
        assert!(!back.arm());
        assert_eq!(page.load(REQ_EVENT), index.wrapping_add(2));
    }
}

#[test]
fn a_full_ring_takes_no_more() {
    let page = page();
    let mut front = FrontRing::init(&*page);
    for number in 0..RING_ENTRIES {
        front.push(&entry(number)).unwrap();
    }
    assert_eq!(front.push(&entry(99)), Err(RingFull));
    let _ = front.publish();
    let mut back = BackRing::attach(&*page);
    back.take().unwrap().unwrap();
    assert_eq!(front.push(&entry(99)), Err(RingFull), "taken isn't answered");
    back.answer(&entry(0)).unwrap();
    let _ = back.publish();
    assert_eq!(front.push(&entry(99)), Err(RingFull), "answered isn't taken");
    front.take().unwrap().unwrap();
    front.push(&entry(99)).unwrap();
}

#[test]
fn an_event_is_sent_when_asked_for_and_only_then() {
    let page = page();
    let mut front = FrontRing::init(&*page);
    let mut back = BackRing::attach(&*page);
    front.push(&entry(0)).unwrap();
    assert!(front.publish(), "a fresh ring is armed");
    assert!(!front.publish(), "nothing new");
    front.push(&entry(1)).unwrap();
    assert!(!front.publish(), "the back end was told already and hasn't armed again");
    assert!(back.arm(), "two requests are there");
    while back.take().unwrap().is_some() {}
    assert!(!back.arm());
    front.push(&entry(2)).unwrap();
    front.push(&entry(3)).unwrap();
    assert!(front.publish(), "one event for both");

    back.answer(&entry(0)).unwrap();
    assert!(back.publish());
    back.answer(&entry(1)).unwrap();
    assert!(!back.publish());
    assert!(front.arm());
    while front.take().unwrap().is_some() {}
    assert!(!front.arm());
}

#[test]
fn a_producer_index_a_ring_ahead_is_refused() {
    let page = page();
    let mut back = BackRing::attach(&*page);
    page.store(REQ_PROD, 33);
    assert_eq!(back.take(), Err(RingBroken));
    page.store(REQ_PROD, u32::MAX);
    assert_eq!(back.take(), Err(RingBroken));
    page.store(REQ_PROD, 32);
    assert!(back.take().unwrap().is_some());
}

#[test]
fn a_producer_index_that_goes_back_is_refused() {
    let page = page();
    let mut back = BackRing::attach(&*page);
    page.store(REQ_PROD, 3);
    back.take().unwrap().unwrap();
    back.take().unwrap().unwrap();
    page.store(REQ_PROD, 1);
    assert_eq!(back.take(), Err(RingBroken), "even where the old index is still unanswered");
}

#[test]
fn no_request_is_taken_whose_answer_would_have_no_slot() {
    let page = page();
    let mut back = BackRing::attach(&*page);
    page.store(REQ_PROD, 32);
    for _ in 0..32 {
        back.take().unwrap().unwrap();
    }
    page.store(REQ_PROD, 33);
    assert_eq!(back.take(), Err(RingBroken));
    back.answer(&entry(0)).unwrap();
    assert!(back.take().unwrap().is_some());
}

#[test]
fn each_request_is_answered_once() {
    let page = page();
    let mut back = BackRing::attach(&*page);
    assert_eq!(back.answer(&entry(0)), Err(NothingToAnswer));
    page.store(REQ_PROD, 1);
    back.take().unwrap().unwrap();
    assert_eq!(back.unanswered(), 1);
    back.answer(&entry(0)).unwrap();
    assert_eq!(back.answer(&entry(0)), Err(NothingToAnswer));
}

#[test]
fn a_back_end_that_answers_without_a_request_is_refused() {
    let page = page();
    let mut front = FrontRing::init(&*page);
    front.push(&entry(0)).unwrap();
    let _ = front.publish();
    front.push(&entry(1)).unwrap();
    page.store(RSP_PROD, 2);
    assert_eq!(front.take(), Err(RingBroken), "the second request isn't published");
    page.store(RSP_PROD, 1);
    assert!(front.take().unwrap().is_some());
    page.store(RSP_PROD, 0);
    assert_eq!(front.take(), Err(RingBroken));
}

#[test]
fn a_request_is_copied_once() {
    let page = WatchedPage::new();
    page.store(REQ_PROD, 1);
    let mut back = BackRing::attach(&page);
    back.take().unwrap().unwrap();
    assert!((16..32).all(|word| page.reads(word) == 1));
    assert_eq!(page.reads(REQ_PROD), 1);
    let read_before = page.reads(RSP_PROD);
    back.answer(&entry(0)).unwrap();
    let _ = back.publish();
    assert_eq!(page.reads(RSP_PROD), read_before, "its own index is never read back");
}

#[test]
fn errors_are_told_apart_in_words() {
    let told = [RingBroken.to_string(), RingFull.to_string(), NothingToAnswer.to_string()];
    for (told, word) in told.iter().zip(["index", "slot", "answered"]) {
        assert!(told.contains(word), "{told:?}");
    }
}

proptest! {
    /// Whatever the front end writes, the back end takes at most what can be answered, and never writes past it.
    #[test]
    fn hostile_front(start: u32, writes in prop::collection::vec((0usize..32, any::<u32>(), 0u32..80), 1..60)) {
        let page = page();
        page.store(RSP_PROD, start);
        let mut back = BackRing::attach(&*page);
        let (mut taken, mut answered) = (0u32, 0u32);
        for (word, value, near) in writes {
            // Half of the indices are near the truth, or nothing would ever be taken.
            let value = if value.is_multiple_of(2) { start.wrapping_add(taken).wrapping_add(near) } else { value };
            page.store(word, value);
            for _ in 0..RING_ENTRIES {
                match back.take() {
                    Ok(Some(_)) => taken += 1,
                    Ok(None) | Err(RingBroken) => break,
                }
                prop_assert!(taken - answered <= RING_ENTRIES);
            }
            while answered < taken && near.is_multiple_of(3) {
                prop_assert_eq!(back.answer(&entry(answered)), Ok(()));
                answered += 1;
            }
            let _ = back.publish();
            let _ = back.arm();
            prop_assert_eq!(page.load(RSP_PROD), start.wrapping_add(answered));
            prop_assert_eq!(page.load(REQ_EVENT), start.wrapping_add(taken).wrapping_add(1));
        }
    }

    #[test]
    fn hostile_back(writes in prop::collection::vec((0usize..32, any::<u32>(), 0u32..40), 1..60)) {
        let page = page();
        let mut front = FrontRing::init(&*page);
        let (mut pushed, mut taken) = (0u32, 0u32);
        for (word, value, near) in writes {
            if front.push(&entry(pushed)).is_ok() {
                pushed += 1;
            }
            prop_assert!(pushed - taken <= RING_ENTRIES);
            let _ = front.publish();
            let value = if value.is_multiple_of(2) { taken.wrapping_add(near) } else { value };
            page.store(word, value);
            while let Ok(Some(_)) = front.take() {
                taken += 1;
                prop_assert!(taken <= pushed);
            }
            let _ = front.arm();
        }
    }
}
