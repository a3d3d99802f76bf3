//! The path of a request as somebody types it, and the one way in which that is understood.
//!
//! What is sent is put together anew from the parts, each encoded. So that nobody between the bot
//! and the homeserver reads another path in it, and the gate weighs what is really asked for, a path
//! that could be read in two ways is not put right but refused.

use percent_encoding::percent_decode_str;

use crate::{
    change::Root,
    reply::{Hostile, Line},
};

/// A path below one of the roots, and what was asked for besides, all decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// The parts below the root.
    pub(super) parts: Vec<String>,
    /// The parameters, in order.
    pub(super) query: Vec<(String, String)>,
}

/// The longest that is read, in bytes.
const LONGEST: usize = 4000;

/// Characters besides letters and digits that stand in a path as they are.
const PLAIN: &str = "-._~!$&'()*+,:=@%/";

/// Versions of the API of clients. What is unstable there can be anything.
const VERSIONS: [&str; 3] = ["r0", "v1", "v3"];

/// Reads an endpoint; the fault in words that name no value of a parameter.
pub(super) fn read(root: Root, text: &str) -> Result<Typed, Line> {
    if text.len() > LONGEST {
        return Err(format!("the path is longer than {LONGEST} characters").into());
    }
    if text.contains("://") {
        return Err(Line::new()
            .plain("type only the path, without the server: ")
            .code(example(root)));
    }
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, parameters(query)?),
        None => (text, Vec::new()),
    };
    let stray = |c: char| !c.is_ascii_alphanumeric() && !PLAIN.contains(c);
    if let Some(c) = path.chars().find(|&c| stray(c)) {
        return Err(strayed(c));
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    let parts = path.split('/').map(part).collect::<Result<Vec<_>, Line>>()?;
    Ok(Typed { parts: below(root, parts)?, query })
}

fn example(root: Root) -> &'static str {
    match root {
        Root::Admin => "v1/rooms",
        Root::Client => "client/v3/publicRooms",
    }
}

fn strayed(c: char) -> Line {
    let encoded: String =
        c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let line = Line::new().hostile(&Hostile::new(c)).plain(" is not allowed in a path; ");
    match c {
        '\\' => line.plain("separate the parts with /"),
        c if c.is_whitespace() || c.is_control() => line.plain("leave it out"),
        _ => line.plain("if it is part of a name, write it as ").code(encoded),
    }
}

/// One part, decoded once.
fn part(typed: &str) -> Result<String, Line> {
    let text = decoded(typed)?;
    let wrong = |why: &str| Err(Line::new().hostile(&Hostile::new(typed)).plain(why));
    if text.is_empty() {
        return Err("the path has an empty part: two slashes together, or one at its end".into());
    }
    if text.chars().all(|c| c == '.') {
        return wrong(" in a path leads somewhere else; write the real path");
    }
    if text.contains('%') {
        return wrong(" is encoded twice; once is enough");
    }
    if text.chars().any(|c| "\\;?".contains(c) || c.is_control()) {
        return wrong(" contains a character that no id has");
    }
    // Ids of events in old rooms have slashes. Nothing else has.
    let leads = |text: &str| text.split('/').any(|piece| piece.chars().all(|c| c == '.'));
    if text.contains('/') && (!text.starts_with('$') || leads(&text)) {
        return wrong(" contains an encoded slash, and only event ids have slashes");
    }
    Ok(text)
}

fn decoded(text: &str) -> Result<String, Line> {
    let is_code = |behind: &str| {
        behind.get(..2).is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if !text.split('%').skip(1).all(is_code) {
        return Err(Line::from(
            "after a % there must be two hexadecimal digits; write % itself as \
                               %25",
        ));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Line::from("the encoded part is not UTF-8"))
}

/// Without what everything at this root begins with, which need not be typed.
fn below(root: Root, parts: Vec<String>) -> Result<Vec<String>, Line> {
    let begins = |with: &[&str]| parts.iter().zip(with).filter(|(a, b)| a == b).count();
    let (whole, verb, other) = match root {
        Root::Admin => (["_synapse", "admin"], "matrix raw", "_matrix"),
        Root::Client => (["_matrix", "client"], "raw", "_synapse"),
    };
    if parts.first().is_some_and(|first| first == other) {
        return Err(Line::new().plain("for that, use ").code(verb));
    }
    let dropped = match root {
        _ if begins(&whole) == 2 => 2,
        Root::Client if begins(&["client"]) == 1 => 1,
        Root::Client => {
            return Err(Line::new()
                .plain("below /_matrix I allow only paths that begin with client, such as ")
                .code(example(root)));
        }
        Root::Admin => 0,
    };
    let parts: Vec<String> = parts.into_iter().skip(dropped).collect();
    let first = parts.first().map_or("", String::as_str);
    let version = match root {
        Root::Admin => {
            let number = first.strip_prefix('v').unwrap_or_default();
            (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        Root::Client => VERSIONS.contains(&first) || (first == "versions" && parts.len() == 1),
    };
    if !version {
        let begins = match root {
            Root::Admin => "below /_synapse/admin every path begins with its version, such as ",
            Root::Client => "for the client API I allow versions r0, v1 and v3, such as ",
        };
        return Err(Line::new().plain(begins).code(example(root)));
    }
    Ok(parts)
}

/// The parameters behind the question mark.
fn parameters(text: &str) -> Result<Vec<(String, String)>, Line> {
    let plain = |c: char| c.is_ascii_graphic() || c.is_alphanumeric();
    if text.chars().any(|c| !plain(c) || "\\#;+".contains(c)) {
        return Err(Line::new()
            .plain("a character after the question mark must be encoded: write ")
            .code("%2B")
            .plain(" for +, ")
            .code("%23")
            .plain(" for #, ")
            .code("%20")
            .plain(" for a space"));
    }
    let pairs = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((decoded(name)?, decoded(value)?)),
        _ => Err(Line::new().plain("a parameter looks like ").code("limit=10")),
    });
    let pairs = pairs.collect::<Result<Vec<_>, Line>>()?;
    if pairs.iter().any(|(name, value)| format!("{name}{value}").contains(char::is_control)) {
        return Err("a parameter contains a control character".into());
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    fn parts(root: Root, text: &str) -> Result<Vec<String>, String> {
        read(root, text).map(|typed| typed.parts).map_err(|why| testing::line(&why))
    }

    #[test]
    fn the_root_may_be_typed_or_left_out_and_is_one_of_two() {
        let rooms = ["v1", "rooms"].map(str::to_owned).to_vec();
        for text in [
            "v1/rooms",
            "/v1/rooms",
            "/_synapse/admin/v1/rooms",
            "_synapse/admin/v1/rooms",
            "%76%31/rooms",
            "/%5Fsynapse/admin/v1/rooms",
        ] {
            assert_eq!(parts(Root::Admin, text).as_ref(), Ok(&rooms), "{text}");
        }
        for text in [
            "client/v3/publicRooms",
            "/client/v3/publicRooms",
            "/_matrix/client/v3/publicRooms",
            "_matrix/client/v3/publicRooms",
        ] {
            assert_eq!(parts(Root::Client, text).unwrap(), ["v3", "publicRooms"], "{text}");
        }
        assert_eq!(parts(Root::Client, "client/versions").unwrap(), ["versions"]);
        for (text, why) in [
            ("/_matrix/client/v3/sync", "`matrix raw`"),
            ("_matrix/client/v3/sync", "`matrix raw`"),
            ("%5Fmatrix/client/v3/sync", "`matrix raw`"),
            ("_synapse/mas/query_user", "its version"),
            ("_synapse/client/password_reset", "its version"),
            ("_SYNAPSE/admin/v1/rooms", "its version"),
            ("rooms", "its version"),
            ("V1/rooms", "its version"),
            ("v/rooms", "its version"),
            ("v100/rooms", "its version"),
            ("_synapse/admin", "its version"),
            ("", "empty part"),
            ("/", "empty part"),
            ("https://example.org/_synapse/admin/v1/rooms", "without the server"),
            ("//example.org/_synapse/admin/v1/rooms", "empty part"),
        ] {
            let said = parts(Root::Admin, text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        for text in [
            "v3/sync",
            "key/v2/server",
            "federation/v1/version",
            "media/v3/config",
            "client/unstable/org.matrix.msc2697.v2/dehydrated_device",
            "client/api/v1/events",
            "Client/v3/publicRooms",
            "client",
            "client/versions/x",
            "_synapse/admin/v1/rooms",
        ] {
            assert!(parts(Root::Client, text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "v1//rooms",
            "v1/rooms/",
            "v1/rooms/../users",
            "v1/./rooms",
            "v1/rooms/..",
            "v1/%2e%2e/rooms",
            "v1/%2E./rooms",
            "v1/.../rooms",
            "v1%2Frooms",
            "v1%2frooms/x",
            "v1/rooms%2F..%2Fusers",
            "v1/%252e%252e/rooms",
            "v1/users%252F@ann",
            "v1/rooms%5Cx",
            "v1\\rooms",
            "v1/rooms;a=b",
            "v1/rooms%3Ba",
            "v1/rooms#x",
            "v1/rooms/#lobby:x.test",
            "v1/ro\u{2215}oms",
            "v1/\u{ff0f}rooms",
            "v1/r\u{f6}oms",
            "v1/ro oms",
            "v1/ro\toms",
            "v1/rooms%0A",
            "v1/rooms%00",
            "v1/rooms%",
            "v1/rooms%4",
            "v1/rooms%zz",
            "v1/rooms%ff",
            "v1/rooms%3Fx",
            "v1/$a%2F..%2Fb",
            "v1/$%2F%2F",
            "v1/ro\"oms",
            "v1/<rooms>",
        ] {
            assert!(parts(Root::Admin, text).is_err(), "{text}");
            let client = format!("client/{}", text.replacen("v1", "v3", 1));
            assert!(parts(Root::Client, &client).is_err(), "{client}");
        }
        assert!(read(Root::Admin, &format!("v1/{}", "x".repeat(LONGEST))).is_err());
    }

    #[test]
    fn ids_are_decoded_once() {
        for (text, id) in [
            ("@ann:example.org", "@ann:example.org"),
            ("%40ann%3Aexample.org", "@ann:example.org"),
            ("%23lobby:example.org", "#lobby:example.org"),
            ("$a%2Fb+c:example.org", "$a/b+c:example.org"),
            ("%C3%B6", "\u{f6}"),
            ("a+b", "a+b"),
        ] {
            assert_eq!(parts(Root::Admin, &format!("v1/x/{text}")).unwrap()[2], id, "{text}");
        }
    }

    #[test]
    fn parameters_are_read_and_braces_are_braces() {
        let query = |text: &str| read(Root::Admin, &format!("v1/rooms?{text}")).map(|t| t.query);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            query("limit=1&limit=2&name=a%20%26b").unwrap(),
            [pair("limit", "1"), pair("limit", "2"), pair("name", "a &b")]
        );
        let filter = r#"{"types":["m.room.message"]}"#;
        assert_eq!(query(&format!("filter={filter}")).unwrap(), [pair("filter", filter)]);
        assert_eq!(query("a=").unwrap(), [pair("a", "")]);
        for text in ["", "a", "=b", "a=1&", "a=%", "a=b+c", "a=b#c", "a=1;b=2", "a=%0A", "a=\\"] {
            assert!(query(text).is_err(), "{text}");
        }
    }
}
