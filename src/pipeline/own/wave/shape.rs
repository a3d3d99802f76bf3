//! The shape of a name: what the names of accounts have in common that a program has made.

/// Fewest letters of a word without a vowel that nobody is called by.
const UNSPEAKABLE: usize = 5;

/// Fewest letters that a shape has in common, for names of any length to be alike.
const TELLING: usize = 2;

/// The shape of a localpart: `#` stands for digits, `*` for letters and digits by chance. `None` where
/// nothing in it varies, as in most names that people choose.
///
/// `raid-7` and `raid-2940` have the shape `raid-#`, `spam_x7f3q` has `spam_*`. Where nearly nothing is in
/// common but the kind of characters, there are as many signs as characters: `x7f3qk2m` has `********`.
pub(in crate::pipeline) fn shape(localpart: &str) -> Option<String> {
    let localpart = localpart.to_lowercase();
    let pieces: Vec<Piece<'_>> = words(&localpart).into_iter().flat_map(pieces).collect();
    if pieces.iter().all(|piece| matches!(piece, Piece::Fixed(_))) {
        return None;
    }
    let letters = |text: &&str| text.chars().filter(|c| c.is_alphabetic()).count();
    let fixed = pieces.iter().filter_map(|piece| match piece {
        Piece::Fixed(text) => Some(*text),
        Piece::Digits(_) | Piece::Chance(_) => None,
    });
    let is_telling = fixed.map(|text| letters(&text)).sum::<usize>() >= TELLING;
    let sign = |sign: &str, count: usize| sign.repeat(if is_telling { 1 } else { count });
    let drawn = pieces.iter().map(|piece| match piece {
        Piece::Fixed(text) => (*text).to_owned(),
        Piece::Digits(count) => sign("#", *count),
        Piece::Chance(count) => sign("*", *count),
    });
    Some(drawn.collect())
}

/// A part of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// What is as it is.
    Fixed(&'a str),
    /// So many digits.
    Digits(usize),
    /// So many characters by chance.
    Chance(usize),
}

/// The text cut where letters and digits end or begin.
fn words(text: &str) -> Vec<&str> {
    cut(text, char::is_alphanumeric)
}

/// The text cut where characters of this kind end or begin.
fn cut(text: &str, is: fn(char) -> bool) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut begin, mut last) = (0, None);
    for (at, c) in text.char_indices() {
        let kind = is(c);
        if last.is_some_and(|last| last != kind) {
            found.extend(text.get(begin..at));
            begin = at;
        }
        last = Some(kind);
    }
    found.extend(text.get(begin..).filter(|rest| !rest.is_empty()));
    found
}

/// The parts of a word, or of what stands between words.
fn pieces(word: &str) -> Vec<Piece<'_>> {
    let runs = cut(word, |c| c.is_ascii_digit());
    let count = |text: &str| text.chars().count();
    let of_run = |run: &str| match run.chars().next() {
        Some(c) if c.is_ascii_digit() => Piece::Digits(count(run)),
        _ => Piece::Chance(count(run)),
    };
    match runs.as_slice() {
        // Letters and digits that take turns.
        [_, _, _, ..] => vec![Piece::Chance(count(word))],
        runs => runs
            .iter()
            .map(|run| match of_run(run) {
                Piece::Chance(_) if !is_unspeakable(run) => Piece::Fixed(run),
                piece => piece,
            })
            .collect(),
    }
}

/// Whether letters are so many, and no vowel among them, that they are no word. What is written in
/// other alphabets is not judged.
fn is_unspeakable(letters: &str) -> bool {
    letters.len() >= UNSPEAKABLE
        && letters.chars().all(|c| c.is_ascii_lowercase() && !"aeiouy".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_in_a_name_is_a_sign() {
        for (name, found) in [
            ("raid-7", "raid-#"),
            ("raid-2940", "raid-#"),
            ("raid2940", "raid#"),
            ("Raid_17", "raid_#"),
            ("spam_x7f3q", "spam_*"),
            ("spam.qwrtzp", "spam.*"),
            ("bot-12-cheap-99", "bot-#-cheap-#"),
            ("7-eleven", "#-eleven"),
            // Where only the kind of characters is alike, their number counts.
            ("x7f3qk2m", "********"),
            ("12345678", "########"),
            ("a17", "a##"),
            ("bcdfgh", "******"),
            ("öl7", "öl#"),
        ] {
            assert_eq!(shape(name).as_deref(), Some(found), "{name}");
        }
    }

    #[test]
    fn names_that_people_choose_have_no_shape() {
        for name in [
            "ann",
            "moses",
            "anna.lee",
            "schmidt",
            "krzysztof",
            "o-brien",
            "rhythm",
            "жкх",
            "",
            "-",
            "mr.t",
        ] {
            assert_eq!(shape(name), None, "{name}");
        }
    }
}
