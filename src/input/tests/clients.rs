//! The same command as clients send it: what stands in `body` and in `formatted_body` differs, the words
//! do not.

use super::{command, formatted, said, to_synod};

/// A client, and the body and HTML that it makes of `!user suspend`, a pill of Eve, `--for 3d` and a reason
/// of two words.
const CLIENTS: [(&str, &str, Option<&str>); 14] = [
    (
        "Element Web",
        "!user suspend Eve Dee --for 3d --reason \"spam & ads\"",
        Some(
            "!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">Eve Dee</a> --for 3d --reason \
             &quot;spam &amp; ads&quot;",
        ),
    ),
    (
        "Element Web, with a paragraph below",
        "!user suspend Eve Dee --for 3d --reason \"spam & ads\"\n\n",
        Some(
            "<p>!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">Eve Dee</a> --for 3d --reason \
             &quot;spam &amp; ads&quot;</p>\n",
        ),
    ),
    (
        "Element X Android",
        "!user suspend [@eve_d:x.org](https://matrix.to/#/@eve_d:x.org) --for 3d --reason \"spam & ads\"",
        Some(
            "!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">@eve_d:x.org</a> --for 3d \
             --reason \"spam &amp; ads\"",
        ),
    ),
    (
        "Element X iOS, with its smart punctuation",
        "!User suspend [Eve Dee](https://matrix.to/#/@eve_d:x.org) —for 3d —reason “spam & ads”",
        Some(
            "!User suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">Eve Dee</a> —for 3d —reason “spam \
             &amp; ads”",
        ),
    ),
    ("Element X iOS, plain text", "!user suspend @eve_d:x.org —for 3d —reason “spam & ads” ", None),
    (
        "Element for Android",
        "! user suspend Eve Dee --for 3d --reason 'spam & ads'",
        Some(
            "! user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">Eve Dee</a> --for 3d --reason \
             'spam &amp; ads'",
        ),
    ),
    (
        "Nheko",
        "!user suspend Eve Dee --for 3d --reason \"spam & ads\"",
        Some(
            "!user suspend <a href=\"https://matrix.to/#/%40eve_d%3Ax.org\">Eve Dee</a> --for 3d --reason \
             &quot;spam &amp; ads&quot;",
        ),
    ),
    (
        "FluffyChat",
        "!user suspend @[Eve Dee] --for 3d --reason \"spam & ads\"",
        Some(
            "<p>!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">Eve Dee</a> --for 3d --reason \
             \"spam &amp; ads\"</p>",
        ),
    ),
    (
        "Cinny",
        "!user suspend @eve_d:x.org --for 3d --reason \"spam & ads\"",
        Some(
            "!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">@eve_d:x.org</a> --for 3d --reason \
             \"spam &amp; ads\"",
        ),
    ),
    (
        "gomuks",
        "!user suspend [Eve Dee](https://matrix.to/#/@eve_d:x.org) --for 3d --reason \"spam & ads\"",
        Some(
            "!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">Eve Dee</a> --for 3d --reason \
             &quot;spam &amp; ads&quot;",
        ),
    ),
    (
        "SchildiChat, in a reply of the old kind",
        "> <@synod:x.org> Try !user list\n\n!user suspend Eve Dee --for 3d --reason \"spam & ads\"",
        Some(
            "<mx-reply><blockquote><a href=\"https://matrix.to/#/!r:x.org/$e\">In reply to</a> <a \
             href=\"https://matrix.to/#/@synod:x.org\">@synod:x.org</a><br>Try !user list</blockquote>\
             </mx-reply>!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org\">Eve Dee</a> --for 3d \
             --reason &quot;spam &amp; ads&quot;",
        ),
    ),
    (
        "SchildiChat Next",
        "!user suspend [Eve Dee](https://matrix.to/#/@eve_d:x.org?via=x.org) –for 3d –reason „spam & ads“",
        Some(
            "!user suspend <a href=\"https://matrix.to/#/@eve_d:x.org?via=x.org\">Eve Dee</a> –for 3d \
             –reason „spam &amp; ads“",
        ),
    ),
    (
        "NeoChat, with the scheme of its own",
        "!user suspend Eve Dee --for 3d --reason \"spam & ads\"",
        Some(
            "!user suspend <a href=\"matrix:u/eve_d:x.org\">Eve Dee</a> --for 3d --reason \"spam &amp; \
             ads\"",
        ),
    ),
    (
        "a terminal",
        "！user suspend <https://matrix.to/#/@eve_d:x.org>, --for\u{a0}3d --reason=\"spam & ads\"",
        None,
    ),
];

#[test]
fn the_same_command_of_every_client_is_the_same_words() {
    let whole = ["user", "suspend", "@eve_d:x.org", "--for", "3d", "--reason", "spam & ads"];
    for (client, body, html) in CLIENTS {
        let heard = html.map_or_else(|| said(body), |html| formatted(body, html));
        let words: Vec<String> = command(heard)
            .words
            .iter()
            .flat_map(|word| match word.split_once('=') {
                Some((option, value)) => vec![option.to_owned(), value.to_owned()],
                None => vec![word.trim_end_matches(',').to_owned()],
            })
            .collect();
        assert_eq!(words, whole, "{client}");
    }
}

#[test]
fn the_bot_may_be_spoken_to_in_the_way_of_every_client() {
    let pill = "<a href=\"https://matrix.to/#/@synod:x.org\">Synod</a>";
    let linked = "[Synod](https://matrix.to/#/@synod:x.org)";
    for (client, body, html) in [
        ("Element Web", "Synod: !user list".to_owned(), Some(format!("{pill}: !user list"))),
        ("Element X Android", format!("{linked} !user list"), Some(format!("{pill} !user list"))),
        ("FluffyChat", "@[Synod] !user list".to_owned(), Some(format!("<p>{pill} !user list</p>"))),
        ("Cinny", "@synod:x.org !user list".to_owned(), Some(format!("{pill} !user list"))),
        ("Nheko", "Synod !user list".to_owned(), Some(format!("<p>{pill} !user list</p>\n"))),
        ("plain text", "@synod: !user list".to_owned(), None),
        ("by name", "Synod, !user list".to_owned(), None),
        ("full width", "＠synod：！user list".to_owned(), None),
    ] {
        let heard = command(to_synod(&body, html.as_deref()));
        assert_eq!(heard.words, ["user", "list"], "{client}");
    }
}
