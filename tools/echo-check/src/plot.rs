//! Draws a report: offsets over restarts, ERLE over time.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Report;

const INK: RGBColor = RGBColor(40, 40, 40);
const COLOURS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(200, 60, 40), RGBColor(44, 130, 60)];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Line = (String, Vec<(f64, f64)>);

/// Draws a report into an SVG file.
///
/// # Errors
/// The file can't be written.
pub fn draw(report: &Report, path: &Path) -> Result<()> {
    let mut svg = String::new();
    render(report, &mut svg).map_err(|error| anyhow!("can't draw: {error}"))?;
    std::fs::write(path, svg).map_err(|error| anyhow!("{}: can't be written: {error}", path.display()))
}

fn render(report: &Report, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, (1200, 800)).into_drawing_area();
    area.fill(&WHITE)?;
    let panels = area.split_evenly((2, 1));
    let [offsets, erle] = panels.as_slice() else { return Err("two panels".into()) };
    let room = report.room_delay_frames.or(report.differences().map(|spread| spread.mean));
    let at = |(index, restart): (usize, &crate::Restart)| {
        (index as f64 + 1.0, restart.difference_frames() - room.unwrap_or_default())
    };
    let of_restarts = (report.source.clone(), report.restarts.iter().enumerate().map(at).collect());
    panel(
        offsets,
        "correlated less published offset, less the room's delay",
        ("restart", "frames"),
        &[of_restarts],
        true,
    )?;
    let source = &report.source;
    let of_erle = [
        (format!("by the offset of the {source}"), &report.erle.published),
        (format!("{source}: by the correlated offset"), &report.erle.correlated),
    ];
    let by_monitor = report.monitor.iter().map(|monitor| ("by the monitor".to_owned(), &monitor.published));
    let line = |(name, trace): (String, &crate::erle::Trace)| -> Line {
        (name, trace.points.iter().map(|point| (point.at_s, point.linear_db)).collect())
    };
    let of_erle: Vec<Line> = of_erle.into_iter().chain(by_monitor).map(line).collect();
    panel(erle, "ERLE of the canceller's linear filter", ("seconds of echo", "dB"), &of_erle, false)?;
    area.present()?;
    Ok(())
}

fn panel(
    area: &Area<'_>,
    title: &str,
    (x, y): (&str, &str),
    lines: &[Line],
    dots: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|(_, points)| points).copied();
    let right = points().map(|(x, _)| x).fold(1.0, f64::max);
    let (low, high) =
        points().map(|(_, y)| y).fold((0.0_f64, 0.0_f64), |(low, high), y| (low.min(y), high.max(y)));
    let margin = ((high - low) * 0.1).max(1.0);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18, &INK))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right * 1.02, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_labels(12)
        .y_labels(8)
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 13, &INK))
        .draw()?;
    for ((name, points), colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
        drawn
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        if dots {
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(INK)
        .label_font(("sans-serif", 13, &INK))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Bounds, Erle};
    use crate::{Check, SyntheticRoom, signal};

    #[test]
    fn draws_whatever_there_is() {
        let check = Check { restarts: 2, mls_order: 13, ..Check::new(signal::Kind::Mls) };
        let full = check.run(&mut SyntheticRoom::with_echo(100, 0.5), &mut |_, _| {}).expect("runs");
        let empty = Report {
            source: "nobody".to_owned(),
            signal: String::new(),
            signal_seconds: 0.0,
            room_delay_frames: None,
            restarts: Vec::new(),
            erle: Erle::default(),
            monitor: None,
            bounds: Bounds::default(),
        };
        for report in [full, empty] {
            let mut svg = String::new();
            render(&report, &mut svg).expect("drawn");
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        }
    }
}
