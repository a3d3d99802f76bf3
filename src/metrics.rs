//! What is counted of the bot's work, in the text format of Prometheus.
//!
//! Whoever scrapes sees numbers and words that are known before the bot starts: verbs of the catalogue,
//! operations of the Admin API, kinds of outcomes. What people or the homeserver say, such as the id of
//! a user or a room, becomes no label: a verb or an operation that is not known beforehand is counted as
//! `other`.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
    core::Collector,
};

#[cfg(test)]
mod tests;

/// Why metrics cannot be made or written.
pub use prometheus::Error;

/// The content type of what [`Metrics::text`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What stands in place of a verb or an operation that is not known beforehand.
const OTHER: &str = "other";

/// All operations of the API of clients, of which the bot needs few.
const CLIENT: &str = "client";

/// What is counted as a verb and is none: a light yes or no, and what was no command.
pub const BESIDE_VERBS: [&str; 3] = ["yes", "no", "none"];

/// Upper bounds of the classes in which answers are counted, seconds.
const ANSWER_BOUNDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// The same for requests to the homeserver.
const REQUEST_BOUNDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

/// What is counted. Clones count together; one that is [`off`](Self::off) counts nothing.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Families>>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Metrics").field(&self.0.is_some()).finish()
    }
}

/// What became of an event that could not be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecryptable {
    /// It is an operator's, and is tried again for a while.
    Waits,
    /// It was tried for long enough, and the room is told.
    GivenUp,
    /// It is nobody's whom the bot serves, or one too many.
    Ignored,
}

impl Undecryptable {
    /// Each of them.
    const ALL: [Self; 3] = [Self::Waits, Self::GivenUp, Self::Ignored];

    fn label(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::GivenUp => "given_up",
            Self::Ignored => "ignored",
        }
    }
}

/// How the process is, which is known at any time.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// How long ago the homeserver last answered the loop that reads from it.
    pub sync_age: Duration,
    /// Whether `/healthz` says so.
    pub healthy: bool,
    /// Whether `/readyz` says so.
    pub ready: bool,
}

/// How much there is of what waits or is kept, which is known once the bot is put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a metric of its own")]
pub struct Levels {
    /// Jobs that go on.
    pub jobs_running: usize,
    /// Jobs that wait until the bot may act again.
    pub jobs_waiting: usize,
    /// Questions that wait for a yes.
    pub open_questions: usize,
    /// Sanctions whose end is still to come.
    pub sanctions_running: usize,
    /// Sanctions that are over and not lifted.
    pub sanctions_due: usize,
    /// Answers that could not be sent yet.
    pub answers_waiting: usize,
    /// Changes that were begun and have not ended.
    pub open_changes: usize,
    /// Entries of the record.
    pub record_entries: u64,
    /// Disk space used by the store, bytes.
    pub store_bytes: u64,
    /// Whether the bot's device is signed by its account's keys.
    pub device_signed: bool,
    /// Whether the homeserver has just the one-time keys that the bot knows.
    pub one_time_keys: bool,
    /// Whether the homeserver accepts the admin token, as far as known.
    pub token_accepted: bool,
    /// Whether the bot is frozen.
    pub frozen: bool,
    /// Whether it is read-only.
    pub read_only: bool,
}

struct Families {
    /// What is counted, and how the process is.
    registry: Registry,
    /// What [`Levels`] says.
    levels_registry: Registry,
    verbs: BTreeSet<String>,
    /// The name of each operation by its method and its path with `{}` for every id.
    operations: HashMap<String, String>,
    commands: IntCounterVec,
    changes: IntCounterVec,
    answers: HistogramVec,
    undecryptable: IntCounterVec,
    requests: HistogramVec,
    errors: IntCounterVec,
    sync_age: Gauge,
    healthy: Gauge,
    ready: Gauge,
    levels: LevelGauges,
}

struct LevelGauges {
    jobs: GaugeVec,
    sanctions: GaugeVec,
    keys: GaugeVec,
    open_questions: Gauge,
    answers_waiting: Gauge,
    open_changes: Gauge,
    record_entries: Gauge,
    store_bytes: Gauge,
    token_accepted: Gauge,
    frozen: Gauge,
    read_only: Gauge,
}

/// Adds a family to a registry, and hands it back.
fn added<C: Collector + Clone + 'static>(registry: &Registry, family: C) -> Result<C, Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// Makes families of one registry.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        added(self.0, IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn times(
        &self,
        name: &str,
        help: &str,
        label: &str,
        bounds: &[f64],
    ) -> Result<HistogramVec, Error> {
        let opts = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        added(self.0, HistogramVec::new(opts, &[label])?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, Error> {
        added(self.0, Gauge::with_opts(Opts::new(name, help))?)
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> Result<GaugeVec, Error> {
        added(self.0, GaugeVec::new(Opts::new(name, help), &[label])?)
    }
}

impl Families {
    fn new(verbs: BTreeSet<String>, operations: HashMap<String, String>) -> Result<Self, Error> {
        let (registry, levels_registry) = (Registry::new(), Registry::new());
        let make = Maker(&registry);
        let build =
            make.gauges("synod_build_info", "Always 1; the label has the version", "version")?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        let families = Self {
            commands: make.counters(
                "synod_commands_total",
                "Messages that were dealt with, by verb and by the first word of the answer",
                &["verb", "outcome"],
            )?,
            changes: make.counters(
                "synod_changes_total",
                "Changes that were sent and have ended, by verb and outcome; a job is one",
                &["verb", "outcome"],
            )?,
            answers: make.times(
                "synod_answer_seconds",
                "Time from a message's arrival to the answer in the room",
                "kind",
                &ANSWER_BOUNDS,
            )?,
            undecryptable: make.counters(
                "synod_undecryptable_events_total",
                "Events in admin rooms that could not be decrypted, by what became of them",
                &["outcome"],
            )?,
            requests: make.times(
                "synod_admin_api_request_seconds",
                "Time that requests to the homeserver took, by operation",
                "operation",
                &REQUEST_BOUNDS,
            )?,
            errors: make.counters(
                "synod_admin_api_errors_total",
                "Requests to the homeserver without success, by operation and kind of failure",
                &["operation", "kind"],
            )?,
            sync_age: make.gauge(
                "synod_sync_age_seconds",
                "Time since the homeserver last answered the loop that reads from it",
            )?,
            healthy: make.gauge("synod_healthy", "Whether /healthz answers with 200")?,
            ready: make.gauge("synod_ready", "Whether /readyz answers with 200")?,
            levels: LevelGauges::new(&levels_registry)?,
            registry,
            levels_registry,
            verbs,
            operations,
        };
        for outcome in Undecryptable::ALL {
            families.undecryptable.with_label_values(&[outcome.label()]);
        }
        Ok(families)
    }

    fn verb<'a>(&self, verb: &'a str) -> &'a str {
        let known = self.verbs.contains(verb) || BESIDE_VERBS.contains(&verb);
        if known { verb } else { OTHER }
    }

    fn operation(&self, method: &str, template: &str) -> &str {
        let beside = if template.starts_with("/_matrix/") { CLIENT } else { OTHER };
        self.operations.get(&form(method, template)).map_or(beside, String::as_str)
    }
}

impl LevelGauges {
    fn new(registry: &Registry) -> Result<Self, Error> {
        let make = Maker(registry);
        Ok(Self {
            jobs: make.gauges("synod_jobs", "Jobs that are not over, by state", "state")?,
            sanctions: make.gauges(
                "synod_sanctions",
                "Changes that end by themselves and have not ended, by whether their time is over",
                "state",
            )?,
            keys: make.gauges(
                "synod_own_keys_in_order",
                "Whether the bot's own keys are in order: its device's signature, its one-time keys",
                "key",
            )?,
            open_questions: make.gauge("synod_open_questions", "Questions that wait for a yes")?,
            answers_waiting: make.gauge(
                "synod_answers_waiting",
                "Answers that could not be sent yet and are tried again",
            )?,
            open_changes: make.gauge(
                "synod_open_changes",
                "Changes that have started and not ended",
            )?,
            record_entries: make.gauge("synod_record_entries", "Entries of the record")?,
            store_bytes: make.gauge("synod_store_bytes", "Disk space used by the store")?,
            token_accepted: make.gauge(
                "synod_admin_token_accepted",
                "Whether the homeserver accepts the admin token, as far as known",
            )?,
            frozen: make.gauge("synod_frozen", "Whether the bot is frozen")?,
            read_only: make.gauge("synod_read_only", "Whether the bot is read-only")?,
        })
    }

    fn set(&self, levels: &Levels) {
        let each = |family: &GaugeVec, label: &str, value| {
            family.with_label_values(&[label]).set(value);
        };
        each(&self.jobs, "running", number(levels.jobs_running as u64));
        each(&self.jobs, "waiting", number(levels.jobs_waiting as u64));
        each(&self.sanctions, "running", number(levels.sanctions_running as u64));
        each(&self.sanctions, "due", number(levels.sanctions_due as u64));
        each(&self.keys, "device", truth(levels.device_signed));
        each(&self.keys, "one_time", truth(levels.one_time_keys));
        self.open_questions.set(number(levels.open_questions as u64));
        self.answers_waiting.set(number(levels.answers_waiting as u64));
        self.open_changes.set(number(levels.open_changes as u64));
        self.record_entries.set(number(levels.record_entries));
        self.store_bytes.set(number(levels.store_bytes));
        self.token_accepted.set(truth(levels.token_accepted));
        self.frozen.set(truth(levels.frozen));
        self.read_only.set(truth(levels.read_only));
    }
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// By what an operation is found.
fn form(method: &str, template: &str) -> String {
    format!("{method} {template}")
}

/// The path of an operation with `{}` for each name in braces.
fn without_names(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

impl Metrics {
    /// Such as count nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Such as count under these verbs, and these operations of the Admin API: the method, and the path
    /// below `/_synapse/admin/` with names in braces for ids.
    pub fn counting<'a>(
        verbs: impl IntoIterator<Item = String>,
        operations: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let known = |(method, path): (&str, &str)| {
            let template = format!("/_synapse/admin/{}", without_names(path));
            (form(method, &template), format!("{method} {path}"))
        };
        let operations = operations.into_iter().map(known).collect();
        let families = Families::new(verbs.into_iter().collect(), operations)?;
        Ok(Self(Some(Arc::new(families))))
    }

    /// A message was dealt with.
    pub fn command(&self, verb: &str, outcome: &str) {
        if let Some(families) = &self.0 {
            families.commands.with_label_values(&[families.verb(verb), outcome]).inc();
        }
    }

    /// A change has ended.
    pub fn change(&self, verb: &str, outcome: &str) {
        if let Some(families) = &self.0 {
            families.changes.with_label_values(&[families.verb(verb), outcome]).inc();
        }
    }

    /// A message was answered, so long after it came.
    pub fn answered(&self, kind: &str, after: Duration) {
        if let Some(families) = &self.0 {
            families.answers.with_label_values(&[kind]).observe(after.as_secs_f64());
        }
    }

    /// An event could not be decrypted.
    pub fn undecryptable(&self, outcome: Undecryptable) {
        if let Some(families) = &self.0 {
            families.undecryptable.with_label_values(&[outcome.label()]).inc();
        }
    }

    /// A request to the homeserver was answered or failed, with this kind of failure. `template` is its
    /// path with `{}` for every id.
    pub fn requested(&self, method: &str, template: &str, took: Duration, failure: Option<&str>) {
        let Some(families) = &self.0 else { return };
        let operation = families.operation(method, template);
        families.requests.with_label_values(&[operation]).observe(took.as_secs_f64());
        if let Some(kind) = failure {
            families.errors.with_label_values(&[operation, kind]).inc();
        }
    }

    /// All of it as text, with how the bot is now.
    pub fn text(&self, process: Process, levels: Option<&Levels>) -> Result<String, Error> {
        let Some(families) = &self.0 else { return Ok(String::new()) };
        families.sync_age.set(process.sync_age.as_secs_f64());
        families.healthy.set(truth(process.healthy));
        families.ready.set(truth(process.ready));
        let mut gathered = families.registry.gather();
        if let Some(levels) = levels {
            families.levels.set(levels);
            gathered.extend(families.levels_registry.gather());
        }
        TextEncoder::new().encode_to_string(&gathered)
    }
}
