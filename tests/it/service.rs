//! What a service manager hears of the bot, in the words of systemd's protocol.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    net::UnixDatagram,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use world::{Options, PATIENCE, Scene, Synapse};

use crate::{SYNOD, support::says};

/// A service manager that starts the bot and listens.
struct Manager {
    path: PathBuf,
    program: PathBuf,
    lines: UnboundedReceiver<String>,
    /// How often the watchdog was fed, as far as was listened.
    fed: usize,
}

impl Manager {
    fn new(dir: &Path) -> Result<Self> {
        let (path, program) = (dir.join("notify"), dir.join("synod-watched"));
        let socket = UnixDatagram::bind(&path)?;
        let (heard, lines) = unbounded_channel();
        // Always, as a service manager does: the bot waits where nobody takes what it says.
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer).await {
                for line in String::from_utf8_lossy(&buffer[..length]).lines() {
                    let _ = heard.send(line.to_owned());
                }
            }
        });
        // Half a second, so that a test need not wait for long.
        let script = format!(
            "#!/bin/sh\nexport NOTIFY_SOCKET={} WATCHDOG_USEC=500000\nexec {SYNOD} \"$@\"\n",
            path.display(),
        );
        fs::write(&program, script)?;
        fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        Ok(Self { path, program, lines, fed: 0 })
    }

    /// The next line; `None` where the watchdog is fed.
    async fn next(&mut self) -> Result<Option<String>> {
        let line = timeout(PATIENCE, self.lines.recv()).await?.context("nobody listens")?;
        if line == "WATCHDOG=1" {
            self.fed += 1;
        }
        let is_counted = line == "WATCHDOG=1" || line.starts_with("MONOTONIC_USEC=");
        Ok((!is_counted).then_some(line))
    }

    /// Hears just this next.
    async fn hears(&mut self, wanted: &[&str]) -> Result<()> {
        for line in wanted {
            let heard = loop {
                if let Some(heard) = self.next().await.with_context(|| (*line).to_owned())? {
                    break heard;
                }
            };
            ensure!(heard == *line, "{heard} where {line} was to come");
        }
        Ok(())
    }

    /// Returns when the watchdog was fed so many times more, and nothing else was said.
    async fn is_fed(&mut self, times: usize) -> Result<()> {
        let wanted = self.fed + times;
        while self.fed < wanted {
            if let Some(heard) = self.next().await.context("the watchdog to be fed")? {
                bail!("{heard} where the watchdog was to be fed");
            }
        }
        Ok(())
    }
}

const IN_TOUCH: &str = "STATUS=Connected to the homeserver";
const WAITING: &str = "STATUS=Waiting for the homeserver to answer";
const RELOADING: [&str; 2] = ["RELOADING=1", "STATUS=Reloading the configuration"];
const STOPPING: [&str; 2] = ["STOPPING=1", "STATUS=Stopping; running work is finished first"];

#[tokio::test(flavor = "multi_thread")]
async fn the_manager_hears_of_start_reload_and_stop() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let mut manager = Manager::new(scene.dir())?;
    scene.start_bot(&manager.program, &scene.config()).await?;
    manager.hears(&["READY=1", IN_TOUCH]).await?;
    manager.is_fed(3).await?;

    let bot = scene.bot()?;
    bot.hang_up("the config says what it said").await?;
    manager.hears(&RELOADING).await?;
    manager.hears(&["READY=1", IN_TOUCH]).await?;
    // One that is not put in force ends the reload too.
    bot.configure("read_only: perhaps")?;
    bot.hang_up("was not put in force").await?;
    manager.hears(&RELOADING).await?;
    manager.hears(&["READY=1", IN_TOUCH]).await?;
    bot.configure(&scene.config().set("layout", "list").to_string())?;
    bot.hang_up(" ready").await?;
    manager.hears(&RELOADING).await?;
    manager.hears(&["READY=1", IN_TOUCH]).await?;
    // So does one that is asked for in the room.
    bot.configure(&scene.config().to_string())?;
    says(&scene.ann_asks("!config reload").await?, "Done", &["layout"]);
    manager.hears(&RELOADING).await?;
    manager.hears(&["READY=1", IN_TOUCH]).await?;
    manager.is_fed(3).await?;

    assert!(bot.terminate().await?.success());
    manager.hears(&STOPPING).await?;
    std::os::unix::net::UnixDatagram::unbound()?.send_to(b"the end", &manager.path)?;
    manager.hears(&["the end"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_homeserver_is_told_and_the_watchdog_fed_through_it() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let mut manager = Manager::new(scene.dir())?;
    scene.start_bot(&manager.program, &scene.config()).await?;
    manager.hears(&["READY=1", IN_TOUCH]).await?;
    synapse.stop().await?;
    manager.hears(&[WAITING]).await?;
    manager.is_fed(20).await?;
    let is_alive = || {
        let file = scene.bot()?.config_file();
        anyhow::Ok(Command::new(SYNOD).arg("alive").arg("--config").arg(file).status()?.code())
    };
    assert_eq!(is_alive()?, Some(0), "an outage is not its death");
    synapse.start_again().await?;
    manager.hears(&[IN_TOUCH]).await?;
    says(&scene.ann_asks("!me").await?, "", &["admin"]);
    // Whose last sign is old is dead, whatever its processes do.
    scene.bot()?.kill().await?;
    let sign = fs::File::options().write(true).open(scene.state().join("alive"))?;
    sign.set_modified(SystemTime::now() - Duration::from_mins(2))?;
    assert_eq!(is_alive()?, Some(1));
    Ok(())
}
