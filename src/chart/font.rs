//! The font of all that is drawn: a part of `DejaVu` Sans. `deploy/font.sh` cuts it out, and `font.txt` is its
//! licence.

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef};
use icu_normalizer::ComposingNormalizerBorrowed;
use plotters::style::{FontStyle, register_font};

use super::Error;

static BYTES: &[u8] = include_bytes!("font.ttf");

static READY: LazyLock<bool> =
    LazyLock::new(|| register_font(FAMILY, FontStyle::Normal, BYTES).is_ok());

static FONT: LazyLock<Option<FontRef<'static>>> =
    LazyLock::new(|| FontRef::try_from_slice(BYTES).ok());

/// Under which name plotters knows it.
pub const FAMILY: &str = "sans-serif";

/// What stands for a run of characters that the font lacks.
const MISSING: char = '□';

/// Lets plotters know the font, without which it writes no text.
pub fn ready() -> Result<(), Error> {
    if *READY { Ok(()) } else { Err(Error::Undrawn("its font cannot be read".to_owned())) }
}

/// The text as it can be drawn, with a box for what the font lacks; `None` where that is most of it.
pub fn drawable(text: &str) -> Option<String> {
    let text = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    let (mut drawn, mut missing) = (String::new(), 0);
    for c in text.chars() {
        if has(c) {
            drawn.push(c);
        } else {
            missing += 1;
            if !drawn.ends_with(MISSING) {
                drawn.push(MISSING);
            }
        }
    }
    let letters = drawn.chars().filter(|c| c.is_alphanumeric()).count();
    (letters >= missing && letters > 0).then_some(drawn)
}

fn has(c: char) -> bool {
    FONT.as_ref().is_some_and(|font| font.glyph_id(c).0 != 0)
}
