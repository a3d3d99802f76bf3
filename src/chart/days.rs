//! How many there were each day, as columns.

use jiff::{SignedDuration, civil::Date};
use plotters::{
    prelude::{BindKeyPoints as _, ChartBuilder, Color as _, IntoFont as _, Rectangle, Text},
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    COLOUR, Error, FAINT_INK, Head, INK, LINE, MARGIN, Picture, SMALL, TEXT, font, picture, style,
    width,
};

/// The height of the plot with its dates.
const PLOT: i32 = 400;

const MOST_DAYS: usize = 366;

/// How wide a day is in the plot's own measure, and where its middle is.
const DAY: i32 = 100;
const MIDDLE: i32 = DAY / 2;

/// Draws a column for each of at most 366 days from `first` on.
pub fn days(head: Head<'_>, first: Date, counts: &[u64]) -> Result<Picture, Error> {
    let counts = counts.get(..MOST_DAYS).unwrap_or(counts);
    picture(head, head.height() + PLOT, |area| {
        let (_, plot) = area.split_vertically(head.height());
        let most = counts.iter().copied().max().unwrap_or(0);
        let top = above(most);
        let marks = if top.is_multiple_of(2) { vec![0, top / 2, top] } else { vec![0, top] };
        let beside = marks.iter().map(|at| width(&at.to_string(), SMALL)).max().unwrap_or(0);
        // Dates stand below the middle of their columns.
        let columns: Vec<i32> = (0..).map(|day| day * DAY).take(counts.len()).collect();
        let end = columns.last().map_or(1, |last| last + DAY);
        let weeks = columns.iter().step_by(7).map(|column| column + MIDDLE).collect();
        let mut chart = ChartBuilder::on(&plot)
            .margin_left(MARGIN - 8)
            .margin_right(MARGIN)
            .margin_top(SMALL)
            .x_label_area_size(48)
            .y_label_area_size(beside + 12)
            .build_cartesian_2d((0..end).with_key_points(weeks), (0..top).with_key_points(marks))?;
        let date = |at: &i32| in_words(on(first, at / DAY));
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(LINE)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .label_style((font::FAMILY, SMALL).into_font().color(&FAINT_INK))
            .x_label_formatter(&date)
            .draw()?;
        let counted = columns.iter().zip(counts).filter(|(_, count)| **count > 0);
        chart.draw_series(counted.map(|(at, count)| {
            Rectangle::new([(at + 12, 0), (at + 88, *count)], COLOUR.filled())
        }))?;
        let largest = columns.iter().zip(counts).find(|(_, count)| **count == most && most > 0);
        let label = style(TEXT, INK).pos(Pos::new(HPos::Center, VPos::Bottom));
        chart.draw_series(
            largest.map(|(at, count)| Text::new(count.to_string(), (at + MIDDLE, *count), label)),
        )?;
        Ok(())
    })
}

/// The next of 1, 2, 5, 10, 20, 50, … that is no less.
fn above(most: u64) -> u64 {
    let mut ten: u64 = 1;
    loop {
        for step in [1, 2, 5] {
            let at = ten.saturating_mul(step);
            if at >= most || at == u64::MAX {
                return at;
            }
        }
        ten = ten.saturating_mul(10);
    }
}

/// The day that many days after the first.
fn on(first: Date, days: i32) -> Date {
    first.saturating_add(SignedDuration::from_hours(i64::from(days) * 24))
}

/// `14 Nov`.
pub fn in_words(date: Date) -> String {
    date.strftime("%-d %b").to_string()
}
