//! Terms that the homeserver does not find in every spelling.
//!
//! It knows the capitals of ASCII only, on most databases: who types *ärger* does not find *Ärger*,
//! and *ЖКХ* is not found by its small letters. So it is asked for the longest part of a term that it
//! can be asked for, and what it finds is looked through here.

/// How many are looked through for one answer: what is left begins on the next page.
pub const MOST: u64 = 50_000;

/// Whether what the homeserver finds for this term is not just what holds it: to it, `%` and `_`
/// stand for any characters.
pub fn is_found_here(term: &str) -> bool {
    term.contains(WILD) || !term.is_ascii()
}

const WILD: [char; 2] = ['%', '_'];

/// The part of a term that the homeserver is asked for: whatever holds the term holds that too.
/// `None` where there is no such part.
pub fn asked_for(term: &str) -> Option<&str> {
    if term.is_ascii() {
        return Some(term);
    }
    // An i may be one without its dot, and two s one ß: the homeserver does not know that.
    let parts = term.split(|c: char| !c.is_ascii() || WILD.contains(&c) || "iI".contains(c));
    let parts = parts.flat_map(|part| part.split("ss")).flat_map(|part| part.split("SS"));
    // Of several the first.
    let parts: Vec<&str> = parts.map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.into_iter().rev().max_by_key(|part| part.len())
}

/// A text in the one spelling in which two are compared.
pub fn folded(text: &str) -> String {
    // Capitals first: ß and ſ have some, and so has the sigma at the end of a word.
    // The dot that a capital İ leaves above its small letter is on that anyway.
    text.to_uppercase().to_lowercase().replace("i\u{307}", "i")
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
        ] {
            assert!(holds(text, &folded(term)), "{term} in {text}");
            let asked = asked_for(term).map(str::to_ascii_lowercase).unwrap_or_default();
            // What the homeserver does: the capitals of ASCII, and no others.
            assert!(text.to_ascii_lowercase().contains(&asked), "{term}: {asked}");
        }
        assert!(!holds("Arger", &folded("ärger")));
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
            assert_eq!(asked_for(term), asked, "{term}");
        }
    }
}
