//! A buffer's page directory, as a guest writes it.

use std::cell::RefCell;

use hyper::{GrantRef, PAGE_WORDS, SharedPage};
use sndif::page_directory::{
    DirectoryError, DirectoryWalk, REFS_PER_PAGE, directory_pages_for, pages_for, write_directory,
};

use crate::bytes::Bytes;

/// A page of the program's own.
struct Words(RefCell<[u32; PAGE_WORDS]>);

impl SharedPage for Words {
    fn load(&self, word: usize) -> u32 {
        self.0.borrow().get(word).copied().unwrap_or(0)
    }

    fn store(&self, word: usize, value: u32) {
        if let Some(place) = self.0.borrow_mut().get_mut(word) {
            *place = value;
        }
    }

    fn fence(&self) {}
}

/// A guest's directory: the walk takes no more than the buffer needs, and just what the pages list.
pub fn run(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let first = GrantRef(bytes.sized() as u32);
    let buffer_bytes = bytes.sized() as u32;
    let max_pages = bytes.sized() as u32 % 3_000;
    let needed = pages_for(buffer_bytes);
    let mut walk = match DirectoryWalk::new(first, buffer_bytes, max_pages) {
        Ok(walk) => walk,
        Err(error) => {
            let is_right = match error {
                DirectoryError::EmptyBuffer => buffer_bytes == 0,
                DirectoryError::TooManyPages { .. } => needed > max_pages,
                _ => first == GrantRef::NONE,
            };
            assert!(is_right, "{error:?}");
            return;
        }
    };
    let page = Words(RefCell::new([0; PAGE_WORDS]));
    let (mut found, mut pages, mut failed) = (Vec::new(), 0, false);
    let mut expected_next = first;
    while let Some(next) = walk.next() {
        assert_eq!(next, expected_next);
        pages += 1;
        assert!(pages <= directory_pages_for(buffer_bytes), "more pages than the buffer needs");
        let fill = bytes.sized() as u32;
        let mut words = [fill; PAGE_WORDS];
        for _ in 0..bytes.u8() % 8 {
            words[usize::from(bytes.u16()) % PAGE_WORDS] = bytes.sized() as u32;
        }
        page.0.replace(words);
        let before = found.len();
        let result = walk.take(&page, |grant| found.push(grant));
        let wanted = (needed as usize - before).min(REFS_PER_PAGE as usize);
        let listed = &words[1..=wanted];
        let valid = listed.iter().take_while(|word| **word != 0).count();
        assert!(found[before..].iter().map(|grant| grant.0).eq(listed[..valid].iter().copied()));
        let is_short = valid == wanted && found.len() < needed as usize && words[0] == 0;
        let expected = match valid < wanted {
            true => Err(DirectoryError::NoGrant { index: found.len() as u32 }),
            false if is_short => Err(DirectoryError::TooShort { missing: needed - found.len() as u32 }),
            false => Ok(()),
        };
        assert_eq!(result, expected);
        failed = result.is_err();
        expected_next = GrantRef(words[0]);
        assert!(!failed || walk.next().is_none(), "a walk goes on after an error");
    }
    if !failed {
        assert_eq!(found.len(), needed as usize);
        goes_back_and_forth(&found, buffer_bytes);
    }
}

/// What a front end writes of these references is what a back end reads.
fn goes_back_and_forth(grants: &[GrantRef], buffer_bytes: u32) {
    let pages: Vec<Words> =
        (0..directory_pages_for(buffer_bytes)).map(|_| Words(RefCell::new([7; PAGE_WORDS]))).collect();
    let named: Vec<(&Words, GrantRef)> = pages.iter().zip((1..).map(GrantRef)).collect();
    write_directory(&named, grants.iter().copied()).expect("room for all");
    let mut read = Vec::new();
    let mut walk = DirectoryWalk::new(GrantRef(1), buffer_bytes, u32::MAX).expect("a walk");
    while let Some(GrantRef(next)) = walk.next() {
        walk.take(&pages[next as usize - 1], |grant| read.push(grant)).expect("a whole page");
    }
    assert_eq!(read, grants);
}
