//! The event page: ids without a gap, the jump at the wrap, and peers that lie.

use crate::common::{WatchedPage, page};
use hyper::{PageWords, SharedPage};
use proptest::prelude::*;
use sndif::event_page::{EVENT_ENTRIES, Event, EventReader, EventWriter, Full};

const IN_CONS: usize = 0;
const IN_PROD: usize = 1;

/// Word at which the slot of a counter starts, as `XENSND_IN_RING_REF` has it.
fn slot(counter: u32) -> usize {
    16 + 16 * (counter % 63) as usize
}

fn bytes(event: Option<Event>) -> Option<u64> {
    event.map(|event| match event {
        Event::CurPos { bytes, .. } => bytes,
        other => panic!("{other:?}"),
    })
}

#[test]
fn an_event_is_laid_out_as_in_the_header() {
    let page = page();
    let mut writer = EventWriter::attach(&*page);
    assert_eq!(writer.post(0), Ok(true));
    assert_eq!(writer.post(0x1122_3344_5566_7788), Ok(true));
    assert_eq!(page.load(IN_PROD), 2);
    let event: Vec<u32> = (slot(1)..slot(2)).map(|word| page.load(word)).collect();
    assert_eq!(event[..4], [1, 0, 0x5566_7788, 0x1122_3344], "id 1, type 0, position low, high");
    assert!(event[4..].iter().all(|word| *word == 0));
}

#[test]
fn the_last_slot_ends_with_the_page() {
    assert_eq!(slot(62) + 16, 1024);
    let page = page();
    let mut writer = EventWriter::attach(&*page);
    (0..63).for_each(|number| assert!(writer.post(number).is_ok()));
    assert_eq!(page.load(slot(62) + 2), 62);
}

#[test]
fn a_full_page_takes_no_event_and_uses_no_id() {
    let page = page();
    let mut writer = EventWriter::attach(&*page);
    for number in 0..63 {
        assert!(!writer.is_full());
        assert_eq!(writer.post(number), Ok(true));
    }
    assert!(writer.is_full());
    for _ in 0..10 {
        assert_eq!(writer.post(1_000), Err(Full));
    }
    assert_eq!(page.load(IN_PROD), 63);
    page.store(IN_CONS, 1);
    assert_eq!(writer.post(2_000), Ok(true));
    assert_eq!(page.load(slot(63)) & 0xffff, 63, "the next id, no gap");
    assert_eq!(writer.post(3_000), Err(Full));
}

#[test]
fn ids_wrap_after_65536_events_without_a_gap() {
    let page = page();
    let mut reader = EventReader::init(&*page);
    let mut writer = EventWriter::attach(&*page);
    for number in 0..70_000u32 {
        assert_eq!(writer.post(u64::from(number) * 64), Ok(true));
        let event = reader.take().unwrap();
        assert_eq!(event, Event::CurPos { id: number as u16, bytes: u64::from(number) * 64 });
    }
    assert_eq!(reader.faults(), Default::default());
}

/// The counters stand `before` events short of 2^32.
fn near_the_wrap(page: &PageWords, before: u32) -> u32 {
    let start = 0u32.wrapping_sub(before);
    page.store(IN_CONS, start);
    page.store(IN_PROD, start);
    start
}

#[test]
fn the_wrap_of_the_counter_overwrites_no_event() {
    // Linux's reader: walks its counter up to in_prod, slot by counter modulo 63.
    let page = page();
    let start = near_the_wrap(&page, 10);
    let mut writer = EventWriter::attach(&*page);
    for number in 0..10 {
        assert!(writer.post(number).is_ok());
    }
    // The next one would go to slot 0; slots 57 to 62 and 0 to 3 are taken.
    assert_eq!(page.load(IN_PROD), 0);
    assert_eq!(writer.post(10), Err(Full));
    for number in 0..10u32 {
        let counter = start.wrapping_add(number);
        assert_eq!(page.load(slot(counter) + 2), number);
        page.store(IN_CONS, counter.wrapping_add(1));
        assert_eq!(writer.is_full(), number < 9, "until the last one before the wrap is taken");
    }
    for number in 10..73 {
        assert_eq!(writer.post(number), Ok(true));
    }
    assert!(writer.is_full());
    for counter in 0..63 {
        assert_eq!(page.load(slot(counter) + 2), counter + 10);
    }
}

#[test]
fn events_go_on_over_the_wrap_when_they_are_taken_at_once() {
    let page = page();
    let start = near_the_wrap(&page, 70);
    let mut writer = EventWriter::attach(&*page);
    for number in 0..200u32 {
        let counter = start.wrapping_add(number);
        assert_eq!(writer.post(number.into()), Ok(true), "event {number}");
        assert_eq!(page.load(slot(counter) + 2), number);
        page.store(IN_CONS, counter.wrapping_add(1));
    }
}

#[test]
fn the_reader_follows_over_the_wrap() {
    let page = page();
    let mut reader = EventReader::init(&*page);
    // A reader starts at 0; an index that can't be makes it skip to shortly before the wrap.
    page.store(IN_PROD, 0u32.wrapping_sub(20));
    assert_eq!(reader.take(), None);
    let mut writer = EventWriter::attach(&*page);
    let (mut posted, mut taken) = (0u64, 0u64);
    while posted < 150 {
        while writer.post(posted).is_ok() {
            posted += 1;
        }
        while let Some(bytes) = bytes(reader.take()) {
            assert_eq!(bytes, taken);
            taken += 1;
        }
        assert_eq!(taken, posted);
    }
    assert_eq!(reader.faults().id_gaps, 0);
}

#[test]
fn an_impossible_in_cons_only_stops_the_events() {
    let page = page();
    let mut writer = EventWriter::attach(&*page);
    assert!(writer.post(1).is_ok());
    for absurd in [2, 3, 64, 0x8000_0000, u32::MAX, u32::MAX - 62] {
        page.store(IN_CONS, absurd);
        assert_eq!(writer.post(2), Err(Full), "{absurd:#x}");
    }
    page.store(IN_CONS, 1);
    assert!(writer.post(2).is_ok());
    assert_eq!(page.load(slot(1)) & 0xffff, 1, "still the next id");
}

#[test]
fn the_writer_reads_in_cons_once_an_event_and_in_prod_never_again() {
    let page = WatchedPage::new();
    let mut writer = EventWriter::attach(&page);
    let at_attach = page.reads(IN_PROD);
    page.store(IN_PROD, 0xbad);
    assert!(writer.post(1).is_ok());
    assert_eq!(page.reads(IN_CONS), 1);
    assert_eq!(page.reads(IN_PROD), at_attach);
    assert_eq!(page.load(IN_PROD), 1, "the peer's scribbling is of no account");
}

#[test]
fn a_reader_counts_faults_and_goes_on() {
    let page = page();
    let mut reader = EventReader::init(&*page);
    // An index too far ahead: everything up to there is skipped.
    page.store(IN_PROD, 64);
    assert_eq!(reader.take(), None);
    assert_eq!((reader.faults().bad_index, page.load(IN_CONS)), (1, 64));
    // An unknown type, and then an id from nowhere.
    page.store(slot(64), 0x0001_0000);
    page.store(slot(65), 0x0000_1234);
    page.store(slot(65) + 2, 640);
    page.store(IN_PROD, 66);
    assert_eq!(reader.take(), Some(Event::CurPos { id: 0x1234, bytes: 640 }));
    let faults = reader.faults();
    assert_eq!((faults.unknown_type, faults.id_gaps, faults.bad_index), (1, 1, 1));
    assert_eq!((reader.take(), page.load(IN_CONS)), (None, 66));
    // Backwards.
    page.store(IN_PROD, 65);
    assert_eq!(reader.take(), None);
    assert_eq!(reader.faults().bad_index, 2);
}

#[test]
fn a_reader_skips_a_page_of_invalid_events_in_one_call() {
    let page = page();
    let mut reader = EventReader::init(&*page);
    (0..63).for_each(|counter| page.store(slot(counter), 0x00ff_0000 | counter));
    page.store(IN_PROD, 63);
    assert_eq!(reader.take(), None);
    assert_eq!((reader.faults().unknown_type, page.load(IN_CONS)), (63, 63));
}

proptest! {
    #[test]
    fn hostile_front(writes in prop::collection::vec((any::<bool>(), any::<u32>(), 0u32..130, 0u32..70), 1..40)) {
        let page = page();
        let mut writer = EventWriter::attach(&*page);
        let mut posted = 0u32;
        for (near, anything, behind, posts) in writes {
            page.store(IN_CONS, if near { posted.wrapping_sub(behind) } else { anything });
            page.store(IN_PROD, anything);
            let mut now = 0;
            for _ in 0..posts {
                match writer.post(posted.into()) {
                    Ok(_) => {
                        prop_assert_eq!(page.load(slot(posted)) & 0xffff, posted & 0xffff);
                        posted += 1;
                        now += 1;
                        prop_assert_eq!(page.load(IN_PROD), posted);
                    }
                    Err(Full) => prop_assert!(writer.is_full()),
                }
            }
            prop_assert!(now <= EVENT_ENTRIES);
        }
    }

    /// Anything at all on the page: each call ends, and takes at most a page of events.
    #[test]
    fn hostile_back(prods in prop::collection::vec(any::<(bool, u32)>(), 1..20), words in prop::collection::vec(any::<u32>(), 1008)) {
        let page = page();
        let mut reader = EventReader::init(&*page);
        words.iter().zip(16..).for_each(|(value, word)| page.store(word, *value));
        for (near, prod) in prods {
            let cons = page.load(IN_CONS);
            page.store(IN_PROD, if near { cons.wrapping_add(prod % 70) } else { prod });
            let mut taken = 0;
            while bytes(reader.take()).is_some() {
                taken += 1;
                prop_assert!(taken <= EVENT_ENTRIES);
            }
        }
    }

    /// Post and take in any rhythm: every event arrives, in order, or was refused.
    #[test]
    fn writer_and_reader_agree(steps in prop::collection::vec((0u32..80, 0u32..80), 1..50)) {
        let page = page();
        let mut reader = EventReader::init(&*page);
        let mut writer = EventWriter::attach(&*page);
        let (mut posted, mut taken) = (0u64, 0u64);
        for (posts, takes) in steps {
            for _ in 0..posts {
                if writer.post(posted).is_ok() {
                    posted += 1;
                } else {
                    prop_assert_eq!(posted - taken, 63);
                }
            }
            for _ in 0..takes {
                match bytes(reader.take()) {
                    Some(bytes) => {
                        prop_assert_eq!(bytes, taken);
                        taken += 1;
                    }
                    None => prop_assert_eq!(taken, posted),
                }
            }
        }
        prop_assert_eq!(reader.faults(), Default::default());
    }
}
