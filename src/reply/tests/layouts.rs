//! Every kind of block in every layout: as plain text, as HTML, and as what Element X makes of that
//! HTML, which drops more than any other client.

use unicode_width::UnicodeWidthStr as _;

use super::{
    reduced::{BOTH, PHONE, System, TAGS},
    *,
};

/// All that is made of a reply in a layout.
fn shown_to_all(reply: &Reply, layout: Layout) -> String {
    let Drawn { html, .. } = one(reply, layout);
    let (android, ios) = (System::Android.reads(&html), System::Ios.reads(&html));
    let shown = shown(reply, layout);
    let shown = if android == ios {
        format!("{shown}\n===== Element X\n{android}")
    } else {
        format!("{shown}\n===== Element X on Android\n{android}\n===== Element X on iOS\n{ios}")
    };
    // What closes another direction of writing off from its surroundings, and what holds the parts of an
    // address apart, as something to be seen.
    shown.replace('\u{2068}', "[").replace('\u{2069}', "]").replace('\u{2060}', "¦")
}

/// An answer with every kind of block, as it may be met.
fn every_block() -> Reply {
    let name = |name: &str| Line::new().hostile(&Hostile::new(name));
    let now = "2026-11-20T14:00:00Z".parse().expect("a moment");
    let at = |text: &str| Line::new().time(text.parse().ok(), now);
    let account = |id: &str, called: &str, facts: Vec<Fact>| Record {
        title: Line::new().code(id).plain(" ").line(name(called)),
        facts: std::iter::once(("Created", at("2026-11-18T11:06:00Z"))).chain(facts).collect(),
    };
    let records = vec![
        account(
            "@ann:example.org",
            "Ann <Lee> | *ops*",
            vec![
                ("Seen", "3 min ago".into()),
                ("State", Line::new().strong("server admin, locked")),
            ],
        ),
        account(
            "@cheap-pills-for-you-17:example.org",
            "שלום",
            vec![("Seen", "not known".into()), ("Devices", "2".into())],
        ),
    ];
    let reason = name("https://evil.example/login & more");
    Reply::data("2 of 40 accounts")
        .text(Line::new().strong("2").plain(" of them stand out: ").code("@ann:example.org"))
        .facts(vec![
            ("Of", Line::new().code("!room:example.org").plain(" ").line(name("Lobby"))),
            ("Reason", reason),
            ("Ends", Line::new()),
        ])
        .with(Block::Records(records))
        .with(Block::List("What stands out:".into(), vec!["1 is an admin".into(), name("<b>")]))
        .with(Block::Code("GET /_synapse/admin/v2/users\n  \"limit\": 2".to_owned()))
        .command("Next page", words("user list --from 2"))
        .command("All of them", words("user list --all"))
        .note(Line::new().plain("Without deactivated accounts; add ").code("-d"))
}

#[test]
fn every_block_in_cards() {
    insta::assert_snapshot!(shown_to_all(&every_block(), Layout::Cards), @r#"
    2 of 40 accounts

    2 of them stand out: @ann:example.org

    Of: !room:example.org “Lobby”
    Reason: “https¦:¦//evil¦.¦example/login & more”
    Ends: (none)

    @ann:example.org “Ann <Lee> | *ops*”
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: 3 min ago · State: server admin, locked

    @cheap-pills-for-you-17:example.org [“שלום”]
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: not known · Devices: 2

    What stands out:
    - 1 is an admin
    - “<b>”

    GET /_synapse/admin/v2/users
      "limit": 2

    Next page: !user list --from 2
    All of them: !user list --all

    Without deactivated accounts; add -d
    =====
    <p><strong>2 of 40 accounts</strong></p>
    <p><strong>2</strong> of them stand out: <code>@ann:example.org</code></p>
    <p>Of: <code>!room:example.org</code> “Lobby”<br>
    Reason: “https¦:¦//evil¦.¦example/login &amp; more”<br>
    Ends: (none)</p>
    <p><strong><code>@ann:example.org</code> “Ann &lt;Lee&gt; | *ops*”</strong><br>
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: 3 min ago · State: <strong>server admin, locked</strong></p>
    <p><strong><code>@cheap-pills-for-you-17:example.org</code> [“שלום”]</strong><br>
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: not known · Devices: 2</p>
    <p>What stands out:</p>
    <ul><li>1 is an admin</li>
    <li>“&lt;b&gt;”</li>
    </ul>
    <pre><code>GET /_synapse/admin/v2/users
      "limit": 2</code></pre>
    <p>Next page: <code>!user list --from 2</code><br>
    All of them: <code>!user list --all</code></p>
    <p><em>Without deactivated accounts; add <code>-d</code></em></p>

    ===== Element X
    2 of 40 accounts

    2 of them stand out: @ann:example.org

    Of: !room:example.org “Lobby”
    Reason: “https¦:¦//evil¦.¦example/login & more”
    Ends: (none)

    @ann:example.org “Ann <Lee> | *ops*”
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: 3 min ago · State: server admin, locked

    @cheap-pills-for-you-17:example.org [“שלום”]
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: not known · Devices: 2

    What stands out:

    • 1 is an admin
    • “<b>”

    GET /_synapse/admin/v2/users
      "limit": 2

    Next page: !user list --from 2
    All of them: !user list --all

    Without deactivated accounts; add -d
    "#);
}

#[test]
fn every_block_in_lists() {
    insta::assert_snapshot!(shown_to_all(&every_block(), Layout::List), @r#"
    2 of 40 accounts

    2 of them stand out: @ann:example.org

    Of: !room:example.org “Lobby”
    Reason: “https¦:¦//evil¦.¦example/login & more”
    Ends: (none)
    - @ann:example.org “Ann <Lee> | *ops*” · Created: 2 days ago · State: server admin, locked
    - @cheap-pills-for-you-17:example.org [“שלום”] · Created: 2 days ago · Devices: 2

    What stands out:
    - 1 is an admin
    - “<b>”

    GET /_synapse/admin/v2/users
      "limit": 2

    Next page: !user list --from 2
    All of them: !user list --all

    Without deactivated accounts; add -d
    =====
    <p><strong>2 of 40 accounts</strong></p>
    <p><strong>2</strong> of them stand out: <code>@ann:example.org</code></p>
    <p>Of: <code>!room:example.org</code> “Lobby”<br>
    Reason: “https¦:¦//evil¦.¦example/login &amp; more”<br>
    Ends: (none)</p>
    <ul><li><strong><code>@ann:example.org</code> “Ann &lt;Lee&gt; | *ops*”</strong> · Created: 2 days ago · State: <strong>server admin, locked</strong></li>
    <li><strong><code>@cheap-pills-for-you-17:example.org</code> [“שלום”]</strong> · Created: 2 days ago · Devices: 2</li>
    </ul>
    <p>What stands out:</p>
    <ul><li>1 is an admin</li>
    <li>“&lt;b&gt;”</li>
    </ul>
    <pre><code>GET /_synapse/admin/v2/users
      "limit": 2</code></pre>
    <p>Next page: <code>!user list --from 2</code><br>
    All of them: <code>!user list --all</code></p>
    <p><em>Without deactivated accounts; add <code>-d</code></em></p>

    ===== Element X
    2 of 40 accounts

    2 of them stand out: @ann:example.org

    Of: !room:example.org “Lobby”
    Reason: “https¦:¦//evil¦.¦example/login & more”
    Ends: (none)

    • @ann:example.org “Ann <Lee> | *ops*” · Created: 2 days ago · State: server admin, locked
    • @cheap-pills-for-you-17:example.org [“שלום”] · Created: 2 days ago · Devices: 2

    What stands out:

    • 1 is an admin
    • “<b>”

    GET /_synapse/admin/v2/users
      "limit": 2

    Next page: !user list --from 2
    All of them: !user list --all

    Without deactivated accounts; add -d
    "#);
}

#[test]
fn every_block_in_code() {
    insta::assert_snapshot!(shown_to_all(&every_block(), Layout::Code), @r#"
    2 of 40 accounts

    2 of them stand out: @ann:example.org

    Of: !room:example.org “Lobby”
    Reason: “https¦:¦//evil¦.¦example/login & more”
    Ends: (none)

    @ann:example.org “Ann <Lee> | *ops*”
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: 3 min ago · State: server admin, locked

    @cheap-pills-for-you-17:example.org [“שלום”]
    Created: 2026-11-18 11:06 UTC (2 days ago) · Seen: not known · Devices: 2

    What stands out:
    - 1 is an admin
    - “<b>”

    GET /_synapse/admin/v2/users
      "limit": 2

    Next page: !user list --from 2
    All of them: !user list --all

    Without deactivated accounts; add -d
    =====
    <p><strong>2 of 40 accounts</strong></p>
    <p><strong>2</strong> of them stand out: <code>@ann:example.org</code></p>
    <pre><code>Of      !room:example.org “Lobby”
    Reason  “https¦:¦//evil¦.¦example/login &amp;
            more”
    Ends    (none)</code></pre>
    <pre><code>                        State
    @ann:example.org        server admin,…
    @cheap-pills-for-you-…</code></pre>
    <p>What stands out:</p>
    <ul><li>1 is an admin</li>
    <li>“&lt;b&gt;”</li>
    </ul>
    <pre><code>GET /_synapse/admin/v2/users
      "limit": 2</code></pre>
    <p>Next page: <code>!user list --from 2</code><br>
    All of them: <code>!user list --all</code></p>
    <p><em>Without deactivated accounts; add <code>-d</code></em></p>
    <p><em>Cut to fit a phone. All of it comes with <code>--layout cards</code></em></p>

    ===== Element X
    2 of 40 accounts

    2 of them stand out: @ann:example.org

    Of      !room:example.org “Lobby”
    Reason  “https¦:¦//evil¦.¦example/login &
            more”
    Ends    (none)

                            State
    @ann:example.org        server admin,…
    @cheap-pills-for-you-…

    What stands out:

    • 1 is an admin
    • “<b>”

    GET /_synapse/admin/v2/users
      "limit": 2

    Next page: !user list --from 2
    All of them: !user list --all

    Without deactivated accounts; add -d

    Cut to fit a phone. All of it comes with --layout cards
    "#);
}

#[test]
fn an_outcome_and_a_question_to_all() {
    let outcome =
        Reply::outcome(Status::Done, Line::new().code("@ann:example.org").plain(" is suspended"))
            .facts(vec![("Reason", Line::new().hostile(&Hostile::new("spam in the lobby")))])
            .command("Undo", words("undo #10"));
    insta::assert_snapshot!(shown_to_all(&outcome, Layout::Cards), @r"
    Done · @ann:example.org is suspended

    Reason: “spam in the lobby”

    Undo: !undo #10
    =====
    <p><strong>Done</strong> · <code>@ann:example.org</code> is suspended</p>
    <p>Reason: “spam in the lobby”</p>
    <p>Undo: <code>!undo #10</code></p>

    ===== Element X
    Done · @ann:example.org is suspended

    Reason: “spam in the lobby”

    Undo: !undo #10
    ");
}

proptest! {
    /// Whatever is said, in whatever layout: only tags of the specification, none with an attribute;
    /// the plain text has no padding; and no line of columns is broken on a phone.
    #[test]
    fn each_layout_keeps_to_what_all_clients_show(name in hostile(), layout in any_layout()) {
        let drawn = one(&everything(&name), layout);
        for tag in tags(&drawn.html) {
            prop_assert!(TAGS.contains(&tag.trim_start_matches('/')), "<{}>", tag);
        }
        let columns = drawn.html.split("<pre><code>").skip(1).filter_map(|rest| {
            rest.split_once("</code></pre>").map(|(columns, _)| text(columns))
        });
        for line in columns.flat_map(|columns| columns.lines().map(str::to_owned).collect::<Vec<_>>()) {
            prop_assert!(line.width() <= PHONE, "{} is {} wide", line, line.width());
        }
        if layout != Layout::List {
            prop_assert_eq!(&drawn.body, &one(&everything(&name), CARDS).body);
        }
        // What is read on a phone is what stands in the HTML, in the same order.
        for system in BOTH {
            let read: String = system.reads(&drawn.html).split_whitespace().collect();
            let meant: String = text(&drawn.html).split_whitespace().collect();
            prop_assert_eq!(read.replace('•', ""), meant.replace('•', ""));
        }
    }
}

/// Why no layout is a table. The trick that [`Layout`] would need is a space in each cell and a break
/// in the last: it parts them, but the labels are in another line than what they belong to.
#[test]
fn a_table_is_not_legible_where_its_tags_are_dropped() {
    let row = |cells: [&str; 4]| format!("<tr><td>{} <br></td></tr>", cells.join(" </td><td>"));
    let table = |rows: &[[&str; 4]]| {
        let rows: String = rows.iter().map(|cells| row(*cells)).collect();
        format!("<table><tbody>{rows}</tbody></table>")
    };
    let ann = ["<code>@ann:x.test</code>", "no", "yes", "no"];
    let read = System::Android.reads(&table(&[["", "admin", "locked", "guest"], ann]));
    assert_eq!(read, " admin locked guest\n@ann:x.test no yes no");
    // With its label in each cell it can be read there, and is what a list says anyway; where the
    // table is drawn, its cells are wider for it, so that still more words are broken on a phone.
    let labelled = ["<code>@ann:x.test</code>", "admin: no", "locked: yes", "guest: no"];
    let read = System::Android.reads(&table(&[labelled]));
    assert_eq!(read, "@ann:x.test admin: no locked: yes guest: no");
    let record = Record {
        title: Line::new().code("@ann:x.test"),
        facts: vec![("admin", "no".into()), ("locked", "yes".into()), ("guest", "no".into())],
    };
    let list = Reply::default().with(Block::Records(vec![record]));
    let read = System::Android.reads(&one(&list, Layout::List).html);
    assert_eq!(read, "• @ann:x.test · admin: no · locked: yes · guest: no");
}
