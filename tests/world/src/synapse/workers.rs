//! A homeserver of several processes: a main process, three workers, Redis between them, and nginx in
//! front, which knows which path belongs to which.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use tokio::time::{sleep, timeout};

use super::{START, free_port};
use crate::{
    Log, api,
    process::{Process, lock},
};

/// What runs beside the main process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worker {
    /// Serves clients: rooms, messages, logins, sync.
    Client,
    /// Writes events; nobody else does.
    Events,
    /// Serves files, and the Admin API about files.
    Media,
    /// By which all processes hear of what the others do.
    Redis,
    /// What is in front.
    Nginx,
}

impl Worker {
    const SYNAPSE: [Self; 3] = [Self::Client, Self::Events, Self::Media];

    fn name(self) -> &'static str {
        match self {
            Self::Client => "client1",
            Self::Events => "events1",
            Self::Media => "media1",
            Self::Redis => "redis",
            Self::Nginx => "nginx",
        }
    }
}

/// The processes of a homeserver beside its main one, and where each listens.
#[derive(Debug)]
pub struct Workers {
    running: Mutex<BTreeMap<Worker, Process>>,
    dir: PathBuf,
    python: PathBuf,
    ports: Ports,
}

/// One of each, on loopback.
#[derive(Debug)]
struct Ports {
    /// Where nginx listens.
    front: u16,
    main: u16,
    main_replication: u16,
    client: u16,
    events_replication: u16,
    media: u16,
    media_replication: u16,
    redis: u16,
}

impl Workers {
    /// Chooses ports and writes what the processes of the homeserver in `dir` read at their start. `main`
    /// is where the main process listens.
    pub(super) fn plan(dir: &Path, python: &Path, main: u16) -> Result<Self> {
        let ports = Ports {
            front: free_port()?,
            main,
            main_replication: free_port()?,
            client: free_port()?,
            events_replication: free_port()?,
            media: free_port()?,
            media_replication: free_port()?,
            redis: free_port()?,
        };
        let write = |name: &str, text: String| {
            fs::write(dir.join(name), text).with_context(|| name.to_owned())
        };
        write("shared.yaml", ports.shared())?;
        write("main.yaml", ports.main_listeners())?;
        for worker in Worker::SYNAPSE {
            write(&format!("{}.yaml", worker.name()), ports.worker(worker))?;
        }
        write("nginx.conf", ports.nginx(dir))?;
        let (dir, python) = (dir.to_owned(), python.to_owned());
        Ok(Self { running: Mutex::default(), dir, python, ports })
    }

    /// The address in front of all, which clients use.
    pub fn url(&self) -> String {
        at(self.ports.front)
    }

    /// The address of the main process.
    pub fn main_url(&self) -> String {
        at(self.ports.main)
    }

    /// The address of the worker that serves clients.
    pub fn client_url(&self) -> String {
        at(self.ports.client)
    }

    /// The address of the worker that serves files.
    pub fn media_url(&self) -> String {
        at(self.ports.media)
    }

    /// What its processes read besides `homeserver.yaml`, the main one included, in order.
    pub(super) fn configs(&self) -> [PathBuf; 2] {
        ["shared.yaml", "main.yaml"].map(|name| self.dir.join(name))
    }

    /// Starts what the main process needs to run.
    pub(super) async fn start_before(&self) -> Result<()> {
        self.start(Worker::Redis).await
    }

    /// Starts what needs the main process.
    pub(super) async fn start_after(&self) -> Result<()> {
        let [client, events, media] = Worker::SYNAPSE.map(|worker| self.start(worker));
        tokio::try_join!(client, events, media)?;
        self.start(Worker::Nginx).await
    }

    /// Starts one that does not run, and waits until it answers.
    pub async fn start(&self, worker: Worker) -> Result<()> {
        let folder = self.dir.display();
        let (command, port) = match worker {
            Worker::Redis => {
                let port = self.ports.redis;
                let command = format!(
                    "redis-server --bind 127.0.0.1 --port {port} --save  --appendonly no --dir {folder}"
                );
                // Splitting by single spaces keeps the empty word behind `--save`.
                (command.split(' ').map(str::to_owned).collect(), port)
            }
            Worker::Nginx => {
                let command = format!("nginx -c {folder}/nginx.conf -p {folder}");
                (command.split(' ').map(str::to_owned).collect(), self.ports.front)
            }
            Worker::Client => (self.synapse(worker), self.ports.client),
            Worker::Events => (self.synapse(worker), self.ports.events_replication),
            Worker::Media => (self.synapse(worker), self.ports.media),
        };
        // One for each: a log is over when whoever writes it has ended.
        let log = Log::new();
        let process = Process::start(&self.python, &command, &self.dir, None, log.clone())?;
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                sleep(Duration::from_millis(25)).await;
            }
            // What serves clients says when it is ready; the others have no word for it.
            while matches!(worker, Worker::Client | Worker::Media) && !is_healthy(port).await {
                sleep(Duration::from_millis(25)).await;
            }
        };
        let what = || format!("{}; the end of the log:\n{}", worker.name(), log.tail(40));
        if timeout(START, listens).await.is_err() {
            return Err(anyhow!("it does not answer")).with_context(what);
        }
        lock(&self.running).insert(worker, process);
        Ok(())
    }

    /// Kills one that runs, as a power cut would, and waits for its end.
    pub async fn kill(&self, worker: Worker) -> Result<()> {
        let process = lock(&self.running).remove(&worker);
        let Some(process) = process else { bail!("{} does not run", worker.name()) };
        process.end("KILL").await.map(|_| ())
    }

    fn synapse(&self, worker: Worker) -> Vec<String> {
        let file = |name: &str| self.dir.join(name).display().to_string();
        let mut command: Vec<String> = vec![
            self.python.display().to_string(),
            "-m".into(),
            "synapse.app.generic_worker".into(),
        ];
        for name in ["homeserver.yaml", "shared.yaml", &format!("{}.yaml", worker.name())] {
            command.extend(["-c".to_owned(), file(name)]);
        }
        command
    }
}

fn at(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

async fn is_healthy(port: u16) -> bool {
    let answer = api::http().get(format!("{}/health", at(port))).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

impl Ports {
    /// What all processes read.
    fn shared(&self) -> String {
        let Self { main_replication, events_replication, media_replication, redis, .. } = self;
        format!(
            "redis: {{enabled: true, host: 127.0.0.1, port: {redis}}}
worker_replication_secret: between-the-workers
instance_map:
  main: {{host: 127.0.0.1, port: {main_replication}}}
  events1: {{host: 127.0.0.1, port: {events_replication}}}
  media1: {{host: 127.0.0.1, port: {media_replication}}}
stream_writers: {{events: [events1], quarantined_media_changes: [media1]}}
media_instance_running_background_jobs: media1
enable_media_repo: false
"
        )
    }

    /// Where the main process listens, in place of what `homeserver.yaml` says.
    fn main_listeners(&self) -> String {
        let resources = [(self.main, "client, federation"), (self.main_replication, "replication")];
        format!("listeners:\n{}", listeners(&resources))
    }

    fn worker(&self, worker: Worker) -> String {
        let resources: &[(u16, &str)] = match worker {
            Worker::Client => &[(self.client, "client, federation")],
            Worker::Events => &[(self.events_replication, "replication")],
            Worker::Media => {
                &[(self.media, "client, media"), (self.media_replication, "replication")]
            }
            Worker::Redis | Worker::Nginx => &[],
        };
        let media = if worker == Worker::Media { "enable_media_repo: true\n" } else { "" };
        format!(
            "worker_app: synapse.app.generic_worker\nworker_name: {}\n{media}worker_listeners:\n{}",
            worker.name(),
            listeners(resources)
        )
    }

    /// Sends each path to whoever serves it, as Synapse's documentation of workers says.
    fn nginx(&self, dir: &Path) -> String {
        let dir = dir.display();
        let mut places = String::new();
        let to_client = [
            "^/_matrix/client/(r0|v3|unstable)/sync$",
            "^/_matrix/client/(r0|v3|unstable)/rooms/.*/(send|state|join|invite|leave|ban|kick|redact|members|event|joined_members|messages)",
            "^/_matrix/client/(r0|v3|unstable)/(createRoom|login|join/|account/whoami|joined_rooms)",
        ];
        let to_media = [
            "^/_matrix/(media|client/v1/media)/",
            "^/_synapse/admin/v1/(purge_media_cache|room/.*/media.*|user/.*/media.*|media/.*|quarantine_media/.*|users/.*/media)$",
        ];
        let of = |port: u16| move |path: &&'static str| (*path, port);
        let all = to_client.iter().map(of(self.client)).chain(to_media.iter().map(of(self.media)));
        for (path, port) in all {
            let _ = writeln!(places, "    location ~ {path} {{ proxy_pass {}; }}", at(port));
        }
        format!(
            "daemon off;
worker_processes 1;
user root;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {dir}/nginx-body;
  proxy_temp_path {dir}/nginx-proxy;
  fastcgi_temp_path {dir}/nginx-fastcgi;
  uwsgi_temp_path {dir}/nginx-uwsgi;
  scgi_temp_path {dir}/nginx-scgi;
  server {{
    listen 127.0.0.1:{front};
    client_max_body_size 50m;
    proxy_read_timeout 300s;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
{places}    location / {{ proxy_pass {main}; }}
  }}
}}
",
            front = self.front,
            main = at(self.main),
        )
    }
}

/// Listeners, with what each serves.
fn listeners(all: &[(u16, &str)]) -> String {
    all.iter().fold(String::new(), |mut text, (port, names)| {
        let _ = writeln!(
            text,
            "  - {{port: {port}, bind_addresses: [127.0.0.1], type: http, tls: false, resources: \
             [{{names: [{names}]}}]}}"
        );
        text
    })
}
