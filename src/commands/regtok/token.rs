//! Tokens: how they are typed, when they expire, and what the homeserver knows of one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::there;
use crate::{
    change::{Path, Skip, Snapshot, Subject},
    commands::{
        arguments::Moment,
        refusals::{BY_SERVICE, Meaning},
    },
    error::Stop,
    reply::{Fact, Line},
    synapse::Reader,
};

/// The longest token that the homeserver takes, in characters.
const LONGEST: usize = 64;

/// The token has gone since it was looked at.
pub(super) const TOKEN_GONE: Meaning =
    Meaning::new(404, "M_NOT_FOUND", "", "the token no longer exists; it did when I looked");

/// The same, as the authentication service says it.
pub(super) const GONE_THERE: Meaning =
    Meaning::new(404, BY_SERVICE, "", "the token no longer exists; it did when I looked");

/// Somebody else has revoked it since, or taken that back.
pub(super) const OTHERWISE_THERE: Meaning = Meaning::new(
    400,
    BY_SERVICE,
    "",
    "the authentication service refuses that of this token; look again with `!regtok list`",
);

/// The token would end before it could be used.
pub(super) const END_TO_COME: Meaning =
    Meaning::new(400, "M_INVALID_PARAM", "expiry", "the homeserver needs an end in the future");

/// Reads the name of a token to be.
pub(super) fn named(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._~-".contains(c);
    if text.is_empty() || text.len() > LONGEST || !text.chars().all(allowed) {
        return Err(format!("a token has 1 to {LONGEST} characters: letters, digits and . _ ~ -"));
    }
    if text == "new" {
        // Its address is the one at which tokens are made.
        return Err(
            "a token called new could be made, but never shown, changed or deleted; choose another"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// Reads a token that is there already: older homeservers and other programs made tokens of
/// characters that none can be made of now.
pub(super) fn existing(text: &str) -> Result<String, String> {
    // Nor one that is a way to somewhere else, should a proxy read it as a path.
    let leads_away = text.split('/').any(|part| matches!(part, "." | ".."));
    if text.is_empty() || text == "new" || leads_away || text.chars().any(char::is_control) {
        return named(text);
    }
    Ok(text.to_owned())
}

/// A token, as `GET /_synapse/admin/v1/registration_tokens/{token}` shows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Token {
    /// What is typed to register.
    #[serde(rename = "token")]
    pub(super) name: String,
    /// How many may register with it; `None` for any number.
    pub(super) uses_allowed: Option<i64>,
    /// How many have begun to.
    #[serde(default)]
    pub(super) pending: i64,
    /// How many have.
    #[serde(default)]
    pub(super) completed: i64,
    /// When it expires, in milliseconds; `None` for never.
    pub(super) expiry_time: Option<i64>,
    /// Whether the authentication service lets nobody register with it any more.
    #[serde(default)]
    pub(super) revoked: bool,
    /// By what the authentication service names it, where that keeps it.
    #[serde(default)]
    pub(super) id: Option<String>,
}

impl Token {
    /// Whether anybody can register with it, and why not.
    fn state(&self, now: Timestamp) -> Line {
        if self.revoked {
            return Line::new().strong("revoked");
        }
        if self.expiry_time.is_some_and(|at| at <= now.as_millisecond()) {
            return Line::new().strong("expired");
        }
        // Synapse takes 0 for any number when somebody registers, though it lists such a token as invalid.
        if self.uses_allowed.is_some_and(|allowed| allowed != 0 && self.taken() >= allowed) {
            return Line::new().strong("used up");
        }
        "valid".into()
    }

    /// How often it was used; a count below nothing cannot be true.
    fn used(&self) -> String {
        if self.completed < 0 { "not known".to_owned() } else { self.completed.to_string() }
    }

    /// How often it can be used. Below nothing is as good as not at all to the homeserver.
    fn allowed(&self) -> String {
        match self.uses_allowed {
            Some(uses) if uses < 0 => format!("none ({uses})"),
            Some(0) => "any number, since Synapse takes 0 for that".to_owned(),
            uses => allowed(uses.and_then(|uses| u64::try_from(uses).ok())),
        }
    }

    /// How many uses are gone, as the homeserver counts them.
    fn taken(&self) -> i64 {
        self.pending.saturating_add(self.completed)
    }

    /// What is shown of it.
    pub(super) fn facts(&self, now: Timestamp) -> Vec<Fact> {
        let mut facts = vec![
            ("State", self.state(now)),
            ("Used", format!("{} of {}", self.used(), self.allowed()).into()),
        ];
        if self.pending > 0 {
            facts.push(("Under way", self.pending.to_string().into()));
        }
        facts.push(("Expires", expires(self.expiry_time, now)));
        facts
    }
}

/// A number of uses, in words.
fn allowed(uses: Option<u64>) -> String {
    uses.map_or_else(|| "any number".to_owned(), |uses| uses.to_string())
}

/// A moment of expiry, in words.
fn expires(at: Option<i64>, now: Timestamp) -> Line {
    match at.map(Timestamp::from_millisecond) {
        None => "never".into(),
        Some(Ok(at)) => Line::new().time(Some(at), now),
        Some(Err(_)) => "too far in the future".into(),
    }
}

/// What is asked for, as facts: how often and until when.
pub(super) fn terms(uses: Option<u64>, expiry: Option<i64>, now: Timestamp) -> Vec<Fact> {
    vec![("Uses", allowed(uses).into()), ("Expires", expires(expiry, now))]
}

// When a token expires, as it is typed. No doc comment: it would become the verb's help.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Expiry {
    /// When it expires: 2026-12-01 or 2026-12-01T10:00Z, in UTC unless a zone is given
    #[arg(short = 'e', long, value_name = "DATE", conflicts_with = "expiry_ts")]
    expire_at: Option<Moment>,
    /// When it expires, in milliseconds since 1970; -1 for never
    #[arg(short = 't', long, value_name = "MS", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i64).range(-1..))]
    expiry_ts: Option<i64>,
}

/// What the expiry of a token becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// It stays as it is.
    Unchanged,
    /// It never expires.
    Never,
    /// It expires then, in milliseconds.
    At(i64),
}

impl Expiry {
    /// What was typed.
    pub(super) fn until(&self) -> Until {
        match (self.expire_at, self.expiry_ts) {
            (Some(Moment(at)), _) => Until::At(at.as_millisecond()),
            (None, Some(-1)) => Until::Never,
            (None, Some(at)) => Until::At(at),
            (None, None) => Until::Unchanged,
        }
    }
}

/// Refuses a moment at which a token cannot expire: the homeserver takes none that is past.
pub(super) fn not_past(until: Until, seen: &Snapshot) -> Result<(), Skip> {
    let Until::At(at) = until else { return Ok(()) };
    let now = seen.noted_now();
    let why = match Timestamp::from_millisecond(at) {
        Err(_) => Line::from("that time is too far in the future"),
        Ok(moment) if moment <= now => Line::new()
            .plain("a token cannot expire in the past, and this means ")
            .time(Some(moment), now)
            .plain(if at > 0 && at < SECONDS { "; type milliseconds" } else { "" }),
        Ok(_) => return Ok(()),
    };
    Err(Skip::not_understood(why))
}

/// Fewer milliseconds than this are seconds by mistake: as seconds they reach far beyond our time.
const SECONDS: i64 = 30_000_000_000;

/// A number of uses as it is typed: -1 stands for any number, and so does 0 to Synapse, which whoever types it
/// does not mean.
pub(super) fn uses_typed(text: &str) -> Result<i64, String> {
    match text.parse::<i64>() {
        Ok(0) => {
            Err("Synapse takes 0 for any number of uses; delete the token to let nobody register \
                      with it, or write -1 for any number"
                .to_owned())
        }
        Ok(uses) if uses >= -1 => Ok(uses),
        _ => {
            Err("it is not a number of uses; write one such as 10, or -1 for any number".to_owned())
        }
    }
}

/// Reads a number of uses: -1 stands for any number.
pub(super) fn uses(typed: Option<i64>) -> Option<u64> {
    typed.and_then(|uses| u64::try_from(uses).ok())
}

/// The path of one token.
pub(super) fn path(token: &str) -> Path {
    Path::admin(["v1", "registration_tokens", token])
}

/// Every token that there is. `GET /_synapse/admin/v1/registration_tokens`, or those of the
/// authentication service.
pub(super) async fn all(reader: &Reader, valid: Option<bool>) -> Result<Vec<Value>, Stop> {
    #[derive(Deserialize)]
    struct TokenList {
        registration_tokens: Vec<Value>,
    }
    if reader.has_service().await? {
        return there::all(reader, valid).await;
    }
    let query = valid.map(|valid| ("valid", valid.to_string()));
    let path = Path::admin(["v1", "registration_tokens"]);
    Ok(reader.get::<TokenList>(&path, query.as_slice()).await?.registration_tokens)
}

/// The token of this name, as the homeserver or the authentication service has it.
pub(super) async fn find(name: &str, reader: &Reader) -> Result<Option<Value>, Stop> {
    if reader.has_service().await? {
        // It finds them by ids of its own only.
        let all = there::all(reader, None).await?;
        return Ok(all.into_iter().find(|token| token["token"] == name));
    }
    Ok(reader.find(&path(name), &[]).await?)
}

/// Under this it is noted that the authentication service keeps the tokens.
const THERE: &str = "tokens-there";

/// Whether the authentication service keeps the tokens, as that was noted.
pub(super) fn are_there(seen: &Snapshot) -> bool {
    seen.extra.get(THERE).and_then(Value::as_bool) == Some(true)
}

/// Notes who keeps the tokens.
pub(super) async fn note_keeper(seen: &mut Snapshot, reader: &Reader) -> Result<(), Stop> {
    seen.extra.insert(THERE.to_owned(), json!(reader.has_service().await?));
    Ok(())
}

/// By what the authentication service names the token that was seen, where that keeps it.
pub(super) fn id(seen: &Snapshot) -> Option<&str> {
    seen.extra.get("id").and_then(Value::as_str)
}

/// Every token that there is.
pub(super) async fn every(reader: &Reader) -> Result<Vec<Token>, Stop> {
    read(all(reader, None).await?)
}

/// The names of those that can be used now: those that the homeserver lists as valid, and those that
/// allow 0 uses, with which anybody can register: Synapse takes that for any number then.
pub(super) async fn usable(reader: &Reader) -> Result<Vec<String>, Stop> {
    let mut usable = read(all(reader, Some(true)).await?)?;
    let now = reader.now().as_millisecond();
    let is_zero = |token: &Token| {
        token.uses_allowed == Some(0) && token.expiry_time.is_none_or(|at| at > now)
    };
    usable.extend(every(reader).await?.into_iter().filter(is_zero));
    Ok(usable.into_iter().map(|token| token.name).collect())
}

/// How many have registered with each token; `None` where the homeserver has no tokens.
pub(crate) async fn completed(reader: &Reader) -> Result<Option<BTreeMap<String, u64>>, Stop> {
    let tokens = match every(reader).await {
        Err(Stop::Api(error)) if error.is_unknown_route() => return Ok(None),
        tokens => tokens?,
    };
    let count = |token: Token| (token.name, u64::try_from(token.completed).unwrap_or_default());
    Ok(Some(tokens.into_iter().map(count).collect()))
}

fn read(rows: Vec<Value>) -> Result<Vec<Token>, Stop> {
    let read = |row| serde_json::from_value(row).map_err(|_| unread());
    rows.into_iter().map(read).collect()
}

/// A list of tokens of which one is not in the form that it should have.
pub(super) fn unread() -> Stop {
    Stop::failed("the homeserver's list of registration tokens is not in the expected format")
}

/// The tokens of a verb about some of them; typed twice is meant once.
pub(super) fn subjects(tokens: &[String]) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = Vec::new();
    for token in tokens {
        let subject = Subject::Token(token.clone());
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

/// Looks at a token. What is no token has nothing to be seen.
pub(super) async fn snapshot(subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
    let Subject::Token(token) = subject else { return Ok(Snapshot::default()) };
    let found = find(token, reader).await?.map(serde_json::from_value::<Token>);
    let found = found.transpose().map_err(|_| unread())?;
    let mut seen = seen(found.as_ref(), reader.now());
    note_keeper(&mut seen, reader).await?;
    Ok(seen)
}

/// What binds and what is shown of a token.
pub(super) fn seen(token: Option<&Token>, now: Timestamp) -> Snapshot {
    let mut seen = Snapshot::default();
    seen.preconditions.insert("exists".to_owned(), json!(token.is_some()));
    if let Some(token) = token {
        seen.preconditions.insert("uses_allowed".to_owned(), json!(token.uses_allowed));
        seen.preconditions.insert("expiry_time".to_owned(), json!(token.expiry_time));
        seen.extra.insert("completed".to_owned(), json!(token.completed));
        seen.extra.insert("pending".to_owned(), json!(token.pending));
        if let Some(id) = &token.id {
            seen.extra.insert("id".to_owned(), json!(id));
            seen.preconditions.insert("revoked".to_owned(), json!(token.revoked));
        }
        seen.display = token.facts(now);
    }
    seen.note_now(now);
    seen
}

/// Why nothing can be done to the subject, where there is no such token.
pub(super) fn exists(subject: &Subject, seen: &Snapshot) -> Result<(), Skip> {
    let what = match subject {
        Subject::Token(_) if seen.is("exists") => return Ok(()),
        Subject::Token(_) => Skip::not_found(Line::new().plain("there is no token ").code(subject)),
        _ => Skip::refused(Line::new().code(subject).plain(" is not a token")),
    };
    Err(what.or("regtok list"))
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::commands::user::testing::now;

    /// `welcome` as a subject.
    pub(in crate::commands::regtok) fn welcome() -> Subject {
        Subject::Token("welcome".to_owned())
    }

    /// The token as it is seen.
    pub(in crate::commands::regtok) fn seen(uses: Option<i64>, expiry: Option<i64>) -> Snapshot {
        let token = Token {
            name: "welcome".to_owned(),
            uses_allowed: uses,
            pending: 0,
            completed: 2,
            expiry_time: expiry,
            revoked: false,
            id: None,
        };
        super::seen(Some(&token), now())
    }

    /// What is seen where there is no such token.
    pub(in crate::commands::regtok) fn unseen() -> Snapshot {
        super::seen(None, now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};

    #[test]
    fn a_token_is_what_the_homeserver_takes_for_one() {
        for text in ["abc", "A-b_c.d~9", &"x".repeat(64)] {
            assert_eq!(named(text).as_deref(), Ok(text));
        }
        assert!(named("new").unwrap_err().contains("never shown"));
        for text in ["a b/ü?#", &"x".repeat(65)] {
            assert_eq!(existing(text).as_deref(), Ok(text), "it may be there all the same");
        }
        for text in ["", "new", "a\nb", "../admin", "a/.."] {
            assert!(existing(text).is_err(), "{text:?}");
        }
        for text in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(named(text).unwrap_err().contains("1 to 64"), "{text}");
        }
    }

    #[test]
    fn its_state_is_said_in_one_word() {
        let token = |uses_allowed, expiry_time| {
            let token = json!({"token": "welcome", "uses_allowed": uses_allowed, "pending": 1,
                "completed": 2, "expiry_time": expiry_time});
            testing::facts(&serde_json::from_value::<Token>(token).unwrap().facts(now()))
        };
        assert_eq!(
            token(json!(null), json!(null)),
            "State: valid\nUsed: 2 of any number\nUnder way: 1\nExpires: never\n"
        );
        assert!(token(json!(3), json!(null)).starts_with("State: **used up**\nUsed: 2 of 3\n"));
        assert!(
            token(json!(-1), json!(null)).starts_with("State: **used up**\nUsed: 2 of none (-1)\n")
        );
        assert!(
            token(json!(0), json!(null)).starts_with("State: valid\nUsed: 2 of any number, since"),
            "anybody can register with it"
        );
        let odd = json!({"token": "a b/ü", "uses_allowed": 3, "pending": -2, "completed": -1,
            "expiry_time": i64::MAX});
        let odd = testing::facts(&serde_json::from_value::<Token>(odd).unwrap().facts(now()));
        assert_eq!(odd, "State: valid\nUsed: not known of 3\nExpires: too far in the future\n");
        assert!(token(json!(9), json!(1_000)).starts_with("State: **expired**"));
    }

    #[test]
    fn an_expiry_is_a_date_or_milliseconds_and_never_past() {
        let until = |typed: &[&str]| testing::parse::<Expiry>(typed).unwrap().until();
        assert_eq!(until(&[]), Until::Unchanged);
        assert_eq!(until(&["-t", "-1"]), Until::Never);
        assert_eq!(until(&["--expiry-ts", "4102444800000"]), Until::At(4_102_444_800_000));
        assert_eq!(until(&["-e", "2100-01-01"]), Until::At(4_102_444_800_000));
        assert!(testing::parse::<Expiry>(&["-e", "2100-01-01", "-t", "1"]).is_err());
        assert!(testing::parse::<Expiry>(&["-t", "-2"]).is_err());

        let seen = testing_seen();
        assert!(not_past(Until::At(4_102_444_800_000), &seen).is_ok());
        let refused = |at| testing::skip(&not_past(Until::At(at), &seen).unwrap_err());
        assert!(refused(1_795_000_000).contains("type milliseconds"));
        assert!(refused(1_795_000_000_000).contains("2026-11-18"));
        assert!(refused(i64::MAX).contains("too far in the future"));
    }

    fn testing_seen() -> Snapshot {
        super::testing::unseen()
    }
}
