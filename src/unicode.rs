//! Characters by what Unicode says of them: what cannot be seen, what turns the direction of
//! writing, what is written from right to left.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        BidiClass, BidiControl, DefaultIgnorableCodePoint, GeneralCategory, JoinControl, LineBreak,
        NoncharacterCodePoint, PrependedConcatenationMark, VariationSelector,
    },
};

/// Whether `c` steers the direction of the writing around it, and shows nothing itself.
pub fn turns_direction(c: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(c)
}

/// Whether `c` says only where a line may be broken, and shows nothing itself: the zero width
/// space, the word joiner, and the byte order mark, which was one before.
pub fn guides_breaks(c: char) -> bool {
    matches!(
        CodePointMapData::<LineBreak>::new().get(c),
        LineBreak::ZWSpace | LineBreak::WordJoiner
    )
}

/// Whether `c` shows nothing itself, and chooses the shape of what stands before it: joiners and
/// variation selectors, which emoji and some scripts need.
pub fn shapes(c: char) -> bool {
    CodePointSetData::new::<JoinControl>().contains(c)
        || CodePointSetData::new::<VariationSelector>().contains(c)
}

/// Whether nothing is seen of `c`, white space and control characters aside.
///
/// What Unicode calls default-ignorable, the format characters beyond it, and the code points that
/// are no characters. Some format characters are signs around a number or a word, and seen; that of
/// Syriac is drawn into the line above its letters, so it counts as unseen. The marks and blanks of
/// Egyptian hieroglyphs that follow the format characters arrange other signs too.
pub fn is_unseen(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
        || is_format(c) && !CodePointSetData::new::<PrependedConcatenationMark>().contains(c)
        || matches!(c, '\u{70f}' | '\u{13440}'..='\u{13455}')
}

fn is_format(c: char) -> bool {
    CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::Format
}

/// Whether `c` belongs to what is written from right to left, numbers of those scripts included.
pub fn is_right_to_left(c: char) -> bool {
    matches!(
        CodePointMapData::<BidiClass>::new().get(c),
        BidiClass::RightToLeft | BidiClass::ArabicLetter | BidiClass::ArabicNumber
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(property: fn(char) -> bool, those: &[char], not: &[char]) {
        for &c in those {
            assert!(property(c), "U+{:04X}", u32::from(c));
        }
        for &c in not {
            assert!(!property(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn marks_overrides_and_isolates_turn_the_direction() {
        let those = [
            '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
            '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
        ];
        hold(turns_direction, &those, &['a', 'א', '\u{200b}', '\u{2060}', '\u{2065}', ' ']);
    }

    #[test]
    fn what_guides_breaks_is_not_the_soft_hyphen_nor_white_space() {
        let not = ['\u{ad}', ' ', '\u{a0}', '\u{202f}', '\u{200c}', '\u{200d}', '-', '\n'];
        hold(guides_breaks, &['\u{200b}', '\u{2060}', '\u{feff}'], &not);
    }

    #[test]
    fn joiners_and_variation_selectors_shape() {
        let those = ['\u{200c}', '\u{200d}', '\u{fe00}', '\u{fe0e}', '\u{fe0f}', '\u{e0100}'];
        hold(shapes, &those, &['a', '\u{301}', '🏽', '\u{200b}', '\u{e0067}']);
    }

    #[test]
    fn what_hides_in_a_name_is_unseen_and_what_writes_it_is_seen() {
        let hidden = [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{70f}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180e}',
            '\u{180f}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2065}',
            '\u{2069}',
            '\u{206f}',
            '\u{3164}',
            '\u{fdd0}',
            '\u{fdef}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{13430}',
            '\u{13441}',
            '\u{13455}',
            '\u{1bca0}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e007f}',
            '\u{e0fff}',
            '\u{1ffff}',
            '\u{10fffe}',
        ];
        let seen = [
            'a',
            'é',
            '\u{301}',
            'ß',
            'א',
            'ب',
            '你',
            'ก',
            '\u{e33}',
            '👍',
            '🏽',
            '◌',
            '\u{fffc}',
            '\u{fffd}',
            '\u{600}',
            '\u{6dd}',
            '\u{8e2}',
            '\u{110bd}',
            '\u{e000}',
            '\u{2800}',
        ];
        hold(is_unseen, &hidden, &seen);
    }

    #[test]
    fn hebrew_arabic_and_their_kin_are_written_from_right_to_left() {
        let those = [
            'א',
            'ת',
            'ب',
            'ی',
            '٣',
            'ܐ',
            'ހ',
            'ߊ',
            'ࠀ',
            '\u{fb2a}',
            '\u{fdf2}',
            '\u{fefb}',
            '\u{10900}',
            '\u{10a00}',
            '\u{1e900}',
            '\u{1ee00}',
        ];
        hold(
            is_right_to_left,
            &those,
            &['a', '3', 'é', 'Ж', '你', 'अ', '👍', '(', ' ', '\u{feff}'],
        );
    }

    /// All of Unicode's right-to-left marks and what is not seen disappear from names, so none of it
    /// may be left over by an update of the tables that makes a property smaller.
    #[test]
    fn whatever_turns_guides_or_shapes_is_unseen() {
        let mut steering = ('\0'..=char::MAX).filter(|&c| turns_direction(c) || shapes(c));
        assert_eq!(steering.find(|&c| !is_unseen(c)), None);
        assert!(('\0'..=char::MAX).filter(|&c| guides_breaks(c)).all(is_unseen));
    }
}
