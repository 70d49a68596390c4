//! Volume and mute, from the guest's request to the model's amplifiers.

use audiofront::{FrontEvent, StreamConfig};
use snd_hda_model::codec::{Amplifier, Widget};
use snd_hda_model::{Bench, Codec, Model, Profile};
use sndif::Direction;
use sndif::format::SampleFormat;
use sndif::nodes::VolumeRange;
use sndif::op::Operation;
use sndif::response::Status;

use crate::support::*;

/// The range of the model's usual amplifier.
const TYPICAL: VolumeRange = VolumeRange { min_mdb: -74_000, max_mdb: 0, step_mdb: 1_000, can_mute: true };

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

/// The stream's volume at the left and right output, in quarters of a decibel.
fn heard(model: &Model) -> (Option<i32>, Option<i32>) {
    match model.audible(0)[..] {
        [] => (None, None),
        [heard] => (heard.left_quarter_db, heard.right_quarter_db),
        ref more => panic!("{more:?}"),
    }
}

#[test]
fn a_guest_s_volume_and_mute_are_heard_and_no_sample_is_touched() {
    let mut rig = Rig::new();
    let mut front = rig.guest(3).remove(0);
    front.let_volume_be_told();
    let samples = noise(16_384 * 3, 1);
    for _ in 0..2 {
        let heard_before = rig.model.played(0, 2).samples().len() / 2;
        front.open(&CONFIG).unwrap();
        assert_eq!(answer(&mut rig, &mut front, Operation::Open), Status::OK);
        assert_eq!(heard(&rig.model), (Some(0), Some(0)), "each stream begins at 0 dB");
        let mut next = front.fill(&samples);
        front.hint().unwrap();
        front.start().unwrap();
        let mut round = 0;
        while next < samples.len() {
            rig.advance(5 * MS);
            while front.poll().is_some() {}
            next += front.fill(&samples[next..]);
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
        assert_heard(&rig.model, 0, heard_before, &samples);
        front.close().unwrap();
        assert_eq!(answer(&mut rig, &mut front, Operation::Close), Status::OK);
        assert_eq!(heard(&rig.model), (None, None));
    }
    rig.assert_rules_were_kept();
}

/// The node that says what a stream's volume can be.
fn range(rig: &Rig, guest: u16, stream: &str) -> Option<VolumeRange> {
    let value = rig.stored.value(&format!("{}/{stream}/volume-range", back_path(guest, 0)))?;
    Some(VolumeRange::from_node(value).expect(value))
}

#[test]
fn a_recording_is_as_loud_as_its_guest_wants_it() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/may-record", "1");
    let mut front = rig.guest(3).remove(1);
    assert_eq!(range(&rig, 3, "0/1"), Some(TYPICAL));
    front.open(&CONFIG).unwrap();
    assert_eq!(answer(&mut rig, &mut front, Operation::Open), Status::OK);
    let recorded =
        |rig: &Rig| rig.model.recorded(0).iter().map(|heard| heard.gain_quarter_db).collect::<Vec<_>>();
    assert_eq!(recorded(&rig), [0]);
    front.set_volume(&[-10_000, i32::MIN]).unwrap();
    assert_eq!(answer(&mut rig, &mut front, Operation::SetVolume), Status::OK);
    assert_eq!(recorded(&rig), [-74 * 4], "the side that is softer");
    front.volume().unwrap();
    assert_eq!(answer(&mut rig, &mut front, Operation::GetVolume), Status::OK);
    assert_eq!(front.volumes(), [-10_000, -74_000]);
    front.mute(&[true, true]).unwrap();
    assert_eq!(answer(&mut rig, &mut front, Operation::Mute), Status::OK);
    assert_eq!(recorded(&rig), []);
    rig.assert_rules_were_kept();
}

#[test]
fn volume_and_mute_without_an_amplifier_are_unsupported_and_the_node_says_so() {
    let codec = |widget: fn(Widget) -> Widget| {
        let dac = widget(Widget::dac());
        Codec::builder(0x1234_0009).widget(2, dac).widget(3, Widget::line_out(&[2])).build()
    };
    let only_mute = VolumeRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute: true };
    for (codec, can, volume, mute) in [
        (codec(|dac| dac), None, Status::EOPNOTSUPP, Status::EOPNOTSUPP),
        (
            codec(|dac| dac.amp_out(Amplifier::MUTE_ONLY).muted_at_reset()),
            Some(only_mute),
            Status::EOPNOTSUPP,
            Status::OK,
        ),
        (
            codec(|dac| dac.amp_out(Amplifier { mute: false, ..Amplifier::TYPICAL })),
            Some(VolumeRange { can_mute: false, ..TYPICAL }),
            Status::OK,
            Status::EOPNOTSUPP,
        ),
    ] {
        let mut rig = Rig::with(Bench::new(Profile::hardware()).codec(0, codec).build());
        let streams = [(0, 0, Direction::Playback, "pcm0")];
        let mut front = rig.guest_with(3, &streams).remove(0);
        assert_eq!(range(&rig, 3, "0/0"), can);
        front.open(&CONFIG).unwrap();
        assert_eq!(answer(&mut rig, &mut front, Operation::Open), Status::OK);
        front.set_volume(&[-1_000, -2_000]).unwrap();
        assert_eq!(answer(&mut rig, &mut front, Operation::SetVolume), volume, "{can:?}");
        front.mute(&[false, true]).unwrap();
        assert_eq!(answer(&mut rig, &mut front, Operation::Mute), mute, "{can:?}");
        let left = if volume.is_ok() { -4 } else { 0 };
        let right = if volume.is_ok() { -8 } else { 0 };
        assert_eq!(heard(&rig.model), (Some(left), (!mute.is_ok()).then_some(right)));
        rig.detach(3, 0);
        rig.until_removed(3);
        rig.assert_nothing_is_left();
    }
}
