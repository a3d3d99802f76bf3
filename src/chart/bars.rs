//! What is largest, as bars.

use plotters::prelude::RGBColor;

use super::{
    Area, COLOUR, Drawing, Error, FAINT_INK, Head, INK, LINE, MARGIN, Picture, RIGHT, SMALL, TEXT,
    cut, fill, picture, scaled, width, write,
};

/// How many bars there are at most: more are not told apart on a phone.
pub const MOST_BARS: usize = 15;

/// The height of a bar with its label, and without.
const ROW: usize = 66;
const BAR: i32 = 18;

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// How long it is.
    pub value: u64,
    /// The value in words.
    pub shown: String,
}

/// What has no bar, in one line below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Others {
    /// What it is of.
    pub label: String,
    /// What it comes to, in words.
    pub shown: String,
}

/// Draws the first [`MOST_BARS`] of the bars in the order in which they are given; the longest is as wide as
/// the picture.
pub fn bars(head: Head<'_>, bars: &[Bar], others: Option<&Others>) -> Result<Picture, Error> {
    let bars = bars.get(..MOST_BARS).unwrap_or(bars);
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(0);
    let tops = || (head.height()..).step_by(ROW);
    let bottom = tops().nth(bars.len()).unwrap_or_default();
    let height = bottom + if others.is_some() { 48 } else { 8 };
    picture(head, height, |area| {
        for (bar, top) in bars.iter().zip(tops()) {
            labelled(area, top + 26, (&bar.label, TEXT, INK), &bar.shown)?;
            let (from, to) = (top + 36, top + 36 + BAR);
            fill(area, (MARGIN, from), (RIGHT, to), LINE)?;
            if bar.value > 0 {
                // What is more than nothing is seen.
                let long = scaled(bar.value, most, RIGHT - MARGIN).max(3);
                fill(area, (MARGIN, from), (MARGIN + long, to), COLOUR)?;
            }
        }
        let Some(others) = others else { return Ok(()) };
        labelled(area, bottom + 24, (&others.label, SMALL, FAINT_INK), &others.shown)
    })
}

/// A label at the left, and what it comes to at the right.
fn labelled(
    area: &Area<'_>,
    base: i32,
    (label, size, colour): (&str, i32, RGBColor),
    shown: &str,
) -> Drawing {
    let room = RIGHT - MARGIN;
    let shown = cut(shown, size, room);
    let wide = width(&shown, size);
    write(area, (MARGIN, base), size, colour, &cut(label, size, room - wide - MARGIN))?;
    write(area, (RIGHT - wide, base), size, colour, &shown)
}
