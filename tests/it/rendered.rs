//! Replies as a client on the web draws them, in a browser: how high they are on a phone, whether anything
//! has to be scrolled sideways, which elements there are, and that nobody's name becomes a link.
//!
//! The page that draws and measures them is in `deploy/pictures`; `deploy/pictures/make.sh` makes pictures of
//! what is said here.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use world::{Message, Options, Scene, Synapse};

use crate::{
    SYNOD,
    support::{api, is, make, says},
};

/// Where the page lies, and the scripts that take pictures.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pictures");

/// The screen of a phone, pixels of CSS.
const PHONE: (u32, u32) = (390, 844);

/// Most that a reply may take on a phone.
#[derive(Debug, Clone, Copy)]
enum Most {
    /// The whole screen.
    Screen,
    /// Half of it.
    HalfScreen,
    /// So many lines for each entry of a listing.
    LinesEach(u32),
    /// As wide as the column.
    Column,
}

/// What is wanted of the replies, by their names in the conversation below.
const WANTED: [(&str, Most); 12] = [
    ("help", Most::Screen),
    ("help", Most::Column),
    ("help of a command", Most::Column),
    ("account", Most::HalfScreen),
    ("room", Most::HalfScreen),
    ("accounts", Most::LinesEach(2)),
    ("accounts", Most::Column),
    ("rooms", Most::LinesEach(2)),
    ("record", Most::LinesEach(2)),
    ("question", Most::Screen),
    ("question about many", Most::Screen),
    ("answer", Most::HalfScreen),
];

/// The tags that the specification lets a message have, and the attributes that any of them may have.
const TAGS: [&str; 37] = [
    "del",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "p",
    "a",
    "ul",
    "ol",
    "sup",
    "sub",
    "li",
    "b",
    "i",
    "u",
    "strong",
    "em",
    "s",
    "code",
    "hr",
    "br",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "caption",
    "pre",
    "span",
    "img",
    "details",
    "summary",
];

/// A name that would be everything.
const HOSTILE: &str = "https://evil.test/in www.evil.test matrix:u/eve @room @moe:evil.test \
                       eve@evil.test localhost/x <b>x</b> <a href=//e>";

/// What a reply is called, and where it is a listing how a line is known that begins an entry.
type Named = (&'static str, Option<&'static str>);

/// Replies, as the page takes them.
#[derive(Default)]
struct Replies(Vec<Value>);

/// What the page has measured of one reply.
#[derive(Debug, Deserialize)]
struct Measure {
    name: String,
    width: u32,
    theme: String,
    height: u32,
    overflows: bool,
    rows: Vec<u32>,
    tags: Vec<String>,
    attributes: Vec<String>,
    links: Vec<String>,
    body_links: Vec<String>,
}

impl Replies {
    /// Keeps a reply. Accounts of a scene have long names, so that many scenes play on one homeserver; the
    /// operator gets one as long as people have.
    fn add(&mut self, (name, row): Named, message: &Message, operator: &str) {
        let usual = |text: &str| text.replace(operator, "moses");
        let html = usual(message.html.as_deref().unwrap_or_default());
        let body = usual(message.raw["content"]["body"].as_str().unwrap_or_default());
        self.0.push(json!({ "name": name, "row": row, "body": body, "html": html }));
    }

    /// Lets ann ask, and keeps the answer.
    async fn ask(&mut self, scene: &Scene, named: Named, command: &str) -> Result<Message> {
        let answer = scene.ann_asks(command).await?;
        ensure!(answer.html.is_some(), "{command} is answered with HTML: {answer}");
        self.add(named, &answer, scene.ann().user_id().localpart());
        Ok(answer)
    }

    /// Writes the page with these replies, and answers what a browser measures of them. The page and the
    /// measures stay in the build folder.
    fn measured(&self, page: &str) -> Result<Vec<Measure>> {
        let made = made()?;
        let file = |name: &str| fs::read_to_string(Path::new(SCRIPTS).join(name));
        let replies = Value::from(self.0.clone()).to_string().replace('<', "\\u003c");
        let filled = file("page.html")?
            .replace(">STYLE<", &format!(">{}<", file("client.css")?))
            .replace(">SCRIPT<", &format!(">{}<", file("measure.js")?))
            .replace(">REPLIES<", &format!(">{replies}<"));
        let path = made.join(page).with_extension("html");
        fs::write(&path, filled)?;
        let profile = tempfile::tempdir()?;
        let output = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--dump-dom", &format!("file://{}", path.display())])
            .output()
            .context("a browser (Debian: apt install chromium)")?;
        let dom = String::from_utf8(output.stdout)?;
        let (_, found) = dom.rsplit_once("id=\"measures\">").with_context(|| {
            format!("nothing was measured: {}", String::from_utf8_lossy(&output.stderr))
        })?;
        let (found, _) = found.split_once("</script>").context("the measures end")?;
        fs::write(path.with_extension("json"), found)?;
        Ok(serde_json::from_str(found)?)
    }
}

impl Most {
    /// Why a reply is more, if it is.
    fn missed(self, measure: &Measure) -> Option<String> {
        let height = |most: u32| {
            (measure.height > most).then(|| format!("{} px high, of {most}", measure.height))
        };
        match self {
            Self::Screen => height(PHONE.1),
            Self::HalfScreen => height(PHONE.1 / 2),
            Self::LinesEach(_) if measure.rows.is_empty() => Some("no entry is found".to_owned()),
            Self::LinesEach(most) => {
                let highest = measure.rows.iter().max().filter(|lines| **lines > most)?;
                Some(format!("an entry of {highest} lines, of {most}"))
            }
            Self::Column => measure.overflows.then(|| "wider than the column".to_owned()),
        }
    }
}

/// The folder for what is made here, in the build folder.
fn made() -> Result<PathBuf> {
    let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("pictures");
    fs::create_dir_all(&made)?;
    Ok(made)
}

/// All that was measured, as a table.
fn table(measures: &[Measure]) -> String {
    let mut out = "height at 390 px, at 1280 px, lines of each entry, reply\n".to_owned();
    let light =
        |width| measures.iter().filter(move |one| one.width == width && one.theme == "light");
    for (phone, desktop) in light(390).zip(light(1280)) {
        let wide = match (phone.overflows, desktop.overflows) {
            (false, false) => "",
            (true, false) => ", too wide for a phone",
            (_, true) => ", too wide for both",
        };
        let rows: Vec<_> = phone.rows.iter().map(u32::to_string).collect();
        let _ = writeln!(
            out,
            "{:>5}{:>6}  {:<12} {}{wide}",
            phone.height,
            desktop.height,
            rows.join(" "),
            phone.name
        );
    }
    out
}

/// An evening in a homeserver of its own, so that ids are as short as in real life.
async fn conversation(scene: &Scene) -> Result<Replies> {
    let synapse = scene.synapse();
    let mut raid = Vec::new();
    for number in 1..=17 {
        let (localpart, name) = (format!("raid-{number:02}"), format!("Cheap Pills {number:02}"));
        raid.push(synapse.register(&localpart, "a password", false, &name).await?);
    }
    let lena = synapse.register("lena", "a password", false, "Lena Vogt").await?;
    let hers = api(scene, &lena).await?;
    let garden = json!({
        "name": "Lobby of gardeners", "topic": "Beds, seeds and weather", "room_alias_name": "gardening"
    });
    let room = make(&hers, garden).await?;
    make(&hers, json!({ "name": "Lobby of cooks", "topic": "Say hello" })).await?;
    let first = raid[0].user_id.as_str();
    let all: Vec<_> = raid.iter().map(|account| account.user_id.as_str()).collect();
    let mut replies = Replies::default();
    replies.ask(scene, ("help", None), "!help").await?;
    replies.ask(scene, ("help of a command", None), "!help user deactivate").await?;
    replies.ask(scene, ("account", None), "!user details lena").await?;
    replies.ask(scene, ("room", None), &format!("!room details {room}")).await?;
    replies.ask(scene, ("accounts", Some(r"@raid-\d")), "!user list -n raid").await?;
    replies.ask(scene, ("rooms", Some("Lobby")), "!room list").await?;
    let suspend = format!("!user suspend {first} --reason \"spam in the lobby\"");
    says(&replies.ask(scene, ("answer", None), &suspend).await?, "Done", &[first]);
    let erase = format!("!user deactivate {first} --gdpr-erase");
    replies.ask(scene, ("question", None), &erase).await?;
    let many = format!("!user suspend {}", all.join(" "));
    replies.ask(scene, ("question about many", None), &many).await?;
    replies.ask(scene, ("record", Some(r"^(#\d|\d\d:\d\d|\d{4}-)")), "!audit list").await?;
    replies.ask(scene, ("not understood", None), "!user suspnd lena").await?;
    ensure!(is(scene, &raid[0], "suspended").await?, "it was suspended");
    Ok(replies)
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_read_well_on_a_phone() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let measures = conversation(&scene).await?.measured("replies")?;
    println!("{}", table(&measures));
    let mut missed = Vec::new();
    for (name, most) in WANTED {
        let of_it = |one: &&Measure| one.name == name && one.width == PHONE.0;
        let measure = measures.iter().find(of_it).context(name)?;
        missed.extend(most.missed(measure).map(|why| format!("{name}: {why}")));
    }
    assert_eq!(missed, [""; 0], "{}", table(&measures));
    for measure in &measures {
        let unlisted = measure.tags.iter().find(|tag| !TAGS.contains(&tag.as_str()));
        assert_eq!(unlisted, None, "{measure:?}");
        assert_eq!(measure.attributes, [""; 0], "{measure:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_name_is_a_link_or_an_element_in_a_browser() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let localpart = eve.user_id.localpart();
    scene.synapse().register(localpart, &eve.password, false, HOSTILE).await?;
    let hers = api(&scene, &eve).await?;
    let room = make(&hers, json!({ "name": HOSTILE, "topic": HOSTILE })).await?;
    let mut replies = Replies::default();
    let eve_id = eve.user_id.as_str();
    for (name, command) in [
        ("account", format!("!user details {eve_id}")),
        ("accounts", format!("!user list -i {localpart}")),
        ("room", format!("!room details {room}")),
        ("question", format!("!user deactivate {eve_id} --gdpr-erase")),
    ] {
        let answer = replies.ask(&scene, (name, None), &command).await?;
        assert!(answer.body.contains("evil"), "the name is shown: {}", answer.body);
    }
    let careless = format!("<p>{}</p>", HOSTILE.replacen("<b>x</b>", "<u onclick='x'>x</u>", 1));
    replies.0.push(json!({ "name": "careless", "body": HOSTILE, "html": careless }));
    let measures = replies.measured("hostile")?;
    for measure in &measures {
        // What would be found if nothing was done, so that to find nothing says something.
        if measure.name == "careless" {
            assert!(measure.links.len() > 6 && measure.body_links.len() > 6, "{measure:?}");
            assert_eq!(measure.tags, ["p", "u", "a"], "{measure:?}");
            continue;
        }
        assert!(!measure.tags.iter().any(|tag| tag == "a"), "{measure:?}");
        assert!(measure.tags.iter().all(|tag| TAGS.contains(&tag.as_str())), "{measure:?}");
        assert_eq!(measure.attributes, [""; 0], "{measure:?}");
        assert_eq!(measure.links, [""; 0], "{measure:?}");
        let theirs = |link: &&String| {
            ["evil", "room", "localhost", "u/eve"].iter().any(|part| link.contains(part))
        };
        assert_eq!(measure.body_links.iter().find(theirs), None, "{measure:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes Nheko and a display for it; deploy/pictures/nheko.sh brings both"]
async fn what_is_typed_in_nheko_is_answered_there() -> Result<()> {
    const TYPED: &str = "!user details lena";
    let synapse = Synapse::start(Options::default()).await?;
    // Nheko has no keys that anybody signed, so it is heard in a room in clear only.
    let scene = Scene::plan().on(&synapse).in_clear().start(SYNOD).await?;
    synapse.register("lena", "a password", false, "Lena Vogt").await?;
    let [moe, ..] = scene.accounts();
    let (token, device) = synapse.log_in(moe).await?;
    let join = format!("/_matrix/client/v3/join/{}", scene.room());
    let (status, answer) = synapse.api(&token).post(&join, json!({})).await?;
    ensure!(status == 200, "{status} {answer}");
    scene.ann_asks("!user list -n lena").await?;

    let picture = made()?.join("nheko.png");
    let mut nheko = Command::new(Path::new(SCRIPTS).join("nheko.sh"))
        .args(["--in", &synapse.url(), moe.user_id.as_str(), &token, &device])
        .arg(scene.room().as_str())
        .arg(&picture)
        .arg(TYPED)
        .stdin(Stdio::piped())
        .spawn()?;
    let by_moe = |message: &Message| message.sender == moe.user_id && message.body == TYPED;
    let mut typed = scene.ann().wait_for("what is typed in Nheko", by_moe).await;
    for _ in 0..4 {
        if typed.is_err() {
            typed = scene.ann().wait_for("what is typed in Nheko", by_moe).await;
        }
    }
    says(
        &scene.answer(scene.ann(), &typed?.event_id).await?,
        "",
        &["@lena:synod.test", "Lena Vogt"],
    );
    writeln!(nheko.stdin.take().context("it reads")?, "now")?;
    ensure!(nheko.wait()?.success(), "Nheko shows the answer");
    let bytes = fs::read(&picture)?.len();
    ensure!(bytes > 10_000, "more than an empty window: {bytes} bytes");
    Ok(())
}
