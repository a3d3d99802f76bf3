//! Terms that the homeserver does not find in every spelling.
//!
//! It knows the capitals of ASCII only, on most databases: who types *ärger* does not find *Ärger*,
//! and *ЖКХ* is not found by its small letters. So it is asked for the longest part of a term that it
//! can be asked for, and what it finds is looked through here.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

/// How many are looked through for one answer: what is left begins on the next page.
pub const MOST: u64 = 50_000;

/// Which texts a search is to find.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Spellings {
    /// Of a term in ASCII those that the homeserver finds.
    #[default]
    Usual,
    /// Also those in which a letter of ASCII is written by another: `istanbul` finds *İstanbul*.
    All,
}

/// Letters of ASCII that are the small or capital form of a letter that is none, such as of the i without
/// a dot, the long s, the sign of the kelvin, or that are part of a ligature, such as of ﬁ and ﬆ.
const SPELT_OTHERWISE: &str = "iIkKsSfFlLtT";

/// Whether what the homeserver finds for this term is not just what holds it: to it, `%` and `_`
/// stand for any characters.
pub fn is_found_here(term: &str, spellings: Spellings) -> bool {
    term.contains(WILD)
        || !term.is_ascii()
        || spellings == Spellings::All && is_spelt_otherwise(term)
}

/// Whether a search for [all spellings](Spellings::All) may find more than the usual one.
pub fn is_spelt_otherwise(term: &str) -> bool {
    term.is_ascii() && term.chars().any(|c| SPELT_OTHERWISE.contains(c))
}

const WILD: [char; 2] = ['%', '_'];

/// The part of a term that the homeserver is asked for: whatever holds the term holds that too.
/// `None` where there is no such part.
pub fn asked_for(term: &str, spellings: Spellings) -> Option<String> {
    if term.is_ascii() && spellings == Spellings::Usual {
        return Some(term.to_owned());
    }
    // A letter and its mark may be written as one character or as two: neither is asked for.
    let term = composed(term);
    let other = match spellings {
        // An i may be one without its dot, and two s one ß: the homeserver does not know that.
        Spellings::Usual => "iI",
        Spellings::All => SPELT_OTHERWISE,
    };
    let parts = term.split(|c: char| !c.is_ascii() || WILD.contains(&c) || other.contains(c));
    let parts = parts.flat_map(|part| part.split("ss")).flat_map(|part| part.split("SS"));
    // Of several the first.
    let parts: Vec<&str> = parts.map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.into_iter().rev().max_by_key(|part| part.len()).map(str::to_owned)
}

/// A text in the one spelling in which two are compared.
pub fn folded(text: &str) -> String {
    // Capitals first: ß and ſ have some, and so has the sigma at the end of a word.
    // The dot that a capital İ leaves above its small letter is on that anyway.
    let folded = composed(text).to_uppercase().to_lowercase().replace("i\u{307}", "i");
    composed(&folded).into_owned()
}

/// A text with each letter and its marks as one character, where there is one (Unicode's form NFC).
fn composed(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Whether `text` holds a term that was [`folded`].
pub fn holds(text: &str, folded_term: &str) -> bool {
    folded(text).contains(folded_term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_found_in_every_spelling() {
        for (term, text) in [
            ("ärger", "Ärger-Ecke"),
            ("ÄRGER", "ärger-ecke"),
            ("жкх", "ЖКХ Дом 5"),
            ("ЖКХ", "жкх дом"),
            ("özlem", "Özlem Öz"),
            ("straße", "HAUPTSTRASSE"),
            ("σας", "ΓΕΙΑ ΣΑΣ"),
            ("łódź", "ŁÓDŹ"),
            ("你好", "你好世界"),
            ("ıstanbul", "İstanbul"),
            ("İSTANBUL", "istanbul"),
            ("IŞIK", "ışık"),
            ("ışık", "IŞIK"),
            ("σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("ΜΆΣΣΑ strasse", "μάσσα Straße"),
            ("🍕", "🍕 Pizza"),
            ("lobby", "The LOBBY"),
            // The same letters, written as one character and as two.
            ("a\u{308}rger", "Ärger"),
            ("ärger", "A\u{308}rger"),
            ("blau\u{308}", "Blaü"),
            ("Việt", "Vie\u{323}\u{302}t"),
            ("한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"),
        ] {
            assert!(holds(text, &folded(term)), "{term} in {text}");
            let asked = asked_for(term, Spellings::Usual).unwrap_or_default().to_ascii_lowercase();
            // What the homeserver does: the capitals of ASCII, and no others.
            assert!(text.to_ascii_lowercase().contains(&asked), "{term}: {asked}");
        }
        assert!(!holds("Arger", &folded("ärger")));
        assert!(!holds("Ärger", &folded("arger")));
    }

    #[test]
    fn a_term_in_ascii_finds_its_letters_in_other_forms_where_all_are_wanted() {
        for (term, text) in [
            ("istanbul", "İstanbul"),
            ("ISPARTA", "ısparta"),
            ("strasse", "Hauptstraße"),
            ("finance", "ﬁnance"),
            ("kelvin", "\u{212a}elvin"),
            ("house", "hou\u{17f}e"),
        ] {
            assert!(is_spelt_otherwise(term) && is_found_here(term, Spellings::All), "{term}");
            assert!(!is_found_here(term, Spellings::Usual), "{term}");
            assert!(holds(text, &folded(term)), "{term} in {text}");
            let asked = asked_for(term, Spellings::All).unwrap_or_default();
            assert!(
                text.to_ascii_lowercase().contains(&asked.to_ascii_lowercase()),
                "{term}: {asked}"
            );
        }
        // Nothing is written otherwise here, so that nothing has to be looked through.
        assert!(!is_spelt_otherwise("memory") && !is_found_here("memory", Spellings::All));
        assert_eq!(asked_for("kiss", Spellings::All), None);
    }

    #[test]
    fn the_homeserver_is_asked_for_as_much_as_it_can_find() {
        for (term, asked) in [
            ("lobby", Some("lobby")),
            ("lob_y", Some("lob_y")),
            ("ärger", Some("rger")),
            ("Müller & Söhne", Some("ller & S")),
            ("über_mich", Some("ber")),
            ("grüße aus Essen", Some("e aus E")),
            ("жкх", None),
            ("ö ö", None),
        ] {
            assert_eq!(asked_for(term, Spellings::Usual).as_deref(), asked, "{term}");
        }
    }
}
