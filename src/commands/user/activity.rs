//! What takes a look at each account of a list: whether it was used of late, and whether it has an email.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use ruma::UserId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::page::Row;
use crate::{
    commands::listing::{Apart, Kept, Page, Pages},
    error::Stop,
    synapse::{Error, Reader, wire::Plausible as _},
};

/// How many accounts of one page of the homeserver's are looked up: what is left of it is asked for
/// again, if it is needed.
const LOOKED_UP: usize = 200;

/// How many are looked up at once.
const AT_ONCE: usize = 8;

/// Under this a row has what was looked up of its account. It is not told to programs.
pub(super) const KEY: &str = "looked_up";

/// Accounts that cannot be called idle, whatever they are.
const NOT_KNOWN: Apart = Apart {
    one: "has no known last activity, so it is not listed: it was never used, or the homeserver has \
          forgotten it.",
    many: "have no known last activity, so they are not listed: they were never used, or the \
           homeserver has forgotten it.",
};

/// Accounts that the homeserver lists and does not show.
const NOT_READ: Apart = Apart {
    one: "could not be looked up, so it is not listed.",
    many: "could not be looked up, so they are not listed.",
};

/// What was looked up of an account.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct LookedUp {
    /// Whether an application service has it.
    bridged: bool,
    /// Whether it has an email address.
    email: bool,
}

/// What of an account is wanted that the homeserver's list does not say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Not seen since, and not created since.
    pub(super) idle_since: Option<Timestamp>,
    /// Without an email address.
    pub(super) no_mail: bool,
    /// When this is asked.
    pub(super) now: Timestamp,
}

impl Wanted {
    /// Whether an account may be wanted, as far as the list says.
    fn may_fit(&self, row: &Row) -> bool {
        let Some(since) = self.idle_since else { return true };
        let is_since = |at: Option<Timestamp>| at.is_some_and(|at| at >= since);
        let created = row.created().map(|dated| dated.at);
        !is_since(created) && !is_since(row.seen_before(self.now))
    }

    /// Whether an account is wanted.
    pub(super) fn keeps(&self, row: &Row) -> Kept {
        if !self.may_fit(row) {
            return Kept::No;
        }
        let Some(found) = row.looked_up else { return Kept::Apart(&NOT_READ) };
        // A bridge makes accounts without either, and needs them.
        if found.bridged || (self.no_mail && found.email) {
            return Kept::No;
        }
        match (self.idle_since, row.seen_before(self.now)) {
            (Some(_), None) => Kept::Apart(&NOT_KNOWN),
            _ => Kept::Yes,
        }
    }

    /// A page that begins at `from`, with what was looked up of each account that `fits` so far. Where
    /// that would be too many the page ends before them.
    pub(super) async fn looked_up(
        &self,
        page: Page,
        from: Option<&str>,
        fits: impl Fn(&Row) -> bool,
        reader: &Reader,
    ) -> Result<Page, Stop> {
        if self.no_mail && reader.is_delegated().await? {
            return Err(Stop::failed(
                "an authentication service manages the accounts of this homeserver, and only that \
                 knows their email addresses. Leave out --no-mail",
            ));
        }
        let Page { mut rows, total, mut next } = page;
        let begin = Pages::number(from)?;
        let mut candidates = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            let fits = Row::deserialize(row).is_ok_and(|row| fits(&row) && self.may_fit(&row));
            if fits && candidates.len() == LOOKED_UP {
                next = Some(begin.saturating_add(n as u64).to_string());
                rows.truncate(n);
                break;
            }
            if fits {
                candidates.push(n);
            }
        }
        let looks: Vec<_> = candidates.iter().map(|n| (*n, rows[*n].clone())).collect();
        let looks =
            looks.into_iter().map(|(n, row)| async move { (n, self.look(row, reader).await) });
        let mut looks = stream::iter(looks).buffered(AT_ONCE);
        while let Some((n, found)) = looks.next().await {
            match found {
                Ok(Some(found)) => rows[n] = found,
                Ok(None) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "an account of a list cannot be looked up");
                }
            }
        }
        Ok(Page { rows, total, next })
    }

    /// The account of a row, with when it was last seen and what else was looked up; `None` where there
    /// is no such account, or its id is none.
    async fn look(&self, mut row: Value, reader: &Reader) -> Result<Option<Value>, Error> {
        let Some(user) = row["name"].as_str().and_then(|name| UserId::parse(name).ok()) else {
            return Ok(None);
        };
        let Some(account) = reader.account(&user).await? else { return Ok(None) };
        let listed = reader.passed(Timestamp::plausible(&row["last_seen_ts"]));
        let mut seen = listed.max(account.last_seen);
        // Some versions list what its addresses say alone, and forget that first.
        if seen.is_none() && self.idle_since.is_some() {
            let devices = reader.devices(&user).await?;
            seen = reader.last_seen(&account, &devices);
        }
        row["last_seen_ts"] = json!(seen.map(Timestamp::as_millisecond));
        row[KEY] = json!(LookedUp {
            bridged: account.appservice_id.is_some(),
            email: account.threepids.iter().any(|address| address.medium.raw() == "email"),
        });
        Ok(Some(row))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path_regex};

    use super::*;
    use crate::{clock::FixedClock, commands::user::testing::now, synapse::Access};

    /// A homeserver of which every account is the same, except for its name, and a reader of it.
    async fn homeserver(account: Value) -> (MockServer, Reader) {
        let server = MockServer::start().await;
        let answer = move |request: &wiremock::Request| {
            let last = request.url.path_segments().and_then(|mut parts| parts.next_back());
            let name = last.unwrap_or_default().replace("%40", "@").replace("%3A", ":");
            let mut account = account.clone();
            account["name"] = name.into();
            ResponseTemplate::new(200).set_body_json(account)
        };
        let accounts = path_regex("^/_synapse/admin/v2/users/[^/]+$");
        Mock::given(accounts).respond_with(answer).mount(&server).await;
        let devices =
            ResponseTemplate::new(200).set_body_json(json!({ "devices": [], "total": 0 }));
        Mock::given(path_regex("/devices$")).respond_with(devices).mount(&server).await;
        let unknown = json!({ "errcode": "M_UNRECOGNIZED", "error": "Unrecognized request" });
        let unknown = ResponseTemplate::new(404).set_body_json(unknown);
        let service = Mock::given(path_regex("auth_metadata$")).respond_with(unknown);
        service.with_priority(9).mount(&server).await;
        let access = Access {
            base: server.uri().parse().unwrap(),
            media: None,
            token: "none".into(),
            token_expires: None,
            accounts: None,
            server_name: "example.org".try_into().unwrap(),
        };
        let reader = Reader::new(access, Arc::new(FixedClock::at(now()))).unwrap();
        (server, reader)
    }

    fn of_many(count: u64) -> Page {
        let rows = (0..count).map(|n| json!({ "name": format!("@u{n}:example.org") })).collect();
        Page { rows, total: Some(count), next: None }
    }

    #[tokio::test]
    async fn a_page_ends_before_more_are_looked_up_than_are_worth_it() {
        let account = json!({
            "admin": false, "deactivated": false, "creation_ts": 1, "last_seen_ts": null,
            "appservice_id": null, "threepids": [{ "medium": "email", "address": "a@b.example" }],
        });
        let (server, reader) = homeserver(account).await;
        let every = |_: &Row| true;
        let page = wanted(None, true).looked_up(of_many(250), Some("40"), every, &reader).await;
        let page = page.unwrap();
        assert_eq!((page.rows.len(), page.next.as_deref()), (200, Some("240")));
        let read = |row: &Value| Row::deserialize(row).unwrap();
        assert!(page.rows.iter().all(|row| read(row).looked_up.is_some_and(|found| found.email)));
        // Whoever does not fit anyhow costs no request.
        let asked = async || server.received_requests().await.unwrap().len();
        let before = asked().await;
        let nobody = |_: &Row| false;
        let page = wanted(Some(30), false).looked_up(of_many(250), None, nobody, &reader).await;
        assert_eq!((page.unwrap().rows.len(), asked().await - before), (250, 0));
        // What is not known by its addresses may be known by its devices.
        let page = wanted(Some(30), false).looked_up(of_many(1), None, every, &reader).await;
        assert_eq!(
            wanted(Some(30), false).keeps(&read(&page.unwrap().rows[0])),
            Kept::Apart(&NOT_KNOWN)
        );
        assert_eq!(asked().await - before, 2);
    }

    #[tokio::test]
    async fn where_a_service_has_the_emails_nobody_is_said_to_have_none() {
        let (server, reader) = homeserver(json!({})).await;
        let metadata = json!({ "issuer": "https://auth.example.org/" });
        let metadata = ResponseTemplate::new(200).set_body_json(metadata);
        Mock::given(path_regex("auth_metadata$")).respond_with(metadata).mount(&server).await;
        let page = wanted(None, true).looked_up(of_many(1), None, |_| true, &reader).await;
        let Err(Stop::Refused { status, why, .. }) = page else { panic!("it is no list") };
        assert_eq!(status, crate::reply::Status::Failed);
        assert!(why.text().contains("only that knows their email addresses"), "{}", why.text());
    }

    const DAY: i64 = 86_400_000;

    /// A row of an account that was created and seen so many days ago.
    fn row(created: i64, seen: Option<i64>, looked_up: Option<(bool, bool)>) -> Row {
        let ago = |days: i64| now().as_millisecond() - days * DAY;
        let looked_up = looked_up.map(|(bridged, email)| LookedUp { bridged, email });
        let row = json!({
            "name": "@ann:example.org", "creation_ts": ago(created),
            "last_seen_ts": seen.map(ago), KEY: looked_up,
        });
        Row::deserialize(row).unwrap()
    }

    fn wanted(days: Option<i64>, no_mail: bool) -> Wanted {
        let since =
            |days: i64| Timestamp::from_millisecond(now().as_millisecond() - days * DAY).unwrap();
        Wanted { idle_since: days.map(since), no_mail, now: now() }
    }

    const PLAIN: Option<(bool, bool)> = Some((false, false));
    const BRIDGED: Option<(bool, bool)> = Some((true, false));
    const MAILED: Option<(bool, bool)> = Some((false, true));

    #[test]
    fn an_account_is_idle_that_is_known_to_be_and_no_other() {
        let idle = wanted(Some(365), false);
        for (row, wanted) in [
            (row(900, Some(400), PLAIN), Kept::Yes),
            (row(900, Some(400), MAILED), Kept::Yes),
            (row(900, Some(300), PLAIN), Kept::No),
            // It is younger than that, whatever else is known of it.
            (row(300, None, PLAIN), Kept::No),
            // Forgotten is not unused.
            (row(900, None, PLAIN), Kept::Apart(&NOT_KNOWN)),
            (row(900, Some(400), BRIDGED), Kept::No),
            (row(900, None, BRIDGED), Kept::No),
            (row(900, Some(400), None), Kept::Apart(&NOT_READ)),
            // A moment that is still to come says nothing.
            (row(900, Some(-30), PLAIN), Kept::Apart(&NOT_KNOWN)),
        ] {
            assert_eq!(idle.keeps(&row), wanted, "{row:?}");
        }
    }

    #[test]
    fn whoever_has_an_email_is_left_out_and_not_counted_either() {
        let both = wanted(Some(365), true);
        assert_eq!(both.keeps(&row(900, Some(400), PLAIN)), Kept::Yes);
        assert_eq!(both.keeps(&row(900, Some(400), MAILED)), Kept::No);
        assert_eq!(both.keeps(&row(900, None, MAILED)), Kept::No);
        let no_mail = wanted(None, true);
        assert_eq!(no_mail.keeps(&row(3, Some(0), PLAIN)), Kept::Yes);
        assert_eq!(no_mail.keeps(&row(3, None, PLAIN)), Kept::Yes);
        assert_eq!(no_mail.keeps(&row(3, None, BRIDGED)), Kept::No);
    }
}
