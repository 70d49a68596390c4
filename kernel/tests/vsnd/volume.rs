//! Volume and mute, from the guest's request to what the model's amplifiers let through.

use audiofront::{FrontEvent, StreamConfig};
use snd_hda_model::{Bench, Codec, Model, Profile};
use sndif::format::SampleFormat;
use sndif::op::Operation;
use sndif::response::Status;

use crate::support::*;

const CONFIG: StreamConfig = StreamConfig {
    rate_hz: 48_000,
    format: SampleFormat::S16Le,
    channels: 2,
    buffer_bytes: 65_536,
    period_bytes: 1_920,
};

/// Polls until the answer has come, and returns its status.
fn answer(rig: &mut Rig, front: &mut Front, asked: Operation) -> Status {
    for _ in 0..100 {
        rig.settle();
        for event in std::iter::from_fn(|| front.poll()) {
            match event {
                FrontEvent::Answered { operation, status, .. } if operation == asked => return status,
                FrontEvent::Fault(fault) => panic!("{fault:?}"),
                _ => {}
            }
        }
        rig.advance(MS);
    }
    panic!("no answer to {asked:?}");
}

/// What of the stream is heard left and right, in quarters of a decibel.
fn heard(model: &Model) -> (Option<i32>, Option<i32>) {
    match model.audible(0)[..] {
        [] => (None, None),
        [heard] => (heard.left_quarter_db, heard.right_quarter_db),
        ref more => panic!("{more:?}"),
    }
}

#[test]
fn a_guests_volume_and_mute_are_what_is_heard_and_no_sample_is_touched() {
    let mut rig = Rig::new();
    let mut front = rig.guest(3).remove(0);
    front.let_volume_be_told();
    let octets = noise(16_384 * 3, 1);
    for _ in 0..2 {
        let heard_before = rig.model.played(0, 2).samples().len() / 2;
        front.open(&CONFIG).unwrap();
        assert_eq!(answer(&mut rig, &mut front, Operation::Open), Status::OK);
        assert_eq!(heard(&rig.model), (Some(0), Some(0)), "each stream begins at 0 dB");
        let mut next = front.fill(&octets);
        front.hint().unwrap();
        front.start().unwrap();
        let mut round = 0;
        while next < octets.len() {
            rig.advance(5 * MS);
            while front.poll().is_some() {}
            next += front.fill(&octets[next..]);
            let _ = front.hint();
            round += 1;
            let quiet = -250 * (round % 40);
            front.set_volume(&[quiet, -1_000]).unwrap();
            assert_eq!(answer(&mut rig, &mut front, Operation::SetVolume), Status::OK);
            front.volume().unwrap();
            assert_eq!(answer(&mut rig, &mut front, Operation::GetVolume), Status::OK);
            let steps: Vec<i32> = front.volumes().iter().map(|mdb| mdb / 250).collect();
            assert_eq!(heard(&rig.model), (Some(steps[0]), Some(steps[1])));
            assert!((front.volumes()[0] - quiet).abs() <= 1_000, "{quiet}: {:?}", front.volumes());
            front.mute(&[round % 3 == 0, false]).unwrap();
            assert_eq!(answer(&mut rig, &mut front, Operation::Mute), Status::OK);
            assert_eq!(heard(&rig.model), ((round % 3 != 0).then_some(steps[0]), Some(steps[1])));
            front.unmute(&[true, true]).unwrap();
            assert_eq!(answer(&mut rig, &mut front, Operation::Unmute), Status::OK);
            assert_eq!(heard(&rig.model), (Some(steps[0]), Some(steps[1])));
        }
        assert!(round > 20, "{round}");
        rig.advance(400 * MS);
        while front.poll().is_some() {}
        assert_heard(&rig.model, 0, heard_before, &octets);
        front.close().unwrap();
        assert_eq!(answer(&mut rig, &mut front, Operation::Close), Status::OK);
        assert_eq!(heard(&rig.model), (None, None));
    }
    rig.assert_rules_were_kept();
}
