//! What a client's HTML makes of a command: pills, links, markup.

use super::{
    Heard, Misread, Reason, command, formatted, hear, is_group, misread, said, to_synod, words,
};

/// Body and HTML as the clients send them.
#[test]
fn pills_of_every_client_become_the_id() {
    let link = r#"!user details <a href="https://matrix.to/#/@alice:x.org">Alice</a> -d"#;
    let own = r#"!user details <a href="https://matrix.to/#/@alice:x.org">@alice:x.org</a> -d"#;
    let encoded =
        r#"!user details <a href="https://matrix.to/#/%40alice%3Ax.org?via=x.org">A</a> -d"#;
    let scheme = r#"!user details <a href="matrix:u/alice:x.org?action=chat">Alice</a> -d"#;
    for (client, body, html) in [
        ("Element Web", "!user details Alice -d", Some(link)),
        (
            "Element X Android",
            "!user details [@alice:x.org](https://matrix.to/#/@alice:x.org) -d",
            Some(own),
        ),
        ("Element X iOS", "!user details [Alice](https://matrix.to/#/@alice:x.org) -d", Some(link)),
        ("Nheko", "!user details Alice -d", Some(link)),
        ("FluffyChat", "!user details @[Alice Lee] -d", Some(link)),
        ("Cinny", "!user details @alice:x.org -d", Some(own)),
        ("encoded", "!user details A -d", Some(encoded)),
        ("scheme", "!user details Alice -d", Some(scheme)),
        ("no HTML", "!user details [Al \\[x\\]](https://matrix.to/#/@alice:x.org) -d", None),
        ("bare link", "!user details https://matrix.to/#/@alice:x.org -d", None),
        ("angles", "!user details <https://matrix.to/#/@alice:x.org?via=a&via=b> -d", None),
        ("bare scheme", "!user details matrix:u/alice:x.org -d", None),
    ] {
        let heard = command(hear(body, html, &is_group));
        assert_eq!(heard.words, ["user", "details", "@alice:x.org", "-d"], "{client}");
        assert!(heard.changed, "{client}");
    }
}

#[test]
fn a_link_is_understood_in_every_form_in_which_people_copy_it() {
    for link in [
        "http://matrix.to/#/@a:x.org",
        "matrix.to/#/@a:x.org",
        "HTTPS://Matrix.to/#/@a:x.org",
        "https://www.matrix.to/#/%40a%3Ax.org?via=x.org",
        "(https://matrix.to/#/@a:x.org)",
        "https://matrix.to/#/@a:x.org),",
        "[https://matrix.to/#/@a:x.org]",
        "(matrix:u/a:x.org)",
        "https://app.element.io/#/user/@a:x.org",
        "http://chat.x.org:8080/web/#/user/%40a%3Ax.org",
        "<https://app.element.io/#/user/@a:x.org>",
        "[Ann](https://app.element.io/#/user/@a:x.org)",
    ] {
        assert_eq!(words(&format!("!user details {link}")), "user|details|@a:x.org", "{link}");
    }
    let room = "!room details https://app.element.io/#/room/#lobby:x.org";
    assert_eq!(words(room), "room|details|#lobby:x.org");
    let html = "!user details <a href=\"https://app.element.io/#/user/@a:x.org\">Ann</a>";
    assert_eq!(command(formatted("!user details Ann", html)).words[2], "@a:x.org");
    let twin = "!user details [@b:x.org](https://app.element.io/#/user/@a:x.org)";
    assert!(matches!(misread(said(twin)), Misread::Disagrees { .. }));
    for other in ["https://x.org/#/settings", "app.x.org/#/user/@a:x.org", "https://x.org/@a:x.org"]
    {
        assert_eq!(words(&format!("!user details {other}")), format!("user|details|{other}"));
    }
}

#[test]
fn pills_of_rooms_and_events() {
    for (address, id) in [
        ("https://matrix.to/#/%23lobby:x.org", "#lobby:x.org"),
        ("https://matrix.to/#/#lobby:x.org", "#lobby:x.org"),
        ("https://matrix.to/#/!abc:x.org?via=x.org&via=y.org", "!abc:x.org"),
        ("https://matrix.to/#/!abc:x.org/$event?via=x.org", "$event"),
        ("matrix:r/lobby:x.org", "#lobby:x.org"),
        ("matrix:roomid/abc:x.org/e/event", "$event"),
    ] {
        let html = format!("!room details <a href=\"{address}\">Lobby</a>");
        assert_eq!(command(formatted("!room details Lobby", &html)).words[2], id, "{address}");
        assert_eq!(command(said(&format!("!room details {address}"))).words[2], id, "{address}");
    }
    let html = "<a href=\"https://matrix.to/#/!abc:x.org\">Lobby</a>";
    assert_eq!(formatted("Lobby", html), Heard::Nothing(Reason::RoomId));
    // ruma's parser panics on the first of these.
    assert_eq!(words("!room details https://matrix.to/#///!abc"), "room|details|!abc");
    for address in ["https://matrix.to/#/!a//$b", "matrix:u//a:x", "matrix:", "matrix:x/a:x"] {
        let typed = format!("!room details {address}");
        assert_eq!(command(said(&typed)).words[2], address);
    }
}

#[test]
fn html_is_read_like_the_text_that_it_shows() {
    let pill = "<a href=\"https://matrix.to/#/@a:x\">Ann</a>";
    let html = format!(
        "<blockquote><p>!room list</p></blockquote>\n<p>!User\n modify {pill} —name=“Ann &amp; \
         Lee”<br />one</p>\n<p>two</p><ul><li>{pill}</li><li>x</li></ul><pre><code>  &lt;y\n</code></pre>"
    );
    let heard = command(formatted("whatever", &html));
    assert_eq!(heard.words, ["user", "modify", "@a:x", "--name=Ann & Lee"]);
    assert_eq!(heard.body, ["one", "", "two", "@a:x", "x", "  <y"]);

    let html = format!("!user list <code>—n</code> {pill}");
    assert_eq!(command(formatted("x", &html)).words, ["user", "list", "—n", "@a:x"]);
    // An id with a space and a quotation mark, as an alias may have, is still one word.
    let html = "!room details <a href=\"https://matrix.to/#/%23a%20%22b:x.org\">A</a>";
    assert_eq!(command(formatted("x", html)).words[2], "#a \"b:x.org");
}

#[test]
fn without_pills_the_plain_text_counts() {
    let html = "!user search <em>ann</em> <a href=\"https://x.org/matrix:\">x</a>";
    assert_eq!(command(formatted("!user search _ann_ x", html)).words[2], "_ann_");
    // A link that shows itself is not a pill; the words are read from the plain text.
    let address = "https://matrix.to/#/@a:x";
    let html = format!("!user search <em>b</em> <a href=\"{address}\">{address}</a>");
    let heard = command(formatted(&format!("!user search *b* {address}"), &html));
    assert_eq!(heard.words, ["user", "search", "*b*", "@a:x"]);
}

#[test]
fn html_that_hides_something_is_not_guessed() {
    let pill = "<a href=\"https://matrix.to/#/@a:x\">Ann</a>";
    let html = format!("!user deactivate <em>b</em> {pill}");
    assert_eq!(misread(formatted("!user deactivate b Ann", &html)), Misread::Styled);
    let html = format!("I <em>like</em> {pill}");
    assert_eq!(formatted("I like Ann", &html), Heard::Nothing(Reason::Talk));
    let html = format!("!notice send {pill}<br>I <em>like</em> you");
    assert_eq!(command(formatted("x", &html)).body, ["I like you"]);

    // Somebody whose display name is the id of somebody else.
    let disagrees =
        Misread::Disagrees { label: "@b:x".to_owned(), id: "@a:x".to_owned(), twins: false };
    let html = "!user details <a href=\"https://matrix.to/#/@a:x\">@b:x</a>";
    assert_eq!(misread(formatted("!user details @b:x", html)), disagrees);
    assert_eq!(misread(said("!user details [@b:x](https://matrix.to/#/@a:x)")), disagrees);
    assert_eq!(misread(said("!user x\n[@b:x](https://matrix.to/#/@a:x)")), disagrees);
}

#[test]
fn stars_that_markdown_took_are_read_from_the_plain_text_or_asked_about() {
    let pill = "<a href=\"https://matrix.to/#/@a:x\">Ann L</a>";
    for (body, html, understood) in [
        ("!user deactivate *b* Ann L", "!user deactivate <em>b</em> {}", "*b*|@a:x"),
        ("!user deactivate **b** Ann L", "!user deactivate <strong>b</strong> {}", "**b**|@a:x"),
        ("!user x {} ^a*b*c", "!user x {} ^a<em>b</em>c", "@a:x|^a*b*c"),
        ("!user x @[Ann L] _b_ c", "!user x {} <em>b</em> c", "@a:x|_b_|c"),
        ("!user x [@a:x](https://matrix.to/#/@a:x) *b*", "!user x {} <em>b</em>", "@a:x|*b*"),
        (
            "!user x [Ann L](matrix:u/a:x) ***b***",
            "!user x {} <em><strong>b</strong></em>",
            "@a:x|***b***",
        ),
        ("!user x `--b` Ann L *c*", "!user x <code>--b</code> {} <em>c</em>", "--b|@a:x|*c*"),
        (
            "!user x [b](https://x.org) Ann L *c*",
            "!user x <a href=\"https://x.org\">b</a> {} <em>c</em>",
            "b|@a:x|*c*",
        ),
        (
            "> <@b:x> hi!\n\n!user x Ann L *c*",
            "<mx-reply>hi!</mx-reply>!user x {} <em>c</em>",
            "@a:x|*c*",
        ),
    ] {
        let (body, html) = (body.replace("{}", "Ann L"), html.replace("{}", pill));
        let heard = command(formatted(&body, &html));
        assert_eq!(heard.words[2..].join("|"), understood, "{body}");
    }
    for (body, html) in [
        // In neither text.
        ("!user search b", "!user search <em>b</em>"),
        ("!user x ^ab*c", "!user x ^a<em>b</em>*c"),
        // Written anew from the HTML: within a word these make nothing italic.
        ("!user x ^a_b_c", "!user x ^a<em>b</em>c"),
        ("!user x ^a._b_", "!user x ^a<em>.</em>b"),
        // So, and stars that were typed stand where those that were taken would.
        ("!room block #***:x.org", "!room block #<em>*</em>**:x.org"),
        ("!room block #****:x.org", "!room block #<em>*</em>***:x.org"),
        ("!user search ***", "!user search <em>*</em>**"),
        ("!user search a ******b", "!user search a <strong>**</strong>****b"),
        // Not the same text.
        ("!user search *c*", "!user search <em>b</em>"),
        ("!user suspend ~~b~~ c", "!user suspend <del>b</del> c"),
    ] {
        assert_eq!(misread(formatted(body, html)), Misread::Styled, "{body}");
    }
    for (body, html) in [
        ("!user search *b*", "!user search <em>b</em>"),
        ("!user search __b__ and *c*", "!user search <b>b</b> and <i>c</i>"),
        ("!user search b\n*c*", "!user search b<br><em>d</em>"),
        ("**!user list**", "<strong>!user list</strong>"),
        ("!user list", "<strong>!user list</strong>"),
        ("!user search ||b||", "!user search <span data-mx-spoiler>b</span>"),
        ("||!user list||", "<span data-mx-spoiler>!user list</span>"),
    ] {
        let plain = command(said(body));
        assert_eq!(command(formatted(body, html)), plain, "{body}");
    }
    assert_eq!(formatted("I *like* it", "I <em>hate</em> it"), Heard::Nothing(Reason::Talk));
}

#[test]
fn a_command_that_is_struck_out_is_not_run() {
    for typed in ["~~!user list~~", "**~~!user list~~**", "- ~~!user list~~"] {
        assert_eq!(misread(to_synod(typed, None)), Misread::StruckOut, "{typed}");
    }
    let html = "<del>!user details <a href=\"https://matrix.to/#/@a:x.org\">A</a></del>";
    assert_eq!(misread(to_synod("!user details A", Some(html))), Misread::StruckOut);
}

#[test]
fn a_link_that_names_another_anywhere_is_refused() {
    let link =
        |label: &str, id: &str| said(&format!("!user details [{label}](https://matrix.to/#/{id})"));
    for (label, id) in [
        ("eve @bob:example.org", "@eve:example.org"),
        ("@bob:example.org eve", "@eve:example.org"),
        ("eve(@bob:example.org)", "@eve:example.org"),
        ("eve@bob:example.org", "@eve:example.org"),
        ("Eve, known as @bob", "@eve:example.org"),
        ("＠bob：example.org", "@eve:example.org"),
        ("@b\u{ad}ob:example.org", "@eve:example.org"),
        ("@eve:example.com", "@eve:example.org"),
        ("#lobby:example.org", "#other:example.org"),
        ("The lobby #lobby:example.org", "!abc:example.org"),
        ("!abd:example.org", "!abc:example.org"),
        ("@bob:example.org", "!abc:example.org"),
    ] {
        let told = misread(link(label, id)).to_string();
        assert!(told.contains(id) && !told.contains("capital"), "{label}: {told}");
    }
    for (label, id) in [
        ("@Eve:example.org", "@eve:example.org"),
        ("Eve [@Eve]", "@eve:example.org"),
        ("#Lobby:example.org", "#lobby:example.org"),
    ] {
        let told = misread(link(label, id)).to_string();
        assert!(told.contains("differs in capital letters only"), "{label}: {told}");
    }
    for (label, id) in [
        ("Eve", "@eve:example.org"),
        ("@eve", "@eve:example.org"),
        ("@eve:example.org", "@eve:example.org"),
        ("Eve (@eve:example.org).", "@eve:example.org"),
        ("Eve @ work", "@eve:example.org"),
        ("eve@example.org", "@eve:example.org"),
        ("Eve @eve@social.example", "@eve:example.org"),
        ("#general", "!abc:example.org"),
        ("Support #1: wow!", "!abc:example.org"),
        ("#lobby:example.org", "#lobby:example.org"),
        ("Message of @bob:example.org in #lobby:example.org", "!abc:example.org/$event"),
    ] {
        command(link(label, id));
    }
    let hidden = misread(link("Eve", "@e%C2%ADve:example.org")).to_string();
    assert!(hidden.contains("@e<U+00AD>ve:example.org"), "{hidden}");
}
