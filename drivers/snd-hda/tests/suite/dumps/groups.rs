//! Function groups that aren't audio: modems. Whose they are isn't known, so nobody touches them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::collection;
use crate::common::*;
use snd_hda_model::dump::GroupKind;
use snd_hda_model::{Bench, Profile};

/// GET_PARAMETER of the function group's type: the one question that has to be asked.
const ASK_FOR_TYPE: u32 = 0xf_0005;

#[test]
fn function_groups_other_than_audio_are_left_alone() {
    let mut modems = 0;
    for specimen in collection() {
        let others: Vec<u8> = specimen
            .dump
            .groups
            .iter()
            .filter(|group| group.kind != GroupKind::Audio)
            .map(|group| group.node)
            .collect();
        if others.is_empty() {
            continue;
        }
        modems += 1;
        let asked: Rc<RefCell<BTreeSet<(u8, u32)>>> = Rc::default();
        let log = Rc::clone(&asked);
        let codec = specimen.dump.codec().tampered(move |verb, answer| {
            log.borrow_mut().insert(((verb >> 20 & 0x7f) as u8, verb & 0xf_ffff));
            answer
        });
        let model = Bench::new(Profile::hardware()).codec(0, codec).without_recording().build();
        let _ = bring_up(&model);
        let asked = asked.borrow();
        let of_others: Vec<(u8, u32)> =
            asked.iter().copied().filter(|(node, _)| others.contains(node)).collect();
        let expected: Vec<(u8, u32)> = others.iter().map(|node| (*node, ASK_FOR_TYPE)).collect();
        assert_eq!(of_others, expected, "{}", specimen.file);
    }
    assert!(modems >= 12, "{modems} dumps have a modem");
}
