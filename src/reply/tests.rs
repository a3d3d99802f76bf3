use proptest::prelude::*;
use ruma::html::{HtmlSanitizerMode, RemoveReplyFallback, sanitize_html};
use unicode_segmentation::UnicodeSegmentation;

use super::*;

mod layouts;
mod prefixed;
mod reduced;

const CARDS: Layout = Layout::Cards;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// The reply as somebody gets it who wants this layout.
fn wanted(reply: &Reply, layout: Layout) -> Reply {
    Reply { style: Some(Style { layout: Some(layout), ..Style::default() }), ..reply.clone() }
}

fn one(reply: &Reply, layout: Layout) -> Drawn {
    let drawn = wanted(reply, layout).draw(CARDS);
    let [drawn] = <[Drawn; 1]>::try_from(drawn).expect("one message");
    drawn
}

/// As one message, however large that is.
fn one_however_large(reply: &Reply, layout: Layout) -> Drawn {
    let drawn = wanted(reply, layout).draw_within(layout, usize::MAX);
    let [drawn] = <[Drawn; 1]>::try_from(drawn).expect("one message");
    drawn
}

fn any_layout() -> impl Strategy<Value = Layout> {
    prop::sample::select(Layout::ALL.to_vec())
}

/// Both bodies, the HTML with a line for each block so that a person can read it.
fn shown(reply: &Reply, layout: Layout) -> String {
    let Drawn { body, html } = one(reply, layout);
    let html = ["</p>", "</ul>", "</pre>", "</thead>", "</tr>", "<br>", "</li>"]
        .iter()
        .fold(html, |html, end| html.replace(end, &format!("{end}\n")));
    format!("{body}\n=====\n{html}")
}

fn listing(name: &str, id: &str) -> Reply {
    let ann = Record {
        title: Line::new().code(id),
        facts: vec![
            ("name", Line::new().hostile(&Hostile::new(name))),
            ("admin", "no".into()),
            ("created", "2026-01-02".into()),
        ],
    };
    let bot = Record {
        title: Line::new().code("@bot:example.org"),
        facts: vec![("name", Line::new().hostile(&Hostile::new(""))), ("admin", "yes".into())],
    };
    Reply::data("2 of 40 accounts")
        .with(Block::Records(vec![ann, bot]))
        .command("Next page", words("user list --from 2"))
}

/// An answer with every kind of block, and `name` wherever somebody else's text can stand.
fn everything(name: &str) -> Reply {
    let name = Line::new().hostile(&Hostile::new(name));
    let mixed =
        Line::new().plain("x").line(name.clone()).strong("(y)").line(name.clone()).code("z");
    let record = |title: Line| Record {
        title,
        facts: vec![("name", name.clone()), ("topic", mixed.clone()), ("name", name.clone())],
    };
    Reply::outcome(Status::Done, mixed.clone())
        .text(name.clone())
        .text(mixed.clone())
        .facts(vec![("name", name.clone()), ("mixed", mixed.clone())])
        .with(Block::Records(vec![record(name.clone()), record(mixed.clone())]))
        .with(Block::List(name.clone(), vec![name.clone(), mixed.clone()]))
        .with(Block::List(Line::new(), vec![name.clone()]))
        .with(Block::Commands(vec![(name.clone(), words("user details @a:b"))]))
        .note(name.clone())
        .note(mixed)
}

#[test]
fn a_listing_is_cards() {
    insta::assert_snapshot!(shown(&listing("Ann <Lee> | *ops*", "@ann:example.org"), CARDS), @r#"
    2 of 40 accounts

    @ann:example.org
    name: “Ann <Lee> | *ops*” · admin: no · created: 2026-01-02

    @bot:example.org
    name: (none) · admin: yes

    Next page: !user list --from 2
    =====
    <p><strong>2 of 40 accounts</strong></p>
    <p><strong><code>@ann:example.org</code></strong><br>
    name: “Ann &lt;Lee&gt; | *ops*” · admin: no · created: 2026-01-02</p>
    <p><strong><code>@bot:example.org</code></strong><br>
    name: (none) · admin: yes</p>
    <p>Next page: <code>!user list --from 2</code></p>
    "#);
}

#[test]
fn a_listing_is_lines_or_columns_where_asked_for() {
    let listing = listing("Ann <Lee> | *ops*", "@a|b:example.org");
    insta::assert_snapshot!(shown(&listing, Layout::List), @r"
    2 of 40 accounts
    - @a|b:example.org · name: “Ann <Lee> | *ops*” · admin: no · created: 2026-01-02
    - @bot:example.org · name: (none) · admin: yes

    Next page: !user list --from 2
    =====
    <p><strong>2 of 40 accounts</strong></p>
    <ul><li><strong><code>@a|b:example.org</code></strong> · name: “Ann &lt;Lee&gt; | *ops*” · admin: no · created: 2026-01-02</li>
    <li><strong><code>@bot:example.org</code></strong> · name: (none) · admin: yes</li>
    </ul>
    <p>Next page: <code>!user list --from 2</code></p>
    ");
    insta::assert_snapshot!(shown(&listing, Layout::Code), @r"
    2 of 40 accounts

    @a|b:example.org
    name: “Ann <Lee> | *ops*” · admin: no · created: 2026-01-02

    @bot:example.org
    name: (none) · admin: yes

    Next page: !user list --from 2
    =====
    <p><strong>2 of 40 accounts</strong></p>
    <pre><code>                  name
    @a|b:example.org  “Ann &lt;Lee&gt; | *ops*”
    @bot:example.org  (none)</code></pre>
    <p>Next page: <code>!user list --from 2</code></p>
    <p><em>Cut to fit a phone. All of it comes with <code>--layout cards</code></em></p>
    ");
}

#[test]
fn what_nobody_asked_for_has_cards_whatever_the_config_says() {
    let listing = listing("Ann", "@ann:example.org");
    let cards = one(&listing, CARDS);
    for layout in Layout::ALL {
        assert_eq!(listing.draw(layout), std::slice::from_ref(&cards), "{layout:?}");
        assert_eq!(
            wanted(&listing, CARDS).draw(layout),
            std::slice::from_ref(&cards),
            "{layout:?}"
        );
        let asked = Reply { style: Some(Style::default()), ..listing.clone() };
        assert_eq!(asked.draw(layout), [one(&listing, layout)], "{layout:?}");
    }
}

#[test]
fn an_outcome_begins_with_its_word() {
    let reply =
        Reply::outcome(Status::Done, Line::new().code("@ann:example.org").plain(" is suspended"))
            .facts(vec![("Suspended", "yes".into()), ("Reason", Line::new())])
            .command("Undo", words("user unsuspend @ann:example.org"))
            .command("Rename", vec!["user".into(), "modify".into(), "-n".into(), "Ann Lee".into()])
            .note(Line::new().plain("Audit ").code("a7"));
    insta::assert_snapshot!(shown(&reply, CARDS), @r#"
    Done · @ann:example.org is suspended

    Suspended: yes
    Reason: (none)

    Undo: !user unsuspend @ann:example.org
    Rename: !user modify -n "Ann Lee"

    Audit a7
    =====
    <p><strong>Done</strong> · <code>@ann:example.org</code> is suspended</p>
    <p>Suspended: yes<br>
    Reason: (none)</p>
    <p>Undo: <code>!user unsuspend @ann:example.org</code><br>
    Rename: <code>!user modify -n "Ann Lee"</code></p>
    <p><em>Audit <code>a7</code></em></p>
    "#);
}

#[test]
fn a_question_lists_what_goes() {
    let reply = Reply::data(Line::new().plain("Deactivate ").code("@ann:example.org").plain("?"))
        .with(Block::List("Will be gone:".into(), vec!["3 devices".into(), "her password".into()]))
        .text(Line::new().strong("To go on").plain(", say ").code("!confirm 4821"));
    insta::assert_snapshot!(shown(&reply, CARDS), @r#"
    Deactivate @ann:example.org?

    Will be gone:
    - 3 devices
    - her password

    To go on, say !confirm 4821
    =====
    <p><strong>Deactivate <code>@ann:example.org</code>?</strong></p>
    <p>Will be gone:</p>
    <ul><li>3 devices</li>
    <li>her password</li>
    </ul>
    <p><strong>To go on</strong>, say <code>!confirm 4821</code></p>
    "#);
}

#[test]
fn help_stays_as_it_is() {
    let help = "Usage: !user list [OPTIONS]\n\n  -n, --name <NAME>  *part* of a name\n\t```\n";
    let reply = Reply::data("user list").with(Block::Code(help.to_owned()));
    insta::assert_snapshot!(shown(&reply, CARDS), @r#"
    user list

    Usage: !user list [OPTIONS]

      -n, --name <NAME>  *part* of a name
        ```
    =====
    <p><strong>user list</strong></p>
    <pre><code>Usage: !user list [OPTIONS]

      -n, --name &lt;NAME&gt;  *part* of a name
        ```</code></pre>
    "#);
}

#[test]
fn nothing_to_say_is_still_a_message() {
    assert_eq!(one(&Reply::default(), CARDS).body, "(nothing)");
}

#[test]
fn strong_words_keep_their_distance() {
    let line = Line::new().plain("a").strong(" (b) ").plain("c").strong("").strong("d").strong("e");
    let drawn = one(&Reply::default().text(line).text(""), CARDS);
    assert_eq!(drawn.body, "a (b) cde");
    let html = "<p>a <strong>(b)</strong> c<strong>d</strong><strong>e</strong></p>";
    assert_eq!(drawn.html, html);
    // A letter to Unicode, and a symbol too.
    let line = Line::new().strong("x🄰").code("y");
    let drawn = one(&Reply::default().text(line), CARDS);
    assert_eq!(drawn.html, "<p><strong>x🄰</strong><code>y</code></p>");
}

#[test]
fn nobody_is_called_by_a_name() {
    let line = Line::new().hostile(&Hostile::new("hi @ROOM: you")).code("@room:b").code("x @room");
    let Drawn { body, html } = one(&Reply::default().text(line), CARDS);
    assert_eq!(body, "“hi @\u{2060}ROOM: you”@room:bx @\u{2060}room");
    assert!(html.contains("x @room"), "only push rules are kept from it: {html}");
}

#[test]
fn a_command_is_copied_as_it_must_be_typed() {
    let command = |words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        one(&Reply::default().command("", words), CARDS).body
    };
    assert_eq!(command(&["note", "a b", "", "it's", "#x:y"]), r#"!note "a b" "" "it's" #x:y"#);
    assert_eq!(command(&["note", r#"say "x""#]), r#"!note 'say "x"'"#);
}

#[test]
fn a_huge_line_is_cut_between_graphemes_and_its_word_stays_first() {
    let text = "e\u{301}👍🏽".repeat(10_000);
    let parts = Reply::outcome(Status::Refused, text.clone()).draw(CARDS);
    assert!(parts.len() > 2);
    assert!(parts[0].body.starts_with("Refused · e\u{301}"));
    assert!(parts[0].body.ends_with(&format!("\n\n(1 of {})", parts.len())));
    for part in &parts {
        for line in part.body.lines().filter(|line| line.len() > 100) {
            let line = line.strip_prefix("Refused · ").unwrap_or(line);
            let broken = line.graphemes(true).find(|g| *g != "e\u{301}" && *g != "👍🏽");
            assert_eq!(broken, None);
        }
    }
    assert_eq!(text, told(&parts).replacen("Refused·", "", 1));
}

#[test]
fn a_part_without_anything_to_see_is_not_sent() {
    let text = format!("x{}y", "\n".repeat(100_000));
    let parts = Reply::default().with(Block::Code(text)).draw(CARDS);
    assert!(parts.iter().all(|part| part.body.len() > "(10 of 10)".len()), "{}", parts.len());
    assert_eq!(told(&parts), "xy");
    let id = format!("x{}y", " ".repeat(100_000));
    let parts = Reply::data(Line::new().code(id)).draw(CARDS);
    assert_eq!(told(&parts), "xy");
}

#[test]
fn records_are_cut_between_each_other_and_ids_never() {
    let record = |n: usize| Record {
        title: Line::new().code(format!("@account-number-{n}:example.org")),
        facts: vec![("admin", "no".into()), ("devices", n.to_string().into())],
    };
    let reply = Reply::data("Accounts").with(Block::Records((0..1000).map(record).collect()));
    for layout in [CARDS, Layout::List] {
        let parts = wanted(&reply, layout).draw(CARDS);
        assert!(parts.len() > 1);
        let html: String = parts.iter().map(|part| part.html.as_str()).collect();
        let ids: Vec<_> = html.split("<code>").skip(1).collect();
        assert_eq!(ids.len(), 1000);
        for (n, id) in ids.iter().enumerate() {
            assert!(id.starts_with(&format!("@account-number-{n}:example.org</code>")), "{id}");
        }
        for part in &parts[1..parts.len() - 1] {
            assert!(split::size(part) > 30_000, "parts are filled: {}", split::size(part));
        }
    }
}

/// The HTML without the last line of columns that are cut.
fn uncut(html: &str) -> String {
    let line =
        "<p><em>Cut to fit a phone. All of it comes with <code>--layout cards</code></em></p>";
    html.replace(line, "")
}

/// The tags of some HTML in order, checked to be balanced.
fn tags(html: &str) -> Vec<&str> {
    let tags: Vec<&str> =
        html.split('<').skip(1).map(|tag| tag.split('>').next().expect("a first piece")).collect();
    let mut open = Vec::new();
    for tag in &tags {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{html}"),
            None if *tag == "br" => {}
            None => open.push(*tag),
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "{html}");
    tags
}

/// The tags that may not follow from what somebody writes. In a list that decides which facts there is
/// room for, and so what is strong or code.
fn structure(html: &str, layout: Layout) -> Vec<&str> {
    let ours = ["strong", "/strong", "code", "/code"];
    let counts = |tag: &&str| layout != Layout::List || !ours.contains(tag);
    tags(html).into_iter().filter(counts).collect()
}

/// The text of some HTML as a client sees it.
fn text(html: &str) -> String {
    fn gather(node: &ruma::html::NodeRef, out: &mut String) {
        if let Some(text) = node.as_text() {
            out.push_str(&text.borrow());
        }
        node.children().for_each(|child| gather(&child, out));
    }
    let mut out = String::new();
    ruma::html::Html::parse(html).children().for_each(|node| gather(&node, &mut out));
    out
}

/// What the parts say together, without white space and labels.
fn told(parts: &[Drawn]) -> String {
    let count = parts.len();
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        let label = format!("({} of {count})", index + 1);
        let body = match index {
            _ if count == 1 => &part.body,
            0 => part.body.strip_suffix(&label).expect("its label"),
            _ => part.body.strip_prefix(&label).expect("its label"),
        };
        out.extend(body.split_whitespace());
    }
    out
}

/// Text as somebody with bad intentions would write it.
fn hostile() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "*",
        "**",
        "_",
        "`",
        "``",
        "```",
        "~~~",
        "\\",
        "|",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "    ",
        "- ",
        "1. ",
        "# ",
        "> ",
        "---",
        "===",
        "<b>",
        "</p>",
        "<!--",
        "&lt;",
        "&#42;",
        "[a](https://b)",
        "![a](mxc://b)",
        "<https://a>",
        "| --- |",
        "\u{202e}",
        "\u{2066}",
        "\u{2068}",
        "\u{200b}",
        "\u{2028}",
        "\u{2060}",
        "\u{fdd0}",
        "\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\u{0}",
        "א",
        "“",
        "”",
        "@room",
        "@room:",
        "x",
        " ",
        "$x$",
        "~~",
        ":",
        "\u{338}",
    ]);
    let piece = prop_oneof![nasty.prop_map(str::to_owned), any::<String>(), "[ -~]{0,8}"];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A character that may not stand in what is drawn. Our own isolates may, and the joiners that keep
/// links and calls to the whole room apart.
fn unseen(text: &str) -> Option<char> {
    let joiner = '\u{2060}';
    let text = ["@", ":", ".", "。", "．", "｡"].iter().fold(text.to_owned(), |text, sign| {
        text.replace(&format!("{joiner}{sign}"), sign).replace(&format!("{sign}{joiner}"), sign)
    });
    text.chars().find(|c| {
        matches!(c,
            '\0'..='\t' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2067}' | '\u{206a}'..='\u{206f}'
            | '\u{fdd0}')
    })
}

proptest! {
    #[test]
    fn no_text_changes_the_structure(name in hostile(), layout in any_layout()) {
        let drawn = one(&everything(&name), layout);
        let plain = one(&everything("x"), layout);
        let (found, meant) = (uncut(&drawn.html), uncut(&plain.html));
        prop_assert_eq!(structure(&found, layout), structure(&meant, layout));
        prop_assert_eq!(drawn.body.lines().count(), plain.body.lines().count());
        prop_assert_eq!(unseen(&drawn.body), None);
        prop_assert_eq!(unseen(&drawn.html), None);
        let clean = sanitize_html(&drawn.html, HtmlSanitizerMode::Strict, RemoveReplyFallback::Yes);
        prop_assert_eq!(tags(&clean), tags(&drawn.html));
        prop_assert_eq!(text(&clean), text(&drawn.html));
    }

    #[test]
    fn our_own_words_and_ids_are_no_markup_either(piece in hostile(), layout in any_layout()) {
        let line = Line::new().plain(&piece).code(&piece).strong(format!("x{piece}")).code(&piece);
        let reply = |line: &Line| {
            Reply::data(Line::new().plain("x").line(line.clone()))
                .facts(vec![("x", line.clone()), ("y", line.clone())])
                .with(Block::List(Line::new(), vec![line.clone()]))
                .with(Block::Records(vec![
                    Record { title: line.clone(), facts: vec![("x", line.clone())] }
                ]))
                .with(Block::Code(format!("x{}", piece.replace(['\n', '\r'], " "))))
                .note(line.clone())
        };
        let drawn = one(&reply(&line), layout);
        let x = if clean::visible(&piece).trim().is_empty() { "" } else { "x" };
        let plain = one(&reply(&Line::new().plain(x).code(x).strong("x").code(x)), layout);
        let (found, meant) = (uncut(&drawn.html), uncut(&plain.html));
        prop_assert_eq!(structure(&found, layout), structure(&meant, layout));
    }

    #[test]
    fn code_says_exactly_what_it_was_given(id in "[ -~]{0,20}", in_list in any::<bool>()) {
        prop_assume!(!id.trim().is_empty());
        let record = Record { title: Line::new().code(&id), facts: vec![("x", "y".into())] };
        let reply = Reply::default().with(Block::Records(vec![record]));
        let html = one(&reply, if in_list { Layout::List } else { CARDS }).html;
        let id = id.trim().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let code = format!("<code>{id}</code>");
        prop_assert!(html.contains(&code), "{} in {}", code, html);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn parts_fit_and_lose_nothing(
        names in prop::collection::vec(hostile(), 1..8),
        long in "[a-z<&\"é😀 `*|]{0,3000}",
        many in 1..30_usize,
        max_bytes in 0..15_000_usize,
        layout in any_layout(),
    ) {
        let mut reply = everything(&long);
        for name in &names {
            reply.blocks.extend(everything(name).blocks);
        }
        let record = |n: usize| Record {
            title: Line::new().code(format!("@user{n}:example.org")),
            facts: vec![("long", long.chars().skip(n * 100).take(300).collect::<String>().into())],
        };
        let long = long.as_str();
        let reply = reply
            .with(Block::Records((0..many).map(record).collect()))
            .with(Block::Code(format!("{long}\n\n  {long}")))
            .facts(vec![("a", long.into()), ("b", Line::new().code(long).strong(long))])
            .with(Block::List(long.into(), vec![long.into(), "x".into()]))
            .command(long, vec![long.to_owned()])
            .note(long);
        let whole = wanted(&reply, CARDS).draw_within(CARDS, usize::MAX);
        let parts = wanted(&reply, layout).draw_within(CARDS, max_bytes);
        for part in &parts {
            let json = serde_json::json!({"body": part.body, "formatted_body": part.html});
            prop_assert!(json.to_string().len() <= max_bytes.max(4_000));
            tags(&part.html);
        }
        // A list says less of each record, everywhere.
        if layout != Layout::List {
            let bare = |text: String| text.replace(['·', '-'], "");
            let (told, all) = (bare(told(&parts)), bare(told(&whole)));
            let differ = told.chars().zip(all.chars()).position(|(one, other)| one != other);
            prop_assert_eq!((told.len(), differ), (all.len(), None));
        }
    }
}
