//! Holds the published figures of the rate converter to what the command measures, and to bounds.

#[path = "../examples/quality/figures.rs"]
mod figures;

use pcm::Rates;

/// Whether all output frames of a rising rate are at points of the filter's table: 320 between two input frames.
fn has_exact_phases(input_hz: u32, output_hz: u32) -> bool {
    let (_, output) = Rates::new(input_hz, output_hz).expect("rates in range").ratio();
    output_hz > input_hz && 320 % output == 0
}

#[test]
fn the_page_is_what_the_command_prints_and_every_pair_is_within_its_bounds() {
    let all = figures::measure_all();
    assert_eq!(all.len(), 132);
    let mut worst = Vec::new();
    for ((input, output), measured) in &all {
        // The bounds hold for all classes: up and down, in the 44.1 kHz family, in the 48 kHz family and between them.
        let is_good = measured.snr_db >= 100.0 && measured.ripple_db <= 0.05 && measured.images_db >= 100.0;
        if !is_good {
            worst.push((input, output, measured));
        }
        let is_exact = has_exact_phases(*input, *output);
        assert!(!is_exact || measured.snr_db >= 120.0, "{input} to {output}: {measured:?}");
    }
    assert!(worst.is_empty(), "{worst:?}");
    let page = include_str!("../QUALITY.md");
    assert!(page == figures::page(&all), "QUALITY.md is stale: its first lines name the command");
}
