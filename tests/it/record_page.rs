//! The record as a page, in a browser: what it shows, what its search finds, and that nothing of it
//! runs or asks for anything.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ruma::{OwnedUserId, UserId};
use synod::{
    audit::{Audit, Kind, Record},
    change::{Subject, Undo},
    clock::FixedClock,
    reply::Status,
    store::Store,
};

use crate::SYNOD;

/// A week, seconds.
const WEEK: i64 = 7 * 24 * 3600;

/// Something that hears whatever a browser asks for: it stands for every server, and for the proxy
/// before them.
struct Ear {
    at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ear {
    fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (at, heard) = (listener.local_addr()?, Arc::<Mutex<Vec<String>>>::default());
        let all = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut first = String::new();
                let _ = BufReader::new(&stream).read_line(&mut first);
                all.lock().unwrap().push(first);
                let _ =
                    (&stream).write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            }
        });
        Ok(Self { at, heard })
    }

    /// What was asked for under an address of ours.
    fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|line| line.contains("synod-test")).cloned().collect()
    }
}

/// A folder with a record in it.
struct Made {
    dir: tempfile::TempDir,
    ear: Ear,
}

impl Made {
    /// A record of three operators over some weeks, in which everybody is as hostile as they can be.
    async fn new() -> Result<Self> {
        let made = Self { dir: tempfile::tempdir()?, ear: Ear::open()? };
        let clock = Arc::new(FixedClock::at("2026-10-05T08:00:00Z".parse()?));
        let store = Store::open(&made.dir.path().join("store"), Timestamp::UNIX_EPOCH)?.store;
        let audit = Audit::new(&store, clock.clone())?;
        audit.mirror(&made.record(), None).await?;
        let (ann, ben) = (user("@ann:x.test")?, user("@ben:x.test")?);
        let first = suspended(&audit, &ann, "@eve:x.test", "insults").await?;
        clock.pass(WEEK);
        for hostile in made.hostile() {
            suspended(&audit, &ben, "@sam:x.test", &hostile).await?;
        }
        clock.pass(2 * WEEK);
        let undo = Record {
            by: Some(ben.clone()),
            words: ["undo", &first.to_string()].map(str::to_owned).to_vec(),
            subjects: vec![Subject::User(user("@eve:x.test")?)],
            undoes: Some(first),
            ..Record::new(Kind::Opened)
        };
        let number = audit.open(undo.clone()).await?;
        let closed = Record { kind: Kind::Closed, status: Some(Status::Done), ..undo };
        audit.close(number, closed).await?;
        audit.note(Record { by: Some(ann), ..Record::new(Kind::Refused) }).await?;
        Ok(made)
    }

    /// What somebody writes who wants more than to be read.
    fn hostile(&self) -> Vec<String> {
        let at = format!("http://{}/synod-test", self.ear.at);
        vec![
            format!("<img src=\"{at}/image\" onerror=\"fetch('{at}/error')\">"),
            format!("<script>fetch('{at}/script'); document.title = 'owned'</script>"),
            format!("\"><svg onload=\"fetch('{at}/svg')\"><style>@import '{at}/style';</style>"),
            format!("</code></article></body><iframe src='{at}/frame'></iframe><!--"),
            "moc.elgoog\u{202e}\u{200b}' autofocus onfocus='document.title=1".to_owned(),
        ]
    }

    fn record(&self) -> PathBuf {
        self.dir.path().join("record.jsonl")
    }

    fn page(&self) -> PathBuf {
        self.dir.path().join("report.html")
    }

    /// Makes the page of the record.
    fn report(&self, more: &[&str]) -> Result<Output> {
        let mut command = Command::new(SYNOD);
        command.args(["audit", "report"]).arg(self.record()).arg("--out").arg(self.page());
        Ok(command.args(more).output()?)
    }

    /// What a browser makes of a page, when everything is loaded and every script has run.
    fn opened(&self, page: &Path, hash: &str) -> Result<String> {
        let proxy = format!("--proxy-server=http://{}", self.ear.at);
        let profile = format!("--user-data-dir={}", self.dir.path().join("profile").display());
        let output = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            // Its own errands are not what is looked for.
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args([&proxy, "--proxy-bypass-list=<-loopback>", &profile, "--dump-dom"])
            .arg(format!("file://{}#{hash}", page.display()))
            .output()
            .context("a browser (Debian: apt install chromium)")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{said}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn user(id: &str) -> Result<OwnedUserId> {
    Ok(UserId::parse(id)?)
}

/// Records the suspension of an account, and answers its number.
async fn suspended(audit: &Audit, by: &UserId, whom: &str, reason: &str) -> Result<u64> {
    let opened = Record {
        by: Some(by.to_owned()),
        words: ["user", "suspend", whom, "--reason", reason].map(str::to_owned).to_vec(),
        subjects: vec![Subject::User(user(whom)?)],
        reason: Some(reason.to_owned()),
        ..Record::new(Kind::Opened)
    };
    let number = audit.open(opened.clone()).await?;
    let undo = Undo::Command(["user", "unsuspend", whom].map(str::to_owned).to_vec());
    let closed = Record {
        kind: Kind::Closed,
        status: Some(Status::Done),
        undo: vec![undo],
        note: Some(reason.to_owned()),
        ..opened
    };
    audit.close(number, closed).await?;
    Ok(number)
}

/// The tag with which an entry begins.
fn tag(dom: &str, seq: u64) -> Result<&str> {
    let (_, after) =
        dom.split_once(&format!("<article id=\"e{seq}\"")).with_context(|| format!("no #{seq}"))?;
    Ok(after.split_once('>').context("a tag ends")?.0)
}

/// Which of the entries are shown.
fn shown(dom: &str) -> Result<Vec<u64>> {
    let all = (1..).take_while(|seq| tag(dom, *seq).is_ok());
    let mut shown = Vec::new();
    for seq in all {
        if !tag(dom, seq)?.contains(" hidden=\"\"") {
            shown.push(seq);
        }
    }
    Ok(shown)
}

fn well(output: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

#[tokio::test]
async fn hostile_names_are_shown_as_text_and_nothing_is_asked_for() -> Result<()> {
    let made = Made::new().await?;
    well(&made.report(&[])?)?;
    let dom = made.opened(&made.page(), "")?;
    assert!(dom.contains("<title>The record of a Synod</title>"), "no script has changed it");
    let own = dom.matches("<script").count();
    assert_eq!(own, 1, "there is one script, that of the page");
    for element in ["<img", "<iframe", "<svg onload", "<style>@import"] {
        assert!(!dom.contains(element), "{element}");
    }
    for words in ["&lt;img src=", "&lt;script&gt;fetch(", "&lt;iframe src=", "&lt;svg onload="] {
        assert!(dom.contains(words), "{words} is to be read");
    }
    assert!(
        !dom.contains(['\u{202e}', '\u{200b}']) && dom.contains("U+202E"),
        "what hides is shown"
    );
    assert_eq!(made.ear.heard(), [""; 0]);
    assert_eq!(shown(&dom)?.len(), 15);

    // A page without these guards is heard, so that silence means something.
    let careless = made.dir.path().join("careless.html");
    fs::write(&careless, format!("<!DOCTYPE html>{}", made.hostile().concat()))?;
    made.opened(&careless, "")?;
    assert!(made.ear.heard().len() > 1, "{:?}", made.ear.heard());
    Ok(())
}

#[tokio::test]
async fn what_gets_past_the_escaping_is_stopped_by_the_policy_of_the_page() -> Result<()> {
    let made = Made::new().await?;
    well(&made.report(&[])?)?;
    let page = fs::read_to_string(made.page())?;
    let injected =
        page.replacen("<h2>Timeline</h2>", &(made.hostile()[..3].concat() + "</svg>"), 1);
    assert!(injected.len() > page.len());
    fs::write(made.page(), injected)?;
    let dom = made.opened(&made.page(), "q=insults")?;
    assert!(dom.contains("<img"), "it is in the page");
    assert!(dom.contains("<title>The record of a Synod</title>"), "and does nothing");
    assert_eq!(made.ear.heard(), [""; 0]);
    assert_eq!(shown(&dom)?.len(), 2, "the script of the page runs");
    Ok(())
}

#[tokio::test]
async fn the_search_finds_by_words_by_operator_and_by_subject() -> Result<()> {
    let made = Made::new().await?;
    well(&made.report(&[])?)?;
    let found = |hash: &str| shown(&made.opened(&made.page(), hash)?);
    assert_eq!(found("q=INSULTS")?, [1, 2]);
    assert_eq!(found("by=%40ann%3Ax.test")?, [1, 2, 15]);
    assert_eq!(found("on=eve")?, [1, 2, 13, 14]);
    assert_eq!(found("by=%40ben%3Ax.test&on=%40eve%3Ax.test")?, [13, 14]);
    assert_eq!(found("q=suspend+nobody-has-said-this")?, [0; 0]);
    assert_eq!(found("q=%3Ciframe")?, [9, 10], "what is hostile is found as it was written");
    let dom = made.opened(&made.page(), "on=eve")?;
    assert!(dom.contains("4 of 15 entries"), "how many they are");
    Ok(())
}

#[tokio::test]
async fn chains_weeks_and_proof_stand_in_it() -> Result<()> {
    let made = Made::new().await?;
    let said = well(&made.report(&[])?)?;
    let hash = said.trim_end().rsplit(' ').next().context("a hash")?.to_owned();
    assert!(said.contains("15 entries, unbroken"), "{said}");
    let dom = made.opened(&made.page(), "")?;
    assert!(dom.contains("The chain is intact") && dom.contains(&hash));
    let (_, chain) = dom.split_once("id=\"chain1\"").context("what was taken back")?;
    let (chain, _) = chain.split_once("</details>").context("it ends")?;
    for entry in [1, 2, 13, 14] {
        assert!(chain.contains(&format!("href=\"#e{entry}\"")), "#{entry}: {chain}");
    }
    assert!(!chain.contains("href=\"#e3\""), "{chain}");
    assert!(!dom.contains("id=\"chain3\""), "what nobody took back is no chain");
    assert!(dom.contains("<td>5</td>") && dom.contains("2026-10-12"), "the numbers of the weeks");
    assert!(dom.matches("<rect").count() > 8, "and their columns");

    let told = well(&made.report(&["--head", &hash])?)?;
    assert!(told.contains("unbroken"), "{told}");
    assert!(fs::read_to_string(made.page())?.contains("The hash that was given is in it"));
    let other = made.report(&["--head", &"0".repeat(64)])?;
    assert_eq!(other.status.code(), Some(1));
    assert!(fs::read_to_string(made.page())?.contains("is not in it"));

    let changed = fs::read_to_string(made.record())?.replacen("insults", "praise!", 1);
    fs::write(made.record(), changed)?;
    let broken = made.report(&[])?;
    assert_eq!(broken.status.code(), Some(1));
    let dom = made.opened(&made.page(), "")?;
    assert!(dom.contains("The chain is broken") && dom.contains("broken at number 1"));
    assert!(tag(&dom, 2)?.contains("unproven"), "what comes behind it is marked");

    fs::write(made.record(), "no record\n")?;
    let before = fs::read(made.page())?;
    let none = made.report(&[])?;
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.status.code() == Some(1) && said.contains("none of its lines"), "{said}");
    assert_eq!(fs::read(made.page())?, before, "a page that was there stays");
    Ok(())
}
