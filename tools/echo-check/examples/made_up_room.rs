//! The echo test in a room that is made up: what the report looks like when a system tells the truth, and when it guesses.
#![forbid(unsafe_code)]

use echo_check::{Check, SyntheticRoom, signal};

fn main() -> anyhow::Result<()> {
    let starts = vec![0, 412, 96, 1_300, 733];
    let room = SyntheticRoom {
        taps: vec![(480, 0.5), (610, -0.2), (890, 0.1)],
        starts_frames: starts.clone(),
        ..SyntheticRoom::with_echo(0, 0.0)
    };
    // It never says that recording began earlier.
    let guessing =
        SyntheticRoom { lies_frames: starts.iter().map(|start| -(*start as f64)).collect(), ..room.clone() };
    let check = Check { restarts: 5, room_delay_frames: Some(480.0), ..Check::new(signal::Kind::Mls) };
    for mut room in [room, guessing] {
        println!("{}", check.run(&mut room, &mut |_, _| {})?);
    }
    Ok(())
}
