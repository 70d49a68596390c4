//! Figures of the rate converter, and the page that shows them. The command and its test share them.

use std::f64::consts::PI;
use std::fmt::Write;

use pcm::{Channels, Converter, MOST_WORDS, Rates, Start};

/// The rates of HD Audio's streams and of the sound protocols, in Hz.
pub const RATES_HZ: [u32; 12] =
    [5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// The end of the pass band, relative to the lower Nyquist frequency: 20 kHz at 44.1 kHz.
const PASS_BAND: f64 = 20.0 / 22.05;

/// Tones relative to the lower Nyquist frequency.
const TONES: [f64; 9] = [0.045, 0.123, 0.251, 0.387, 0.513, 0.677, 0.791, 0.873, PASS_BAND];

/// Output frames that are judged.
const JUDGED_FRAMES: usize = 400;

/// Amplitude of the tones: -1 dB.
const AMPLITUDE: f64 = 0.89;

/// Measured figures of a pair of rates.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Signal to noise and distortion of the worst tone, in dB.
    pub snr_db: f64,
    /// The greatest deviation of a tone's level, in dB.
    pub ripple_db: f64,
    /// The loudest image or alias relative to its tone, in dB below it.
    pub images_db: f64,
}

/// The text of a pair's cell in a table.
type Cell = fn(&Figures) -> String;

/// Measures a conversion.
pub fn measure(input_hz: u32, output_hz: u32) -> Figures {
    let rates = Rates::new(input_hz, output_hz).expect("rates in range");
    let nyquist_hz = f64::from(input_hz.min(output_hz)) / 2.0;
    let mut figures = Figures { snr_db: f64::INFINITY, ripple_db: 0.0, images_db: f64::INFINITY };
    for tone_hz in TONES.map(|tone| tone * nyquist_hz) {
        let output = convert(rates, tone_hz / f64::from(input_hz));
        let (level, rest) = without_tone(&output, tone_hz / f64::from(output_hz));
        figures.snr_db = figures.snr_db.min(decibels(level / (rms(&rest) * 2f64.sqrt())));
        figures.ripple_db = figures.ripple_db.max(decibels(level / AMPLITUDE).abs());
        for multiple in 1..=4 {
            for image_hz in
                [f64::from(input_hz * multiple) - tone_hz, f64::from(input_hz * multiple) + tone_hz]
            {
                let image = level_at(&rest, image_hz / f64::from(output_hz));
                figures.images_db = figures.images_db.min(decibels(level / image));
            }
        }
    }
    // Tones in the stop band, up to the input's own Nyquist frequency.
    let (first_hz, last_hz) = ((2.0 - PASS_BAND) * nyquist_hz, f64::from(input_hz) / 2.0 * 0.99);
    if first_hz < last_hz {
        for step in 0..8 {
            let tone_hz = first_hz * (last_hz / first_hz).powf(f64::from(step) / 7.0);
            let output = convert(rates, tone_hz / f64::from(input_hz));
            figures.images_db = figures.images_db.min(decibels(AMPLITUDE / (rms(&output) * 2f64.sqrt())));
        }
    }
    figures
}

/// Converts a tone in 24 bits, and leaves out the output's begin. The frequency is in periods of an input frame.
fn convert(rates: Rates, frequency: f64) -> Vec<f64> {
    let (input, output) = rates.ratio();
    let skipped_frames = (2 * rates.delay_frames() * output).div_ceil(input) as usize;
    let output_frames = skipped_frames + JUDGED_FRAMES;
    let input_frames = output_frames * input as usize / output as usize + 1;
    let tone: Vec<i32> = (0..input_frames)
        .map(|frame| {
            let turns = (frame as f64 * frequency).fract();
            (((turns * 2.0 * PI + 0.3).sin() * AMPLITUDE * f64::from(1 << 23)).round() as i32) << 8
        })
        .collect();
    let mut converter: Box<Converter<MOST_WORDS>> =
        Box::new(Converter::new(rates, Channels::MONO, Start::Delayed).expect("memory for all"));
    let mut wide = vec![0; output_frames];
    let done = converter.process(&tone, &mut wide);
    assert_eq!(done.output_frames, output_frames, "{rates:?}");
    wide[skipped_frames..].iter().map(|wide| *wide as f64 / 2f64.powi(47)).collect()
}

/// Finds a tone and an offset by least squares. Returns the tone's amplitude and the signal without the tone.
fn without_tone(signal: &[f64], frequency: f64) -> (f64, Vec<f64>) {
    let waves = |frame: usize| {
        let turn = (frame as f64 * frequency).fract() * 2.0 * PI;
        [turn.cos(), turn.sin()]
    };
    // The normal equations of two unknowns.
    let (mut cc, mut cs, mut ss, mut yc, mut ys) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (frame, y) in signal.iter().enumerate() {
        let [c, s] = waves(frame);
        cc += c * c;
        cs += c * s;
        ss += s * s;
        yc += y * c;
        ys += y * s;
    }
    let determinant = cc * ss - cs * cs;
    let (a, b) = ((yc * ss - ys * cs) / determinant, (ys * cc - yc * cs) / determinant);
    let rest = signal.iter().enumerate().map(|(frame, y)| {
        let [c, s] = waves(frame);
        y - a * c - b * s
    });
    (a.hypot(b), rest.collect())
}

/// The amplitude of a frequency, seen through Hann's window.
fn level_at(signal: &[f64], frequency: f64) -> f64 {
    let (mut real, mut imaginary, mut weights) = (0.0, 0.0, 0.0);
    for (frame, y) in signal.iter().enumerate() {
        let weight = 0.5 - 0.5 * (2.0 * PI * frame as f64 / signal.len() as f64).cos();
        let turn = (frame as f64 * frequency).fract() * 2.0 * PI;
        real += weight * y * turn.cos();
        imaginary += weight * y * turn.sin();
        weights += weight;
    }
    2.0 * real.hypot(imaginary) / weights
}

fn rms(signal: &[f64]) -> f64 {
    (signal.iter().map(|y| y * y).sum::<f64>() / signal.len() as f64).sqrt()
}

fn decibels(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

/// Figures of all pairs of different rates.
pub fn measure_all() -> Vec<((u32, u32), Figures)> {
    let pairs = RATES_HZ.iter().flat_map(|input| RATES_HZ.iter().map(move |output| (*input, *output)));
    pairs.filter(|(input, output)| input != output).map(|pair| (pair, measure(pair.0, pair.1))).collect()
}

/// The page with the figures.
pub fn page(all: &[((u32, u32), Figures)]) -> String {
    let mut text = String::from(
        "# Quality of the rate converter\n\n\
         Measured by `cargo run --release -p snddom-pcm --example quality`, which prints this page.\n\
         A test compares the page with the measurement.\n\n\
         Input rates are in the first column, output rates in the first row, in Hz. The input is a tone of -1 dB in\n\
         24 bits. There are 9 tones, from 0.045 to 0.907 of the lower Nyquist frequency: up to 20 kHz at 44.1 kHz.\n",
    );
    let tables: [(&str, &str, Cell); 3] = [
        (
            "Signal to noise and distortion",
            "Of the worst tone, in dB, rounded down. Everything but the tone is noise.",
            |figures| format!("{:.0}", figures.snr_db.floor()),
        ),
        ("Ripple", "The greatest deviation of a tone's level, in dB, rounded up.", |figures| {
            format!("{:.3}", (figures.ripple_db * 1000.0).ceil() / 1000.0)
        }),
        (
            "Images and aliases",
            "The loudest, in dB below its tone, rounded down. Images are those of the 9 tones around multiples of the\n\
             input rate. Aliases are all that is left of 8 tones from 1.093 of the output's Nyquist frequency to 0.99\n\
             of the input's.",
            |figures| format!("{:.0}", figures.images_db.floor()),
        ),
    ];
    for (title, words, figure) in tables {
        put(&mut text, &format!("\n## {title}\n\n{words}\n\n| |"));
        RATES_HZ.iter().for_each(|output| put(&mut text, &format!(" {output} |")));
        put(&mut text, "\n|---|");
        RATES_HZ.iter().for_each(|_| put(&mut text, "---|"));
        for input in RATES_HZ {
            put(&mut text, &format!("\n| {input} |"));
            for output in RATES_HZ {
                let of_pair = all.iter().find(|(pair, _)| *pair == (input, output));
                put(
                    &mut text,
                    &format!(" {} |", of_pair.map_or(String::new(), |(_, figures)| figure(figures))),
                );
            }
        }
        put(&mut text, "\n");
    }
    text
}

/// Appends; writing to a string can't fail.
fn put(text: &mut String, part: &str) {
    text.write_str(part).expect("a string takes everything");
}
