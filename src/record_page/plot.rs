//! Columns for the weeks, as SVG. Only numbers and dates of ours stand in it; who or what a colour is
//! stands beside it, escaped like all else.

use plotters::prelude::{
    ChartBuilder, Color as _, IntoDrawingArea as _, IntoFont as _, RGBColor, Rectangle, SVGBackend,
};

use super::{Error, weeks::Weeks};
use crate::{chart::font, reply::Status};

/// Size of a plot, pixels; it is scaled to the page.
const SIZE: (u32, u32) = (960, 260);

/// Colours that are told apart by those too who see fewer (Okabe and Ito), in the order of the
/// outcomes.
const COLOURS: [RGBColor; Status::ALL.len()] = [
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(150, 150, 150),
    RGBColor(86, 180, 233),
    RGBColor(240, 228, 66),
    RGBColor(0, 114, 178),
    RGBColor(60, 60, 60),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
];

/// The number of the colour of a series, for whoever draws the legend in the colours of
/// [`colours`].
pub(super) fn colour_of(series: usize) -> usize {
    series % COLOURS.len()
}

/// The colours as CSS has them, by their numbers.
pub(super) fn colours() -> impl Iterator<Item = (usize, String)> {
    let css = |RGBColor(red, green, blue): &RGBColor| format!("rgb({red} {green} {blue})");
    COLOURS.iter().map(css).enumerate()
}

/// Draws the weeks as columns of what was counted, one upon the other.
pub(super) fn svg(weeks: &Weeks) -> Result<String, Error> {
    let mut text = String::new();
    let drawn = draw(weeks, &mut text);
    drawn.map_err(|error| Error::Undrawn(error.to_string()))?;
    Ok(text)
}

fn draw(weeks: &Weeks, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    font::ready()?;
    let count = u32::try_from(weeks.begin.len())?;
    let most = f64::from(u32::try_from(weeks.most())?).max(1.0);
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..f64::from(count), 0.0..most * 1.05)?;
    // Labels stand at whole numbers only: the beginnings of weeks, and counts.
    let is_whole = |at: f64, whole: f64| (at - whole).abs() < 1e-6;
    let week = |at: &f64| {
        let mut begin = weeks.begin.iter().zip(0_u32..);
        let date = begin.find(|(_, number)| is_whole(*at, f64::from(*number)));
        date.map_or_else(String::new, |(date, _)| date.to_string())
    };
    let amount =
        |at: &f64| if is_whole(*at, at.round()) { format!("{at:.0}") } else { String::new() };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(RGBColor(255, 255, 255))
        .bold_line_style(RGBColor(225, 225, 225))
        .axis_style(RGBColor(120, 120, 120))
        .label_style((font::FAMILY, 13).into_font())
        .x_labels(8)
        .y_labels(5)
        .x_label_formatter(&week)
        .y_label_formatter(&amount)
        .draw()?;
    for (counts, begin) in weeks.counts.iter().zip(0_u32..) {
        chart.draw_series(column(counts, f64::from(begin)))?;
    }
    area.present()?;
    Ok(())
}

/// The pieces of one column.
fn column(counts: &[u64], begin: f64) -> Vec<Rectangle<(f64, f64)>> {
    let mut below = 0.0;
    let mut pieces = Vec::new();
    for (series, count) in counts.iter().enumerate() {
        let above = below + f64::from(u32::try_from(*count).unwrap_or(u32::MAX));
        if let Some(colour) = COLOURS.get(colour_of(series)).filter(|_| above > below) {
            let corners = [(begin + 0.1, below), (begin + 0.9, above)];
            pieces.push(Rectangle::new(corners, colour.filled()));
        }
        below = above;
    }
    pieces
}
