//! The page directory: chains that are long, short, cyclic or too big.

use std::collections::HashMap;

use crate::common::{WatchedPage, page};
use hyper::{GrantRef, PageWords, SharedPage};
use proptest::prelude::*;
use sndif::page_directory::{
    DirectoryError, DirectoryTooSmall, DirectoryWalk, directory_pages_for, pages_for, write_directory,
};

type Pages = HashMap<u32, Box<PageWords>>;

/// Walks a directory whose pages are found by reference, and counts the pages looked at.
fn walk(
    pages: &Pages,
    first: u32,
    buffer_bytes: u32,
    max_pages: u32,
) -> (Result<Vec<u32>, DirectoryError>, u32) {
    let mut looked_at = 0;
    let mut grants = Vec::new();
    let mut go = || {
        let mut walk = DirectoryWalk::new(GrantRef(first), buffer_bytes, max_pages)?;
        while let Some(reference) = walk.next() {
            looked_at += 1;
            walk.take(&**pages.get(&reference.0).expect("a page that exists"), |grant| grants.push(grant.0))?;
        }
        Ok(())
    };
    let result = go();
    (result.map(|()| grants), looked_at)
}

fn directory(page_count: u32, refs: u32) -> Pages {
    let pages: Vec<_> = (0..page_count).map(|number| (page(), GrantRef(100 + number))).collect();
    let borrowed: Vec<_> = pages.iter().map(|(page, reference)| (&**page, *reference)).collect();
    write_directory(&borrowed, (0..refs).map(|number| GrantRef(1_000 + number))).unwrap();
    pages.into_iter().map(|(page, reference)| (reference.0, page)).collect()
}

#[test]
fn the_number_of_pages_follows_from_the_size() {
    for (bytes, pages) in [(0, 0), (1, 1), (4_096, 1), (4_097, 2), (1 << 20, 256), (u32::MAX, 1 << 20)] {
        assert_eq!(pages_for(bytes), pages);
    }
    for (pages, directories) in [(0, 1), (1, 1), (1_023, 1), (1_024, 2), (2_046, 2), (2_047, 3)] {
        assert_eq!(directory_pages_for(pages * 4_096), directories);
    }
    assert_eq!(directory_pages_for(u32::MAX), 1_026);
}

#[test]
fn a_directory_is_laid_out_as_in_the_header() {
    let pages = directory(2, 1_024);
    let (first, second) = (&pages[&100], &pages[&101]);
    assert_eq!([first.load(0), first.load(1), first.load(1_023)], [101, 1_000, 2_022]);
    assert_eq!([second.load(0), second.load(1), second.load(2)], [0, 2_023, 0]);
}

#[test]
fn a_written_directory_is_read_back() {
    for refs in [1, 2, 255, 256, 1_022, 1_023, 1_024, 2_046, 2_047] {
        let bytes = refs * 4_096;
        let pages = directory(directory_pages_for(bytes), refs);
        let (grants, looked_at) = walk(&pages, 100, bytes, 4_096);
        assert_eq!(grants.unwrap(), (1_000..1_000 + refs).collect::<Vec<_>>());
        assert_eq!(looked_at, directory_pages_for(bytes));
    }
}

#[test]
fn references_that_find_no_room_are_an_error() {
    let page = page();
    let refs = |count| (1..=count).map(GrantRef);
    assert_eq!(write_directory(&[(&*page, GrantRef(9))], refs(1_023)), Ok(()));
    assert_eq!(write_directory(&[(&*page, GrantRef(9))], refs(1_024)), Err(DirectoryTooSmall));
    assert_eq!(write_directory::<PageWords>(&[], refs(1)), Err(DirectoryTooSmall));
}

#[test]
fn a_chain_that_is_too_short_is_refused() {
    let pages = directory(1, 1_023);
    let (result, looked_at) = walk(&pages, 100, 1_024 * 4_096, 4_096);
    assert_eq!(result, Err(DirectoryError::TooShort { missing: 1 }));
    assert_eq!(looked_at, 1);
    assert_eq!(walk(&pages, 0, 4_096, 256).0, Err(DirectoryError::TooShort { missing: 1 }));
}

#[test]
fn a_hole_in_the_list_is_refused() {
    let pages = directory(1, 10);
    pages[&100].store(6, 0);
    assert_eq!(walk(&pages, 100, 10 * 4_096, 256).0, Err(DirectoryError::NoGrant { index: 5 }));
    assert_eq!(walk(&pages, 100, 5 * 4_096, 256).0.unwrap().len(), 5, "what isn't needed isn't looked at");
}

#[test]
fn a_circular_chain_ends() {
    let pages = directory(1, 1_023);
    pages[&100].store(0, 100);
    let (grants, looked_at) = walk(&pages, 100, 3_000 * 4_096, 4_096);
    assert_eq!((grants.unwrap().len(), looked_at), (3_000, 3));
}

#[test]
fn no_more_pages_than_allowed() {
    let pages = directory(1, 1_000);
    assert_eq!(
        walk(&pages, 100, 256 * 4_096 + 1, 256).0,
        Err(DirectoryError::TooManyPages { needed: 257, allowed: 256 })
    );
    assert_eq!(walk(&pages, 100, u32::MAX, 256).1, 0);
    assert_eq!(walk(&pages, 100, 0, 256).0, Err(DirectoryError::EmptyBuffer));
    assert_eq!(walk(&pages, 100, 256 * 4_096, 256).0.unwrap().len(), 256);
}

#[test]
fn each_word_is_read_once_and_only_those_needed() {
    let page = WatchedPage::new();
    (0..1_024).for_each(|word| page.store(word, 7));
    let mut walk = DirectoryWalk::new(GrantRef(1), 3 * 4_096, 256).unwrap();
    walk.take(&page, |_| {}).unwrap();
    assert_eq!(walk.next(), None);
    assert_eq!([1, 2, 3, 4].map(|word| page.reads(word)), [1, 1, 1, 0]);
    assert_eq!(page.reads(0), 0, "there is no next page to go to");
    assert_eq!(page.most_reads(), 1);
}

#[test]
fn after_an_error_the_walk_is_over() {
    let page = page();
    let mut walk = DirectoryWalk::new(GrantRef(1), 4_096, 256).unwrap();
    assert_eq!(walk.next(), Some(GrantRef(1)));
    assert_eq!(walk.next(), Some(GrantRef(1)), "it stays until the page is taken");
    assert!(walk.take(&*page, |_| {}).is_err());
    assert_eq!(walk.next(), None);
    page.store(1, 5);
    let mut found = 0;
    assert_eq!(walk.take(&*page, |_| found += 1), Ok(()), "a page that wasn't asked for lists nothing");
    assert_eq!(found, 0);
}

#[test]
fn a_refusal_names_its_numbers() {
    for (error, words) in [
        (DirectoryError::EmptyBuffer, &["0 bytes"][..]),
        (DirectoryError::TooManyPages { needed: 257, allowed: 256 }, &["257", "256"]),
        (DirectoryError::TooShort { missing: 41 }, &["41"]),
        (DirectoryError::NoGrant { index: 43 }, &["43", "grant"]),
    ] {
        let told = error.to_string();
        assert!(words.iter().all(|word| told.contains(word)), "{told:?}");
    }
    assert!(DirectoryTooSmall.to_string().contains("too few pages"));
}

proptest! {
    /// Four pages that chain to one another in any way, filled with anything: never more is looked at than the size
    /// needs, and never more found.
    #[test]
    fn hostile_directory(
        nexts in prop::array::uniform4(0u32..5),
        holes in prop::collection::vec((0u32..4, 1usize..1_024), 0..3),
        first in 0u32..5,
        buffer_bytes in prop_oneof![0u32..20_000_000, any::<u32>()],
    ) {
        let max_pages = 4_096;
        let pages: Pages = (1..5).map(|number| (number, page())).collect();
        for (number, next) in (1..5).zip(nexts) {
            pages[&number].store(0, next);
            (1..1_024).for_each(|word| pages[&number].store(word, 77));
        }
        for (number, word) in holes {
            pages[&(number + 1)].store(word, 0);
        }
        let (result, looked_at) = walk(&pages, first, buffer_bytes, max_pages);
        prop_assert!(looked_at <= directory_pages_for(buffer_bytes).min(5));
        if let Ok(grants) = result {
            prop_assert_eq!(grants.len() as u32, pages_for(buffer_bytes));
            prop_assert!(grants.len() as u32 <= max_pages);
            prop_assert!(grants.iter().all(|grant| *grant != 0));
        }
    }
}
