//! Echo return loss enhancement (ITU-T G.168): a canceller's removal of echo in dB, over time.
//!
//! All takes go through one canceller, as in a program that keeps its filter when streams restart.
//! The far end is the played signal, shifted by the latest published offset. A wrong or jumping
//! offset costs the same as in a program: the filter learns the response anew, or the echo lies
//! outside its model.
//!
//! There are two numbers. The linear filter's ERLE shows how well far end and echo align. After
//! it, AEC3 mutes the filter's residue. If the near end is silent, that number looks good even if
//! the filter found nothing, and a call would be half duplex. So verdicts use the linear number.

use crate::canceller::{Alignment, BLOCK_FRAMES, Canceller, Energy};
use crate::{RATE_HZ, Take};

/// Interval of the ERLE points: 100 ms of echo.
const WINDOW_BLOCKS: usize = 10;

/// Lead of the far end over the published offset: 2 ms.
/// A slightly wrong offset then doesn't cut off the start of the response.
const LEAD_FRAMES: f64 = 96.0;

/// Least energy of a block with echo: -60 dB of full scale, over the samples of a band.
const ECHO_ENERGY: f64 = 32.0 * 32.0 * 160.0;

/// The linear ERLE of a converged canceller, good enough for calls.
pub const GOOD_DB: f64 = 20.0;

/// A canceller's ERLE over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// One point for each 100 ms of echo.
    pub points: Vec<Point>,
}

/// The ERLE over 100 ms of echo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// End of the point in seconds of echo. Silence around the signal doesn't count.
    pub at_s: f64,
    /// The linear filter's ERLE, in dB.
    pub linear_db: f64,
    /// The whole canceller's, in dB.
    pub total_db: f64,
}

impl Trace {
    /// The final linear ERLE: the median of the last third, in dB. `None` without echo.
    #[must_use]
    pub fn converged_db(&self) -> Option<f64> {
        self.median_of_last_third(|point| point.linear_db)
    }

    /// The final ERLE of the whole canceller, in dB.
    #[must_use]
    pub fn converged_total_db(&self) -> Option<f64> {
        self.median_of_last_third(|point| point.total_db)
    }

    /// The lowest linear ERLE in the last two thirds, in dB: the worst cost of a restart.
    #[must_use]
    pub fn worst_after_convergence_db(&self) -> Option<f64> {
        let later = self.points.get(self.points.len() / 3..)?;
        later.iter().map(|point| point.linear_db).min_by(f64::total_cmp)
    }

    /// Seconds of echo until the linear ERLE was at least `db` for 300 ms.
    #[must_use]
    pub fn seconds_to(&self, db: f64) -> Option<f64> {
        let reached = |window: &[Point]| window.iter().all(|point| point.linear_db >= db);
        self.points
            .windows(3)
            .find(|window| reached(window))
            .and_then(|window| window.first())
            .map(|point| point.at_s)
    }

    fn median_of_last_third(&self, value: impl Fn(&Point) -> f64) -> Option<f64> {
        let last = self.points.get(self.points.len() - self.points.len().div_ceil(3)..)?;
        let mut values: Vec<f64> = last.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// The offset for a canceller, frame by frame of a take.
pub(crate) type OffsetAt<'a> = &'a dyn Fn(&Take, u64) -> f64;

/// Runs takes through one canceller, each with its far end: the played signal or the monitor's
/// recording.
///
/// The far end is shifted to its time at the link, `offset` frames into the recording.
pub(crate) fn trace(takes: &[(&[i16], &Take)], alignment: Alignment, offset: OffsetAt<'_>) -> Trace {
    let mut canceller = Canceller::new(alignment);
    let mut trace = Trace::default();
    let (mut window, mut window_blocks, mut blocks) = (Energy::default(), 0, 0_u32);
    for (far_end, take) in takes {
        for (block, near_frames) in take.captured.as_chunks::<BLOCK_FRAMES>().0.iter().enumerate() {
            let from = block * BLOCK_FRAMES;
            let near = near_frames.map(|[left, _]| f32::from(left));
            let shift = (offset(take, from as u64) - LEAD_FRAMES).round() as i64;
            let far = std::array::from_fn(|frame| {
                let index = usize::try_from((from + frame) as i64 - shift).ok();
                index.and_then(|index| far_end.get(index)).map_or(0.0, |sample| f32::from(*sample))
            });
            let energy = canceller.process(&far, &near);
            if energy.near < ECHO_ENERGY {
                continue;
            }
            window.near += energy.near;
            window.linear += energy.linear;
            window.output += energy.output;
            window_blocks += 1;
            blocks += 1;
            if window_blocks == WINDOW_BLOCKS {
                trace.points.push(Point {
                    at_s: f64::from(blocks) * BLOCK_FRAMES as f64 / f64::from(RATE_HZ),
                    linear_db: decibels(window.near, window.linear),
                    total_db: decibels(window.near, window.output),
                });
                (window, window_blocks) = (Energy::default(), 0);
            }
        }
    }
    trace
}

/// At most 90 dB, more than 16 bits hold. A perfect zero has no logarithm.
fn decibels(before: f64, after: f64) -> f64 {
    (10.0 * (before / after.max(f64::MIN_POSITIVE)).log10()).min(90.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{frames, mls};
    use crate::{DuplexRun, SyntheticRoom};

    const ACOUSTIC_FRAMES: f64 = 480.0;

    /// The canceller's trace for a 0.7 s sequence, played six times in a room with reflections.
    fn traced(room: &mut SyntheticRoom, alignment: Alignment) -> Trace {
        let play = frames(&mls(15).expect("known"), 4_800, 12_000);
        let mono: Vec<i16> = play.iter().map(|[left, _]| *left).collect();
        let takes: Vec<Take> = (0..6).map(|_| room.run(&play).expect("runs")).collect();
        let takes: Vec<(&[i16], &Take)> = takes.iter().map(|take| (mono.as_slice(), take)).collect();
        trace(&takes, alignment, &|take, frame| take.offset_at(frame) + ACOUSTIC_FRAMES)
    }

    fn room() -> SyntheticRoom {
        let delay = ACOUSTIC_FRAMES as usize;
        SyntheticRoom {
            taps: vec![(delay, 0.5), (delay + 130, -0.2), (delay + 410, 0.1)],
            ..SyntheticRoom::with_echo(0, 0.0)
        }
    }

    #[test]
    fn the_right_offset_makes_it_converge_and_stay() {
        let trace = traced(&mut room(), Alignment::Told);
        let converged = trace.converged_db().expect("echo");
        assert!(converged > GOOD_DB, "{converged} {:?}", trace.points);
        assert!(trace.seconds_to(GOOD_DB).expect("reached") < 2.0);
        assert!(trace.worst_after_convergence_db().expect("echo") > 10.0, "{:?}", trace.points);
    }

    #[test]
    fn restarts_that_are_told_right_cost_nothing_and_wrong_ones_do() {
        let starts = vec![0, 300, 90, 700, 20, 430];
        let told = traced(&mut SyntheticRoom { starts_frames: starts.clone(), ..room() }, Alignment::Told);
        let lies: Vec<f64> = starts.iter().map(|start| -(*start as f64)).collect();
        let wrong = SyntheticRoom { starts_frames: starts, lies_frames: lies, ..room() };
        let guessed = traced(&mut wrong.clone(), Alignment::Told);
        let (told, guessed) = (told.converged_db().expect("echo"), guessed.converged_db().expect("echo"));
        assert!(told > GOOD_DB && told > guessed + 6.0, "told {told} dB, guessed {guessed} dB");
    }

    #[test]
    fn an_offset_outside_of_what_is_modelled_cancels_nothing() {
        // Too late: the echo precedes the far end.
        let late = traced(&mut SyntheticRoom { lies_frames: vec![960.0], ..room() }, Alignment::Told);
        assert!(late.converged_db().expect("echo") < 6.0);
        // Too early by more than the filter's 52 ms.
        let early = traced(&mut SyntheticRoom { lies_frames: vec![-4_800.0], ..room() }, Alignment::Told);
        assert!(early.converged_db().expect("echo") < 6.0);
    }

    #[test]
    fn jumps_in_mid_stream_cost() {
        let jumps = traced(&mut SyntheticRoom { jump_frames: 480.0, ..room() }, Alignment::Told);
        let steady = traced(&mut room(), Alignment::Told);
        let (jumps, steady) = (jumps.converged_db().expect("echo"), steady.converged_db().expect("echo"));
        assert!(steady > jumps + 6.0, "steady {steady} dB, with jumps {jumps} dB");
    }

    #[test]
    fn silence_has_no_erle() {
        let trace = trace(&[], Alignment::Told, &|_, _| 0.0);
        assert_eq!((trace.converged_db(), trace.seconds_to(1.0)), (None, None));
        assert_eq!(trace.worst_after_convergence_db(), None);
    }
}
