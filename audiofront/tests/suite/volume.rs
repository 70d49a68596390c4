//! Volume and mute: their values in the buffer, and the samples that lie there.

use crate::common::{Back, Front, connect, drain, home, s16_stereo};
use audiofront::{FrontEvent, RequestError, StreamConfig, StreamState, VolumeError};
use proptest::prelude::*;
use sndif::Direction;
use sndif::op::Operation;
use sndif::request::{Range, RequestBody};
use sndif::response::Status;

const SIZE: u32 = 16_384;

fn open(home: &crate::common::Home, direction: Direction) -> (Front<'_>, Back<'_>) {
    let (mut front, mut back) = connect(home, direction);
    front.open(&s16_stereo(SIZE)).unwrap();
    back.serve();
    drain(&mut front);
    (front, back)
}

fn range(body: &RequestBody) -> Range {
    match body {
        RequestBody::SetVolume(range)
        | RequestBody::GetVolume(range)
        | RequestBody::Mute(range)
        | RequestBody::Unmute(range) => *range,
        other => panic!("{other:?}"),
    }
}

/// What lies in a range of a playback stream's buffer.
fn bytes(back: &Back<'_>, range: Range) -> Vec<u8> {
    (0..range.length_bytes).map(|byte| back.dma_read(u64::from(range.offset_bytes + byte))).collect()
}

#[test]
fn values_lie_right_behind_the_position_and_go_with_the_answer() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback);
    front.fill(&[0x77; SIZE as usize]);
    // Each position, and where the values are then.
    for (position, offset) in
        [(0, 16_376), (4, 16_376), (8, 0), (10_000, 9_992), (16_386, 16_376), (20_003, 3_608)]
    {
        if position > 0 {
            back.post(position);
            drain(&mut front);
            front.fill(&[0x77; SIZE as usize]);
        }
        let id = front.set_volume(&[-1_000, i32::MIN]).unwrap();
        let request = back.take().unwrap();
        assert_eq!(request.body, RequestBody::SetVolume(Range { offset_bytes: offset, length_bytes: 8 }));
        let values = [(-1_000i32).to_le_bytes(), i32::MIN.to_le_bytes()].concat();
        assert_eq!(bytes(&back, range(&request.body)), values);
        assert_eq!(front.mute(&[true, false]), Err(VolumeError::UnderWay));
        back.answer(&request.answer(Status::OK));
        let answered = FrontEvent::Answered {
            id,
            operation: Operation::SetVolume,
            status: Status::OK,
            hw_params: None,
            started: None,
        };
        assert_eq!(drain(&mut front), [answered]);
        assert_eq!(bytes(&back, range(&request.body)), [0x77; 8], "the samples are back");
    }
}

#[test]
fn a_channel_has_an_byte_to_be_muted_by() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback);
    for (muted, lanes) in [([true, false], [1, 0]), ([false, true], [0, 1])] {
        front.mute(&muted).unwrap();
        let request = back.take().unwrap();
        assert_eq!(request.body, RequestBody::Mute(Range { offset_bytes: 16_380, length_bytes: 2 }));
        assert_eq!(bytes(&back, range(&request.body)), lanes);
        // Refused or not, the bytes come back.
        back.answer(&request.answer(Status::EOPNOTSUPP));
        drain(&mut front);
        assert_eq!(bytes(&back, range(&request.body)), [0, 0]);
        front.unmute(&muted).unwrap();
        let request = back.take().unwrap();
        assert_eq!(request.body, RequestBody::Unmute(Range { offset_bytes: 16_380, length_bytes: 2 }));
        back.answer(&request.answer(Status::OK));
        drain(&mut front);
    }
}

#[test]
fn the_volumes_are_what_a_good_answer_has_put_there() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Capture);
    let offset = u64::from(SIZE) - 8;
    (0..8).for_each(|byte| back.dma_write(offset + byte, 9));
    assert_eq!(front.volumes(), []);
    for (status, volumes) in [(Status::EFAULT, &[][..]), (Status::OK, &[-500, 0x0102_0304])] {
        front.volume().unwrap();
        let request = back.take().unwrap();
        assert_eq!(range(&request.body), Range { offset_bytes: 16_376, length_bytes: 8 });
        let values = [(-500i32).to_le_bytes(), 0x0102_0304i32.to_le_bytes()].concat();
        values.iter().zip(offset..).for_each(|(byte, at)| back.dma_write(at, *byte));
        back.answer(&request.answer(status));
        drain(&mut front);
        assert_eq!(front.volumes(), volumes);
    }
    // What was there before is there again.
    back.post(u64::from(SIZE));
    drain(&mut front);
    let mut samples = [0; SIZE as usize];
    assert_eq!(front.take(&mut samples), SIZE as usize);
    assert_eq!(samples[SIZE as usize - 8..], [9; 8]);
}

#[test]
fn what_is_lent_is_neither_filled_nor_taken_until_the_answer() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback);
    front.set_volume(&[0, 0]).unwrap();
    assert_eq!(front.fill(&[0x55; 20_000]), 16_376);
    let request = back.take().unwrap();
    assert_eq!(bytes(&back, range(&request.body)), [0; 8]);
    back.answer(&request.answer(Status::OK));
    drain(&mut front);
    assert_eq!(front.fill(&[0x55; 20_000]), 8);

    let home = crate::common::home();
    let (mut front, mut back) = open(&home, Direction::Capture);
    (0..1_000).for_each(|byte| back.dma_write(byte, 3));
    back.post(1_000);
    drain(&mut front);
    front.set_volume(&[0, 0]).unwrap();
    let mut samples = [0; 2_000];
    assert_eq!((front.take(&mut samples), samples[991]), (992, 3));
    let request = back.take().unwrap();
    back.answer(&request.answer(Status::OK));
    drain(&mut front);
    assert_eq!((front.take(&mut samples), samples[..8].to_vec()), (8, vec![3; 8]));
}

#[test]
fn what_the_position_has_gone_over_meanwhile_does_not_come_back() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback);
    front.fill(&[0x33; SIZE as usize]);
    front.set_volume(&[1, 1]).unwrap();
    let request = back.take().unwrap();
    // A whole lap without an answer: what lies there now is silence, and samples of the next lap.
    back.post(u64::from(SIZE));
    drain(&mut front);
    back.answer(&request.answer(Status::OK));
    drain(&mut front);
    assert_eq!(bytes(&back, range(&request.body)), [0; 8]);
}

#[test]
fn what_can_not_be_asked_is_refused_and_changes_nothing() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    let closed = VolumeError::Request(RequestError::WrongState(StreamState::Closed));
    assert_eq!(front.set_volume(&[0, 0]), Err(closed));
    assert_eq!(front.volume(), Err(closed));
    // Smaller than the values, and as small as they are.
    for (buffer_bytes, channels) in [(64, 16), (16, 2)] {
        front.open(&StreamConfig { buffer_bytes, channels, ..s16_stereo(64) }).unwrap();
        back.serve();
        assert!(front.mute(&vec![true; channels.into()]).is_ok());
        back.serve();
        front.close().unwrap();
        back.serve();
        drain(&mut front);
    }
    front.open(&StreamConfig { buffer_bytes: 34, channels: 17, ..s16_stereo(34) }).unwrap();
    assert_eq!(front.volume(), Err(VolumeError::Channels), "more than anybody has");
    front.close().unwrap();
    back.serve();
    drain(&mut front);

    front.open(&s16_stereo(SIZE)).unwrap();
    front.fill(&[0x11; SIZE as usize]);
    for volumes in [&[][..], &[0], &[0; 3], &[0; 100]] {
        assert_eq!(front.set_volume(volumes), Err(VolumeError::Channels));
    }
    assert_eq!(front.unmute(&[true]), Err(VolumeError::Channels));
    let mut sent = 1;
    while front.query(&sndif::hw_params::HwParams::ANY).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 32);
    assert_eq!(front.set_volume(&[5, 5]), Err(VolumeError::Request(RequestError::RingFull)));
    back.serve();
    drain(&mut front);
    assert!((0..u64::from(SIZE)).all(|byte| back.dma_read(byte) == 0x11));
    front.start().unwrap();
    front.stop().unwrap();
    assert_eq!(front.set_volume(&[5, 5]), Err(VolumeError::UnderWay), "STOP silences the buffer");
    back.serve();
    drain(&mut front);
    front.set_volume(&[5, 5]).unwrap();
    // CLOSE ends it, whatever comes then.
    let request = back.take().unwrap();
    front.close().unwrap();
    back.serve();
    back.answer(&request.answer(Status::OK));
    drain(&mut front);
    assert_eq!(front.state(), StreamState::Closed);
    assert_eq!(home.violation_count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever the position is, and however many channels there are: the values are aligned, in one piece, inside the buffer
    /// and behind the position; and not a byte of the samples is another one afterwards.
    #[test]
    fn no_sample_is_lost_by_it(
        channels in 1u8..=16,
        frames in 1u32..600,
        position in 0u64..3_000,
        is_mute in any::<bool>(),
    ) {
        let home = home();
        let (mut front, mut back) = connect(&home, Direction::Playback);
        let buffer_bytes = frames * u32::from(channels) * 2;
        front.open(&StreamConfig { buffer_bytes, channels, ..s16_stereo(buffer_bytes) }).unwrap();
        back.serve();
        drain(&mut front);
        back.post(position);
        drain(&mut front);
        front.fill(&vec![0x5a; buffer_bytes as usize]);
        let before: Vec<u8> = (0..buffer_bytes).map(|byte| back.dma_read(byte.into())).collect();
        let sent = match is_mute {
            true => front.mute(&vec![true; channels.into()]),
            false => front.set_volume(&vec![-1; channels.into()]),
        };
        match sent {
            Ok(_) => {
                let request = back.take().unwrap();
                let range = range(&request.body);
                prop_assert!(range.offset_bytes.is_multiple_of(4) && range.offset_bytes + range.length_bytes <= buffer_bytes);
                let expected = if is_mute { 1 } else { 0xff };
                prop_assert!(bytes(&back, range).iter().all(|byte| *byte == expected));
                back.answer(&request.answer(Status::OK));
                drain(&mut front);
            }
            Err(error) => {
                prop_assert_eq!(error, VolumeError::Channels);
                prop_assert!(buffer_bytes < 2 * 64 + 4, "{} bytes are enough", buffer_bytes);
            }
        }
        let after: Vec<u8> = (0..buffer_bytes).map(|byte| back.dma_read(byte.into())).collect();
        prop_assert_eq!(before, after);
    }
}
