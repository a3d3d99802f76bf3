//! Numbers as a picture: bars for what is largest, columns for days. A PNG on a ground of its own, so that
//! it can be read on a phone, in a light client and in a dark one.
//!
//! Labels may be anybody's words: whoever makes a chart has made them harmless. Here they are cut where they
//! are too long, and what the font lacks is drawn as a box.

use std::error::Error as StdError;

use plotters::{
    coord::Shift,
    prelude::{
        BitMapBackend, DrawingArea, IntoDrawingArea as _, IntoFont as _, RGBColor, Rectangle, Text,
    },
    style::{Color as _, TextStyle},
};

mod bars;
mod days;
pub mod font;

pub use bars::{Bar, MOST_BARS, Others, bars};
pub use days::{days, in_words};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be drawn.
    #[error("the picture could not be drawn: {0}")]
    Undrawn(String),
    /// It could not be packed.
    #[error("the picture could not be packed")]
    Unpacked(#[from] png::EncodingError),
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The PNG.
    pub png: Vec<u8>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What a picture is of.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// What is compared or counted.
    pub title: &'a str,
    /// How much of it, of how many, since when, and what is missing: each in one line.
    pub about: &'a [String],
}

/// Pixels. Clients show a picture on a phone at half of that.
const WIDTH: u32 = 780;
const RIGHT: i32 = 780 - MARGIN;
const MARGIN: i32 = 28;

const GROUND: RGBColor = RGBColor(250, 251, 253);
const INK: RGBColor = RGBColor(26, 32, 44);
const FAINT_INK: RGBColor = RGBColor(74, 85, 104);
const COLOUR: RGBColor = RGBColor(11, 95, 185);
const LINE: RGBColor = RGBColor(214, 220, 229);

/// The heights of lines of text, pixels. An em is six sevenths of that, so that the smallest text is 11 pixels
/// on a phone.
const TITLE: i32 = 36;
const TEXT: i32 = 28;
const SMALL: i32 = 26;

/// How high a head is: its title, and each line about it.
const HEAD: i32 = 80;
const ABOUT: usize = 34;

impl Head<'_> {
    /// Where what is drawn begins, below the head.
    fn height(&self) -> i32 {
        (HEAD..).step_by(ABOUT).nth(self.about.len()).unwrap_or(HEAD)
    }
}

/// How many characters of a line are looked at where it is cut.
const MOST_CHARS: usize = 200;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawing = Result<(), Box<dyn StdError>>;

/// A picture of this height, with its head and what `draw` draws below it.
fn picture(
    head: Head<'_>,
    height: i32,
    draw: impl FnOnce(&Area<'_>) -> Drawing,
) -> Result<Picture, Error> {
    font::ready()?;
    let height = u32::try_from(height).unwrap_or(WIDTH);
    let mut pixels = vec![0; (WIDTH * height * 3) as usize];
    let area = BitMapBackend::with_buffer(&mut pixels, (WIDTH, height)).into_drawing_area();
    let drawn = begun(&area, head).and_then(|()| draw(&area)).and_then(|()| Ok(area.present()?));
    drop(area);
    drawn.map_err(|error| Error::Undrawn(error.to_string()))?;
    Ok(Picture { png: packed(&pixels, height)?, width: WIDTH, height })
}

fn begun(area: &Area<'_>, head: Head<'_>) -> Drawing {
    area.fill(&GROUND)?;
    write(area, (MARGIN, 50), TITLE, INK, &cut(head.title, TITLE, RIGHT - MARGIN))?;
    for (line, base) in head.about.iter().zip((88..).step_by(ABOUT)) {
        write(area, (MARGIN, base), SMALL, FAINT_INK, &cut(line, SMALL, RIGHT - MARGIN))?;
    }
    Ok(())
}

fn packed(pixels: &[u8], height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// Writes one line from the left on, that stands on the height `base`.
fn write(
    area: &Area<'_>,
    (left, base): (i32, i32),
    size: i32,
    colour: RGBColor,
    text: &str,
) -> Drawing {
    // The foot of its letters is half a line below where it is drawn.
    Ok(area.draw(&Text::new(text, (left, base - size / 2), style(size, colour)))?)
}

fn fill(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Drawing {
    Ok(area.draw(&Rectangle::new([from, to], colour.filled()))?)
}

fn style(size: i32, ink: RGBColor) -> TextStyle<'static> {
    let color = ink.to_backend_color();
    TextStyle { color, ..TextStyle::from((font::FAMILY, size).into_font()) }
}

/// How wide a line is, pixels.
fn width(text: &str, size: i32) -> i32 {
    // Without the font nothing is drawn anyway.
    style(size, INK)
        .font
        .box_size(text)
        .map_or(0, |(width, _)| i32::try_from(width).unwrap_or(i32::MAX))
}

/// The line, cut where it is wider than `room`.
fn cut(text: &str, size: i32, room: i32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    // More of them fit only where nothing is seen of them.
    let mut cut: String = text.chars().take(MOST_CHARS).collect();
    while cut.pop().is_some() {
        let shown = format!("{}…", cut.trim_end());
        if width(&shown, size) <= room {
            return shown;
        }
    }
    String::new()
}

/// The part of `room` that `value` has of `most`, pixels.
fn scaled(value: u64, most: u64, room: i32) -> i32 {
    let part = i128::from(value) * i128::from(room) / i128::from(most.max(1));
    i32::try_from(part).unwrap_or(room).min(room)
}

#[cfg(test)]
mod tests;
