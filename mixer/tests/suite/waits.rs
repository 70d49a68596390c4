//! How long a request keeps everybody waiting, with healthy hardware and with each fault of the model's.
//!
//! A neighbour plays on the bus of another codec, and has announced enough frames. Times are the model's.

mod faults;
mod requests;
mod scene;

use audioback::card::Card;
use snd_hda_model::Faults;

use crate::support::rig::MILLISECOND;
use faults::{FAULTS, Fault, NO_FAULT};
use requests::{REQUESTS, Request};
use scene::Scene;

/// What the mixing ahead covers, whatever the turns were like before.
const COVERED_NS: u64 = 40 * MILLISECOND;

/// The longest wait with healthy hardware, and with any fault of one codec.
const HEALTHY_NS: u64 = 2 * MILLISECOND;
const FAULT_OF_CODEC_NS: u64 = 5 * MILLISECOND;

/// The wait for a request, and the frames that the neighbour has lost by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    ns: u64,
    lost_frames: u64,
}

fn measure(request: &Request, fault: &Fault) -> Wait {
    let mut scene = Scene::new(request.mode);
    (request.prepare)(&mut scene);
    scene.refill();
    assert_eq!(scene.lost_frames(), 0, "{}", request.name);
    scene.before_a_turn();
    scene.rig.model.edit_faults(fault.set);
    scene.rig.model.refill_access_budget(1_000_000);
    let ns = (request.wait_ns)(&mut scene);
    // Later waits are other requests'.
    scene.rig.model.edit_faults(|faults| *faults = Faults::default());
    let mut wait = Wait { ns, lost_frames: 0 };
    if !fault.is_neighbours && !request.ends_all {
        scene.pass(60 * MILLISECOND);
        wait.lost_frames = scene.lost_frames();
        let position = scene.rig.mixer.position(&mut scene.neighbour).expect("a position");
        let of = format!("{}, {}: {wait:?}, {position:?}", request.name, fault.name);
        assert_eq!(position.fifo_errors > 0, wait.lost_frames > 0, "{of}");
        assert!(wait.lost_frames == 0 || ns > COVERED_NS, "{of}");
        // Nothing is lost but in the part of the wait that isn't covered.
        assert!(wait.lost_frames * 1_000 / 48 <= (ns / 1_000).saturating_sub(38_000), "{of}");
    }
    // What becomes of rules on broken hardware isn't the matter here.
    drop(scene.rig.model.take_violations());
    wait
}

/// Milliseconds with one digit, rounded up.
fn milliseconds(us: u64) -> String {
    format!("{}.{}", us.div_ceil(100) / 10, us.div_ceil(100) % 10)
}

fn cell(wait: Wait) -> String {
    let wait_ms = milliseconds(wait.ns / 1_000);
    match wait.lost_frames {
        0 => wait_ms,
        lost => format!("{wait_ms} (**{}**)", milliseconds(lost * 1_000 / 48)),
    }
}

/// The rows of the table: each request with healthy hardware, and with the faults that make it longer by a millisecond.
fn table() -> String {
    let mut table = String::from("| request or turn | healthy, ms | with a fault, ms |\n|---|---|---|\n");
    for request in REQUESTS {
        let healthy = measure(request, &NO_FAULT);
        assert!(request.ends_all || healthy.ns <= HEALTHY_NS, "{}: {healthy:?}", request.name);
        let mut longer: Vec<(String, Vec<&str>)> = Vec::new();
        for fault in &FAULTS {
            let wait = measure(request, fault);
            let is_bounded = fault.is_codecs && !request.ends_all;
            assert!(
                !is_bounded || wait.ns <= FAULT_OF_CODEC_NS,
                "{}, {}: {wait:?}",
                request.name,
                fault.name
            );
            if wait.ns < healthy.ns + MILLISECOND {
                assert_eq!(wait.lost_frames, 0);
                continue;
            }
            let cell = cell(wait);
            match longer.iter_mut().find(|(other, _)| *other == cell) {
                Some((_, names)) => names.push(fault.name),
                None => longer.push((cell, vec![fault.name])),
            }
        }
        let longer: Vec<String> =
            longer.iter().map(|(cell, names)| format!("{}: {cell}", names.join(", "))).collect();
        table += &format!("| {} | {} | {} |\n", request.name, cell(healthy), longer.join("; "));
    }
    table
}

#[test]
fn the_page_has_the_longest_waits_and_a_covered_wait_costs_no_neighbour_a_frame() {
    let table = table();
    println!("{table}");
    let page = include_str!("../../../docs/mixing.md");
    assert!(page.contains(&table), "docs/mixing.md is stale. Its table of waits is now:\n{table}");
}
