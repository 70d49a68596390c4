//! Plain references: formats as numbers from -1.0 to 1.0, and samples at random.

use std::f64::consts::PI;

use pcm::{Format, Rates, Sample, Wide};
use proptest::prelude::*;

/// The rates of HD Audio and of the sound protocols.
pub const RATES_HZ: [u32; 12] =
    [5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// Zero crossings of the filter to each side, as documented.
const CROSSINGS: f64 = 40.0;

/// 1.0 as a [`Wide`].
pub const WIDE_ONE: f64 = (1u64 << 47) as f64;

/// 1.0 as a [`Sample`].
pub const SAMPLE_ONE: f64 = (1u64 << 31) as f64;

/// The value of a sum.
pub fn of_wide(wide: Wide) -> f64 {
    wide as f64 / WIDE_ONE
}

/// The value of a sample.
pub fn of_sample(sample: Sample) -> f64 {
    f64::from(sample) / SAMPLE_ONE
}

/// Any format.
pub fn any_format() -> impl Strategy<Value = Format> {
    proptest::sample::select(&Format::ALL[..])
}

/// Sums around full scale, with the ends and the halves that decide roundings.
pub fn any_wide() -> impl Strategy<Value = Wide> {
    prop_oneof![
        4 => -(1i64 << 48)..(1i64 << 48),
        1 => (0u32..49, -2i64..3, any::<bool>()).prop_map(|(bit, near, is_negative)| {
            let wide = (1i64 << bit) + near;
            if is_negative { -wide } else { wide }
        }),
        1 => any::<i64>(),
        1 => proptest::sample::select(vec![i64::MIN, i64::MAX, 0, 1 << 47, -(1 << 47), (1 << 47) - (1 << 31)]),
    ]
}

/// How many bits a linear format has, whether it is unsigned, and whether it is big-endian.
pub fn linear(format: Format) -> Option<(u32, bool, bool)> {
    let name = format!("{format:?}");
    let is_unsigned = name.starts_with('U');
    let bits =
        name.trim_start_matches(['S', 'U']).trim_end_matches("Le").trim_end_matches("Be").parse().ok()?;
    Some((bits, is_unsigned, name.ends_with("Be")))
}

/// The value of an encoded sample, by the words of the format's definition.
pub fn decode(format: Format, bytes: &[u8]) -> f64 {
    let in_order = |is_big_endian: bool| -> Vec<u8> {
        // The most significant byte first.
        let mut bytes = bytes.to_vec();
        if !is_big_endian {
            bytes.reverse();
        }
        bytes
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |number, byte| number * 256 + u64::from(*byte));
    if let Some((bits, is_unsigned, is_big_endian)) = linear(format) {
        let number = number(&in_order(is_big_endian)) % (1 << bits);
        let half = 2f64.powi(bits as i32 - 1);
        let offset = if is_unsigned || number as f64 >= half { half } else { 0.0 };
        let value = number as f64 - offset;
        return if !is_unsigned && number as f64 >= half { (value - half) / half } else { value / half };
    }
    match format {
        Format::F32Le => f64::from(f32::from_le_bytes(bytes.try_into().expect("4 bytes"))),
        Format::F32Be => f64::from(f32::from_be_bytes(bytes.try_into().expect("4 bytes"))),
        Format::F64Le => f64::from_le_bytes(bytes.try_into().expect("8 bytes")),
        Format::F64Be => f64::from_be_bytes(bytes.try_into().expect("8 bytes")),
        Format::MuLaw => mu_law(bytes[0]),
        _ => a_law(bytes[0]),
    }
}

/// G.711, table 2: eight segments of 16 intervals, each segment twice as wide as the one before.
fn mu_law(code: u8) -> f64 {
    let code = 255 - code;
    let (sign, segment, interval) = (code / 128, i32::from(code / 16 % 8), f64::from(code % 16));
    let magnitude = (16.5 + interval) * 2f64.powi(segment + 1) - 33.0;
    if sign == 1 { -magnitude / 8192.0 } else { magnitude / 8192.0 }
}

/// G.711, table 1: as mu-law, but for the first two segments, which are equally wide.
fn a_law(code: u8) -> f64 {
    let code = code ^ 0x55;
    let (sign, segment, interval) = (code / 128, i32::from(code / 16 % 8), f64::from(code % 16));
    let magnitude = if segment == 0 { interval * 2.0 + 1.0 } else { (16.5 + interval) * 2f64.powi(segment) };
    if sign == 1 { magnitude / 4096.0 } else { -magnitude / 4096.0 }
}

/// The magnitude at which the interval of a code of G.711 begins: its decision value.
pub fn decision(format: Format, code: u8) -> f64 {
    let value = decode(format, &[code]).abs();
    let (full_scale, code) =
        if format == Format::MuLaw { (8192.0, 255 - code) } else { (4096.0, code ^ 0x55) };
    let segment = i32::from(code / 16 % 8);
    // Half an interval below the value.
    let half = match format {
        Format::MuLaw => 2f64.powi(segment),
        _ => 2f64.powi(segment.max(1) - 1),
    };
    (value - half / full_scale).max(0.0)
}

/// Any two rates: mostly usual ones.
pub fn any_rates() -> impl Strategy<Value = Rates> {
    let usual = proptest::sample::select(&RATES_HZ[..]);
    let hz = || prop_oneof![4 => usual.clone(), 1 => Rates::LOWEST_HZ..=Rates::HIGHEST_HZ];
    (hz(), hz()).prop_map(|(input, output)| Rates::new(input, output).expect("rates in range"))
}

/// The filter by its formula: a sinc function under Kaiser's window for 114 dB.
pub fn kernel(t: f64) -> f64 {
    let bessel = |x: f64| {
        let terms = (1..200).scan(1.0, |term: &mut f64, k| {
            *term *= (x / 2.0 / f64::from(k)).powi(2);
            Some(*term)
        });
        1.0 + terms.sum::<f64>()
    };
    if t.abs() >= CROSSINGS {
        return 0.0;
    }
    let beta = 0.1102 * (114.0 - 8.7);
    let window = bessel(beta * (1.0 - (t / CROSSINGS).powi(2)).sqrt()) / bessel(beta);
    window * if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) }
}

/// Output frame `n` of one channel's values, by the documented position and the filter's formula.
pub fn converted(rates: Rates, delay: u32, input: &[f64], n: usize) -> f64 {
    let (parts_in, parts_out) = rates.ratio();
    let position = n as f64 * f64::from(parts_in) / f64::from(parts_out) - f64::from(delay);
    let stretch = (f64::from(parts_out) / f64::from(parts_in)).min(1.0);
    let reach = CROSSINGS / stretch;
    let first = (position - reach).floor().max(0.0) as usize;
    let last = ((position + reach).ceil().max(0.0) as usize).min(input.len());
    (first..last).map(|k| input[k] * kernel((k as f64 - position) * stretch) * stretch).sum()
}
