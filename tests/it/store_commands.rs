//! `synod store`: looked at, exported, imported and compacted, also where it is killed in the middle.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ruma::user_id;
use serde_json::json;
use synod::{
    audit::{Audit, Kind, Record},
    clock::SystemClock,
    run::lock,
    store::{Contents, Store},
};
use world::Config;

use crate::SYNOD;

/// A bot's folder, with a record of this many entries.
struct Machine {
    dir: tempfile::TempDir,
}

/// Entries, large enough that they fill every pipe.
const ENTRIES: usize = 400;

impl Machine {
    async fn new() -> Result<Self> {
        let machine = Self { dir: tempfile::tempdir()? };
        machine.configure("synod.yaml", "state", &[])?;
        fs::DirBuilder::new().mode(0o700).create(machine.state())?;
        let store = Store::open(&machine.state().join("store"), Timestamp::now())?.store;
        let audit = Audit::new(&store, Arc::new(SystemClock))?;
        for number in 0..ENTRIES {
            let note = format!("{number}: {}", "x".repeat(2_000));
            audit.note(Record { note: Some(note), ..Record::new(Kind::Noted) }).await?;
        }
        fs::write(machine.state().join("recovery.key"), "very secret")?;
        fs::write(machine.state().join("identity.json"), "{\"master_key\":\"public\"}")?;
        Ok(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a config, which names what is there.
    fn configure(&self, file: &str, state: &str, recipients: &[&str]) -> Result<()> {
        let secret = self.path("secret");
        world::write_secret(&secret, "syt_secret")?;
        let config = Config::new()
            .set("homeserver.url", "https://matrix.invalid")
            .secret_file("homeserver.admin_token", &secret)
            .set("bot.user_id", "@synod:x.test")
            .secret_file("bot.password", &secret)
            .set("state", self.path(state).display().to_string())
            .room("!admins:x.test")
            .operator(user_id!("@ann:x.test"), "admin")
            .set("backup.recipients", json!(recipients));
        let config = if recipients.is_empty() { config.without("backup") } else { config };
        world::write_secret(&self.path(file), &config.to_string())
    }

    fn command(&self, config: &str, what: &str) -> Command {
        let mut command = Command::new(SYNOD);
        command.args(["store", what, "--config"]).arg(self.path(config));
        command
    }

    /// Runs one of the commands of the first state.
    fn runs(&self, what: &str, words: &[&OsStr]) -> Result<Output> {
        Ok(self.command("synod.yaml", what).args(words).output()?)
    }

    fn contents(&self) -> Result<Contents> {
        Ok(Store::open_as_it_is(&self.state().join("store"))?.contents()?)
    }

    /// Nothing was lost, and nothing is wrong.
    fn is_well(&self) -> Result<()> {
        let said = well(&self.runs("check", &[])?)?;
        let whole = format!("the record is whole: {ENTRIES} entries");
        ensure!(said.contains(&whole) && !said.contains("BAD"), "{said}");
        Ok(())
    }
}

fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&said).into_owned()
}

fn well(output: &Output) -> Result<String> {
    ensure!(output.status.success(), "{}", said(output));
    Ok(said(output))
}

/// It ends with 1 and one line that says this.
fn refused(output: &Output, why: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why) && said.trim_end().lines().count() == 1, "{said}");
}

/// Kills what runs as soon as this is so; whether it still ran.
fn kill_when(mut child: Child, so: impl Fn() -> bool) -> Result<bool> {
    while !so() {
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        std::hint::spin_loop();
    }
    let ran = child.try_wait()?.is_none();
    child.kill()?;
    child.wait()?;
    Ok(ran)
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}

#[tokio::test]
async fn what_a_bot_has_open_and_what_is_not_there_is_refused_in_one_line() -> Result<()> {
    let machine = Machine::new().await?;
    let export = machine.path("export");
    let commands = [("check", vec![]), ("compact", vec![]), ("export", vec![export.as_os_str()])];
    let running = lock(&machine.state())?;
    for (what, words) in &commands {
        refused(&machine.runs(what, words)?, "another Synod is running");
    }
    drop(running);
    refused(&machine.runs("export", &[export.as_os_str()])?, "nobody is set who may read it");
    machine.is_well()?;
    machine.configure("elsewhere.yaml", "elsewhere", &[])?;
    for (what, words) in &commands {
        let output = machine.command("elsewhere.yaml", what).args(words).output()?;
        refused(&output, "there is no state in");
    }
    assert!(!machine.path("elsewhere").exists() && !export.exists());
    Ok(())
}

#[tokio::test]
async fn an_encrypted_export_brings_back_everything_and_opens_with_its_key_alone() -> Result<()> {
    let machine = Machine::new().await?;
    let key = |name: &str| -> Result<String> {
        let made = Command::new("age-keygen").arg("-o").arg(machine.path(name)).output()?;
        let said = String::from_utf8(made.stderr)?;
        Ok(said.trim().rsplit(' ').next().context("a public key")?.to_owned())
    };
    let (own, other) = (key("key").context("Debian: apt install age")?, key("other-key")?);
    assert_ne!(own, other);
    machine.configure("synod.yaml", "state", &[&own])?;
    let export = machine.path("export");
    let told = well(&machine.runs("export", &[export.as_os_str()])?)?;
    assert!(told.contains("encrypted, with the recovery key"), "{told}");
    let bytes = fs::read(&export)?;
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("age-encryption.org/v1") && !text.contains("very secret"));
    assert_eq!(fs::metadata(&export)?.permissions().mode() & 0o777, 0o600);
    refused(&machine.runs("export", &[export.as_os_str()])?, "already exists");

    machine.configure("elsewhere.yaml", "elsewhere", &[])?;
    let import = |identity: Option<&str>| -> Result<Output> {
        let mut command = machine.command("elsewhere.yaml", "import");
        command.arg(&export);
        if let Some(identity) = identity {
            command.arg("--identity").arg(machine.path(identity));
        }
        Ok(command.output()?)
    };
    refused(&import(None)?, "it is encrypted: use --identity FILE");
    refused(&import(Some("other-key"))?, "age: ");
    assert!(!machine.path("elsewhere/store").exists());
    let told = well(&import(Some("key"))?)?;
    assert!(told.contains("entries") && !told.contains("has no recovery key"), "{told}");
    let recovery = machine.path("elsewhere/recovery.key");
    assert_eq!(fs::read_to_string(&recovery)?, "very secret");
    assert_eq!(fs::metadata(&recovery)?.permissions().mode() & 0o777, 0o600);
    let checked = machine.command("elsewhere.yaml", "check").output()?;
    assert!(well(&checked)?.contains(&format!("whole: {ENTRIES} entries")));
    refused(&import(Some("key"))?, "an import needs an empty state folder");

    // A byte of it that is otherwise, and a part that is missing, is no backup.
    machine.configure("elsewhere.yaml", "third", &[])?;
    let middle = bytes.len() / 2;
    let mut changed = bytes.clone();
    changed[middle] ^= 1;
    for spoilt in [&changed[..], &bytes[..middle], &bytes[..bytes.len() - 1]] {
        fs::write(&export, spoilt)?;
        refused(&import(Some("key"))?, "");
        assert!(!machine.path("third/store").exists());
    }
    Ok(())
}

#[tokio::test]
async fn an_export_goes_through_pipes_and_without_encryption_has_no_recovery_key() -> Result<()> {
    let machine = Machine::new().await?;
    let out = machine.runs("export", &["-".as_ref(), "--plain".as_ref()])?;
    let told = well(&Output { stdout: Vec::new(), ..out.clone() })?;
    assert!(told.contains("not encrypted, without the recovery key"), "{told}");
    assert!(!String::from_utf8_lossy(&out.stdout).contains("very secret"));
    machine.configure("elsewhere.yaml", "elsewhere", &[])?;
    let mut import = machine.command("elsewhere.yaml", "import");
    let mut import = import.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    import.stdin.take().context("its input")?.write_all(&out.stdout)?;
    let told = well(&import.wait_with_output()?)?;
    assert!(told.contains("The export has no recovery key"), "{told}");
    let store = Store::open_as_it_is(&machine.path("elsewhere/store"))?;
    assert_eq!(store.contents()?.records, machine.contents()?.records + 1, "and that it is one");
    Ok(())
}

#[tokio::test]
async fn an_import_that_is_killed_in_the_middle_makes_no_store_and_can_be_done_again() -> Result<()>
{
    let machine = Machine::new().await?;
    let export = machine.path("export");
    well(&machine.runs("export", &[export.as_os_str(), "--plain".as_ref()])?)?;
    let bytes = fs::read(&export)?;
    machine.configure("elsewhere.yaml", "elsewhere", &[])?;
    let (making, store) = (machine.path("elsewhere/store.making"), machine.path("elsewhere/store"));
    let import = |file: &Path| {
        let mut command = machine.command("elsewhere.yaml", "import");
        command.arg(file);
        command
    };
    for part in [bytes.len() / 3, bytes.len() - 2] {
        let mut child = quiet(import(Path::new("-")).stdin(Stdio::piped())).spawn()?;
        let mut input = child.stdin.take().context("its input")?;
        input.write_all(&bytes[..part])?;
        // It waits for the rest with a store that is half made.
        assert!(kill_when(child, || making.join("db").exists())?);
        assert!(!store.exists());
    }
    well(&import(&export).output()?)?;
    assert!(!making.exists());
    assert!(well(&machine.command("elsewhere.yaml", "check").output()?)?.contains("is whole"));
    Ok(())
}

#[tokio::test]
async fn an_export_that_is_killed_in_the_middle_leaves_no_file_and_the_store_as_it_was()
-> Result<()> {
    let machine = Machine::new().await?;
    let before = machine.contents()?;
    let folder = machine.path("exports");
    fs::create_dir(&folder)?;
    let export = folder.join("export");
    let begun = || fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    let words = [export.as_os_str(), "--plain".as_ref()];
    let child = quiet(machine.command("synod.yaml", "export").args(words)).spawn()?;
    let killed = kill_when(child, begun)?;
    assert!(!killed || !export.exists(), "what has its name is whole");
    machine.is_well()?;
    // Nobody reads on: it waits in the middle of a pipe.
    let (mut read, write) = std::io::pipe()?;
    let mut command = machine.command("synod.yaml", "export");
    let child = command.args(["-", "--plain"]).stdout(write).stderr(Stdio::null()).spawn()?;
    drop(command);
    let mut first = [0; 1000];
    read.read_exact(&mut first)?;
    assert!(kill_when(child, || true)?);
    let mut rest = Vec::new();
    read.read_to_end(&mut rest)?;
    let half = machine.path("half");
    fs::write(&half, [&first[..], &rest].concat())?;
    machine.configure("elsewhere.yaml", "elsewhere", &[])?;
    let mut import = machine.command("elsewhere.yaml", "import");
    refused(&import.arg(&half).output()?, "its end is missing");
    machine.is_well()?;
    assert_eq!(machine.contents()?, before);
    Ok(())
}

#[tokio::test]
async fn compacting_that_is_killed_anywhere_loses_nothing() -> Result<()> {
    let machine = Machine::new().await?;
    let before = machine.contents()?;
    let place = |name: &str| machine.state().join(name);
    let mut killed = 0;
    for sign in ["store.making", "store.making/db", "store.ready", "store.before-compacting"] {
        let child = quiet(&mut machine.command("synod.yaml", "compact")).spawn()?;
        killed += u32::from(kill_when(child, || place(sign).exists())?);
        machine.is_well().context(sign)?;
        assert_eq!(machine.contents()?, before, "{sign}");
    }
    assert!(killed >= 2, "it was killed {killed} times only");
    let told = well(&machine.runs("compact", &[])?)?;
    assert!(told.contains(&format!("{} entries", before.records)), "{told}");
    machine.is_well()?;
    assert_eq!(machine.contents()?, before);
    let left: Vec<_> = fs::read_dir(machine.state())?.map(|one| one.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("compact")), "{left:?}");
    Ok(())
}

#[tokio::test]
async fn a_state_of_a_later_version_ends_an_older_binary_in_one_line() -> Result<()> {
    let machine = Machine::new().await?;
    let of = |version: u32| -> Result<()> {
        let store = Store::open(&machine.state().join("store"), Timestamp::now())?.store;
        store.shelf("state-version")?.put("version", &version)?;
        Ok(store.flush_blocking()?)
    };
    of(synod::store::STATE_VERSION + 1)?;
    let run = |words: &[&str]| -> Result<Output> {
        let mut command = Command::new(SYNOD);
        Ok(command.args(words).arg("--config").arg(machine.path("synod.yaml")).output()?)
    };
    for words in [&["run"][..], &["store", "check"], &["store", "compact"]] {
        refused(&run(words)?, "was written by a later version of Synod");
    }
    let names = fs::read_dir(machine.state())?.map(|entry| entry.unwrap().file_name());
    let stores: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("store")).collect();
    assert_eq!(stores, ["store"], "nothing was moved aside, and nothing made");
    Ok(())
}

/// The check says what is wrong, and ends with 1.
#[tokio::test]
async fn a_check_of_a_store_that_is_damaged_ends_with_one() -> Result<()> {
    let machine = Machine::new().await?;
    machine.is_well()?;
    let store = Store::open_as_it_is(&machine.state().join("store"))?;
    store.shelf::<u32>("pins")?.put("@ann:x.test", &7)?;
    store.flush_blocking()?;
    drop(store);
    let output = machine.runs("check", &[])?;
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("BAD") && told.contains("\"@ann:x.test\""), "{told}");
    for entry in fs::read_dir(machine.state().join("store"))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")) {
            File::create(path)?.write_all(b"no snapshot")?;
        }
    }
    let output = machine.runs("check", &[])?;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!said(&output).contains("panicked at"), "{}", said(&output));
    Ok(())
}
