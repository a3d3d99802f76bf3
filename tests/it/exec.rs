//! Commands from a shell of the machine: who is served, what is shown, and what the room is told.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::PathBuf,
    process::{Output, Stdio},
};

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};
use world::{Account, Config, Fault, Scene};

use crate::{
    SYNOD,
    support::{is, offered, says, suspend, told, told_since, with_device},
};

/// Accounts of the machine besides root, and the group that may open the socket.
const MOE: u32 = 65_531;
const VIC: u32 = 65_532;
const NOBODY: u32 = 65_533;
const GROUP: u32 = 65_530;

/// A shell of the machine that a bot runs on.
struct Shell {
    dir: TempDir,
}

/// What one command there came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ran {
    /// It ended with this code, and said these on its standard output or error.
    #[track_caller]
    fn ends(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?}: {self:?}");
        }
    }
}

impl Shell {
    /// In a folder that every account of the machine can enter.
    fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("synod-shell-").tempdir()?;
        set_permissions(dir.path(), Permissions::from_mode(0o755))?;
        Ok(Self { dir })
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("exec.sock")
    }

    /// The configuration with this shell: root is ann, and two more accounts are moe and vic.
    fn served(&self, scene: &Scene, config: Config) -> Config {
        let [moe, vic, _] = scene.accounts();
        config.set(
            "shell",
            json!({
                "socket": self.socket(),
                "group": GROUP.to_string(),
                "operators": {
                    "root": scene.ann().user_id(),
                    MOE.to_string(): moe.user_id,
                    VIC.to_string(): vic.user_id,
                },
            }),
        )
    }

    async fn start() -> Result<(Self, Scene)> {
        let (shell, scene) = (Self::new()?, Scene::plan().set().await?);
        scene.start_bot(SYNOD, &shell.served(&scene, scene.config())).await?;
        Ok((shell, scene))
    }

    fn line(&self, words: &[&str]) -> Vec<String> {
        let socket = self.socket().display().to_string();
        let line = [SYNOD, "exec", "--socket", &socket, "--"].into_iter();
        line.chain(words.iter().copied()).map(str::to_owned).collect()
    }

    /// Runs a command as root, without a terminal.
    async fn runs(&self, words: &[&str]) -> Result<Ran> {
        let line = self.line(words);
        let mut command = Command::new(&line[0]);
        Ok(command.args(&line[1..]).stdin(Stdio::null()).output().await?.into())
    }

    /// Runs it as another account of the machine, in this group.
    async fn runs_as(&self, user: u32, group: u32, words: &[&str]) -> Result<Ran> {
        let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
        let mut command = Command::new("setpriv");
        command.args([&user, &group, "--clear-groups"]).args(self.line(words));
        Ok(command.stdin(Stdio::null()).output().await?.into())
    }

    /// Runs it at a terminal, where these lines are typed. All that is shown is in `out`.
    async fn typed(&self, words: &[&str], lines: &str) -> Result<Ran> {
        let quoted = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
        let line = self.line(words).iter().map(quoted).collect::<Vec<_>>().join(" ");
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        command.env("SHELL", "/bin/sh").env("NO_COLOR", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("its input")?;
        stdin.write_all(lines.as_bytes()).await?;
        // Held open, so that a terminal that ends is no answer.
        let output = child.wait_with_output().await?;
        drop(stdin);
        Ok(output.into())
    }
}

/// What the bot has said in the admin room.
fn said(scene: &Scene) -> Vec<String> {
    let heard = scene.ann().heard().into_iter();
    let here = heard.filter(|m| m.room == *scene.room() && m.sender == *scene.bot_id());
    here.filter(|message| !message.body.is_empty()).map(|message| message.body).collect()
}

/// What everybody in the admin room could read, and the log.
fn readable(scene: &Scene) -> Result<String> {
    let heard = scene.ann().heard();
    let raw = heard.iter().map(|message| message.raw.to_string());
    Ok(raw.chain([scene.bot()?.log().text()]).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_shown_there_and_a_change_is_done_told_and_recorded() -> Result<()> {
    let (shell, scene) = Shell::start().await?;
    let (eve, ann) = (scene.subject("eve").await?, scene.ann().user_id().to_string());
    let id = eve.user_id.as_str();
    scene.ann_asks("!me").await?;
    let before = said(&scene).len();

    let look = shell.runs(&["user", "details", id, "--all"]).await?;
    look.ends(0, &[id, "State"]);
    assert!(look.err.is_empty() && !look.out.contains('\u{1b}'), "{look:?}");
    let data = shell.runs(&["user", "details", id, "-o", "json"]).await?;
    data.ends(0, &[]);
    let read: Value = serde_json::from_str(&data.out).with_context(|| format!("{data:?}"))?;
    assert!(read.to_string().contains(id) && data.err.is_empty(), "{data:?}");
    let yaml = shell.runs(&["user", "details", id, "-o", "yaml"]).await?;
    assert!(yaml.out.contains(id) && yaml.err.is_empty(), "{yaml:?}");
    let list = shell.runs(&["user", "list", "-n", id, "-o", "csv"]).await?;
    list.ends(0, &[]);
    assert!(list.out.starts_with("name,") && list.out.contains(id), "{list:?}");
    let whole = shell.runs(&["user", "list", "--all", "-o", "csv"]).await?;
    assert!(whole.out.lines().count() > 4 && whole.out.contains(id), "{whole:?}");
    // Others' accounts are on the homeserver too, and a page has twenty.
    let page = shell.typed(&["user", "list", "-n", &ann], "").await?;
    page.ends(0, &[&ann]);
    shell.runs(&["user", "suspend", "--help"]).await?.ends(0, &["suspend"]);

    let done = shell.runs(&["user", "suspend", id, "--reason", "spam"]).await?;
    done.ends(0, &["Done · ", id, "undo"]);
    assert!(is(&scene, &eve, "suspended").await?);
    let line = told(&scene, "from the shell").await?;
    says(&line, "Done", &[&format!("!user suspend {id}"), &ann, "as user id 0", "#"]);
    assert!(line.reply_to.is_none() && line.body.lines().count() == 1, "{line}");
    let told_now: Vec<String> = said(&scene).split_off(before);
    assert!(told_now.iter().all(|body| !body.contains("user details")), "{told_now:?}");
    assert_eq!(told_now.iter().filter(|body| body.contains("from the shell")).count(), 1);
    let (_, number) = line.body.rsplit_once('#').context("no number")?;
    let shown = scene.ann_asks(&format!("!audit show {}", number.trim())).await?;
    says(&shown, "", &[&format!("By: {ann}"), "From: the shell, as user id 0", "spam"]);
    says(&scene.ann_asks("!audit list --limit 3").await?, "", &["by the shell, as user id 0"]);
    says(&scene.ann_asks(&format!("!undo {}", number.trim())).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_how_it_ended() -> Result<()> {
    let (shell, scene) = (Shell::new()?, Scene::plan().set().await?);
    let proxy = world::Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &shell.served(&scene, config)).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (id, other) = (eve.user_id.as_str(), sam.user_id.as_str());

    shell.runs(&["user", "suspend", id]).await?.ends(0, &["Done"]);
    shell.runs(&["user", "suspend", id]).await?.ends(3, &["Nothing changed"]);
    shell.runs(&["user", "suspend", other, "--plan"]).await?.ends(0, &["Nothing was sent"]);
    for words in [&["usr", "list"][..], &["user", "list", "--yes"], &["user", "suspend"]] {
        let ran = shell.runs(words).await?;
        ran.ends(2, &["Not understood"]);
        assert!(ran.out.is_empty(), "{ran:?}");
    }
    let viewer = shell.runs_as(VIC, GROUP, &["user", "suspend", other]).await?;
    viewer.ends(4, &["Refused", "the role moderator"]);
    shell.runs(&["user", "suspend", scene.bot_id().as_str()]).await?.ends(4, &["Refused"]);

    // What takes a yes is not done where nobody can be asked, and leaves no question.
    let asked = shell.runs(&["user", "deactivate", other]).await?;
    asked.ends(5, &["needs a confirmation", "--plan"]);
    assert!(!is(&scene, &sam, "deactivated").await?);
    shell.runs(&["pending"]).await?.ends(0, &[]);
    assert!(!scene.ann_asks("!pending").await?.body.contains("deactivate"));

    let broken = proxy.every(Method::GET, sam.user_id.localpart(), Fault::Answer(500, json!({})));
    shell.runs(&["user", "details", other]).await?.ends(1, &["In the log under"]);
    broken.lift();
    let refusing = proxy.next(
        Method::PUT,
        sam.user_id.localpart(),
        Fault::Answer(403, json!({ "errcode": "M_FORBIDDEN", "error": "no" })),
    );
    shell.runs(&["user", "suspend", other]).await?.ends(4, &[other]);
    refusing.lift();
    // It is done, and cannot be looked at afterwards.
    let lost = proxy.next(Method::PUT, sam.user_id.localpart(), Fault::LoseAnswer);
    let blinding = async {
        lost.reached().await?;
        anyhow::Ok(proxy.every(Method::GET, sam.user_id.localpart(), Fault::Answer(500, json!({}))))
    };
    let words = ["user", "suspend", other];
    let (unknown, blind) = tokio::join!(shell.runs(&words), blinding);
    unknown?.ends(7, &["Unknown"]);
    blind?.lift();

    scene.bot()?.terminate().await?;
    shell.runs(&["user", "list"]).await?.ends(1, &["no bot listens", "it is not running"]);
    assert!(!shell.socket().exists(), "the socket goes with the bot");
    let nothing = Command::new(SYNOD).args(["exec", "--help"]).output().await?;
    let help = String::from_utf8(nothing.stdout)?;
    for (code, meaning) in
        [(0, "done"), (3, "nothing changed"), (7, "unknown"), (8, "done in part"), (9, "not found")]
    {
        assert!(help.contains(&format!("  {code}  {meaning}")), "{help}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_put_at_the_terminal_and_answered_there() -> Result<()> {
    let (shell, scene) = Shell::start().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (id, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    let mark = scene.ann().mark();
    let before = said(&scene).len();

    let no = shell.typed(&["user", "deactivate", id], "no\n").await?;
    no.ends(3, &[id, "Lost", "was cancelled"]);
    let ended = shell.typed(&["user", "deactivate", id], "\u{4}").await?;
    ended.ends(3, &["was cancelled"]);
    // A bare yes is not enough for what cannot be undone, and other words answer nothing.
    let light = shell.typed(&["user", "deactivate", id], "yes\nuser list\n\u{4}").await?;
    light.ends(3, &["needs its code", "that is not an answer"]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    let told_now = said(&scene).split_off(before);
    assert!(told_now.iter().all(|body| !body.contains("deactivate")), "{told_now:?}");

    let (dee, _) = with_device(&scene, "dee").await?;
    let done = shell.typed(&["user", "logout", dee.user_id.as_str()], "yes\n").await?;
    done.ends(0, &["Go on? Type yes or no", "Done"]);
    let line = told_since(&scene, mark, "from the shell").await?;
    says(&line, "Done", &[&format!("!user logout {}", dee.user_id)]);

    // The code is read off the question, as in the room.
    let mut child = Command::new("python3");
    child.env("NO_COLOR", "1").args(["-c", AT_TERMINAL, localpart]).args(shell.line(&[
        "user",
        "deactivate",
        id,
        "--gdpr-erase",
    ]));
    let erased: Ran = child.output().await?.into();
    erased.ends(0, &["Done"]);
    assert!(is(&scene, &eve, "deactivated").await?);
    let listed = scene.ann_asks("!audit list --limit 6").await?;
    says(&listed, "", &["asked: !user deactivate", "by the shell, as user id 0"]);

    // A bare yes in the room answers no question that stands at a terminal. The question is told apart
    // from one that was removed, and its code is good in the room too.
    let words = ["user", "deactivate", sam.user_id.as_str()];
    for (end, status, parts) in
        [(None, "Nothing changed", ["Cancelled at"]), (Some("!confirm"), "Done", ["yes at"])]
    {
        let waiting = shell.typed(&words, "");
        let in_room = async {
            // A list names accounts of this server without it.
            while !scene.ann_asks("!pending").await?.body.contains(sam.user_id.localpart()) {}
            let yes = scene.ann_asks("yes").await?;
            says(&yes, "Not understood", &["asked at the shell", "answer it there", "!confirm"]);
            assert!(!yes.body.contains("removed"), "{}", yes.body);
            let end = end.map_or(Ok("!cancel"), |confirm| offered(&yes, confirm))?;
            scene.ann_asks(end).await
        };
        let (ended, answered) = tokio::join!(waiting, in_room);
        says(&answered?, status, &[]);
        ended?.ends(if status == "Done" { 6 } else { 4 }, &parts);
        assert_eq!(is(&scene, &sam, "deactivated").await?, status == "Done");
    }
    Ok(())
}

/// Runs the command at a terminal, and says `confirm CODE PHRASE` once it is asked.
const AT_TERMINAL: &str = r"
import os, pty, re, sys
phrase, command = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen, answered = b'', False
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    seen += part
    code = re.search(rb'confirm (\d+)', seen)
    if code and not answered and seen.endswith(b'> '):
        answered = True
        os.write(terminal, b'confirm ' + code.group(1) + b' ' + phrase.encode() + b'\n')
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

#[tokio::test(flavor = "multi_thread")]
async fn only_accounts_of_the_config_are_served_and_only_by_the_socket_of_the_group() -> Result<()>
{
    let (shell, scene) = Shell::start().await?;
    let eve = scene.subject("eve").await?;
    let socket = std::fs::metadata(shell.socket())?;
    assert_eq!((socket.mode() & 0o7777, socket.gid(), socket.uid()), (0o660, GROUP, 0));

    // In the group, and no operator's; an operator's, and not in the group.
    let words = ["user", "suspend", eve.user_id.as_str()];
    let unmapped = shell.runs_as(NOBODY, GROUP, &words).await?;
    unmapped.ends(4, &["Refused", "user id 65533", "shell.operators"]);
    let outside = shell.runs_as(MOE, MOE, &words).await?;
    outside.ends(4, &["you may not use", "shell.group"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    let mine = shell.runs_as(MOE, GROUP, &["me"]).await?;
    mine.ends(0, &[scene.accounts()[0].user_id.as_str(), "the shell, as user id 65531"]);
    shell.runs_as(MOE, GROUP, &words).await?.ends(0, &["Done"]);
    let line = told(&scene, "from the shell").await?;
    says(&line, "Done", &[scene.accounts()[0].user_id.as_str(), "as user id 65531"]);
    assert!(is(&scene, &eve, "suspended").await?);

    // What speaks another language is not answered, and harms nobody.
    let mut stream = tokio::net::UnixStream::connect(shell.socket()).await?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    drop(stream);
    shell.runs(&["me"]).await?.ends(0, &[scene.ann().user_id().as_str()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_a_second_person_from_a_shell_and_a_freeze_holds_there() -> Result<()> {
    let (shell, scene) = (Shell::new()?, Scene::plan().set().await?);
    let rules = json!([{ "class": "irreversible", "others": 1 }]);
    let config = scene.config().set("questions.rules", rules);
    scene.start_bot(SYNOD, &shell.served(&scene, config)).await?;
    let (eve, moe) = (scene.subject("eve").await?, scene.moe().await?);
    let (id, phrase) = (eve.user_id.as_str(), eve.user_id.localpart());

    let asked = shell.runs(&["user", "deactivate", id, "--reason", "spam"]).await?;
    asked.ends(6, &["asked in the room"]);
    let question = told(&scene, "!approve").await?;
    says(&question, "", &[id, scene.ann().user_id().as_str(), "the shell, as user id 0", "spam"]);
    assert!(question.mentions.contains(moe.user_id()), "{:?}", question.mentions);
    let code = crate::support::digits(&question.body, "!approve")?;
    for verb in ["approve", "confirm"] {
        let tried = shell.runs_as(MOE, GROUP, &[verb, &code, phrase]).await?;
        tried.ends(4, &["Refused"]);
    }
    assert!(!is(&scene, &eve, "deactivated").await?);
    let done = scene.ask(moe, &format!("!approve {code} {phrase}")).await?;
    says(&done, "Done", &[id]);
    assert!(is(&scene, &eve, "deactivated").await?);

    let sam = scene.subject("sam").await?;
    let mark = scene.ann().mark();
    shell.runs_as(MOE, GROUP, &["freeze"]).await?.ends(0, &["frozen"]);
    let frozen = told_since(&scene, mark, "from the shell").await?;
    says(&frozen, "Done", &["!freeze", "as user id 65531"]);
    assert!(frozen.mentions.contains(scene.ann().user_id()), "{:?}", frozen.mentions);
    shell.runs(&["user", "suspend", sam.user_id.as_str()]).await?.ends(4, &["frozen"]);
    shell.runs(&["unfreeze"]).await?.ends(4, &["synod unfreeze"]);
    says(&scene.ann_asks(&suspend(&sam)).await?, "Refused", &["frozen"]);
    assert!(!is(&scene, &sam, "suspended").await?);
    scene.ann_asks("!unfreeze").await?;
    scene.ask(moe, "!unfreeze").await?;
    says(&scene.ask(moe, &format!("!freeze {}", scene.ann().user_id())).await?, "Done", &[]);
    shell.runs(&["me"]).await?.ends(4, &["Refused"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_at_the_terminal_and_nowhere_else() -> Result<()> {
    let (shell, scene) = Shell::start().await?;
    let eve = scene.subject("eve").await?;
    let id = eve.user_id.as_str();
    let typed = shell.runs(&["user", "password", id, "--password", "Canary-of-ann-1"]).await?;
    assert!(matches!(typed.code, Some(2 | 4)), "{typed:?}");
    let done = shell.typed(&["user", "password", id], "yes\n").await?;
    done.ends(0, &["The secret is at the terminal"]);
    let may_be = |word: &&str| word.len() >= 16 && word.chars().all(|c| c.is_ascii_alphanumeric());
    let mut words = done.out.split_whitespace().filter(may_be);
    let mut password = None;
    for word in words.by_ref() {
        let account = Account { user_id: eve.user_id.clone(), password: word.to_owned() };
        if scene.synapse().log_in(&account).await.is_ok() {
            password = Some(word.to_owned());
        }
    }
    let password = password.with_context(|| format!("no word of it logs in: {done:?}"))?;
    says(&told(&scene, "from the shell").await?, "Done", &[&format!("!user password {id}")]);
    let readable = readable(&scene)?;
    assert!(!readable.contains(&password) && !readable.contains("Canary-of-ann-1"));
    let kept = std::fs::read(scene.state().join("store").join("db"))?;
    assert!(!kept.windows(password.len()).any(|part| part == password.as_bytes()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_while_the_room_is_out_of_reach_is_told_afterwards() -> Result<()> {
    let (shell, scene) = (Shell::new()?, Scene::plan().set().await?);
    let proxy = world::Proxy::start(&scene.synapse().url()).await?;
    let config = scene
        .config()
        .set("homeserver.url", proxy.url())
        .set("homeserver.admin_url", scene.synapse().url());
    scene.start_bot(SYNOD, &shell.served(&scene, config)).await?;
    let eve = scene.subject("eve").await?;
    let mark = scene.ann().mark();
    let mute = proxy.every(Method::PUT, "/send/", Fault::Answer(502, json!({})));
    shell.runs(&["user", "suspend", eve.user_id.as_str()]).await?.ends(0, &["Done"]);
    assert!(is(&scene, &eve, "suspended").await?);
    scene.bot()?.kill().await?;
    mute.lift();
    scene.bot()?.start_again().await?;
    let line = told_since(&scene, mark, "user suspend").await?;
    says(&line, "Done", &[eve.user_id.as_str(), "from the shell, as user id 0"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bot_its_state_is_used_and_the_room_is_told_when_it_is_back() -> Result<()> {
    let (shell, scene) = Shell::start().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let config = scene.bot()?.config_file().display().to_string();
    let line = |words: &[&str]| {
        let line = [SYNOD, "exec", "--config", &config, "--"].into_iter();
        line.chain(words.iter().copied()).map(str::to_owned).collect::<Vec<_>>()
    };
    let run = async |words: &[&str]| {
        let line = line(words);
        let mut command = Command::new(&line[0]);
        anyhow::Ok(Ran::from(command.args(&line[1..]).stdin(Stdio::null()).output().await?))
    };
    // The bot that runs is spoken to.
    run(&["user", "suspend", sam.user_id.as_str()]).await?.ends(0, &["Done"]);
    told(&scene, "from the shell").await?;

    scene.bot()?.terminate().await?;
    let mark = scene.ann().mark();
    run(&["user", "details", eve.user_id.as_str()]).await?.ends(0, &[eve.user_id.as_str()]);
    run(&["user", "suspend", eve.user_id.as_str()]).await?.ends(0, &["Done"]);
    run(&["user", "suspend", eve.user_id.as_str()]).await?.ends(3, &["Nothing changed"]);
    run(&["user", "deactivate", eve.user_id.as_str()]).await?.ends(5, &["needs a confirmation"]);
    run(&["room", "delete", scene.room().as_str()]).await?.ends(4, &["Refused"]);
    assert!(is(&scene, &eve, "suspended").await?);

    // What root wrote into the state of another account, the bot could not read any more.
    let state = scene.state();
    chown(&state, Some(MOE), None)?;
    run(&["user", "list"]).await?.ends(2, &["it does not belong to the user"]);
    chown(&state, Some(0), None)?;

    scene.bot()?.start_again().await?;
    let line = told_since(&scene, mark, "user suspend").await?;
    says(&line, "Done", &[eve.user_id.as_str(), "from the shell, as user id 0", "#"]);
    let listed = scene.ann_asks(&format!("!audit list --on {}", eve.user_id)).await?;
    says(&listed, "", &[" suspended ", "by the shell, as user id 0"]);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);

    // With a state in which no bot has been, nobody knows which rooms are the bot's.
    let other = shell.dir.path().join("synod.yaml");
    let elsewhere = shell
        .served(&scene, scene.config())
        .set("state", shell.dir.path().join("state").display().to_string());
    let elsewhere =
        elsewhere.set("shell.socket", shell.dir.path().join("none").display().to_string());
    world::write_secret(&other, &elsewhere.to_string())?;
    let mut command = Command::new(SYNOD);
    command.args(["exec", "--config"]).arg(other).args(["--", "user", "list"]);
    Ran::from(command.output().await?).ends(1, &["start the bot once"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_goes_to_a_file_and_to_no_terminal() -> Result<()> {
    let (shell, _scene) = Shell::start().await?;
    let words = ["user", "list", "--chart"];
    let ran = shell.runs(&words).await?;
    ran.ends(0, &["Accounts created per day: "]);
    assert!(ran.out.get(..6).is_some_and(|begin| begin.ends_with("PNG")), "{ran:?}");
    let shown = shell.typed(&words, "").await?;
    shown.ends(
        0,
        &["Accounts created per day: ", "Column chart.", "> accounts-created-per-day.png"],
    );
    assert!(!shown.out.contains("IHDR"), "{shown:?}");
    Ok(())
}
