//! Users and rooms as they are typed, before the homeserver says which they are.

use std::str::FromStr;

use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, ServerName, UserId};

use crate::unicode;

/// The longest id that there is, in bytes.
const LONGEST: usize = 255;

/// What ends a sentence or a part of one, and no id that has a server's name in it.
const ENDS: [char; 9] = ['.', ',', ';', ':', '!', '?', '\u{2026}', '\u{3002}', '\u{3001}'];

/// What is listed with, and can be the end of no id at all.
const LISTS: [char; 4] = [',', ';', ':', '\u{3001}'];

/// What is put before an id: brackets, quotation marks, a mark of a table.
const OPENS: [char; 14] = [
    '<', '(', '[', '{', '"', '\'', '`', '|', '\u{201C}', '\u{201D}', '\u{201E}', '\u{AB}',
    '\u{BB}', '\u{300C}',
];

/// The same behind an id.
const CLOSES: [char; 13] = [
    '>', ')', ']', '}', '"', '\'', '`', '|', '\u{201C}', '\u{201D}', '\u{AB}', '\u{BB}', '\u{300D}',
];

/// What Markdown makes a text bold, italic or struck out with.
const STYLES: [char; 3] = ['*', '_', '~'];

/// An id without what a sentence, a list, a keyboard or a client has put around it or into it:
/// characters that cannot be seen, brackets and quotation marks, the marks and backslashes of
/// Markdown, full-width signs, a genitive, and the comma or full stop behind it.
///
/// The full stop behind a name without a server's stays, since it can belong to that. An alias may
/// hold any character, so only what can have no effect there is taken out of it.
pub fn bare(text: &str) -> String {
    let plain = typed(text);
    let mut bare = plain.as_str();
    loop {
        let without = unsurrounded(bare);
        if without == bare {
            return bare.to_owned();
        }
        bare = without;
    }
}

/// The same of an id that may hold any character: only what cannot be seen and what lists it is left
/// out, and the brackets of an address.
pub fn bare_of_any(text: &str) -> String {
    let plain = typed(text);
    let listed = plain.trim_end_matches(LISTS);
    listed.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(listed).to_owned()
}

/// A text without what keyboards and clients put into an id.
fn typed(text: &str) -> String {
    let is_alias = text.trim_start_matches(['<', '\\']).starts_with(['#', '\u{FF03}']);
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().enumerate().peekable();
    while let Some((place, c)) = chars.next() {
        let shapes = is_alias && unicode::shapes(c) && !plain.ends_with(|c: char| c.is_ascii());
        let is_escape = c == '\\' && chars.peek().is_some_and(|(_, c)| c.is_ascii_punctuation());
        if is_escape || unicode::is_unseen(c) && !shapes {
            continue;
        }
        let is_sign = place == 0 || c == '\u{FF1A}';
        plain.push(if is_alias && !is_sign { c } else { narrow(c) });
    }
    plain
}

/// `text` without a layer of what stands around an id.
fn unsurrounded(text: &str) -> &str {
    // A sign says where an id begins, whatever stands before it.
    let opened = text.trim_start_matches(OPENS);
    let inside = opened.trim_start_matches(STYLES);
    let text = match inside.chars().next() {
        Some('@' | '#' | '!' | '$') if inside.len() < opened.len() => {
            inside.trim_end_matches(|c: char| STYLES.contains(&c) || CLOSES.contains(&c))
        }
        _ => opened,
    };
    let text = text.strip_suffix("**").and_then(|text| text.strip_prefix("**")).unwrap_or(text);
    let text = text.strip_suffix('*').and_then(|text| text.strip_prefix('*')).unwrap_or(text);
    let server = text.split_once(':').map(|(_, server)| server).filter(|_| !text.contains("://"));
    let has_server = server.is_some_and(|server| server.starts_with(is_of_server));
    if has_server {
        let text =
            ["'s", "\u{2019}s"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
        // Nothing else can be in the name of a server.
        let is_end = |c: char| !c.is_alphanumeric() && (c != ']' || !text.contains(":["));
        return text.trim_end_matches(is_end);
    }
    let whole = text.contains(':') || text.starts_with(['!', '$']) || text.contains("://");
    let text = text.trim_end_matches(if whole { &ENDS[..] } else { &LISTS[..] });
    // Whatever was opened within it belongs to it.
    let is_close = |c: char| CLOSES.contains(&c) && !text.contains(['(', '[', '{', '<']);
    text.trim_end_matches(is_close)
}

fn is_of_server(c: char) -> bool {
    c.is_alphanumeric() || c == '['
}

/// A full-width character as the ASCII one that it stands for; any other as it is.
pub fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// [`bare`], where it is short enough for an id and only one.
fn one(text: &str) -> Result<String, String> {
    let id = bare(text);
    if id.len() > LONGEST {
        return Err(format!("it is too long: an id has at most {LONGEST} characters"));
    }
    if id.contains([',', ';']) {
        return Err("it contains more than one id; put spaces between them".to_owned());
    }
    Ok(id)
}

/// Why what has the look of an address is no id.
const NO_LINK: &str = "I do not understand this link; type the id itself, or a link such as \
    https://matrix.to/#/@ann:example.org without quotation marks";

/// A user as typed: a whole id, or only the localpart of an account here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// `@ann:example.org`
    Id(OwnedUserId),
    /// `ann` or `@ann`
    Localpart(String),
}

impl FromStr for UserRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = one(text)?;
        // Only behind its @ a localpart may begin with the sign of something else, in old accounts.
        if text.starts_with(['!', '#', '$', '+']) {
            return Err(format!(
                "a user is needed here, but {text:.1} begins another kind of id; a user id looks \
                like @ann:example.org"
            ));
        }
        if text.contains(':') && !text.contains("://") {
            let id = if text.starts_with('@') { text } else { format!("@{text}") };
            return UserId::parse(id)
                .map(Self::Id)
                .map_err(|_| "it is not a user id, which looks like @ann:example.org".to_owned());
        }
        if text.contains("://") || text.contains("/#/") {
            return Err(NO_LINK.to_owned());
        }
        let localpart = text.strip_prefix('@').unwrap_or(&text);
        // Whatever the server could have: the historical grammar is printable ASCII, and beyond
        // that older servers took anything but whitespace.
        if localpart.is_empty() || localpart.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(
                "it is not a user; type a full id such as @ann:example.org, or ann for an \
                account on this server"
                    .to_owned(),
            );
        }
        if !localpart.contains(char::is_alphanumeric) {
            return Err(
                "that is not a user name; type full ids such as @ann:example.org, or ann for an \
                account on this server, with only spaces between them"
                    .to_owned(),
            );
        }
        if let Some((name, server)) = localpart.split_once('@').filter(|(_, s)| s.contains('.')) {
            return Err(format!(
                "it looks like an email address; the account would be @{name}:{server}, and !user \
                3pid finds an account by its email address"
            ));
        }
        Ok(Self::Localpart(localpart.to_owned()))
    }
}

/// A room as typed: an id, or an alias that is resolved when a verb looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomRef {
    /// `!abc` or `!abc:example.org`
    Id(OwnedRoomId),
    /// `#lobby:example.org`
    Alias(OwnedRoomAliasId),
    /// `#lobby`, an alias of this server
    Local(String),
}

impl FromStr for RoomRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_cut = text.trim_end().ends_with('\u{2026}') && !text.contains(':');
        let text = one(text)?;
        match text.chars().next() {
            // As lists show it behind a name.
            Some('!') if is_cut => {
                Err("it is only the beginning of a room id; type the whole id, or the \
                number of its row behind a dot, such as .2"
                    .to_owned())
            }
            Some('!') => RoomId::parse(&text).map(Self::Id).map_err(|_| {
                "it is not a room id, which looks like !abcdef:example.org, or !abcdef in newer \
                 rooms"
                    .to_owned()
            }),
            Some('#') if text.len() > 1 && !text.contains(':') => Ok(Self::Local(text)),
            Some('#') => RoomAliasId::parse(&text).map(Self::Alias).map_err(|_| {
                "it is not a room alias, which looks like #lobby:example.org".to_owned()
            }),
            Some('$') => Err("a room is needed here, and this is the id of a message; !event \
                details shows its room"
                .to_owned()),
            _ if text.contains("://") || text.contains("/#/") => Err(NO_LINK.to_owned()),
            _ => {
                Err("a room is needed here: its id begins with !, its alias with #; !room search \
                    finds a room by its name"
                    .to_owned())
            }
        }
    }
}

/// What a word names, as far as it tells by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// `@ann` or `@ann:example.org`
    User(UserRef),
    /// `!abc`, `!abc:example.org`, `#lobby` or `#lobby:example.org`
    Room(RoomRef),
    /// `$abc` or `$abc:example.org`
    Event(String),
    /// `mxc://example.org/abc`
    File(String),
    /// Nothing that its beginning would tell: an account without its sign, a device, a number, a
    /// word of a sentence.
    Plain(String),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = bare(text);
        Ok(match id.chars().next() {
            Some('@') => Self::User(id.parse()?),
            Some('!' | '#') => Self::Room(id.parse()?),
            Some('$') => Self::Event(id),
            _ if id.starts_with("mxc://") => Self::File(id),
            _ => Self::Plain(id),
        })
    }
}

/// Whether a word begins as ids do that say themselves what they are, so that it is to be one.
pub fn is_signed(word: &str) -> bool {
    !matches!(word.parse::<Named>(), Ok(Named::Plain(_)))
}

/// An id without the name of this server behind its colon.
pub fn without_server<'a>(id: &'a str, own: &ServerName) -> &'a str {
    let bare = id.strip_suffix(own.as_str()).and_then(|id| id.strip_suffix(':'));
    // A sign alone would name nothing.
    bare.filter(|bare| bare.chars().count() > 1).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_what_its_sign_says_however_it_is_typed() {
        let named = |text: &str| text.parse::<Named>();
        let localpart = Named::User(UserRef::Localpart("eve".to_owned()));
        for typed in ["@eve", "<@eve>,", "＠eve", "@e\u{ad}ve;"] {
            assert_eq!(named(typed), Ok(localpart.clone()), "{typed}");
        }
        let Ok(Named::User(UserRef::Id(id))) = named("＠eve：x.org.") else {
            panic!("an account")
        };
        assert_eq!(id, "@eve:x.org");
        for typed in ["!abc", "!abc:x.org", "#lobby", "<#lobby:x.org>,"] {
            assert!(matches!(named(typed), Ok(Named::Room(_))), "{typed}");
        }
        assert_eq!(named("$abc,"), Ok(Named::Event("$abc".to_owned())));
        assert_eq!(named("<mxc://x.org/a>"), Ok(Named::File("mxc://x.org/a".to_owned())));
        for plain in ["eve", "eve:x.org", "4821", "", "-", "MXC"] {
            assert_eq!(named(plain), Ok(Named::Plain(plain.to_owned())), "{plain}");
            assert!(!is_signed(plain), "{plain}");
        }
        // What begins like an id and is none names nothing, and is no plain word either.
        for broken in ["@", "#", "@a b", "@a,b", "!a,b"] {
            assert!(named(broken).is_err() && is_signed(broken), "{broken}");
        }
    }

    fn user(text: &str) -> String {
        match text.parse() {
            Ok(UserRef::Id(id)) => id.to_string(),
            Ok(UserRef::Localpart(localpart)) => localpart,
            Err(why) => panic!("{text}: {why}"),
        }
    }

    fn room(text: &str) -> String {
        match text.parse() {
            Ok(RoomRef::Id(id)) => id.to_string(),
            Ok(RoomRef::Alias(alias)) => alias.to_string(),
            Ok(RoomRef::Local(alias)) => alias,
            Err(why) => panic!("{text}: {why}"),
        }
    }

    #[test]
    fn a_user_is_understood_in_whatever_a_sentence_or_a_client_puts_around_it() {
        for typed in [
            "@eve_a:x.org",
            "eve_a:x.org",
            "@eve_a:x.org.",
            "@eve_a:x.org,",
            "@eve_a:x.org;",
            "@eve_a:x.org:",
            "@eve_a:x.org?",
            "@eve_a:x.org!",
            "@eve_a:x.org。",
            "<@eve_a:x.org>",
            "<@eve_a:x.org>,",
            "<@eve_a:x.org.>",
            "＠eve_a：x.org",
            "＠ｅｖｅ＿ａ：ｘ．ｏｒｇ",
            "@eve\\_a:x.org",
            "\\@eve\\_a:x\\.org",
            "@eve\u{ad}_a:x.org",
            "\u{feff}@eve_a\u{200b}:x.\u{2060}org\u{200e}",
            "@eve_a\u{3164}:x.org",
            "(@eve_a:x.org)",
            "(@eve_a:x.org),",
            "@eve_a:x.org)",
            "[@eve_a:x.org]",
            "{@eve_a:x.org}",
            "[\"@eve_a:x.org\",",
            "\"@eve_a:x.org\"]",
            "„@eve_a:x.org“",
            "«@eve_a:x.org»",
            "@eve_a:x.org's",
            "@eve_a:x.org’s",
            "@eve_a:x.org…",
            "@eve_a:x.org...",
            "@eve_a:x.org/",
            "|@eve_a:x.org|",
            "**@eve_a:x.org**",
            "_@eve_a:x.org_",
            "~~@eve_a:x.org~~",
            "(**@eve_a:x.org**).",
        ] {
            assert_eq!(user(typed), "@eve_a:x.org", "{typed}");
        }
        for typed in ["eve", "@eve", "eve,", "eve;", "@eve:", "eve,;", "＠eve", "e\u{ad}ve"] {
            assert_eq!(user(typed), "eve", "{typed}");
        }
        for odd in ["\"", "(x)", "a'b", "[", "*"] {
            assert_eq!(bare_of_any(odd), odd);
        }
        assert_eq!(bare_of_any("<ABC>,"), "ABC");
        for typed in ["~~@eve~~", "_@eve_", "(*@eve*)"] {
            assert_eq!(user(typed), "eve", "{typed}");
        }
        for typed in ["(eve)", "eve)", "\"eve\"", "[eve],", "*eve*", "**eve**", "„eve“"] {
            assert_eq!(user(typed), "eve", "{typed}");
        }
        assert_eq!(user("_bridge_"), "_bridge_", "a name may begin and end so");
        assert_eq!(user("@_bridge_a:x.org"), "@_bridge_a:x.org");
        assert_eq!(user("eve."), "eve.", "a name may end so");
        assert_eq!(user(r"e\ve"), r"e\ve");
        assert_eq!(user("@eve:[2001:db8::1]:8448,"), "@eve:[2001:db8::1]:8448");
    }

    #[test]
    fn a_room_is_understood_so_too_and_an_alias_keeps_what_it_may_hold() {
        let id = "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM";
        for typed in ["{}", "{}.", "{},", "<{}>", "！31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"]
        {
            assert_eq!(room(&typed.replace("{}", id)), id, "{typed}");
        }
        assert_eq!(room(&id.replace('_', "\\_")), id);
        assert_eq!(room("!ab\\_c:x.org."), "!ab_c:x.org");
        for typed in ["#lob_by:x.org", "＃lob_by：x.org,", "<#lob_by:x.org>", "#lob\\_by:x.org."]
        {
            assert_eq!(room(typed), "#lob_by:x.org", "{typed}");
        }
        assert_eq!(room("#lobby,"), "#lobby");
        for typed in ["(#lob_by:x.org)", "[#lob_by:x.org],", "#lob_by:x.org's", "**#lob_by:x.org**"]
        {
            assert_eq!(room(typed), "#lob_by:x.org", "{typed}");
        }
        for typed in ["({})", "[{}]", "\"{}\",", "**{}**", "{})"] {
            assert_eq!(room(&typed.replace("{}", id)), id, "{typed}");
        }
        assert_eq!(room("#(lob)by:x.org"), "#(lob)by:x.org");
        assert_eq!(room("#lobby(2)"), "#lobby(2)");
        let emoji = "#\u{1f469}\u{200d}\u{1f4bb}ｔ:x.org";
        assert_eq!(room(emoji), emoji);
        assert_eq!(room("#lob\u{200d}by\u{ad}:x.org"), "#lobby:x.org");
    }

    #[test]
    fn what_is_something_else_is_told_with_what_to_type() {
        for (typed, said) in [
            ("#lobby:x.org", "# begins another kind of id"),
            ("!abc:x.org", "! begins another kind of id"),
            ("+group:x.org", "+ begins another kind of id"),
            ("—", "not a user name"),
            ("&", "not a user name"),
            ("@-", "not a user name"),
            ("eve@x.org", "the account would be @eve:x.org"),
            ("@eve@x.org", "the account would be @eve:x.org"),
            ("https://x.org/eve", "do not understand this link"),
        ] {
            let told = typed.parse::<UserRef>().unwrap_err();
            assert!(told.contains(said), "{typed}: {told}");
        }
        for (typed, said) in [
            ("$event", "!event details"),
            ("Lobby", "!room search"),
            ("@eve:x.org", "a room is needed here"),
            ("https://x.org/#/lobby", "do not understand this link"),
            // As a list shows it, and not as the room of exactly that id.
            ("!bex03aFB…", "only the beginning of a room id"),
            ("`!bex03aFB…` …", "only the beginning of a room id"),
        ] {
            let told = typed.parse::<RoomRef>().unwrap_err();
            assert!(told.contains(said), "{typed}: {told}");
        }
        assert_eq!("!abc:x.org…".parse(), Ok(RoomRef::Id("!abc:x.org".try_into().unwrap())));
        assert_eq!(user("@#old:x.org"), "@#old:x.org", "an old account");
    }

    #[test]
    fn what_is_too_long_or_several_is_told_in_a_few_words() {
        let long = "x".repeat(20_000);
        for (typed, said) in [
            (long.as_str(), "it is too long: an id has at most 255 characters"),
            ("spam1,spam2", "it contains more than one id; put spaces between them"),
            ("@a:x.org;@b:x.org", "it contains more than one id; put spaces between them"),
        ] {
            assert_eq!(typed.parse::<UserRef>().unwrap_err(), said);
        }
        assert!(format!("!{long}").parse::<RoomRef>().is_err());
        assert!(format!("#{long}").parse::<RoomRef>().is_err());
    }
}
