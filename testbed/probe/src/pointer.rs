//! How a stream's pointer moves, as ALSA tells it: by reading a status file of /proc/asound again and again, at which the
//! kernel asks the driver for the position.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// One look at the pointer.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// When the file had been read, since the start.
    at: Duration,
    /// Frames, as ALSA counts them.
    pointer: u64,
}

/// The result of readings of a running stream.
#[derive(Debug, PartialEq, Eq)]
struct Motion {
    looks: usize,
    steps: usize,
    step_frames_min: u64,
    step_frames_max: u64,
    age_ns_p50: u128,
    age_ns_p99: u128,
    age_ns_max: u128,
}

/// Between two looks: the processor is others', too, who have the pointer moved.
const PAUSE: Duration = Duration::from_micros(150);

/// Looks for a while, and says how the pointer moved.
pub(crate) fn line(milliseconds: u64, status: &str) -> Result<String> {
    let start = Instant::now();
    let span = Duration::from_millis(milliseconds);
    let mut looks = Vec::new();
    while start.elapsed() < span {
        let text = std::fs::read_to_string(status).with_context(|| status.to_owned())?;
        let at = start.elapsed();
        let pointer = pointer_of(&text).with_context(|| format!("{status}: no stream runs"))?;
        looks.push(Look { at, pointer });
        std::thread::sleep(PAUSE);
    }
    let motion = motion(&looks).context("the pointer does not move")?;
    ensure!(motion.step_frames_min > 0, "the pointer moves backwards");
    let Motion { looks, steps, step_frames_min, step_frames_max, age_ns_p50, age_ns_p99, age_ns_max } =
        motion;
    Ok(format!(
        "looks={looks} steps={steps} step_frames_min={step_frames_min} \
         step_frames_max={step_frames_max} age_ns_p50={age_ns_p50} age_ns_p99={age_ns_p99} age_ns_max={age_ns_max}"
    ))
}

/// The pointer in a status file of a stream that runs.
fn pointer_of(status: &str) -> Option<u64> {
    status.lines().next().filter(|line| line.split_whitespace().eq(["state:", "RUNNING"]))?;
    status.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "hw_ptr").then(|| value.trim().parse().ok())?
    })
}

/// How the pointer moved; `None` if it was not seen to move twice. A pointer's age is the time since it was first seen: it
/// is at least as old as that. What is before the first step isn't counted, for when it began isn't known.
fn motion(looks: &[Look]) -> Option<Motion> {
    let mut steps = Vec::new();
    let mut ages = Vec::new();
    let mut since: Option<Duration> = None;
    for pair in looks.windows(2) {
        let [before, look] = pair else { continue };
        if look.pointer != before.pointer {
            if since.is_some() {
                // One that moves backwards shows as a step of 0.
                steps.push(look.pointer.saturating_sub(before.pointer));
            }
            since = Some(look.at);
        }
        ages.extend(since.map(|since| (look.at - since).as_nanos()));
    }
    ages.sort_unstable();
    let rank = |percent: usize| ages.get((ages.len().saturating_sub(1)) * percent / 100).copied();
    Some(Motion {
        looks: looks.len(),
        steps: steps.len(),
        step_frames_min: *steps.iter().min()?,
        step_frames_max: *steps.iter().max()?,
        age_ns_p50: rank(50)?,
        age_ns_p99: rank(99)?,
        age_ns_max: rank(100)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "state: RUNNING\nowner_pid   : 93\ntrigger_time: 1.5\ntstamp      : 0.0\ndelay       : 4800\n\
                          avail       : 0\navail_max   : 480\n-----\nhw_ptr      : 9600\nappl_ptr    : 14400\n";

    #[test]
    fn the_pointer_is_found_in_a_status_of_a_running_stream_only() {
        assert_eq!(pointer_of(STATUS), Some(9600));
        assert_eq!(pointer_of(&STATUS.replace("RUNNING", "DRAINING")), None);
        assert_eq!(pointer_of("closed\n"), None);
        assert_eq!(pointer_of("state: RUNNING\nhw_ptr : x\n"), None);
        assert_eq!(pointer_of(""), None);
    }

    #[test]
    fn steps_and_ages_are_counted_from_the_first_step_on() {
        let look = |at, pointer| Look { at: Duration::from_nanos(at), pointer };
        let looks = [look(0, 5), look(10, 10), look(20, 10), look(30, 20), look(40, 20), look(50, 23)];
        let motion = motion(&looks).expect("it moves");
        assert_eq!((motion.steps, motion.step_frames_min, motion.step_frames_max), (2, 3, 10));
        // 0, 10, 0, 10, 0
        assert_eq!((motion.age_ns_p50, motion.age_ns_max), (0, 10));
    }

    #[test]
    fn what_stands_still_has_no_motion() {
        let look = |at, pointer| Look { at: Duration::from_nanos(at), pointer };
        assert_eq!(motion(&[]), None);
        assert_eq!(motion(&[look(0, 1), look(1, 1), look(2, 2), look(3, 2)]), None);
    }
}
