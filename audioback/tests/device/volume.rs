//! Volume and mute: what a guest asks for reaches the card's amplifiers, and nothing else of what it says does.

use crate::support::card::{FakeCard, VOLUME};
use crate::support::raw::RawRig;
use crate::support::{Rig, only_answer, open_config};
use audioback::card::VolumeRange;
use audioback::rights::{Policy, PortSet};
use hyper::{DmaAccess, Nanos, SharedPage};
use proptest::prelude::*;
use sndif::op::Operation;
use sndif::request::{Range, Request, RequestBody};
use sndif::response::Status;
use sndif::state::XenbusState;

fn at(offset_bytes: u32, length_bytes: u32) -> Range {
    Range { offset_bytes, length_bytes }
}

/// Puts a volume into the buffer.
fn put(rig: &RawRig, offset: u32, mdb: i32) {
    let page = &rig.buffer_pages[offset as usize / 4_096];
    page.store(offset as usize % 4_096 / 4, mdb.cast_unsigned());
}

fn got(rig: &RawRig, offset: u32) -> i32 {
    rig.buffer_pages[offset as usize / 4_096].load(offset as usize % 4_096 / 4).cast_signed()
}

fn volumes(rig: &RawRig) -> [i32; 2] {
    rig.card.controls.borrow().volumes[0]
}

fn muted(rig: &RawRig) -> [bool; 2] {
    rig.card.controls.borrow().muted[0]
}

fn opened() -> RawRig {
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    rig
}

#[test]
fn each_channel_gets_the_nearest_step_and_the_answer_to_get_is_that_step() {
    let mut rig = opened();
    // The last two values lie in two pages.
    for offset in [0, 8, 4_088, 4_092, 65_528] {
        for (asked, got_there) in [
            ([0, -10_000], [0, -10_000]),
            ([-249, -251], [0, -500]),
            ([i32::MIN, i32::MAX], [-64_000, 6_000]),
            ([-64_001, 6_001], [-64_000, 6_000]),
        ] {
            put(&rig, offset, asked[0]);
            put(&rig, offset + 4, asked[1]);
            assert_eq!(rig.ask(RequestBody::SetVolume(at(offset, 8))), Status::OK, "{offset}");
            assert_eq!(volumes(&rig), got_there, "{offset} {asked:?}");
            assert_eq!([got(&rig, offset), got(&rig, offset + 4)], asked, "the guest's page is as it was");
            assert_eq!(rig.ask(RequestBody::GetVolume(at(offset, 8))), Status::OK);
            assert_eq!([got(&rig, offset), got(&rig, offset + 4)], got_there);
        }
    }
    assert_eq!(rig.home.violation_count(), 0);
    assert_eq!(rig.home.mapped_pages(), 2 + 16, "nothing more than the ring, the event page and the buffer");
}

#[test]
fn while_a_stream_plays_its_pages_stay_the_controllers_to_read_only() {
    let mut rig = opened();
    assert_eq!(rig.ask(RequestBody::Trigger(sndif::op::Trigger::Start)), Status::OK);
    assert_eq!(rig.ask(RequestBody::GetVolume(at(4_092, 8))), Status::OK);
    let pages = rig.card.controls.borrow().pages.clone();
    rig.home.with_memory(|memory| {
        assert!(pages.iter().all(|page| memory.dma_allowed(*page) == Some(DmaAccess::Read)));
    });
}

#[test]
fn channels_are_muted_and_unmuted_by_their_bytes() {
    let mut rig = opened();
    // Bytes may lie anywhere, in two pages too.
    for (offset, bytes, is_muted) in [
        (0, [1, 0], [true, false]),
        (5, [0, 255], [true, true]),
        (4_095, [0, 0], [true, true]),
        (65_534, [1, 1], [true, true]),
    ] {
        for (byte, at) in bytes.into_iter().zip(offset as usize..) {
            let (page, word) = (&rig.buffer_pages[at / 4_096], at % 4_096 / 4);
            let mut lanes = page.load(word).to_le_bytes();
            lanes[at % 4] = byte;
            page.store(word, u32::from_le_bytes(lanes));
        }
        assert_eq!(rig.ask(RequestBody::Mute(at(offset, 2))), Status::OK);
        assert_eq!(muted(&rig), is_muted, "{offset}");
    }
    // The bytes of the second round, in which the first channel isn't meant.
    assert_eq!(rig.ask(RequestBody::Unmute(at(5, 2))), Status::OK);
    assert_eq!(muted(&rig), [true, false]);
    assert_eq!(rig.ask(RequestBody::Unmute(at(65_534, 2))), Status::OK);
    assert_eq!(muted(&rig), [false, false]);
}

#[test]
fn a_range_that_is_not_one_value_for_each_channel_inside_the_buffer_is_refused() {
    let mut rig = RawRig::new();
    let volume = |range| [RequestBody::SetVolume(range), RequestBody::GetVolume(range)];
    let mute = |range| [RequestBody::Mute(range), RequestBody::Unmute(range)];
    for body in volume(at(0, 8)).into_iter().chain(mute(at(0, 2))) {
        assert_eq!(rig.ask(body), Status::EINVAL, "{body:?}: nothing is open");
    }
    assert_eq!(rig.open(), Status::OK);
    rig.buffer_pages.iter().for_each(|page| (0..1_024).for_each(|word| page.store(word, 0x5a5a_5a5a)));
    for (offset, length) in [
        (0, 0),
        (0, 4),
        (0, 7),
        (0, 9),
        (0, 12),
        (0, 65_536),
        (1, 8),
        (2, 8),
        (4_091, 8),
        (65_532, 8),
        (65_536, 8),
        (0xffff_fff8, 8),
        (0xffff_fffc, 8),
        (8, 0xffff_fffc),
        (8, u32::MAX),
    ] {
        for body in volume(at(offset, length)) {
            assert_eq!(rig.ask(body), Status::EINVAL, "{body:?}");
        }
    }
    for (offset, length) in
        [(0, 0), (0, 1), (0, 3), (0, 8), (65_535, 2), (65_536, 2), (u32::MAX, 2), (1, u32::MAX)]
    {
        for body in mute(at(offset, length)) {
            assert_eq!(rig.ask(body), Status::EINVAL, "{body:?}");
        }
    }
    assert_eq!((volumes(&rig), muted(&rig)), ([0, 0], [false, false]));
    let is_untouched = |page: &crate::support::Page| (0..1_024).all(|word| page.load(word) == 0x5a5a_5a5a);
    assert!(rig.buffer_pages.iter().all(is_untouched));
    assert_eq!(rig.ask(RequestBody::Close), Status::OK);
    assert_eq!(rig.ask(RequestBody::GetVolume(at(0, 8))), Status::EINVAL, "nothing is open any more");
}

#[test]
fn a_page_that_is_granted_for_reading_only_is_good_for_all_but_get() {
    for is_writable in [false, true] {
        let mut rig = Rig::new(Policy::default());
        if is_writable {
            rig.playback.let_volume_be_told();
        }
        rig.open_playback();
        rig.start_playback();
        rig.playback.set_volume(&[-3_000, -3_240]).unwrap();
        assert_eq!(rig.status(Operation::SetVolume), Status::OK);
        assert_eq!(rig.card.controls.borrow().volumes[0], [-3_000, -3_000]);
        rig.playback.mute(&[false, true]).unwrap();
        assert_eq!(rig.status(Operation::Mute), Status::OK);
        assert_eq!(rig.card.controls.borrow().muted[0], [false, true]);
        rig.playback.volume().unwrap();
        let (status, volumes) =
            if is_writable { (Status::OK, &[-3_000, -3_000][..]) } else { (Status::EFAULT, &[][..]) };
        assert_eq!(rig.status(Operation::GetVolume), status);
        assert_eq!(rig.playback.volumes(), volumes);
        // The hypervisor refuses it, as Xen does.
        assert_eq!(rig.home.violation_count(), u32::from(!is_writable));
    }
}

#[test]
fn a_recording_has_a_volume_too() {
    let mut rig = Rig::new(Policy { may_record: PortSet::ALL, ..Policy::default() });
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::OK);
    rig.capture.set_volume(&[1_000, 2_000]).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::SetVolume), Status::OK);
    rig.capture.volume().unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::GetVolume), Status::OK);
    assert_eq!(rig.capture.volumes(), [1_000, 2_000]);
    assert_eq!(rig.card.controls.borrow().volumes, [[0, 0], [1_000, 2_000]]);
}

#[test]
fn what_the_path_has_no_amplifier_for_is_not_supported() {
    let only_mute = VolumeRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute: true };
    let no_mute = VolumeRange { can_mute: false, ..VOLUME };
    for (can, volume, mute) in [
        (None, Status::EOPNOTSUPP, Status::EOPNOTSUPP),
        (Some(only_mute), Status::EOPNOTSUPP, Status::OK),
        (Some(no_mute), Status::OK, Status::EOPNOTSUPP),
    ] {
        let mut rig = RawRig::with_card(FakeCard::with_volume(can));
        assert_eq!(rig.open(), Status::OK);
        assert_eq!(rig.device.stream(0).unwrap().volume_range(), can);
        assert_eq!(rig.ask(RequestBody::SetVolume(at(0, 8))), volume, "{can:?}");
        assert_eq!(rig.ask(RequestBody::GetVolume(at(0, 8))), volume, "{can:?}");
        assert_eq!(rig.ask(RequestBody::Mute(at(0, 2))), mute, "{can:?}");
        assert_eq!(rig.ask(RequestBody::Unmute(at(0, 2))), mute, "{can:?}");
    }
}

#[test]
fn amplifiers_that_fail_are_an_error_of_the_hardware_and_the_stream_plays_on() {
    let mut rig = opened();
    rig.card.controls.borrow_mut().volume_fails_on = Some(1);
    put(&rig, 0, -1_000);
    put(&rig, 4, -1_000);
    assert_eq!(rig.ask(RequestBody::SetVolume(at(0, 8))), Status::EIO);
    assert_eq!(volumes(&rig), [-1_000, 0], "the first channel was done");
    assert_eq!(rig.ask(RequestBody::Trigger(sndif::op::Trigger::Start)), Status::OK);
}

#[test]
fn volume_requests_wait_their_turn() {
    let mut rig = opened();
    for id in 0..4u16 {
        rig.ring.push(&Request { id, body: RequestBody::GetVolume(at(0, 8)) }.emit()).unwrap();
    }
    let _ = rig.ring.publish();
    for _ in 0..4 {
        assert_eq!(rig.poll(), Some(Nanos(0)), "it wants to go on at once, after the others");
        assert!(rig.ring.take().unwrap().is_some());
        assert!(rig.ring.take().unwrap().is_none(), "one at a time");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Whatever lies in the buffer and wherever the request points: the card is asked for nothing that it can't do (the fake
    /// one panics), only a good range is served, GET writes its own range alone, and all pages come back.
    #[test]
    fn no_volume_request_does_more_than_it_may(
        requests in prop::collection::vec(
            (
                0u8..4,
                prop_oneof![8 => 0u32..65_540, 1 => any::<u32>()],
                prop_oneof![4 => Just(8u32), 4 => Just(2u32), 1 => 0u32..20, 1 => any::<u32>()],
                any::<[i32; 2]>(),
            ),
            1..40,
        ),
    ) {
        let mut rig = opened();
        for (operation, offset, length, values) in requests {
            let range = at(offset, length);
            let inside = u64::from(offset) + u64::from(length) <= 65_536;
            let is_good = match operation {
                0 | 1 => inside && length == 8 && offset % 4 == 0,
                _ => inside && length == 2,
            };
            if inside && length == 8 && offset % 4 == 0 {
                put(&rig, offset, values[0]);
                put(&rig, offset + 4, values[1]);
            }
            let before: Vec<u32> =
                rig.buffer_pages.iter().flat_map(|page| (0..1_024).map(|word| page.load(word))).collect();
            let body = [
                RequestBody::SetVolume, RequestBody::GetVolume, RequestBody::Mute, RequestBody::Unmute,
            ][usize::from(operation)](range);
            prop_assert_eq!(rig.ask(body), if is_good { Status::OK } else { Status::EINVAL });
            let after = rig.buffer_pages.iter().flat_map(|page| (0..1_024).map(|word| page.load(word)));
            let may_differ = if is_good && operation == 1 { offset as usize / 4..offset as usize / 4 + 2 } else { 0..0 };
            for (word, (before, after)) in before.iter().zip(after).enumerate() {
                prop_assert!(*before == after || may_differ.contains(&word), "word {}", word);
            }
        }
        rig.device.close(&mut rig.back, &mut rig.card);
        prop_assert_eq!(rig.device.state(), XenbusState::Closed);
        prop_assert_eq!((rig.home.mapped_pages(), rig.home.violation_count()), (0, 0));
    }
}
