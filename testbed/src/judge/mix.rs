//! A reference mixer in doubles: what has to be heard of sounds that begin at different frames and are added.

use std::f64::consts::PI;

use crate::wav::FRAME_BYTES;

/// A sound as it has to be heard: stereo, in steps of 16 bits, at the rate at which it is heard. Its first frame is not
/// silent.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Its name, for people.
    pub name: String,
    /// Its frames, unrounded.
    pub frames: Vec<[f64; 2]>,
}

/// How sounds were found in what was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// The frame at which each sound begins, in the order of the sounds.
    pub starts: Vec<usize>,
    /// The frame behind the last of them.
    pub end: usize,
    /// The greatest difference, in steps of 16 bits.
    pub worst: f64,
}

/// Explains all that was heard from frame `from` on by these sounds, each once and whole, in any order: whatever isn't silence
/// has to be the start of one of them. No frame may be further than `bound` from their sum.
///
/// # Errors
/// One line that says which frame can't be explained.
pub fn explain(heard: &[u8], from: usize, sounds: &[Sound], bound: f64) -> Result<Mix, String> {
    let mut rest: Vec<[f64; 2]> = frames(heard).skip(from).collect();
    let mut starts = vec![None; sounds.len()];
    let (mut at, mut end, mut worst) = (0, 0, 0f64);
    loop {
        // Behind the last sound nothing is asked.
        let all_begun = starts.iter().all(Option::is_some);
        let limit = if all_begun { end } else { rest.len() };
        while at < limit && within(&rest[at], &[0.0; 2], bound) {
            worst = worst.max(rest[at][0].abs()).max(rest[at][1].abs());
            at += 1;
        }
        if at >= limit {
            if all_begun {
                let starts = starts.into_iter().flatten().map(|start: usize| from + start).collect();
                return Ok(Mix { starts, end: from + end, worst });
            }
            let missing: Vec<&str> = sounds
                .iter()
                .zip(&starts)
                .filter(|(_, start)| start.is_none())
                .map(|(sound, _)| sound.name.as_str())
                .collect();
            return Err(format!("not heard from frame {from} on: {}", missing.join(", ")));
        }
        let lasts = |sound: &Sound| {
            rest[at..]
                .iter()
                .zip(&sound.frames)
                .take_while(|(rest, sound)| within(rest, sound, bound))
                .count()
        };
        // Another one may begin soon behind it.
        let best = (0..sounds.len())
            .filter(|index| starts[*index].is_none())
            .max_by_key(|index| lasts(&sounds[*index]));
        let Some(best) = best.filter(|index| lasts(&sounds[*index]) > 0) else {
            let [left, right] = rest[at];
            return Err(format!("frame {} is {left:.3}, {right:.3} beside the sum", from + at));
        };
        let sound = &sounds[best].frames;
        if at + sound.len() > rest.len() {
            return Err(format!("{} is cut short at the end", sounds[best].name));
        }
        for (rest, sound) in rest[at..].iter_mut().zip(sound) {
            *rest = [rest[0] - sound[0], rest[1] - sound[1]];
        }
        starts[best] = Some(at);
        end = end.max(at + sound.len());
    }
}

fn within(one: &[f64; 2], other: &[f64; 2], bound: f64) -> bool {
    (one[0] - other[0]).abs() <= bound && (one[1] - other[1]).abs() <= bound
}

/// Frames of 16 bits as numbers.
pub fn frames(bytes: &[u8]) -> impl Iterator<Item = [f64; 2]> {
    bytes.as_chunks::<FRAME_BYTES>().0.iter().map(|[a, b, c, d]| {
        [f64::from(i16::from_le_bytes([*a, *b])), f64::from(i16::from_le_bytes([*c, *d]))]
    })
}

/// Zero crossings of the filter on each side of its centre.
const CROSSINGS: f64 = 40.0;

/// Attenuation of the filter's stop band, in dB.
const STOP_BAND_DB: f64 = 114.0;

/// A sound at another rate, by the formula of the filter that `pcm` documents, in doubles and with no table: a sinc under
/// Kaiser's window, stretched where the rate falls. Frame 0 stays frame 0, and before it is silence.
pub fn resample(frames: &[[f64; 2]], from_hz: u32, to_hz: u32) -> Vec<[f64; 2]> {
    if from_hz == to_hz {
        return frames.to_vec();
    }
    let divisor = (1..=from_hz.min(to_hz))
        .rev()
        .find(|n| from_hz.is_multiple_of(*n) && to_hz.is_multiple_of(*n))
        .unwrap_or(1);
    let (parts_in, parts_out) = ((from_hz / divisor) as usize, (to_hz / divisor) as usize);
    let stretch = (parts_out as f64 / parts_in as f64).min(1.0);
    let reach = (CROSSINGS / stretch).ceil() as usize;
    // Positions between two frames repeat: coefficients from `reach` frames before the one on, for each of them.
    let rows: Vec<Vec<f64>> = (0..parts_out)
        .map(|phase| {
            let place = reach as f64 + phase as f64 / parts_out as f64;
            (0..=2 * reach).map(|tap| kernel((tap as f64 - place) * stretch) * stretch).collect()
        })
        .collect();
    (0..frames.len() * parts_out / parts_in)
        .map(|n| {
            let (whole, phase) = (n * parts_in / parts_out, n * parts_in % parts_out);
            let mut sum = [0.0; 2];
            for (tap, coefficient) in rows[phase].iter().enumerate() {
                let Some(frame) = (whole + tap).checked_sub(reach).and_then(|index| frames.get(index)) else {
                    continue;
                };
                sum = [sum[0] + frame[0] * coefficient, sum[1] + frame[1] * coefficient];
            }
            sum
        })
        .collect()
}

/// The filter at a distance of `t` zero crossings from its centre.
fn kernel(t: f64) -> f64 {
    if t.abs() >= CROSSINGS {
        return 0.0;
    }
    let beta = 0.1102 * (STOP_BAND_DB - 8.7);
    let window = bessel_i0(beta * (1.0 - (t / CROSSINGS).powi(2)).sqrt()) / bessel_i0(beta);
    window * if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) }
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let terms = (1..100).scan(1.0, |term: &mut f64, k| {
        *term *= (x / 2.0 / f64::from(k)).powi(2);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(name: &str, frames: &[f64]) -> Sound {
        Sound { name: name.into(), frames: frames.iter().map(|sample| [*sample, -sample]).collect() }
    }

    fn heard(samples: &[i16]) -> Vec<u8> {
        samples.iter().flat_map(|sample| [*sample, -sample]).flat_map(i16::to_le_bytes).collect()
    }

    #[test]
    fn a_sum_is_explained_by_its_sounds() {
        let sounds = [sound("a", &[10.4, 20.0, 30.0]), sound("b", &[100.0, 200.0])];
        let mix = explain(&heard(&[9, 0, 100, 210, 20, 30, 0]), 1, &sounds, 0.5).expect("explained");
        assert_eq!((mix.starts, mix.end), (vec![3, 2], 6));
        assert!((mix.worst - 0.4).abs() < 1e-9);
    }

    #[test]
    fn one_sound_can_be_there_twice() {
        let sounds = [sound("a", &[1.0, 2.0, 3.0]), sound("a", &[1.0, 2.0, 3.0])];
        assert_eq!(explain(&heard(&[1, 3, 5, 3]), 0, &sounds, 0.0).expect("explained").starts, [1, 0]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let sounds = [sound("a", &[10.0, 20.0, 30.0])];
        let fails = |samples: &[i16]| explain(&heard(samples), 0, &sounds, 0.5).expect_err("not the sound");
        assert_eq!(fails(&[0, 10, 20, 31]), "frame 3 is 1.000, -1.000 beside the sum");
        assert_eq!(fails(&[0, 10, 20]), "a is cut short at the end");
        assert_eq!(fails(&[0, 0]), "not heard from frame 0 on: a");
        assert_eq!(fails(&[0, 7, 10, 20, 30]), "frame 1 is 7.000, -7.000 beside the sum");
    }

    #[test]
    fn a_tone_stays_the_same_at_another_rate() {
        let tone = |rate: f64, frames: usize| -> Vec<[f64; 2]> {
            (0..frames).map(|n| [(2.0 * PI * 997.0 * n as f64 / rate).sin(), 0.25]).collect()
        };
        for (from_hz, to_hz) in [(44_100u32, 48_000u32), (96_000, 48_000)] {
            let made = resample(&tone(f64::from(from_hz), 2_000), from_hz, to_hz);
            let wanted = tone(f64::from(to_hz), made.len());
            // At both ends the filter sees silence.
            for (made, wanted) in made.iter().zip(&wanted).skip(100).take(700) {
                assert!(within(made, wanted, 1e-5), "{made:?} {wanted:?}");
            }
        }
    }
}
