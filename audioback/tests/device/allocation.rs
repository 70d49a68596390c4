//! Nothing is allocated while streams live: not to open them, not while they run, not to close them.

use std::hint::black_box;

use crate::support::{Rig, open_config};
use allocation_counter::measure;
use audioback::rights::Policy;
use audiofront::FrontEvent;
use hyper::Nanos;

/// Polls the back end. Returns the allocations that it made, and the events that the front end then heard.
fn poll(rig: &mut Rig) -> (u64, Vec<FrontEvent>) {
    let made = measure(|| {
        rig.poll();
    });
    (made.count_total, std::iter::from_fn(|| rig.playback.poll()).collect())
}

#[test]
fn an_allocation_would_be_seen() {
    assert_eq!(measure(|| drop(black_box(Box::new(1)))).count_total, 1);
}

#[test]
fn a_stream_s_life_takes_no_memory() {
    let mut rig = Rig::new(Policy::default());
    rig.card.controls.borrow_mut().keeps_no_notes = true;
    let (mut answers, mut positions) = (0, 0);
    for _life in 0..3 {
        rig.playback.query(&sndif::hw_params::HwParams::ANY).unwrap();
        rig.playback.open(&open_config()).unwrap();
        let mut polls = 0;
        while polls < 400 {
            match polls {
                10 => rig.playback.start().map(drop).unwrap(),
                11..=379 => {
                    rig.now = Nanos(rig.now.0 + 1_000_000);
                    rig.card.controls.borrow_mut().position.bytes += 192;
                    rig.playback.fill(&[1; 192]);
                    rig.playback.hint().map(drop).unwrap();
                }
                380 => rig.playback.stop().map(drop).unwrap(),
                390 => rig.playback.close().map(drop).unwrap(),
                _ => {}
            }
            let (made, events) = poll(&mut rig);
            assert_eq!(made, 0, "poll {polls} allocates");
            for event in events {
                match event {
                    FrontEvent::Answered { status, .. } => {
                        assert!(status.is_ok(), "poll {polls}: {status:?}");
                        answers += 1;
                    }
                    FrontEvent::Position { .. } => positions += 1,
                    FrontEvent::Fault(fault) => panic!("poll {polls}: {fault:?}"),
                }
            }
            polls += 1;
        }
    }
    // Else the test would have measured a back end that does nothing.
    assert!(answers > 3 * 300 && positions > 3 * 30, "{answers} answers, {positions} positions");
    assert_eq!(rig.home.mapped_pages(), 4, "rings and event pages only");
    let closing = measure(|| rig.device.close(&mut rig.back, &mut rig.card));
    assert_eq!(closing.count_total, 0);
}
