//! The rate converter by its formula, in doubles: a sinc function under Kaiser's window for 114 dB (`pcm`'s README).

use std::f64::consts::PI;

/// Zero crossings to each side.
const CROSSINGS: f64 = 40.0;

/// The modified Bessel function of order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1.. {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
        if term < sum * 1e-18 {
            break;
        }
    }
    sum
}

fn kernel(t: f64) -> f64 {
    if t.abs() >= CROSSINGS {
        return 0.0;
    }
    let beta = 0.1102 * (114.0 - 8.7);
    let window = bessel(beta * (1.0 - (t / CROSSINGS).powi(2)).sqrt()) / bessel(beta);
    window * if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) }
}

/// The input frames that output frame `n` is made of, with their weights. Frame 0 comes out as frame 0.
pub fn weights(input_hz: u32, output_hz: u32, n: u64) -> Vec<(u64, f64)> {
    if input_hz == output_hz {
        return vec![(n, 1.0)];
    }
    let position = n as f64 * f64::from(input_hz) / f64::from(output_hz);
    let stretch = (f64::from(output_hz) / f64::from(input_hz)).min(1.0);
    let reach = CROSSINGS / stretch;
    let frames = (position - reach).floor().max(0.0) as u64..=(position + reach).ceil() as u64;
    frames.map(|frame| (frame, kernel((frame as f64 - position) * stretch) * stretch)).collect()
}

/// How far a converted sample of full-scale noise may be off: rounded coefficients, or interpolation between points of the filter.
pub fn bound(input_hz: u32, output_hz: u32) -> f64 {
    let (parts_in, parts_out) = pcm::Rates::new(input_hz, output_hz).expect("usual rates").ratio();
    match (parts_in, parts_out) {
        (1, 1) => 0.0,
        _ if parts_in < parts_out && 320 % parts_out == 0 => 2f64.powi(-23),
        _ => 2f64.powi(-15),
    }
}
