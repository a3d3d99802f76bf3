//! Looking for new accounts, and at what is new of each: a few requests, one small one where nothing has come.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedUserId, UserId};
use tracing::warn;

use super::{Announcer, Fault, Wanted, alike::Known};
use crate::{
    change::Subject,
    commands::{
        Past, regtok,
        user::newest::{self, NewAccount as Listed},
    },
    error::Stop,
    new_accounts::{
        Batch, Found, Like, LookedUp, NAMED, NewAccount, NewAccounts, ReadTo, Used, Whose, Why,
    },
    pipeline::own::shape,
    reply::Status,
    synapse::{Account, Error},
};

/// How many new accounts are read in one look.
const MOST: usize = 5_000;
/// How many of them are looked up one by one.
const LOOKED_UP: usize = 100;
/// How many at once.
const AT_ONCE: usize = 4;
/// From so many on that belong to application services, where all that were looked up do, the others are taken
/// for such too: a bridge makes accounts in numbers.
const ALL_BRIDGED: usize = 20;
/// Synapse counts the use of a token a moment after the account is there.
const SETTLED: Duration = Duration::from_secs(1);
/// Accounts that were created so short a time ago may not be counted yet.
const FRESH: SignedDuration = SignedDuration::from_secs(3);
/// How long names of operators are remembered.
const REMEMBERED: Duration = Duration::from_hours(1);
/// How many of the record about an account are searched for who made it.
const PAST: usize = 5;

/// What came of looking at the new accounts one by one.
struct LookedAt {
    accounts: Vec<(NewAccount, Option<String>)>,
    bridged: usize,
}

impl Announcer {
    /// Looks once, and keeps what is new; whether anything is. Where they were not told before, this is the
    /// beginning.
    pub(super) async fn look(&self, wanted: Wanted) -> Result<bool, Fault> {
        let state = self.below.shelf.get()?;
        // What was read for a config that is not in force any more is not gone on with.
        let goes_on = |state: &NewAccounts| state.why == wanted.why || wanted.why == Why::Config;
        let state = state.filter(goes_on);
        let before = state.clone();
        let mut state = match state {
            Some(state) => state,
            None => self.begin(wanted).await?,
        };
        state.why = wanted.why;
        let now = self.now();
        let listed = newest::created_lately(state.read.back_to(), MOST, &self.below.reader).await?;
        let is_new = |one: &&Listed| state.read.is_new(&one.user, one.created);
        let fresh: Vec<Listed> = listed.accounts.iter().filter(is_new).cloned().collect();
        let any = !fresh.is_empty();
        state.read.take(listed.accounts.iter().map(|one| (&*one.user, one.created)), now);
        if any {
            let found = self.found(fresh, listed.more, &mut state.tokens, now).await;
            if let Some(batch) = Batch::of(found) {
                state.gather(batch);
            }
        }
        if before.as_ref() != Some(&state) {
            self.below.shelf.keep(&state).await?;
        }
        Ok(any)
    }

    /// Where it begins: now, or when the shutters were closed.
    async fn begin(&self, wanted: Wanted) -> Result<NewAccounts, Fault> {
        let (now, reader) = (self.now(), &self.below.reader);
        let since = wanted.closed.filter(|_| wanted.why == Why::Shutters);
        let rows = |listed: &[Listed]| {
            listed.iter().map(|one| (one.user.clone(), one.created)).collect::<Vec<_>>()
        };
        let begun = |rows: &[(OwnedUserId, Timestamp)]| {
            ReadTo::begin(rows.iter().map(|(user, at)| (&**user, *at)), since, now)
        };
        // The homeserver's clock is known by its newest account.
        let newest = rows(&newest::created_lately(Timestamp::MIN, 1, reader).await?.accounts);
        let back_to = begun(&newest).back_to();
        let near = rows(&newest::created_lately(back_to, MOST, reader).await?.accounts);
        let read = begun(if near.is_empty() { &newest } else { &near });
        Ok(NewAccounts::begin(now, wanted.why, read, self.tokens().await.unwrap_or_default()))
    }

    /// What is new, with what was looked up of it.
    async fn found(
        &self,
        fresh: Vec<Listed>,
        at_least: bool,
        tokens: &mut Option<BTreeMap<String, u64>>,
        now: Timestamp,
    ) -> Found {
        let newest = fresh.iter().map(|one| one.created).max();
        let LookedAt { accounts, bridged } = self.look_at(fresh).await;
        if newest.is_some_and(|at| now.duration_since(at) < FRESH) {
            tokio::time::sleep(SETTLED).await;
        }
        let (used, counts) = match self.tokens().await {
            Ok(Some(counts)) => (Used::between(tokens.as_ref(), &counts), Some(counts)),
            Ok(None) => (Used::NoTokens, None),
            Err(_) => (Used::NotKnown, None),
        };
        *tokens = counts;
        Found { at: now, accounts, at_least, bridged, used }
    }

    /// How many have registered with each token; `None` where the homeserver has no tokens.
    async fn tokens(&self) -> Result<Option<BTreeMap<String, u64>>, Stop> {
        let told = |error: &_| {
            let error = error as &dyn std::error::Error;
            warn!(error, "registration tokens cannot be looked up");
        };
        regtok::completed(&self.below.reader).await.inspect_err(told)
    }

    /// Looks at the newest of them one by one; those of application services are left out.
    async fn look_at(&self, fresh: Vec<Listed>) -> LookedAt {
        let known = self.somebody().await;
        let looks = fresh.into_iter().enumerate().map(|(place, listed)| {
            let known = known.clone();
            async move {
                let looked_up = match place {
                    ..LOOKED_UP => self.look_up(&listed, place < NAMED).await,
                    _ => Ok(None),
                };
                (listed.user.clone(), looked_up, new_account(listed, &known))
            }
        });
        let mut looks = stream::iter(looks).buffered(AT_ONCE);
        let (mut accounts, mut bridged) = (Vec::new(), 0);
        while let Some((user, looked_up, account)) = looks.next().await {
            match looked_up {
                Ok(Some(Looked::Bridged)) => bridged += 1,
                Ok(Some(Looked::Person(looked_up))) => {
                    accounts
                        .push(with_pattern(NewAccount { looked_up: Some(looked_up), ..account }));
                }
                Ok(None) => accounts.push(with_pattern(account)),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(%user, error, "a new account cannot be looked up");
                    accounts.push(with_pattern(account));
                }
            }
        }
        let looked_up = accounts.iter().any(|(account, _)| account.looked_up.is_some());
        if bridged >= ALL_BRIDGED && !looked_up {
            bridged += accounts.len();
            accounts.clear();
        }
        LookedAt { accounts, bridged }
    }

    /// What is to be known of a new account; more of one that is named. `None` where it is gone.
    async fn look_up(&self, listed: &Listed, named: bool) -> Result<Option<Looked>, Error> {
        let (user, reader) = (&listed.user, &self.below.reader);
        let Some(account) = reader.account(user).await? else { return Ok(None) };
        if account.appservice_id.is_some() {
            return Ok(Some(Looked::Bridged));
        }
        let mut looked_up = looked_up(&account);
        looked_up.made = self.made(user);
        if named && !account.deactivated {
            looked_up.rooms = Some(reader.joined_rooms(user).await?.len());
            let activity = newest::activity(user, listed.created, reader).await?;
            looked_up.invitations = activity.map(|(invitations, _)| invitations);
        }
        Ok(Some(Looked::Person(looked_up)))
    }

    /// Who made an account through the bot, and by which change.
    fn made(&self, user: &UserId) -> Option<(OwnedUserId, u64)> {
        let past = self.below.audit.past(&Subject::User(user.to_owned()), PAST);
        let unread = |error: &_| {
            warn!(error = error as &dyn std::error::Error, "the past cannot be read");
        };
        let past = past.inspect_err(unread).unwrap_or_default();
        let has_made = |past: &Past| {
            let done = matches!(past.status, Some(Status::Done | Status::DoneInPart));
            done && past.words.iter().take(2).eq(["user", "register"])
        };
        past.into_iter().find(has_made).map(|past| (past.by, past.id))
    }

    /// Accounts that somebody might want to be taken for, with the names that people see.
    async fn somebody(&self) -> Arc<Vec<Known>> {
        if let Some((at, known)) = &*self.known()
            && at.elapsed() < REMEMBERED
        {
            return known.clone();
        }
        let mut known = Vec::new();
        for (user, whose) in self.named_in_config() {
            let name = if self.below.reader.is_local(&user) {
                self.below.reader.account(&user).await.ok().flatten()
            } else {
                None
            };
            known.push(Known::new(
                user,
                whose,
                name.and_then(|account| account.displayname).as_ref(),
            ));
        }
        let known = Arc::new(known);
        *self.known() = Some((Instant::now(), known.clone()));
        known
    }

    /// The operators, the bot, and whom the config protects by a whole id; each once.
    fn named_in_config(&self) -> BTreeMap<OwnedUserId, Whose> {
        let roster = &self.below.roster;
        let protected = roster.policy.protection.subjects.iter().filter_map(|(pattern, _)| {
            let id = pattern.pattern();
            if id.contains(['*', '?']) { None } else { UserId::parse(id).ok() }
        });
        let mut named: BTreeMap<OwnedUserId, Whose> =
            protected.map(|user| (user, Whose::Protected)).collect();
        named.extend(roster.operators.keys().map(|user| (user.clone(), Whose::Operator)));
        let own = [Some(&roster.bot), roster.admin_account.as_ref()].into_iter().flatten();
        named.extend(own.map(|user| (user.clone(), Whose::Bot)));
        named
    }
}

/// What one look at an account has found.
enum Looked {
    /// It belongs to an application service.
    Bridged,
    /// It does not.
    Person(LookedUp),
}

fn looked_up(account: &Account) -> LookedUp {
    LookedUp {
        email: account.threepids.iter().any(|address| address.medium.raw() == "email"),
        provider: account.external_ids.first().map(|id| id.auth_provider.clone()),
        deactivated: account.deactivated,
        ..LookedUp::default()
    }
}

/// An account as it is listed.
fn new_account(listed: Listed, known: &[Known]) -> NewAccount {
    let Listed { user, created, displayname, approved } = listed;
    let like = known.iter().find(|one| one.reads_like(&user, displayname.as_ref()));
    let like = like.map(|one| Like { user: one.user.clone(), whose: one.whose });
    let name = displayname.filter(|name| name.raw() != user.localpart());
    let waits = approved == Some(false);
    NewAccount { id: user, name, created, waits, like, looked_up: None }
}

fn with_pattern(account: NewAccount) -> (NewAccount, Option<String>) {
    let pattern = shape(account.id.localpart());
    (account, pattern)
}
