//! Computes the tables of gains and of the rate converter's filter.
//!
//! Only additions, multiplications, divisions and square roots are used: IEEE 754 fixes their results to the bit, so
//! every host makes the same tables. A host's sine and exponential aren't fixed so.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

/// Zero crossings of the filter on each side of its centre.
const CROSSINGS: usize = 40;

/// Points of the table in each interval between zero crossings.
///
/// 44.1 kHz and 48 kHz have the ratio 147 to 160, so 320 points hit every phase between them, and between one of them
/// and twice the other.
const PHASES: usize = 320;

/// Attenuation of the stop band that the window is made for, in dB.
///
/// With 40 crossings, Kaiser's formula for the length gives a pass band up to 0.907 of the lower Nyquist frequency:
/// 20 kHz at 44.1 kHz.
const STOP_BAND_DB: f64 = 114.0;

/// The most that the absolute coefficients of one phase may add up to. The converter's sums have room for 4.
const MOST_ABSOLUTE_SUM: f64 = 3.5;

/// One, as a filter coefficient.
const COEFFICIENT_ONE: f64 = (1u64 << 30) as f64;

/// One, as a gain.
const GAIN_ONE: f64 = (1u64 << 58) as f64;

/// One, as a factor between gains.
const FACTOR_ONE: f64 = (1u64 << 62) as f64;

/// The lowest and the highest gain in steps of 1024 thousandths of a dB: -193 dB and 24 dB lie between them.
const COARSE: std::ops::RangeInclusive<i32> = -189..=23;

fn main() -> io::Result<()> {
    let out_dir = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out_dir).join("filter_table.rs"), filter())?;
    fs::write(Path::new(&out_dir).join("gain_table.rs"), gains())?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// The filter's right half by phases: row `p` has the values at `p / PHASES + j` crossings, for each `j`.
///
/// The last row is the first, one crossing on: interpolation needs no special case.
fn filter() -> String {
    let beta = kaiser_beta(STOP_BAND_DB);
    let value = |phase: usize, crossing: usize| {
        let point = (phase + crossing * PHASES) as f64 / PHASES as f64;
        prototype(point, beta)
    };
    for phase in 0..=PHASES {
        let sum: f64 = (0..CROSSINGS)
            .map(|crossing| value(phase, crossing).abs() + value(PHASES - phase, crossing).abs())
            .sum();
        assert!(sum < MOST_ABSOLUTE_SUM, "phase {phase}: {sum}");
    }
    let mut text = format!(
        "/// Zero crossings on each side of the centre.\npub const CROSSINGS: usize = {CROSSINGS};\n\
         /// Points between two zero crossings.\npub const PHASES: usize = {PHASES};\n\
         /// The right half of the filter, by phases.\npub static PROTOTYPE: [[i32; CROSSINGS]; PHASES + 1] = [\n"
    );
    for phase in 0..=PHASES {
        let row: Vec<i64> = (0..CROSSINGS)
            .map(|crossing| (value(phase, crossing) * COEFFICIENT_ONE).round() as i64)
            .collect();
        put(&mut text, &format!("{row:?},\n"));
    }
    text.push_str("];\n");
    text
}

/// Gains in steps of 1.024 dB, and the factors of 0.032 dB and 0.001 dB between them.
fn gains() -> String {
    let mut text = String::new();
    let coarse: Vec<i64> =
        COARSE.map(|step| (decibels(f64::from(step) * 1.024) * GAIN_ONE).round() as i64).collect();
    let factors = |step_db: f64| -> Vec<i64> {
        (0..32).map(|step| (decibels(f64::from(step) * step_db) * FACTOR_ONE).round() as i64).collect()
    };
    put(
        &mut text,
        &format!("/// The first step of `COARSE`.\nconst COARSE_FIRST: i32 = {};\n", COARSE.start()),
    );
    put(
        &mut text,
        &format!("/// Gains in steps of 1.024 dB.\nstatic COARSE: [i64; {}] = {coarse:?};\n", coarse.len()),
    );
    put(
        &mut text,
        &format!("/// Factors in steps of 0.032 dB.\nstatic MIDDLE: [i64; 32] = {:?};\n", factors(0.032)),
    );
    put(
        &mut text,
        &format!("/// Factors in steps of 0.001 dB.\nstatic FINE: [i64; 32] = {:?};\n", factors(0.001)),
    );
    text
}

/// Appends; writing to a string can't fail.
fn put(text: &mut String, line: &str) {
    text.write_str(line).expect("a string takes everything");
}

/// Kaiser's shape parameter for an attenuation above 50 dB.
///
/// J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", IEEE ISCAS 1974.
fn kaiser_beta(attenuation_db: f64) -> f64 {
    0.1102 * (attenuation_db - 8.7)
}

/// The sinc function under Kaiser's window, at a distance of `t` zero crossings from the centre.
fn prototype(t: f64, beta: f64) -> f64 {
    let edge = t / CROSSINGS as f64;
    let window = bessel_i0(beta * (1.0 - edge * edge).max(0.0).sqrt()) / bessel_i0(beta);
    sinc(t) * window
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-18 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// `sin(pi t) / (pi t)` for `t` of 0 or more.
fn sinc(t: f64) -> f64 {
    use std::f64::consts::PI;
    // The nearest integer is taken off first: it only turns the sign, and zero crossings become exact.
    let nearest = t.round();
    let rest = (t - nearest) * PI;
    if nearest == 0.0 {
        // The series of the sine, divided by its argument.
        return sine_over(rest);
    }
    let sign = if nearest as i64 % 2 == 0 { 1.0 } else { -1.0 };
    sign * rest * sine_over(rest) / (t * PI)
}

/// `sin(x) / x` for `x` from -pi/2 to pi/2, by its power series.
fn sine_over(x: f64) -> f64 {
    let square = x * x;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..14 {
        let k = 2.0 * f64::from(k);
        term *= -square / (k * (k + 1.0));
        sum += term;
    }
    sum
}

/// `10^(db / 20)`: the ratio of amplitudes that the decibel is defined by (IEC 60027-3).
fn decibels(db: f64) -> f64 {
    use std::f64::consts::{LN_2, LN_10};
    let exponent = db * LN_10 / 20.0;
    // A power of two is taken off first, so that the series is short.
    let twos = (exponent / LN_2).round();
    let rest = exponent - twos * LN_2;
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..22 {
        term *= rest / f64::from(k);
        sum += term;
    }
    for _ in 0..twos.abs() as u32 {
        sum = if twos < 0.0 { sum / 2.0 } else { sum * 2.0 };
    }
    sum
}
