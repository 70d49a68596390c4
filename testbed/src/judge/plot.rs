//! Draws a session: input, output, and the distance of published positions from expected ones.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::types::{RangedCoordf64, RangedCoordi64};
use plotters::prelude::*;

use crate::wav::{FRAME_BYTES, Pcm};

const INK: RGBColor = RGBColor(40, 40, 40);
const IN: RGBColor = RGBColor(31, 119, 180);
const OUT: RGBColor = RGBColor(44, 130, 60);
const ERROR: RGBColor = RGBColor(200, 60, 40);

/// A drawing's content.
pub struct Plot<'a> {
    /// The input.
    pub input: &'a Pcm,
    /// The output, if known.
    pub output: Option<&'a Pcm>,
    /// Published positions: seconds since the first, published minus expected in frames.
    pub position_error: Vec<(f64, i64)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes the drawing as an SVG file.
///
/// # Errors
/// When the file can't be written.
pub fn draw(plot: &Plot<'_>, path: &Path) -> Result<()> {
    let mut svg = String::new();
    render(plot, &mut svg).map_err(|error| anyhow!("can't draw: {error}"))?;
    std::fs::write(path, svg).map_err(|error| anyhow!("can't write {}: {error}", path.display()))
}

fn render(plot: &Plot<'_>, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, (1200, 840)).into_drawing_area();
    area.fill(&WHITE)?;
    let panels = area.split_evenly((3, 1));
    let [input, output, error] = panels.as_slice() else { return Err("three panels".into()) };
    let seconds = plot.output.into_iter().chain([plot.input]).map(|pcm| pcm.duration().as_secs_f64());
    let seconds = seconds.fold(0.001, f64::max);
    wave(input, "went in, left channel", plot.input, seconds, IN)?;
    match plot.output {
        Some(pcm) => wave(output, "came out, left channel", pcm, seconds, OUT)?,
        None => caption(output, "came out at the host's sound: not known here")?,
    }
    errors(error, &plot.position_error, seconds)?;
    area.present()?;
    Ok(())
}

/// Seconds to the right, values upwards.
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordi64>>;

fn chart<'a>(
    area: &Area<'a>,
    title: &str,
    seconds: f64,
    values: Range<i64>,
) -> Result<Chart<'a>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18, &INK))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..seconds, values)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .x_labels(12)
        .y_labels(6)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 13, &INK))
        .draw()?;
    Ok(chart)
}

/// A waveform, as the lowest and the highest sample of each column.
fn wave(
    area: &Area<'_>,
    title: &str,
    pcm: &Pcm,
    seconds: f64,
    colour: RGBColor,
) -> Result<(), Box<dyn std::error::Error>> {
    const COLUMNS: usize = 1100;
    let mut chart = chart(area, title, seconds, -32_768..32_767)?;
    let frames = pcm.bytes.as_chunks::<FRAME_BYTES>().0;
    let column_frames = frames.len().div_ceil(COLUMNS).max(1);
    let envelope = frames.chunks(column_frames).enumerate().flat_map(|(column, frames)| {
        let left = frames.iter().map(|[low, high, ..]| i64::from(i16::from_le_bytes([*low, *high])));
        let (low, high) =
            left.fold((i64::MAX, i64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let at = (column * column_frames) as f64 / f64::from(pcm.rate_hz);
        [(at, low), (at, high)]
    });
    chart.draw_series(LineSeries::new(envelope, colour.stroke_width(1)))?;
    Ok(())
}

fn errors(area: &Area<'_>, errors: &[(f64, i64)], seconds: f64) -> Result<(), Box<dyn std::error::Error>> {
    if errors.is_empty() {
        return caption(area, "no position was published");
    }
    let values = || errors.iter().map(|(_, error)| *error);
    let (low, high) = (values().min().unwrap_or(0).min(0), values().max().unwrap_or(0).max(0));
    let margin = ((high - low) / 10).max(2);
    let seconds = errors.iter().map(|(at, _)| *at).fold(seconds, f64::max);
    let title = "position, published minus expected, in frames";
    let mut chart = chart(area, title, seconds, low - margin..high + margin)?;
    chart.draw_series(LineSeries::new(errors.iter().copied(), ERROR.stroke_width(1)))?;
    chart.draw_series(errors.iter().map(|point| Circle::new(*point, 2, ERROR.filled())))?;
    Ok(())
}

fn caption(area: &Area<'_>, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (width, height) = area.dim_in_pixel();
    let at = (width as i32 / 3, height as i32 / 2);
    area.draw(&Text::new(text.to_owned(), at, ("sans-serif", 18).into_font().color(&INK)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_whatever_there_is() {
        let pcm = Pcm { rate_hz: 48_000, bytes: [1, 0x40, 1, 0x40].repeat(5000) };
        let nothing = Pcm { rate_hz: 48_000, bytes: Vec::new() };
        for (input, output, position_error) in [
            (&pcm, Some(&pcm), vec![(0.0, -3), (0.01, 5)]),
            (&pcm, None, Vec::new()),
            (&nothing, Some(&nothing), vec![(0.0, 0)]),
        ] {
            let mut svg = String::new();
            render(&Plot { input, output, position_error }, &mut svg).expect("drawn");
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        }
    }
}
