//! The test: restart, play, record and correlate, then run the canceller.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::canceller::Alignment;
use crate::report::{Bounds, Erle, MonitorReport, MonitorRestart, Report, Restart};
use crate::{DuplexRun, RATE_HZ, Take, correlate, erle, signal};

/// Silence before the signal: 250 ms.
/// Earlier sound dies away in it, and clocks settle.
const LEAD_FRAMES: usize = RATE_HZ as usize / 4;

/// Silence after the signal: 500 ms.
/// It lets the room's answer arrive, and flushes buffers.
const TAIL_FRAMES: usize = RATE_HZ as usize / 2;

/// Most takes for the canceller, the slow part of the test. It converges within this many.
const MOST_ERLE_TAKES: usize = 12;

/// The longest delay from the start of playing to the start of recording: 200 ms.
const LATEST_START_FRAMES: usize = RATE_HZ as usize / 5;

/// Most restarts in a check.
const MOST_RESTARTS: u32 = 10_000;

/// The parameters of a check.
#[derive(Clone, Debug)]
pub struct Check {
    /// Number of restarts of the streams, at least one.
    pub restarts: u32,
    /// The signal that is played each time.
    pub signal: signal::Kind,
    /// The order of the maximum-length sequence.
    pub mls_order: u32,
    /// Recordings that play as speech, one after the other.
    pub speech: Vec<PathBuf>,
    /// The room's delay in frames, if known. The default is the first take's difference.
    pub room_delay_frames: Option<f64>,
    /// The limits for a pass.
    pub bounds: Bounds,
}

impl Check {
    /// A check of ten restarts with the usual bounds, in an unknown room.
    #[must_use]
    pub fn new(signal: signal::Kind) -> Check {
        Check {
            restarts: 10,
            signal,
            mls_order: signal::MLS_ORDER,
            speech: Vec::new(),
            room_delay_frames: None,
            bounds: Bounds::default(),
        }
    }

    /// Runs the check. `progress` gets the numbers of finished restarts and of all restarts.
    ///
    /// # Errors
    /// Bad input, streams that don't run, or a signal that doesn't come back. A measurement beyond
    /// its bound is no error: the report states it.
    pub fn run(&self, streams: &mut dyn DuplexRun, progress: &mut dyn FnMut(u32, u32)) -> Result<Report> {
        ensure!(
            (1..=MOST_RESTARTS).contains(&self.restarts),
            "{} restarts: 1 to {MOST_RESTARTS} are possible",
            self.restarts
        );
        let samples = self.samples()?;
        let play = signal::frames(&samples, LEAD_FRAMES, TAIL_FRAMES);
        let mut restarts = Vec::new();
        let mut by_monitor = Vec::new();
        let mut takes = Vec::new();
        for restart in 0..self.restarts {
            progress(restart, self.restarts);
            let context = || format!("restart {} of {}", restart + 1, self.restarts);
            let take = streams.run(&play).with_context(context)?;
            let of_take = judge(&samples, &take).with_context(context)?;
            by_monitor.extend(judge_monitor(&samples, &take, &of_take).with_context(context)?);
            restarts.push(of_take);
            if takes.len() < MOST_ERLE_TAKES {
                takes.push(take);
            }
        }
        progress(self.restarts, self.restarts);
        let erle = self.erle(&mono(&play), &restarts, &takes);
        let monitor = (!by_monitor.is_empty()).then(|| self.monitor(by_monitor, &takes));
        Ok(Report {
            source: streams.source().to_owned(),
            signal: self.signal.name().to_owned(),
            signal_seconds: samples.len() as f64 / f64::from(RATE_HZ),
            room_delay_frames: self.room_delay_frames,
            restarts,
            erle,
            monitor,
            bounds: self.bounds,
        })
    }

    fn samples(&self) -> Result<Vec<i16>> {
        match self.signal {
            signal::Kind::Mls => signal::mls(self.mls_order),
            signal::Kind::Speech => {
                ensure!(!self.speech.is_empty(), "no recording of speech is given");
                let recordings: Result<Vec<_>> =
                    self.speech.iter().map(|path| signal::speech(path)).collect();
                Ok(recordings?.concat())
            }
        }
    }

    /// Runs the canceller with the published offset, its mean, the correlated one, and its own
    /// search.
    ///
    /// The way through the air belongs to the room: the first take sets it for all takes. The
    /// system has to publish everything that changes between restarts.
    fn erle(&self, play: &[i16], restarts: &[Restart], takes: &[Take]) -> Erle {
        let of_first = restarts.first().map_or(0.0, Restart::difference_frames);
        let acoustic = self.room_delay_frames.unwrap_or(of_first);
        let takes = takes.get(..MOST_ERLE_TAKES).unwrap_or(takes);
        let all: Vec<(&[i16], &Take)> = takes.iter().map(|take| (play, take)).collect();
        let published = |take: &Take, frame: u64| take.offset_at(frame) + acoustic;
        // The same takes, as if the system had published the correlated offset.
        let correct: Vec<Take> = takes
            .iter()
            .zip(restarts)
            .map(|(take, restart)| Take {
                published_offset_frames: restart.correlated_offset_frames,
                track: Vec::new(),
                ..take.clone()
            })
            .collect();
        let correct: Vec<(&[i16], &Take)> = correct.iter().map(|take| (play, take)).collect();
        let is_told_once = |take: &Take| {
            take.track.iter().all(|reading| reading.offset_frames == take.published_offset_frames)
        };
        let of_published = erle::trace(&all, Alignment::Told, &published);
        let averaged = match takes.iter().all(is_told_once) {
            true => of_published.clone(),
            false => erle::trace(&all, Alignment::Told, &|take, _| take.mean_offset() + acoustic),
        };
        Erle {
            published: of_published,
            averaged,
            correlated: erle::trace(&correct, Alignment::Told, &|take, _| take.published_offset_frames),
            estimated: erle::trace(&all, Alignment::Estimated, &|take, frame| take.offset_at(frame)),
        }
    }

    /// Runs the canceller with the monitor's recording as far end.
    fn monitor(&self, restarts: Vec<MonitorRestart>, takes: &[Take]) -> MonitorReport {
        let of_first = restarts.first().map_or(0.0, MonitorRestart::difference_frames);
        let acoustic = self.room_delay_frames.unwrap_or(of_first);
        let monitors: Vec<_> = takes.iter().filter_map(|take| take.monitor.as_ref()).collect();
        let far: Vec<Vec<i16>> = monitors.iter().map(|monitor| mono(&monitor.recorded)).collect();
        // The same takes, with the monitor's offsets in place of the playback stream's.
        let published = takes.iter().zip(&monitors).map(|(take, monitor)| Take {
            published_offset_frames: monitor.published_offset_frames,
            track: monitor.track.clone(),
            ..take.clone()
        });
        let published: Vec<Take> = published.collect();
        let correct = takes.iter().zip(&restarts).map(|(take, restart)| Take {
            published_offset_frames: restart.correlated_offset_frames,
            track: Vec::new(),
            ..take.clone()
        });
        let correct: Vec<Take> = correct.collect();
        let with_far = |takes: &[Take], offset| {
            let takes: Vec<(&[i16], &Take)> = far.iter().map(Vec::as_slice).zip(takes).collect();
            erle::trace(&takes, Alignment::Told, offset)
        };
        MonitorReport {
            published: with_far(&published, &|take, frame| take.offset_at(frame) + acoustic),
            correlated: with_far(&correct, &|take, _| take.published_offset_frames),
            restarts,
        }
    }
}

fn mono(frames: &[crate::Frame]) -> Vec<i16> {
    frames.iter().map(|[left, _]| *left).collect()
}

/// Finds the signal in a take, and compares its place with the published offset.
fn judge(samples: &[i16], take: &Take) -> Result<Restart> {
    ensure!(
        take.published_offset_frames.is_finite() && take.published_offset_frames.abs() < 1e9,
        "an offset of {} frames was published",
        take.published_offset_frames
    );
    let arrival = correlate::find(samples, &mono(&take.captured), LATEST_START_FRAMES)?;
    let told = take.track.iter().map(|reading| reading.offset_frames).chain([take.published_offset_frames]);
    let told = crate::Spread::of(told).map_or(0.0, |spread| spread.width());
    Ok(Restart {
        published_offset_frames: take.published_offset_frames,
        offset_error_frames: take.offset_error_frames,
        published_jitter_frames: told,
        correlated_offset_frames: arrival.first_frames - LEAD_FRAMES as f64,
        strongest_offset_frames: arrival.strongest_frames - LEAD_FRAMES as f64,
        peak_to_floor: arrival.peak_to_floor,
        gain: arrival.gain,
        linked_start: take.linked_start,
    })
}

/// Finds the signal in the monitor's recording. `None`: the take has no monitor.
fn judge_monitor(samples: &[i16], take: &Take, restart: &Restart) -> Result<Option<MonitorRestart>> {
    let Some(monitor) = &take.monitor else { return Ok(None) };
    let arrival = correlate::find(samples, &mono(&monitor.recorded), LATEST_START_FRAMES)
        .context("the monitor's recording")?;
    let place = arrival.first_frames - LEAD_FRAMES as f64;
    Ok(Some(MonitorRestart {
        published_offset_frames: monitor.published_offset_frames,
        correlated_offset_frames: restart.correlated_offset_frames - place,
        misplaced_frames: place - (restart.published_offset_frames - monitor.published_offset_frames),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SyntheticRoom;

    fn check() -> Check {
        Check { restarts: 4, mls_order: 14, ..Check::new(signal::Kind::Mls) }
    }

    fn nothing(_: u32, _: u32) {}

    #[test]
    fn a_system_that_tells_the_truth_passes() {
        let mut room =
            SyntheticRoom { starts_frames: vec![10, 400, 33, 2_000], ..SyntheticRoom::with_echo(240, 0.4) };
        let check = Check { room_delay_frames: Some(240.0), ..check() };
        let report = check.run(&mut room, &mut nothing).expect("runs");
        assert!(report.passes(), "{report}");
        assert!(report.restarts.iter().all(|restart| (restart.difference_frames() - 240.0).abs() < 0.1));
    }

    #[test]
    fn a_system_that_guesses_fails_by_its_spread() {
        let mut room =
            SyntheticRoom { lies_frames: vec![0.0, 3.0, -20.0], ..SyntheticRoom::with_echo(240, 0.4) };
        let report = check().run(&mut room, &mut nothing).expect("runs");
        assert!(!report.passes(), "{report}");
        let failed: Vec<_> = report.findings().into_iter().filter(|finding| !finding.holds).collect();
        assert!(failed.iter().any(|finding| finding.name == "spread"), "{report}");
    }

    #[test]
    fn a_known_room_shows_a_constant_lie() {
        let mut room = SyntheticRoom { lies_frames: vec![30.0], ..SyntheticRoom::with_echo(240, 0.4) };
        let known = Check { room_delay_frames: Some(240.0), ..check() };
        let report = known.run(&mut room.clone(), &mut nothing).expect("runs");
        assert!(
            report.findings().iter().any(|finding| finding.name == "offset" && !finding.holds),
            "{report}"
        );
        // In an unknown room the error looks like the way through the air.
        assert!(check().run(&mut room, &mut nothing).expect("runs").passes());
    }

    /// A room with another guest's sound in it, as loud as the signal.
    fn shared_room() -> SyntheticRoom {
        SyntheticRoom {
            starts_frames: vec![10, 400, 33, 2_000],
            others: Some(8_192.0),
            taps: vec![(240, 0.5), (370, -0.2)],
            ..SyntheticRoom::with_echo(0, 0.0)
        }
    }

    #[test]
    fn a_monitor_takes_away_what_others_play_and_the_own_signal_does_not() {
        let report = check().run(&mut shared_room(), &mut nothing).expect("runs");
        assert!(report.passes(), "{report}");
        let monitor = report.monitor.as_ref().expect("a monitor");
        let (by_monitor, by_own) = (monitor.published.converged_db(), report.erle.published.converged_db());
        let (by_monitor, by_own) = (by_monitor.expect("echo"), by_own.expect("echo"));
        assert!(by_monitor > 20.0 && by_own < 10.0, "{by_monitor} and {by_own} dB\n{report}");
    }

    #[test]
    fn a_monitor_that_is_elsewhere_than_published_is_found_out() {
        let mut room = SyntheticRoom { monitor_lies_frames: 5, ..shared_room() };
        let report = check().run(&mut room, &mut nothing).expect("runs");
        let failed: Vec<_> = report.findings().into_iter().filter(|finding| !finding.holds).collect();
        assert_eq!(failed.iter().map(|finding| finding.name).collect::<Vec<_>>(), ["monitor"], "{report}");
    }

    #[test]
    fn what_can_not_be_carried_out_is_an_error() {
        let mut deaf = SyntheticRoom { taps: Vec::new(), noise: 0.0, ..SyntheticRoom::with_echo(0, 0.0) };
        let error = check().run(&mut deaf, &mut nothing).expect_err("silent");
        assert!(format!("{error:#}").contains("restart 1 of 4: what was recorded is silent"), "{error:#}");
        let mut room = SyntheticRoom::with_echo(0, 0.5);
        let speechless = Check::new(signal::Kind::Speech);
        assert!(speechless.run(&mut room, &mut nothing).is_err());
        assert!(Check { restarts: 0, ..check() }.run(&mut room, &mut nothing).is_err());
        let mut mad = SyntheticRoom { lies_frames: vec![f64::NAN], ..SyntheticRoom::with_echo(0, 0.5) };
        assert!(check().run(&mut mad, &mut nothing).is_err());
    }
}
