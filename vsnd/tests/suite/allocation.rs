//! Serving allocates nothing: neither for devices that come and go, nor for settings, nor for
//! trouble.

use allocation_counter::measure;

use crate::support::*;

#[test]
fn a_device_s_life_takes_no_memory() {
    let mut rig = Rig::unstarted(duplex_unrecorded());
    rig.stored.keeps_requests = false;
    let mut polls = 0;
    let mut allocations = 0;
    let mut answers = 0;
    let mut run = |rig: &mut Rig, rounds: u32| {
        for _ in 0..rounds {
            let now = rig.now();
            // The test's own collector of log lines allocates.
            let before = logs::bytes_kept();
            let made = measure(|| {
                rig.due = rig.vsnd.poll(&now, false);
            });
            let is_logged = logs::bytes_kept() != before;
            polls += 1;
            if !is_logged {
                allocations += made.count_total;
            }
            rig.stored.run();
            answers += u32::from(rig.stored.has_sent());
            rig.poll_players();
            rig.model.advance_ns(MS);
            rig.model.refill_access_budget(100_000);
        }
    };
    run(&mut rig, 20);
    for life in 0..3 {
        rig.stored.set("snddom/guest/work/may-record", "1");
        rig.attach_nodes(3, 0, &DUPLEX);
        run(&mut rig, 60);
        rig.stored.set("/local/domain/3/name", "work");
        assert_eq!(rig.back_state(3, 0), Some("2"), "{life}");
        let mut fronts = rig.front_up(3, 0, &DUPLEX);
        run(&mut rig, 120);
        assert_eq!(rig.back_state(3, 0), Some("4"), "{life}");
        let player = rig.play(fronts.remove(0), &noise(20_000, 1));
        run(&mut rig, 200);
        rig.stored.set("snddom/may-record", "1");
        rig.stored.set("snddom/guest/3/may-record", "nonsense");
        rig.stored.set("snddom/port/output-0/mode", "auto");
        rig.stored.set("snddom/port/output-0/rate", "48000");
        rig.stored.set("snddom/port/output-0/peak", &life.to_string());
        rig.stored.set("snddom/port", "");
        run(&mut rig, 800);
        assert!(rig.player(player).is_over(), "{life}");
        let state = |node| rig.stored.value(&format!("snddom/state/port/output-0/{node}"));
        assert!(
            state("use").is_some() && state("peak").is_some_and(|line| line.contains(" mode=")),
            "{life}"
        );
        rig.stored.remove("snddom");
        rig.detach_nodes(3, 0);
        run(&mut rig, 200);
        assert!(!rig.stored.exists(&back_path(3, 0)), "{life}");
        rig.end_player(player);
        rig.stored.remove(&front_path(3, 0));
    }
    assert!(polls > 3_000 && answers > 150, "{polls} polls, {answers} answers: else nothing was measured");
    assert_eq!(allocations, 0);
}

#[test]
fn an_allocation_would_be_seen() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}
