//! Looking at the homeserver.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable as _};
use jiff::Timestamp;
use reqwest::Client;
use ruma::{OwnedRoomId, OwnedServerName, OwnedUserId, RoomAliasId, RoomId, ServerName, UserId};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, error::Category};
use tokio::sync::OnceCell;
use url::Url;

use super::{
    access::{Access, Bases},
    accounts::Service,
    address::{address, template},
    http::{self, Limits},
    outage::Outage,
    surface::Surfaces,
    throttle::Throttle,
    token::TokenState,
};
use crate::{
    change::{Path, Subject},
    clock::SharedClock,
    error::{
        Stop,
        accounts::At,
        api::{Error, Kind},
    },
    metrics::Metrics,
    refs::{RoomRef, UserRef},
    reply::Line,
};

mod of_account;

/// How often a read is repeated.
const REPEATS: usize = 3;
/// How long the homeserver may ask a read to wait; longer, and the room is told instead.
const PATIENCE: Duration = Duration::from_secs(20);
/// After this no repeat is begun: somebody waits for the answer.
const ENOUGH: Duration = Duration::from_mins(1);

/// Looks at the homeserver, and cannot do anything else. A clone is cheap.
///
/// It remembers nothing, unless it comes from [`look`](Self::look).
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
    memory: Option<Arc<Memory>>,
    scope: Scope,
    own: Arc<BTreeSet<OwnedUserId>>,
    metrics: Metrics,
}

/// Which of the subjects that somebody names they may ask about: all, where nothing is said.
#[derive(Clone, Default)]
pub struct Scope(Option<Arc<Within>>);

type Within = dyn Fn(&Subject) -> Result<(), Stop> + Send + Sync;

impl Scope {
    /// Those for which `within` gives no refusal.
    pub fn new(within: impl Fn(&Subject) -> Result<(), Stop> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(within)))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.0.is_some()).finish()
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    client: Client,
    limits: Limits,
    bases: Bases,
    server_name: OwnedServerName,
    accounts: Option<Arc<Service>>,
    clock: SharedClock,
    pub(super) token: TokenState,
    pub(super) throttle: Throttle,
    pub(super) outage: Outage,
    /// Whether the homeserver was seen to keep statistics of rooms.
    statistics: AtomicBool,
    pub(super) surface: Surfaces,
}

type Body = Result<Arc<[u8]>, Error>;

/// How often one look searches for what was perhaps meant by a name that nobody has. More than these
/// are told by their number, and nobody would read what is near each.
const COURTESIES: usize = 20;

/// What one look has seen so far.
#[derive(Debug, Default)]
struct Memory {
    /// By address.
    cells: Mutex<HashMap<Url, Arc<OnceCell<Body>>>>,
    courtesies: AtomicUsize,
}

impl Memory {
    fn cell(&self, address: &Url) -> Arc<OnceCell<Body>> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(address.clone()).or_default())
    }
}

impl Reader {
    /// A reader of the homeserver that `access` names. Asks nothing yet; fails where the token
    /// cannot be sent in a header or the system's certificates cannot be read.
    pub fn new(access: Access, clock: SharedClock) -> Result<Self, Error> {
        Self::limited(access, clock, Limits::READ)
    }

    pub(super) fn limited(
        access: Access,
        clock: SharedClock,
        limits: Limits,
    ) -> Result<Self, Error> {
        let client = http::client(&access, limits)?;
        let Access { base, media, server_name, accounts, .. } = access;
        let bases = Bases::new(base, media);
        let accounts = accounts.map(|access| Service::new(access, limits)).transpose()?;
        let accounts = accounts.map(Arc::new);
        let (token, throttle) = (TokenState::default(), Throttle::default());
        let (outage, statistics) = (Outage::default(), AtomicBool::default());
        let surface = Surfaces::default();
        let shared = Shared {
            client,
            limits,
            bases,
            server_name,
            accounts,
            clock,
            token,
            throttle,
            outage,
            statistics,
            surface,
        };
        Ok(Self {
            shared: Arc::new(shared),
            memory: None,
            scope: Scope::default(),
            own: Arc::default(),
            metrics: Metrics::off(),
        })
    }

    /// The same, whose requests are counted here.
    #[must_use]
    pub fn counted_in(self, metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), ..self }
    }

    /// A fresh look at the same homeserver: within it, and its clones, the same request is sent
    /// once, and whoever asks for it meanwhile or later gets the same answer.
    #[must_use]
    pub fn look(&self) -> Self {
        Self { memory: Some(Arc::default()), ..self.clone() }
    }

    /// The same homeserver, remembering nothing: for what is long and asked for once.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self { memory: None, ..self.clone() }
    }

    /// The same homeserver, for somebody who may name only the subjects within `scope`.
    #[must_use]
    pub fn within(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    /// The same homeserver, where these accounts are the bot's own and that of its admin token.
    #[must_use]
    pub fn of(&self, own: BTreeSet<OwnedUserId>) -> Self {
        Self { own: Arc::new(own), ..self.clone() }
    }

    /// Whether `user` is the bot's own account or that of its admin token.
    pub fn is_own(&self, user: &UserId) -> bool {
        self.own.contains(user)
    }

    /// The bot's own account and that of its admin token, as far as they were told.
    pub fn own(&self) -> &BTreeSet<OwnedUserId> {
        &self.own
    }

    /// Whether this subject, which a command names, is within the scope; the refusal where it is
    /// not. Users and rooms that are typed need no word to that: see [`user_id`](Self::user_id) and
    /// [`room_id`](Self::room_id).
    pub fn may_name(&self, subject: &Subject) -> Result<(), Stop> {
        self.scope.0.as_ref().map_or(Ok(()), |within| within(subject))
    }

    /// The same for the subjects of an answer, by the ids in it.
    pub fn may_tell_of<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Result<(), Stop> {
        for id in ids {
            if let Ok(user) = UserId::parse(id) {
                self.may_name(&Subject::User(user))?;
            } else if let Ok(room) = RoomId::parse(id) {
                self.may_name(&Subject::Room(room))?;
            }
        }
        Ok(())
    }

    /// Whether the homeserver was seen to keep statistics of rooms, so that nobody need look for it
    /// again.
    pub fn has_seen_statistics(&self) -> bool {
        self.shared.statistics.load(Ordering::Relaxed)
    }

    /// Notes that the homeserver keeps statistics of rooms.
    pub fn note_statistics(&self) {
        self.shared.statistics.store(true, Ordering::Relaxed);
    }

    /// Whether it is worth a search what was perhaps meant by a name that nobody has: only for the first
    /// few of one look, and where there is something to search by. Counts this one.
    pub fn is_worth_a_search(&self) -> bool {
        if self.sees_by_specification() {
            return false;
        }
        let counted = |memory: &Arc<Memory>| memory.courtesies.fetch_add(1, Ordering::Relaxed);
        self.memory.as_ref().is_none_or(|memory| counted(memory) < COURTESIES)
    }

    /// The name behind the colon of the ids of the homeserver's own users.
    pub fn server_name(&self) -> &ServerName {
        &self.shared.server_name
    }

    /// The authentication service, where the config says how to reach one.
    pub(super) fn service(&self) -> Option<&Arc<Service>> {
        self.shared.accounts.as_ref()
    }

    /// Where the homeserver is asked.
    pub(super) fn base(&self) -> &Url {
        self.shared.bases.main()
    }

    /// Whether files are asked for at an address of their own.
    pub fn has_media_address(&self) -> bool {
        self.shared.bases.has_media()
    }

    /// How long and how large an answer may be.
    pub(super) fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Where its requests are counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Whether `user` belongs to this homeserver; not whether there is such an account.
    pub fn is_local(&self, user: &UserId) -> bool {
        user.server_name() == self.server_name()
    }

    /// The whole id of `user`; a localpart is completed with the name of this homeserver. Refused
    /// where it is not within the scope.
    pub fn user_id(&self, user: &UserRef) -> Result<OwnedUserId, Stop> {
        let id = match user {
            UserRef::Id(id) => self.as_served(id),
            UserRef::Localpart(localpart) => {
                let id = format!("@{localpart}:{}", self.server_name());
                UserId::parse(&id).map_err(|_| {
                    Stop::not_understood(Line::new().code(id).plain(" is not a valid user id"))
                })?
            }
        };
        self.may_name(&Subject::User(id.clone()))?;
        Ok(id)
    }

    /// Whether a server's name is that of this homeserver in other capital letters. No other server
    /// can have it: in the domain name system both are one.
    fn is_own_in_capitals(&self, server: &ServerName) -> bool {
        let own = self.server_name();
        server != own && server.as_str().eq_ignore_ascii_case(own.as_str())
    }

    /// An id as this homeserver writes those of its own accounts.
    fn as_served(&self, id: &UserId) -> OwnedUserId {
        if !self.is_own_in_capitals(id.server_name()) {
            return id.to_owned();
        }
        let own = format!("@{}:{}", id.localpart(), self.server_name());
        UserId::parse(own).unwrap_or_else(|_| id.to_owned())
    }

    /// The id of `room`; an alias is resolved by `GET /_matrix/client/v3/directory/room/{alias}`.
    /// An alias that nobody knows is refused, and so is one whose own server cannot be asked, and
    /// what is not within the scope.
    pub async fn room_id(&self, room: &RoomRef) -> Result<OwnedRoomId, Stop> {
        let id = match room {
            RoomRef::Id(id) => id.clone(),
            RoomRef::Alias(alias) if self.is_own_in_capitals(alias.server_name()) => {
                let whole = format!("#{}:{}", alias.alias(), self.server_name());
                let own = RoomAliasId::parse(&whole).unwrap_or_else(|_| alias.clone());
                self.resolved(&own).await?
            }
            RoomRef::Alias(alias) => self.resolved(alias).await?,
            RoomRef::Local(alias) => {
                let whole = format!("{alias}:{}", self.server_name());
                let alias = RoomAliasId::parse(&whole).map_err(|_| {
                    Stop::not_understood(Line::new().code(alias).plain(
                        " is not a room alias, which looks like #lobby:example.org, or #lobby for \
                        one on this server",
                    ))
                })?;
                self.resolved(&alias).await?
            }
        };
        self.may_name(&Subject::Room(id.clone()))?;
        Ok(id)
    }

    async fn resolved(&self, alias: &RoomAliasId) -> Result<OwnedRoomId, Stop> {
        #[derive(Deserialize)]
        struct Resolved {
            room_id: OwnedRoomId,
        }
        let path = Path::client(["v3", "directory", "room", alias.as_str()]);
        let elsewhere = alias.server_name() != self.server_name();
        match self.find::<Resolved>(&path, &[]).await {
            Ok(Some(resolved)) => Ok(resolved.room_id),
            Ok(None) => {
                let why = Line::new().plain("there is no room with the alias ").code(alias);
                let stop = Stop::not_found(why);
                Err(if elsewhere { stop } else { stop.or(&["room", "search", alias.alias()]) })
            }
            Err(error)
                if elsewhere
                    && !error.is_foreign()
                    && matches!(error.status(), Some(502 | 504)) =>
            {
                Err(Stop::failed(
                    Line::new()
                        .plain("this homeserver could not ask ")
                        .code(alias.server_name())
                        .plain(" for the room ")
                        .code(alias)
                        .plain(". Check the name for typos, or give the id of the room"),
                ))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The answer to `GET path`, an object that is not empty: the homeserver gives no other to what
    /// the verbs ask for, and an empty one would be told as if there were nothing.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &Path,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        let body = self.body(path, query).await?;
        if is_no_object(&body) {
            let place = format!("{} answers with an empty object or none", template(path));
            return Err(of(path, Error::because(Kind::Unreadable, place)));
        }
        parsed(&body, path)
    }

    /// The answer to `GET path`, whatever JSON it is.
    pub async fn get_any<T: DeserializeOwned>(
        &self,
        path: &Path,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        parsed(&self.body(path, query).await?, path)
    }

    async fn body(&self, path: &Path, query: &[(&str, String)]) -> Body {
        match self.asked(path, query).await {
            Err(error) if error.is_unknown_route() => Err(self.why_unknown(path, error).await),
            answered => answered,
        }
    }

    /// The answer to `GET path`, where an unknown route is no more than that.
    pub(super) async fn asked_beside<T: DeserializeOwned>(
        &self,
        path: &Path,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        parsed(&self.asked(path, query).await?, path)
    }

    async fn asked(&self, path: &Path, query: &[(&str, String)]) -> Body {
        let query = query.iter().map(|(name, value)| (*name, value.as_str()));
        let base = match self.service().filter(|_| path.is_of_accounts()) {
            Some(service) => service.base(),
            None if path.is_of_accounts() => return Err(Error::new(Kind::Client)),
            None => self.shared.bases.for_path(path),
        };
        let address = address(base, path, query).map_err(|error| of(path, error))?;
        match &self.memory {
            None => self.fetch(&address, path).await,
            Some(memory) => {
                let cell = memory.cell(&address);
                cell.get_or_init(|| self.fetch(&address, path)).await.clone()
            }
        }
    }

    /// The answer to `GET path`, or `None` where the homeserver says that the object asked for
    /// does not exist. A route that it does not know is an error all the same.
    pub async fn find<T: DeserializeOwned>(
        &self,
        path: &Path,
        query: &[(&str, String)],
    ) -> Result<Option<T>, Error> {
        match self.get(path, query).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_unknown_object() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks, and asks again where that may help.
    async fn fetch(&self, address: &Url, path: &Path) -> Body {
        let template = template(path);
        let Shared { client, limits, .. } = &*self.shared;
        let service = self.service().filter(|_| path.is_of_accounts());
        let ask = || async {
            if let Some(service) = service {
                return service.get(address, &template, &self.metrics).await;
            }
            let request = client.get(address.clone());
            let what = ("GET", template.as_str());
            let to = (http::of_homeserver as http::Refusals, &self.metrics);
            http::exchange(request, limits.length, what, to).await?.body
        };
        let started = Instant::now();
        let body = ask
            .retry(pauses(limits.pause))
            .when(|error| may_pass(error) && started.elapsed() < ENOUGH)
            .adjust(|error, pause| pause.map(|pause| error.retry_after().unwrap_or(pause)))
            .await;
        // What the service says is not said of the homeserver's token, or of its pace.
        if service.is_none() {
            self.shared.token.note(&body);
            self.shared.throttle.note(&body);
        }
        self.shared.outage.note(&body);
        Ok(body?.into())
    }
}

/// An error with the side that was asked.
pub(super) fn of(path: &Path, error: Error) -> Error {
    if path.is_of_accounts() { error.at(At::Api) } else { error }
}

/// The same answer, where it has this field, without which it is something else than was asked for.
pub fn holding(answer: Value, field: &str) -> Result<Value, Error> {
    if answer.get(field).is_some() {
        return Ok(answer);
    }
    Err(Error::because(Kind::Unreadable, format!("an answer has no {field}")))
}

/// What is in an answer.
fn parsed<T: DeserializeOwned>(body: &[u8], path: &Path) -> Result<T, Error> {
    // What serde says quotes the answer, so only the place and the type wanted are kept.
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let wanted = std::any::type_name::<T>();
        let place = format!("at {line}:{column} of {} there is no {wanted}", template(path));
        of(path, Error::because(unreadable(&error, body), place))
    })
}

/// What a body is that cannot be read as what is wanted.
pub(super) fn unreadable(error: &serde_json::Error, body: &[u8]) -> Kind {
    match error.classify() {
        Category::Data | Category::Io => Kind::Unreadable,
        Category::Syntax => Kind::NotJson,
        Category::Eof if body.trim_ascii().is_empty() => Kind::Empty,
        // It began as JSON and is cut off.
        Category::Eof => Kind::Broken,
    }
}

/// Whether a body is JSON, and no object with something in it. A list would be taken for the fields of
/// an object in order, `{}` for one whose fields are all left out, and `null` for one without any.
fn is_no_object(body: &[u8]) -> bool {
    let mut signs = body.iter().filter(|byte| !byte.is_ascii_whitespace());
    match signs.next() {
        Some(b'{') => signs.next() == Some(&b'}'),
        Some(_) => serde_json::from_slice::<IgnoredAny>(body).is_ok(),
        None => false,
    }
}

/// The pauses between repeats: each twice as long as the last, and never in step with others.
pub(super) fn pauses(first: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(first).with_max_times(REPEATS).with_jitter()
}

/// Whether the same request may be answered better in a moment.
fn may_pass(error: &Error) -> bool {
    match error.kind() {
        Kind::Unreachable | Kind::Timeout | Kind::Broken => true,
        Kind::Status(refusal) => {
            matches!(refusal.status, 429 | 502 | 503 | 504)
                && refusal.retry_after.is_none_or(|wait| wait <= PATIENCE)
        }
        Kind::Part
        | Kind::Client
        | Kind::TooLong
        | Kind::Unreadable
        | Kind::NotJson
        | Kind::Empty
        | Kind::MediaElsewhere
        | Kind::NoMedia => false,
    }
}
